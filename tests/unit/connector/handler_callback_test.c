#include "handler_room.h"

#include "connector/handler_callback.h"
#include "connector/handler_view.h"

static struct clock_manual hand;

/* A program's callback: what it saw of the last message, and what it shall do. */
struct program {
    struct handler handler;
    bool (*act)(struct program *program, struct pqcdc_emitter *emitter);
    int calls;
    bool answer, emitted; /* what it returns; what the last emit returned */
    int takes_ms;         /* by the manual clock */
    struct pqcdc_message message;
    char text[512]; /* table, operation and columns of it */
};

static void write_row(struct buf *out, const char *title, const struct pqcdc_table *table,
                      const struct pqcdc_value *values)
{
    static const char *const kinds[] = { [PQCDC_ABSENT] = "absent",
                                         [PQCDC_NULL] = "null",
                                         [PQCDC_UNCHANGED] = "unchanged",
                                         [PQCDC_TEXT] = "" };
    buf_append_format(out, " %s", title);
    for (size_t i = 0; values != NULL && i < table->column_count; i++) {
        const struct pqcdc_column *column = &table->columns[i];
        buf_append_format(out, " %s%s:%u=%s", column->name.data, column->is_identity ? "!" : "",
                          column->type_oid, kinds[values[i].kind]);
        if (values[i].kind == PQCDC_TEXT)
            buf_append(out, values[i].text.data, values[i].text.size);
        else
            assert_null(values[i].text.data);
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
    buf_append_format(&text, "%s.%s %s", message->table->schema.data, message->table->name.data,
                      operations[message->operation]);
    write_row(&text, "new", message->table, message->new_values);
    write_row(&text, "old", message->table, message->old_values);
    (void)snprintf(program->text, sizeof(program->text), "%s", buf_text(&text));
    hand.mono_ms += program->takes_ms;
    program->emitted = program->act == NULL || program->act(program, emitter);
    return program->answer;
}

/* The room's handler becomes the callback's, which owns the built-in one. */
static void begin(struct room *room, struct program *program,
                  bool (*act)(struct program *, struct pqcdc_emitter *),
                  enum topic_route_unmapped unmapped)
{
    room->with.decides = false;
    room_begin(room, no_columns, unmapped);
    *program = (struct program){ .act = act, .answer = true };
    hand.mono_ms = 1;
    room->handler = handler_callback_new(&(struct handler_callback_options){
        .handle = call,
        .handle_self = program,
        .answered = true,
        .max_record_bytes = room->with.encoding.max_record_bytes,
        .builtin = room->handler,
        .delivery = room->with.delivery,
        .status = &room->status,
        .log = room->with.log,
        .clock = clock_manual(&hand),
    });
}

/* ---- what the program sees ---- */

static void a_message_says_all_of_an_update(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    const struct change change =
        rows_update(OLD_NONE, TUPLE(T("1")), TUPLE(T("1"), T(""), UNCHANGED));
    assert_int_equal(room_call(room, &room->handler, change, users), EMIT_OK);
    assert_string_equal(program.text,
                        "public.users update new id!:23=1 name:25= note:25=unchanged old");
    assert_int_equal(program.message.event_time_us, 1700000000123456);
    assert_int_equal(program.message.commit_lsn, 0x16B374D848);
    assert_int_equal(program.message.ordinal, 5);
    assert_int_equal(program.message.xid, 77);
    assert_int_equal(program.message.table->oid, 1);
    assert_int_equal(program.calls, 1);
    assert_int_equal(room->list.count, 0);
}

/* What was not sent again is known from the old row. */
static void an_unchanged_value_is_that_of_the_old_row(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    const struct change change =
        rows_update(OLD_FULL, TUPLE(T("1"), NULL_VALUE, T("big")), TUPLE(T("1"), T(""), UNCHANGED));
    assert_int_equal(room_call(room, &room->handler, change, users), EMIT_OK);
    assert_string_equal(program.text, "public.users update new id!:23=1 name:25= note:25=big"
                                      " old id!:23=1 name:25=null note:25=big");
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
    assert_string_equal(program.text,
                        "public.users delete new old id!:23=1 name:25=absent note:25=absent");
    const struct change change = rows_update(OLD_KEY, key, TUPLE(T("2"), T("b"), NULL_VALUE));
    assert_int_equal(room_call(room, &room->handler, change, users), EMIT_OK);
    assert_string_equal(program.text, "public.users update new id!:23=2 name:25=b note:25=null"
                                      " old id!:23=1 name:25=absent note:25=absent");
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_string_equal(program.text,
                        "public.users insert new id!:23=1 name:25=a note:25=null old");
}

static const struct pqcdc_message *seen; /* by find_columns() */

static bool find_columns(struct program *program, struct pqcdc_emitter *emitter UNUSED)
{
    seen = &program->message;
    assert_int_equal(pqcdc_column_find(seen, "id"), 0);
    assert_int_equal(pqcdc_column_find(seen, "note"), 2);
    assert_int_equal(pqcdc_column_find(seen, "not"), -1);
    assert_int_equal(pqcdc_column_find(seen, ""), -1);
    assert_ptr_equal(pqcdc_value_find(seen, PQCDC_ROW_NEW, "name"), &seen->new_values[1]);
    assert_ptr_equal(pqcdc_value_find(seen, PQCDC_ROW_LAST, "name"), &seen->new_values[1]);
    assert_ptr_equal(pqcdc_value_find(seen, PQCDC_ROW_OLD, "id"), &seen->old_values[0]);
    assert_int_equal(pqcdc_value_find(seen, PQCDC_ROW_OLD, "name")->kind, PQCDC_ABSENT);
    assert_int_equal(pqcdc_value_find(seen, PQCDC_ROW_NEW, "nothing")->kind, PQCDC_ABSENT);
    return true;
}

static void columns_are_found_by_name(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, find_columns, TOPIC_ROUTE_FAIL);
    const struct tuple key = TUPLE(T("1"), NULL_VALUE, NULL_VALUE);
    const struct change change = rows_update(OLD_KEY, key, TUPLE(T("2"), T("b"), NULL_VALUE));
    assert_int_equal(room_call(room, &room->handler, change, users), EMIT_OK);
    assert_int_equal(program.calls, 1);
}

