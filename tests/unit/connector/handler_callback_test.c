#include "handler_room.h"

#include "connector/handler_callback.h"

/* A program's callback: what it saw of the last message, and what it shall do. */
struct program {
    struct handler handler;
    bool (*act)(struct program *program, struct pqcdc_emitter *emitter);
    int calls;
    bool answer, emitted; /* what it returns; what the last emit returned */
    struct pqcdc_message message;
    char text[512]; /* table, operation and columns of it */
};

static void write_columns(struct buf *out, const char *title, const struct pqcdc_column *columns,
                          size_t count)
{
    static const char *const kinds[] = {
        [PQCDC_NULL] = "null", [PQCDC_UNCHANGED] = "unchanged", [PQCDC_TEXT] = ""
    };
    buf_append_format(out, " %s", title);
    for (size_t i = 0; i < count; i++) {
        const struct pqcdc_column *column = &columns[i];
        buf_append_format(out, " %.*s:%u=%s", (int)column->name.size, column->name.data,
                          column->type_oid, kinds[column->kind]);
        if (column->kind == PQCDC_TEXT)
            buf_append(out, column->value.data, column->value.size);
        else
            assert_null(column->value.data);
    }
}

static bool call(void *self, const struct pqcdc_message *message, struct pqcdc_emitter *emitter)
{
    static const char *const operations[] = {
        [PQCDC_INSERT] = "insert", [PQCDC_UPDATE] = "update", [PQCDC_DELETE] = "delete"
    };
    struct program *program = self;
    program->calls++;
    program->message = *message;
    AUTO(struct buf, buf_done) text = buf_init(sizeof(program->text) - 1);
    buf_append_format(&text, "%.*s.%.*s %s", (int)message->table_namespace.size,
                      message->table_namespace.data, (int)message->table_name.size,
                      message->table_name.data, operations[message->operation]);
    write_columns(&text, "new", message->new_columns, message->new_count);
    write_columns(&text, "old", message->old_columns, message->old_count);
    (void)snprintf(program->text, sizeof(program->text), "%s", buf_text(&text));
    program->emitted = program->act == NULL || program->act(program, emitter);
    return program->answer;
}

/* The room's handler becomes the callback's, which owns the built-in one. */
static void begin(struct room *room, struct program *program,
                  bool (*act)(struct program *, struct pqcdc_emitter *),
                  enum topic_route_unmapped unmapped)
{
    room_begin(room, no_columns, unmapped);
    *program = (struct program){ .act = act, .answer = true };
    room->handler = handler_callback_new(call, program, room->handler, room->with.delivery);
}

/* ---- what the program sees ---- */

static void a_message_says_all_of_an_update(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    const struct change change =
        rows_update(OLD_FULL, TUPLE(T("1"), NULL_VALUE, T("big")), TUPLE(T("1"), T(""), UNCHANGED));
    assert_int_equal(room_call(room, &room->handler, change, users), EMIT_OK);
    assert_string_equal(program.text, "public.users update new id:23=1 name:25= note:25=unchanged"
                                      " old id:23=1 name:25=null note:25=big");
    assert_int_equal(program.message.event_time_us, 1700000000123456);
    assert_int_equal(program.message.commit_lsn, 0x16B374D848);
    assert_int_equal(program.message.ordinal, 5);
    assert_int_equal(program.message.xid, 77);
    assert_int_equal(program.calls, 1);
    assert_int_equal(room->list.count, 0);
}

/* The others are null on the wire, which means nothing. */
static void an_old_key_shows_the_columns_of_the_identity_only(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    const struct tuple key = TUPLE(T("1"), NULL_VALUE, NULL_VALUE);
    assert_int_equal(room_call(room, &room->handler, rows_delete(OLD_KEY, key), users), EMIT_OK);
    assert_string_equal(program.text, "public.users delete new old id:23=1");
    const struct change change = rows_update(OLD_KEY, key, TUPLE(T("2"), T("b"), NULL_VALUE));
    assert_int_equal(room_call(room, &room->handler, change, users), EMIT_OK);
    assert_string_equal(program.text, "public.users update new id:23=2 name:25=b note:25=null"
                                      " old id:23=1");
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_string_equal(program.text, "public.users insert new id:23=1 name:25=a note:25=null old");
}

/* ---- what it emits ---- */

/* Everything it hands over is its own, and gone when it returns. */
static bool emit_two(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    char topic[] = "audit", key[] = "k1", value[] = "v1", name[] = "source", header[] = "test";
    const struct pqcdc_header headers[] = { { name, { header, 4 } }, { "empty", { NULL, 0 } } };
    const struct pqcdc_record first = { .topic = topic,
                                        .key = { key, 2 },
                                        .value = { value, 2 },
                                        .headers = headers,
                                        .header_count = 2 };
    const struct pqcdc_record second = { .value = { "", 0 } };
    bool emitted =
        handler_callback_emit(emitter, &first) && handler_callback_emit(emitter, &second);
    explicit_bzero(topic, sizeof(topic));
    explicit_bzero(key, sizeof(key));
    explicit_bzero(value, sizeof(value));
    explicit_bzero(name, sizeof(name));
    explicit_bzero(header, sizeof(header));
    return emitted;
}

static void records_are_copied_as_they_are(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_two, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_true(program.emitted);
    assert_int_equal(room->list.count, 2);
    room_expect_record(room, 0, "audit", "k1", "v1");
    const struct record *record = &room->list.items[0];
    assert_int_equal(record->header_count, 2);
    assert_string_equal(record->headers[0].name, "source");
    room_expect_slice(record->headers[0].value, "test");
    assert_string_equal(record->headers[1].name, "empty");
    room_expect_slice(record->headers[1].value, NULL);
    /* No topic: the table's; no key: null; an empty value is not a null one. */
    room_expect_record(room, 1, "users-topic", NULL, "");
    assert_int_equal(room->list.items[1].header_count, 0);
}

