/* Any bytes as messages to one decoder, so that relations carry over from one to the next; an empty
 * one is a new stream, which forgets them. A message is decoded or refused with an error; all that
 * a decoded one points to lies in it and can be read; a row's relation is the last one announced.
 */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "fuzz/messages.h"
#include "fuzz/messages_mutator.h"
#include "postgres/pgoutput.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_KEEP_BYTES = 16 * 1024, ANNOUNCED_MAX = 64 };

/* What the decoder must know: each relation's last announcement, as a sum over all of it. */
struct announced {
    uint32_t oid;
    uint64_t sum;
};

struct fuzz {
    struct pgoutput *decoder;
    struct arena arena;
    struct announced announced[ANNOUNCED_MAX];
    uint32_t announced_count;
};

static uint64_t touch(struct slice bytes)
{
    CHECK(bytes.data != NULL);
    return map_hash(bytes);
}

static uint64_t touch_in(struct slice message, struct slice bytes)
{
    CHECK(bytes.data >= message.data);
    CHECK(bytes.data + bytes.size <= message.data + message.size);
    return touch(bytes);
}

static uint64_t touch_tuple(struct slice message, const struct relation *relation,
                            struct tuple tuple)
{
    uint64_t sum = 0;
    CHECK(tuple.count == relation->column_count);
    for (uint16_t i = 0; i < tuple.count; i++) {
        const struct value *value = &tuple.values[i];
        CHECK(value->kind <= VALUE_BINARY);
        if (value->kind == VALUE_TEXT || value->kind == VALUE_BINARY)
            sum += touch_in(message, value->bytes);
    }
    return sum;
}

static uint64_t touch_relation(const struct relation *relation)
{
    CHECK(relation->schema.size > 0 && relation->name.size > 0);
    uint64_t sum = touch(relation->schema) + touch(relation->name);
    sum += (uint64_t)strlen(relation_identity_name(relation->identity));
    for (uint16_t i = 0; i < relation->column_count; i++)
        sum += touch(relation->columns[i].name) + relation->columns[i].type_oid;
    return sum;
}

static struct announced *find_announced(struct fuzz *fuzz, uint32_t oid)
{
    for (uint32_t i = 0; i < fuzz->announced_count; i++)
        if (fuzz->announced[i].oid == oid)
            return &fuzz->announced[i];
    return NULL;
}

static void announce(struct fuzz *fuzz, const struct relation *relation)
{
    struct announced *known = find_announced(fuzz, relation->oid);
    if (known == NULL && fuzz->announced_count < ANNOUNCED_MAX)
        known = &fuzz->announced[fuzz->announced_count++];
    if (known != NULL)
        *known = (struct announced){ relation->oid, touch_relation(relation) };
}

static void check_announced(struct fuzz *fuzz, const struct relation *relation)
{
    const struct announced *known = find_announced(fuzz, relation->oid);
    CHECK(known != NULL || fuzz->announced_count == ANNOUNCED_MAX);
    CHECK(known == NULL || known->sum == touch_relation(relation));
}

static void check_relations(struct fuzz *fuzz, const struct change *change)
{
    if (change->kind == CHANGE_RELATION)
        announce(fuzz, change->relation);
    else if (change->relation != NULL)
        check_announced(fuzz, change->relation);
    if (change->kind == CHANGE_TRUNCATE)
        for (uint32_t i = 0; i < change->as.truncate.count; i++)
            check_announced(fuzz, change->as.truncate.relations[i]);
}

static uint64_t touch_row(struct slice message, const struct change *change)
{
    uint64_t sum = touch_relation(change->relation);
    CHECK((change->kind == CHANGE_INSERT) <= (change->as.row.old_kind == OLD_NONE));
    CHECK((change->kind == CHANGE_DELETE) <= (change->as.row.old_kind != OLD_NONE));
    if (change->as.row.old_kind != OLD_NONE)
        sum += touch_tuple(message, change->relation, change->as.row.old);
    if (change->kind != CHANGE_DELETE)
        sum += touch_tuple(message, change->relation, change->as.row.new);
    return sum;
}

static uint64_t touch_change(struct slice message, const struct change *change)
{
    uint64_t sum = 0;
    switch (change->kind) {
    case CHANGE_BEGIN:
        return change->as.begin.final_lsn.value + change->as.begin.xid;
    case CHANGE_COMMIT:
        return change->as.commit.commit_lsn.value + change->as.commit.end_lsn.value;
    case CHANGE_ORIGIN:
        return touch_in(message, change->as.origin.name);
    case CHANGE_RELATION:
        return touch_relation(change->relation);
    case CHANGE_TYPE:
        CHECK(change->as.type.schema.size > 0);
        return touch(change->as.type.schema) + touch_in(message, change->as.type.name);
    case CHANGE_INSERT:
    case CHANGE_UPDATE:
    case CHANGE_DELETE:
        return touch_row(message, change);
    case CHANGE_TRUNCATE:
        for (uint32_t i = 0; i < change->as.truncate.count; i++)
            sum += touch_relation(change->as.truncate.relations[i]);
        return sum;
    case CHANGE_MESSAGE:
        return touch_in(message, change->as.message.prefix) +
               touch_in(message, change->as.message.content);
    case CHANGE_KIND_COUNT:
        break;
    }
    CHECK(change->kind < CHANGE_KIND_COUNT);
    return 0;
}

static void check_refused(const struct error *err)
{
    CHECK(err->class == ERROR_HALT);
    CHECK(strcmp(err->code, "undecodable") == 0);
    CHECK(err->text[0] != '\0' && err->advice[0] != '\0');
}

static uint64_t decode_one(struct fuzz *fuzz, struct slice message)
{
    char *exact = messages_exact(message);
    struct slice payload = { exact, message.size };
    struct change change;
    struct error err = ERROR_INIT;
    uint64_t sum = 0;
    arena_reset(&fuzz->arena);
    if (pgoutput_decode(fuzz->decoder, payload, &fuzz->arena, &change, &err)) {
        sum = touch_change(payload, &change);
        check_relations(fuzz, &change);
    } else {
        check_refused(&err);
    }
    memory_free(exact);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader input = reader_init((struct slice){ (const char *)data, size });
    struct fuzz fuzz = { .decoder = pgoutput_new(), .arena = arena_init(ARENA_KEEP_BYTES) };
    volatile uint64_t sum = 0; /* so that the reads are not optimised away */
    while (reader_left(&input) > 0) {
        struct slice message = messages_next(&input);
        sum += decode_one(&fuzz, message);
        if (message.size == 0) {
            pgoutput_reset(fuzz.decoder);
            fuzz.announced_count = 0;
        }
    }
    (void)sum;
    pgoutput_free(fuzz.decoder);
    arena_done(&fuzz.arena);
    return 0;
}