/* As many as a table can have, of which the hashes' slots collide. */
static void every_column_of_a_wide_table_is_found(void **state UNUSED)
{
    enum { WIDE = 1600, NAME_SIZE = 8 };
    static char names[WIDE][NAME_SIZE];
    static struct column columns[WIDE];
    for (int i = 0; i < WIDE; i++) {
        (void)snprintf(names[i], NAME_SIZE, "c%d", i);
        columns[i] = (struct column){ .name = slice_of(names[i]), .type_oid = 25 };
    }
    AUTO(struct relation *, relation_free_p) wide = relation_new(
        1, SLICE_TEXT("public"), SLICE_TEXT("wide"), REPLICA_IDENTITY_DEFAULT, columns, WIDE);
    struct handler_view *view = handler_view_new(wide, 7);
    for (int i = 0; i < WIDE; i++)
        assert_int_equal(handler_view_column(&view->table, slice_of(names[i])), i);
    assert_int_equal(handler_view_column(&view->table, SLICE_TEXT("c1600")), -1);
    assert_int_equal(view->table.serial, 7);
    handler_view_free(view);
}

static void a_row_of_another_width_stops_the_line(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(
        room_call(room, &room->handler, rows_insert(TUPLE(T("1"), T("a"), T("b"), T("c"))), users),
        EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "row_does_not_fit", "public.users");
    assert_int_equal(program.calls, 0);
}

/* ---- rows as JSON ---- */

