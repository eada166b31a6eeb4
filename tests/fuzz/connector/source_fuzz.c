/* Any bytes as CopyData messages: through the source (framing, decoder, relations that carry over)
 * and the flat encoder. Each event is parsed back by jansson and compared with one that is written
 * here the simple way: column for column, in the order of the relation.
 *
 * An empty message is a new stream. The connection is played: wal_stream_next() is this file's. */
#include <stdint.h>

#include "base/check.h"
#include "base/text.h"
#include "connector/source.h"
#include "format/encoder.h"
#include "format/json_writer.h"
#include "format/key.h"
#include "fuzz/messages.h"
#include "fuzz/messages_mutator.h"
#include "unit/format/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    KEY_COLUMNS_MAX = 8,
    RECORD_MAX_BYTES = 16 * 1024,
    ARENA_KEEP_BYTES = 16 * 1024,
    ALL_HEADERS = 63,
};

struct wal_stream {
    struct reader input;
    char *exact;
    bool restarted;
};

enum wal_next wal_stream_next(struct wal_stream *stream, struct wal_message *out_message,
                              struct error *err)
{
    if (reader_left(&stream->input) == 0)
        return WAL_NEXT_END;
    struct slice message = messages_next(&stream->input);
    if (message.size == 0) {
        stream->restarted = true;
        return WAL_NEXT_EMPTY;
    }
    memory_free(stream->exact);
    stream->exact = messages_exact(message);
    if (wal_message_read((struct slice){ stream->exact, message.size }, out_message))
        return WAL_NEXT_MESSAGE;
    (void)error_set(err, ERROR_HALT, "undecodable", "not the replication protocol");
    return WAL_NEXT_FAILED;
}

/* Plans, as the built-in handler makes them. */

static void free_plan(void *plan)
{
    table_plan_free(plan);
}

/* By the OID: the identity, the first columns, or what cannot be a key. */
static uint16_t choose_key(const struct relation *relation,
                           struct slice names[static KEY_COLUMNS_MAX])
{
    enum { IDENTITY, FIRST, FIRST_TWO, WRONG, CHOICES };
    const struct column *columns = relation->columns;
    uint16_t count = 0;
    switch (relation->oid % CHOICES) {
    case IDENTITY:
        for (uint16_t i = 0; i < relation->column_count && count < KEY_COLUMNS_MAX; i++)
            if (columns[i].identity)
                names[count++] = columns[i].name;
        return count;
    case WRONG:
        names[0] = SLICE_TEXT("no such column");
        return 1;
    default:
        while (count < relation->oid % CHOICES && count < relation->column_count) {
            names[count] = columns[count].name;
            count++;
        }
        return count;
    }
}

static const struct table_plan *plan_of(struct relation *relation)
{
    struct slice names[KEY_COLUMNS_MAX];
    struct table_plan *plan = NULL;
    struct error err = ERROR_INIT;
    bool by_identity = relation->identity == REPLICA_IDENTITY_DEFAULT ||
                       relation->identity == REPLICA_IDENTITY_INDEX;
    CHECK(key_needs_primary_key(relation, false) == !by_identity);
    CHECK(!key_needs_primary_key(relation, true));
    if (relation->attachment != NULL)
        return relation->attachment;
    if (!table_plan_new(relation, names, choose_key(relation, names), &plan, &err)) {
        CHECK(err.class == ERROR_HALT && err.text[0] != '\0');
        return NULL;
    }
    plan->routed = true;
    relation_attach(relation, plan, free_plan);
    return plan;
}

/* What a column says in one of the two images; NULL = it is left out. */
static const struct value *said(const struct change *change, uint16_t at, bool old_image)
{
    enum old_tuple old_kind = change->as.row.old_kind;
    bool in_old =
        old_kind == OLD_FULL || (old_kind == OLD_KEY && change->relation->columns[at].identity);
    const struct value *value = old_image ? NULL : &change->as.row.new.values[at];
    if (in_old && (old_image || value->kind == VALUE_UNCHANGED))
        value = &change->as.row.old.values[at];
    return value != NULL && value->kind != VALUE_UNCHANGED ? value : NULL;
}