static void nothing_emitted_is_nothing_written(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_int_equal(room->list.count, 0);
    assert_int_equal(program.calls, 1);
}

static bool emit_default_and_one(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    const struct pqcdc_record more = { .topic = "audit", .value = { "x", 1 } };
    return handler_callback_emit_default(emitter) && handler_callback_emit(emitter, &more);
}

static void the_default_is_what_the_built_in_handler_writes(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_default_and_one, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_int_equal(room->list.count, 2);
    room_expect_record(room, 0, "users-topic", "1", ROOM_ROW_VALUE);
    room_expect_record(room, 1, "audit", NULL, "x");
    const struct status_table *shown = atomic_load(&room->status.tables);
    assert_int_equal(atomic_load(&shown->changes), 1);
}

static void the_default_of_a_skipped_table_is_nothing(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) table = room_table(1, "unmapped", 'd');
    begin(room, &program, emit_default_and_one, TOPIC_ROUTE_SKIP);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, table), EMIT_OK);
    assert_int_equal(program.calls, 1);
    assert_int_equal(room->list.count, 1);
    room_expect_record(room, 0, "audit", NULL, "x");
    assert_int_equal(atomic_load(&room->status.skipped_changes), 1);
}

/* ---- what stops the line ---- */

static bool emit_without_topic(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    const struct pqcdc_record record = { .value = { "v", 1 } };
    return handler_callback_emit(emitter, &record);
}

static void a_record_without_any_topic_stops_the_line(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) table = room_table(1, "unmapped", 'd');
    begin(room, &program, emit_without_topic, TOPIC_ROUTE_SKIP);
    /* Whatever the program returns. */
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, table), EMIT_FAILED);
    assert_false(program.emitted);
    fake_assert_error(&room->err, ERROR_HALT, "no_topic", "without a topic",
                      "kafka.tableTopicMapping");
}

static bool emit_bad_then_good(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    const struct pqcdc_record bad = { .topic = "no spaces", .value = { "v", 1 } };
    const struct pqcdc_record good = { .topic = "audit", .value = { "v", 1 } };
    assert_false(handler_callback_emit(emitter, &bad));
    assert_false(handler_callback_emit_default(emitter));
    return handler_callback_emit(emitter, &good);
}

static void after_a_record_that_failed_none_is_taken(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_bad_then_good, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    assert_false(program.emitted);
    room_expect_error(room, ERROR_HALT, "topic_invalid", "no spaces");
    assert_int_equal(room->list.count, 0);
}

static void a_program_that_says_no_stops_the_line(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_default_and_one, TOPIC_ROUTE_FAIL);
    program.answer = false;
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "handler_failed", "the handler refused the change");
}

static void a_default_that_cannot_be_encoded_stops_the_line(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    room->with.encoding.max_record_bytes = 20;
    begin(room, &program, emit_default_and_one, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    assert_false(program.emitted);
    room_expect_error(room, ERROR_HALT, "record_too_large", "public.users");
}

/* ---- what never reaches it ---- */

static void an_unmapped_table_fails_before_the_program_is_asked(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) table = room_table(1, "unmapped", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, table), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "topic_unmapped", "public.unmapped");
    assert_int_equal(program.calls, 0);
}

static void it_is_not_called_while_a_key_is_looked_up(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(16401, "users", 'f');
    begin(room, &program, emit_two, TOPIC_ROUTE_FAIL);
    atomic_store(&room->fake.hold, true);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_WAIT);
    assert_int_equal(program.calls, 0);
    assert_int_equal(room->list.count, 0);
}

static void truncations_and_boundaries_are_not_its_business(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    struct relation *const one[] = { users };
    const struct change change = { .kind = CHANGE_TRUNCATE,
                                   .as.truncate = { .relations = one, .count = 1 } };
    room->with.encoding.truncate = true;
    begin(room, &program, emit_two, TOPIC_ROUTE_FAIL);
    const struct handler *handler = &room->handler;
    assert_int_equal(room_call(room, handler, change, NULL), EMIT_OK);
    assert_int_equal(room->list.count, 1);
    room_expect_record(room, 0, "users-topic", NULL, "{\"operation\":\"TRUNCATE\"}");
    record_list_clear(&room->list);
    assert_int_equal(handler->ops->begin(handler->self, &room->txn, &room->list, &room->err),
                     EMIT_OK);
    assert_int_equal(handler->ops->relation(handler->self, users, &room->err), EMIT_OK);
    assert_int_equal(handler->ops->commit(handler->self, &room->txn, &room->list, &room->err),
                     EMIT_OK);
    assert_int_equal(room->list.count, 0);
    assert_int_equal(program.calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(a_message_says_all_of_an_update),
        ROOM_TEST(an_old_key_shows_the_columns_of_the_identity_only),
        ROOM_TEST(records_are_copied_as_they_are),
        ROOM_TEST(nothing_emitted_is_nothing_written),
        ROOM_TEST(the_default_is_what_the_built_in_handler_writes),
        ROOM_TEST(the_default_of_a_skipped_table_is_nothing),
        ROOM_TEST(a_record_without_any_topic_stops_the_line),
        ROOM_TEST(after_a_record_that_failed_none_is_taken),
        ROOM_TEST(a_program_that_says_no_stops_the_line),
        ROOM_TEST(a_default_that_cannot_be_encoded_stops_the_line),
        ROOM_TEST(an_unmapped_table_fails_before_the_program_is_asked),
        ROOM_TEST(it_is_not_called_while_a_key_is_looked_up),
        ROOM_TEST(truncations_and_boundaries_are_not_its_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