static bool emit_json(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    const struct pqcdc_member members[] = { { "operation", { "IN\"SERT", 7 }, false },
                                            { "meta", { "{\"a\":1}", 7 }, true },
                                            { "name", { NULL, 0 }, false },
                                            { "zz", { "", 0 }, false } };
    struct pqcdc_record record = { .key = { "k", 1 } };
    char small[4] = "abc", large[128];
    assert_true(pqcdc_row_json(emitter, PQCDC_ROW_LAST, members, 4, &record.value));
    assert_int_equal(record.value.data[record.value.size], '\0');
    assert_int_equal(pqcdc_row_json_into(emitter, PQCDC_ROW_LAST, members, 4, small, sizeof(small)),
                     record.value.size);
    assert_string_equal(small, "abc");
    assert_int_equal(pqcdc_row_json_into(emitter, PQCDC_ROW_NEW, members, 4, large, sizeof(large)),
                     record.value.size);
    assert_string_equal(large, record.value.data);
    return pqcdc_emit(emitter, &record);
}

static void a_row_as_json_has_more_members(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_json, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    room_expect_record(room, 0, "users-topic", "k",
                       "{\"id\":1,\"meta\":{\"a\":1},\"name\":null,\"note\":null,"
                       "\"operation\":\"IN\\\"SERT\",\"zz\":\"\"}");
}

static bool emit_bare_json(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    struct pqcdc_record record = { .topic = "audit" };
    return pqcdc_row_json(emitter, PQCDC_ROW_OLD, NULL, 0, &record.value) &&
           pqcdc_emit(emitter, &record);
}

static void an_old_key_as_json_has_the_identity_only(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_bare_json, TOPIC_ROUTE_FAIL);
    const struct tuple key = TUPLE(T("1"), NULL_VALUE, NULL_VALUE);
    assert_int_equal(room_call(room, &room->handler, rows_delete(OLD_KEY, key), users), EMIT_OK);
    room_expect_record(room, 0, "audit", NULL, "{\"id\":1}");
    /* An INSERT has no old row. */
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "handler_failed", "a row that the change does not have");
}

static bool emit_json_anyway(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    struct pqcdc_text json;
    char buffer[128];
    assert_false(pqcdc_row_json(emitter, PQCDC_ROW_NEW, NULL, 0, &json));
    assert_int_equal(pqcdc_row_json_into(emitter, PQCDC_ROW_NEW, NULL, 0, buffer, sizeof(buffer)),
                     0);
    return true; /* whatever it returns */
}

static void a_row_whose_json_is_too_large_stops_the_line(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    room->with.encoding.max_record_bytes = 20;
    begin(room, &program, emit_json_anyway, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "record_too_large", "public.users");
}

/* ---- what holds the line up ---- */

static void a_slow_call_is_counted_and_said_once_in_a_while(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    program.takes_ms = 100;
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_int_equal(atomic_load(&room->status.handler_slow), 0);
    program.takes_ms = 101;
    for (int i = 0; i < 3; i++)
        assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_int_equal(atomic_load(&room->status.handler_slow), 3);
    assert_int_equal(room->warnings, 1);
    assert_non_null(strstr(room->warning, "handler: a call of the handler was slow"));
    hand.mono_ms += 10 * 1000;
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_int_equal(room->warnings, 2);
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
    bool emitted = pqcdc_emit(emitter, &first) && pqcdc_emit(emitter, &second);
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
    /* Who asks what becomes of them is told of which change they were made. */
    assert_int_equal(record->origin->commit_lsn, 0x16B374D848);
    assert_int_equal(record->origin->ordinal, 5);
    assert_int_equal(record->origin->xid, 77);
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
    return pqcdc_emit_default(emitter) && pqcdc_emit(emitter, &more);
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
    assert_int_equal(room->warnings, 0); /* nothing is skipped that the handler names a topic for */
    assert_int_equal(atomic_load(&room->status.skipped_changes), 1);
}

/* ---- what stops the line ---- */