static void write_member(struct buf *out, const struct column *column, const struct value *value)
{
    buf_append_byte(out, ',');
    json_writer_string(out, column->name);
    buf_append_byte(out, ':');
    if (value->kind == VALUE_NULL)
        buf_append_text(out, "null");
    else
        value_json_for(column->type_oid)(out, value->bytes);
}

static struct buf write_row(const struct change *change, const char *operation, bool old_image)
{
    struct buf out = buf_init(ORACLE_LIMIT_BYTES);
    buf_append_format(&out, "{\"operation\":\"%s\"", operation);
    for (uint16_t i = 0; i < change->relation->column_count; i++) {
        const struct column *column = &change->relation->columns[i];
        const struct value *value = said(change, i, old_image);
        if (value != NULL && !slice_is(column->name, "operation"))
            write_member(&out, column, value);
    }
    buf_append_byte(&out, '}');
    return out;
}

static struct buf write_key(const struct table_plan *plan, const struct change *change,
                            bool old_image)
{
    struct buf out = buf_init(ORACLE_LIMIT_BYTES);
    for (uint16_t i = 0; i < plan->key_count; i++) {
        uint16_t at = plan->key_columns[i].index;
        write_member(&out, &plan->relation->columns[at], said(change, at, old_image));
    }
    buf_append_byte(&out, '}');
    out.data[0] = '{';
    return out;
}

/* Comparing. */

/* As a server's: UTF-8, no name twice. Otherwise two names can become the same one, and sort after
 * bytes that are not written. */
static bool names_are_sound(const struct relation *relation)
{
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (!text_is_utf8(relation->columns[i].name))
            return false;
        for (uint16_t j = 0; j < i; j++)
            if (slice_equal(relation->columns[i].name, relation->columns[j].name))
                return false;
    }
    return true;
}

/* Both are what jansson refuses (a document's half surrogate, a number that no double holds), or
 * both say the same. */
static void check_same(struct slice json, struct slice expected)
{
    enum json_error_code code, expected_code;
    json_t *parsed = oracle_parse(json, &code);
    json_t *other = oracle_parse(expected, &expected_code);
    CHECK((parsed == NULL) == (other == NULL));
    bool refused = code == json_error_numeric_overflow ||
                   memmem(json.data, json.size, "\\u", strlen("\\u")) != NULL;
    CHECK(parsed == NULL ? refused : json_is_object(parsed) && json_equal(parsed, other));
    json_decref(parsed);
    json_decref(other);
}

static void check_sorted(struct slice json)
{
    enum json_error_code code;
    json_t *object = oracle_parse(json, &code);
    const char *name, *before = "";
    json_t *value;
    json_object_foreach(object, name, value)
    {
        CHECK(strcmp(before, name) <= 0);
        before = name;
    }
    json_decref(object);
}

static void check_key(const struct table_plan *plan, const struct change *change,
                      const struct record *record, bool old_image)
{
    if (plan->key_count == 0) {
        CHECK(record->key.data == NULL);
        return;
    }
    if (plan->key_count > 1) {
        AUTO(struct buf, buf_done) expected = write_key(plan, change, old_image);
        check_same(record->key, buf_slice(&expected));
        return;
    }
    const struct value *value = said(change, plan->key_columns[0].index, old_image);
    CHECK(value != NULL && (value->kind == VALUE_NULL) == (record->key.data == NULL));
    CHECK(value->kind == VALUE_NULL || slice_equal(record->key, value->bytes));
}

static void check_row(const struct table_plan *plan, const struct change *change,
                      const struct record *record, const char *operation)
{
    bool old_image = strcmp(operation, "DELETE") == 0;
    AUTO(struct buf, buf_done) expected = write_row(change, operation, old_image);
    check_same(record->value, buf_slice(&expected));
    check_key(plan, change, record, old_image);
}

