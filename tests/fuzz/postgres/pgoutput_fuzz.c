/* Any bytes as messages to one decoder, so that relations carry over from one to the next: each
 * message comes after its length in two bytes, big-endian. A message is decoded or refused with an
 * error; all that a decoded one points to lies in it and can be read. */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/reader.h"
#include "postgres/pgoutput.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_KEEP_BYTES = 16 * 1024 };

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

/* From a block of its own size, so that AddressSanitizer sees a read past the end. */
static uint64_t decode_one(struct pgoutput *decoder, struct arena *arena, struct slice message)
{
    char *exact = memory_alloc(message.size > 0 ? message.size : 1);
    memcpy(exact, message.data, message.size);
    struct slice payload = { exact, message.size };
    struct change change;
    struct error err = ERROR_INIT;
    uint64_t sum = 0;
    arena_reset(arena);
    if (pgoutput_decode(decoder, payload, arena, &change, &err))
        sum = touch_change(payload, &change);
    else
        check_refused(&err);
    memory_free(exact);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader input = reader_init((struct slice){ (const char *)data, size });
    struct pgoutput *decoder = pgoutput_new();
    struct arena arena = arena_init(ARENA_KEEP_BYTES);
    volatile uint64_t sum = 0; /* so that the reads are not optimised away */
    while (reader_left(&input) > 0) {
        uint16_t message_bytes = reader_u16(&input);
        size_t left = reader_left(&input);
        sum += decode_one(decoder, &arena,
                          reader_bytes(&input, message_bytes < left ? message_bytes : left));
    }
    (void)sum;
    pgoutput_reset(decoder);
    pgoutput_free(decoder);
    arena_done(&arena);
    return 0;
}