static bool emit_without_topic(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    const struct pqcdc_record record = { .value = { "v", 1 } };
    return pqcdc_emit(emitter, &record);
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
    assert_false(pqcdc_emit(emitter, &bad));
    assert_false(pqcdc_emit_default(emitter));
    return pqcdc_emit(emitter, &good);
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
    room_expect_error(room, ERROR_HALT, "handler_failed",
                      "the handler: it refused the change and did not say why");
}

static bool fail_twice(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    assert_false(pqcdc_fail(emitter, "row %d is wrong", 7));
    assert_false(pqcdc_fail(emitter, "another reason"));
    return true; /* whatever it returns */
}

static void a_program_says_why_it_fails(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, fail_twice, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "handler_failed", "the handler: row 7 is wrong");
    assert_null(strstr(room->err.text, "another"));
}

static void each_version_of_a_table_has_its_serial(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    AUTO(struct relation *, relation_free_p) orders = room_table(2, "orders", 'd');
    AUTO(struct relation *, relation_free_p) altered = room_table(1, "users", 'd');
    struct relation *const tables[] = { users, orders, users, altered, orders };
    static const uint64_t serials[] = { 1, 2, 1, 3, 2 };
    begin(room, &program, NULL, TOPIC_ROUTE_FAIL);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        assert_int_equal(room_call(room, &room->handler, ROOM_ROW, tables[i]), EMIT_OK);
        assert_int_equal(program.message.table->serial, serials[i]);
    }
}

static bool emit_nameless(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    const struct pqcdc_header headers[] = { { "a", { "1", 1 } }, { NULL, { "2", 1 } } };
    const struct pqcdc_record record = { .headers = headers, .header_count = 2 };
    return pqcdc_emit(emitter, &record);
}

static void a_header_needs_a_name(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_nameless, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "handler_failed", "a header has no name");
}

static bool emit_reserved(struct program *program UNUSED, struct pqcdc_emitter *emitter)
{
    const struct pqcdc_record record = { .value = { "v", 1 }, .reserved = { [3] = "x" } };
    return pqcdc_emit(emitter, &record);
}

static void reserved_members_must_be_zero(void **state)
{
    struct room *room = *state;
    struct program program;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    begin(room, &program, emit_reserved, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "handler_failed", "reserved");
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
        ROOM_TEST(an_unchanged_value_is_that_of_the_old_row),
        ROOM_TEST(an_old_key_shows_the_columns_of_the_identity_only),
        ROOM_TEST(columns_are_found_by_name),
        cmocka_unit_test(every_column_of_a_wide_table_is_found),
        ROOM_TEST(a_row_of_another_width_stops_the_line),
        ROOM_TEST(a_row_as_json_has_more_members),
        ROOM_TEST(an_old_key_as_json_has_the_identity_only),
        ROOM_TEST(a_row_whose_json_is_too_large_stops_the_line),
        ROOM_TEST(a_slow_call_is_counted_and_said_once_in_a_while),
        ROOM_TEST(records_are_copied_as_they_are),
        ROOM_TEST(nothing_emitted_is_nothing_written),
        ROOM_TEST(the_default_is_what_the_built_in_handler_writes),
        ROOM_TEST(the_default_of_a_skipped_table_is_nothing),
        ROOM_TEST(a_record_without_any_topic_stops_the_line),
        ROOM_TEST(after_a_record_that_failed_none_is_taken),
        ROOM_TEST(a_program_that_says_no_stops_the_line),
        ROOM_TEST(a_program_says_why_it_fails),
        ROOM_TEST(reserved_members_must_be_zero),
        ROOM_TEST(each_version_of_a_table_has_its_serial),
        ROOM_TEST(a_header_needs_a_name),
        ROOM_TEST(a_default_that_cannot_be_encoded_stops_the_line),
        ROOM_TEST(an_unmapped_table_fails_before_the_program_is_asked),
        ROOM_TEST(it_is_not_called_while_a_key_is_looked_up),
        ROOM_TEST(truncations_and_boundaries_are_not_its_business),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