/* An UPDATE that moves the key is a DELETE, its tombstone and an INSERT. */
static void check_records(const struct table_plan *plan, const struct change *change,
                          const struct record_list *list)
{
    static const char *const operations[CHANGE_KIND_COUNT] = {
        [CHANGE_INSERT] = "INSERT",
        [CHANGE_UPDATE] = "UPDATE",
        [CHANGE_DELETE] = "DELETE",
    };
    const char *operation = operations[change->kind];
    bool moves = change->kind == CHANGE_UPDATE && list->count > 1;
    bool deletes = moves || change->kind == CHANGE_DELETE;
    uint32_t at = 0;
    if (deletes)
        check_row(plan, change, &list->items[at++], "DELETE");
    if (deletes && list->items[0].key.data != NULL) {
        CHECK(list->items[at].value.data == NULL);
        CHECK(slice_equal(list->items[at++].key, list->items[0].key));
    }
    if (change->kind != CHANGE_DELETE)
        check_row(plan, change, &list->items[at++], moves ? "INSERT" : operation);
    CHECK(at == list->count);
}

static void check_truncate(const struct record_list *list)
{
    CHECK(list->count == 1 && list->items[0].key.data == NULL);
    CHECK(slice_is(list->items[0].value, "{\"operation\":\"TRUNCATE\"}"));
}

/* The line. */

/* By the OID, so that all of them come up. */
static uint32_t headers_of(const struct relation *relation)
{
    return relation->oid / 4 % (ALL_HEADERS + 1);
}

static void encode(struct relation *relation, const struct txn *txn, const struct change *change,
                   struct record_list *list)
{
    const struct encoder_options options = { .headers = headers_of(relation),
                                             .tombstones = true,
                                             .truncate = true,
                                             .max_record_bytes = RECORD_MAX_BYTES };
    const struct table_plan *plan = plan_of(relation);
    struct error err = ERROR_INIT;
    if (plan == NULL)
        return;
    if (!encoder_find("flat")->encode(&options, plan, txn, change, list, &err)) {
        CHECK(list->count == 0);
        CHECK(err.class == ERROR_HALT && err.code[0] != '\0' && err.text[0] != '\0');
    } else if (change->kind == CHANGE_RELATION) {
        CHECK(list->count == 0);
    } else if (change->kind == CHANGE_TRUNCATE) {
        check_truncate(list);
    } else if (names_are_sound(relation)) {
        check_records(plan, change, list);
        for (uint32_t i = 0; i < list->count; i++)
            if (list->items[i].value.data != NULL)
                check_sorted(list->items[i].value);
    }
    for (uint32_t i = 0; i < list->count; i++)
        CHECK(list->items[i].header_count == (uint32_t)__builtin_popcount(options.headers));
    record_list_clear(list);
}

static void take(struct txn *txn, const struct change *change, struct record_list *list)
{
    if (change->kind == CHANGE_BEGIN)
        *txn = (struct txn){ .xid = change->as.begin.xid,
                             .final_lsn = change->as.begin.final_lsn,
                             .commit_time = change->as.begin.commit_time };
    else if (change->kind == CHANGE_TRUNCATE)
        for (uint32_t i = 0; i < change->as.truncate.count; i++)
            encode(change->as.truncate.relations[i], txn, change, list);
    else if (change->relation != NULL)
        encode(change->relation, txn, change, list);
    txn->ordinal++;
}

ON_PIPELINE_THREAD static void run(struct source *source, struct wal_stream *stream,
                                   struct record_list *list)
{
    struct txn txn = { 0 };
    source_attach(source, stream);
    for (;;) {
        struct change change;
        struct wal_message message;
        struct error err = ERROR_INIT;
        enum pull pull = source_next(source, &change, &message, &err);
        if (pull == PULL_END)
            return;
        CHECK((pull == PULL_FAILED) == (err.class == ERROR_HALT));
        if (pull == PULL_CHANGE)
            take(&txn, &change, list);
        if (stream->restarted)
            source_attach(source, stream);
        stream->restarted = false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wal_stream stream = { .input = reader_init((struct slice){ (const char *)data, size }) };
    struct arena arena = arena_init(ARENA_KEEP_BYTES);
    struct record_list list = { .arena = &arena };
    struct source *source = source_new();
    thread_role_enter_pipeline();
    run(source, &stream, &list);
    thread_role_leave_pipeline();
    source_free(source);
    memory_free(stream.exact);
    record_list_done(&list);
    arena_done(&arena);
    return 0;
}
