#include "handler_room.h"

/* ---- routes ---- */

static void a_row_becomes_the_record_of_its_tables_topic(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    AUTO(struct relation *, relation_free_p) orders = room_table(2, "orders", 'd');
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_int_equal(room->list.count, 1);
    room_expect_record(room, 0, "users-topic", "1", ROOM_ROW_VALUE);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, orders), EMIT_OK);
    room_expect_record(room, 0, "orders-topic", "1", ROOM_ROW_VALUE);
    assert_int_equal(room->warnings, 0);
}

static void a_relation_without_rows_needs_no_topic(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) table = room_table(1, "unmapped", 'f');
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    const struct handler_ops *ops = room->handler.ops;
    assert_int_equal(ops->relation(room->handler.self, table, &room->err), EMIT_OK);
    assert_null(handler_builtin_table(table));
    assert_null(atomic_load(&room->status.tables));
}

static void begin_and_commit_give_nothing(void **state)
{
    struct room *room = *state;
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    const struct handler_ops *ops = room->handler.ops;
    void *self = room->handler.self;
    assert_int_equal(ops->begin(self, &room->txn, &room->list, &room->err), EMIT_OK);
    assert_int_equal(ops->commit(self, &room->txn, &room->list, &room->err), EMIT_OK);
    assert_int_equal(room->list.count, 0);
}

static void a_table_without_a_topic_stops_the_line(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) table = room_table(1, "unmapped", 'd');
    room_begin(room, no_columns, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, table), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "topic_unmapped", "public.unmapped");
    assert_int_equal(room->list.count, 0);
    assert_null(handler_builtin_table(table));
    assert_int_equal(atomic_load(&room->status.skipped_changes), 0);
}

static void a_table_that_shall_be_skipped_is_counted_and_said_once(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) table = room_table(1, "unmapped", 'd');
    AUTO(struct relation *, relation_free_p) again = room_table(1, "unmapped", 'd');
    room_begin(room, no_columns, TOPIC_ROUTE_SKIP);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, table), EMIT_OK);
        assert_int_equal(room->list.count, 0);
    }
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, again), EMIT_OK);
    assert_int_equal(atomic_load(&room->status.skipped_changes), 4);
    assert_int_equal(room->warnings, 1);
    fake_assert_contains(room->warning, "public.unmapped: table has no topic");
    const struct status_table *shown = atomic_load(&room->status.tables);
    assert_string_equal(shown->name, "public.unmapped");
    assert_null(shown->topic);
    assert_int_equal(atomic_load(&shown->changes), 0);
}

/* Asked once for a version of a table; a topic and a key of its own win. */
static void a_part_takes_topic_and_key_of_its_parent(void **state)
{
    static const char *const columns[] = { "name" };
    static const struct handler_builtin_key keys[] = { { "s", "root", columns, 1 } };
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) leaf = room_table(16401, "leaf", 'f');
    AUTO(struct relation *, relation_free_p) plain = room_table(16402, "other_leaf", 'd');
    AUTO(struct relation *, relation_free_p) users = room_table(16403, "users", 'd');
    room->with.keys = keys;
    room->with.key_count = COUNT_OF(keys);
    room_begin(room, "1|id|~\n2|root|s\n3|orders|public", TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, leaf), EMIT_OK);
    room_expect_record(room, 0, "orders-topic", "a", ROOM_ROW_VALUE);
    atomic_store(&room->fake.key, "1|id|~\n2|orders|public");
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, plain), EMIT_OK);
    room_expect_record(room, 0, "orders-topic", "1", ROOM_ROW_VALUE);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, leaf), EMIT_OK);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    room_expect_record(room, 0, "users-topic", "1", ROOM_ROW_VALUE);
    assert_int_equal(atomic_load(&room->fake.keys), 2);
}

static void a_table_is_one_in_the_status_through_all_its_versions(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) first = room_table(1, "users", 'd');
    AUTO(struct relation *, relation_free_p) second = room_table(1, "users", 'd');
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, first), EMIT_OK);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, first), EMIT_OK);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, second), EMIT_OK);
    const struct status_table *shown = atomic_load(&room->status.tables);
    assert_null(shown->next);
    assert_string_equal(shown->name, "public.users");
    assert_string_equal(shown->topic, "users-topic");
    assert_int_equal(atomic_load(&shown->changes), 3);
    assert_ptr_equal(handler_builtin_table(first)->status, shown);
    assert_ptr_equal(handler_builtin_table(second)->status, shown);
    assert_string_equal(handler_builtin_table(second)->topic, "users-topic");
}

static void a_row_that_cannot_be_encoded_stops_the_line(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    room->with.encoding.max_record_bytes = 20;
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "record_too_large", "public.users");
    assert_int_equal(room->list.count, 0);
}

/* ---- keys ---- */

static void a_configured_key_wins_and_needs_no_question(void **state)
{
    static const char *const columns[] = { "name", "id" };
    static const char *const nowhere[] = { "nowhere" };
    static const struct handler_builtin_key keys[] = {
        { "other", "users", columns, 1 }, /* another schema */
        { "public", "orders", columns, 0 },
        { "public", "users", columns, 2 },
        { "public", "bad", nowhere, 1 },
    };
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'f');
    AUTO(struct relation *, relation_free_p) orders = room_table(2, "orders", 'd');
    AUTO(struct relation *, relation_free_p) bad = room_table(3, "bad", 'd');
    room->with.keys = keys;
    room->with.key_count = COUNT_OF(keys);
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    room_expect_record(room, 0, "users-topic", "{\"name\":\"a\",\"id\":1}", ROOM_ROW_VALUE);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, orders), EMIT_OK);
    room_expect_record(room, 0, "orders-topic", "1", ROOM_ROW_VALUE);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, bad), EMIT_FAILED);
    room_expect_error(room, ERROR_HALT, "key_column_missing", "nowhere");
}

/* With FULL every column is of the identity, with NOTHING none: the primary key is asked for, and
 * nothing is written before the answer is there. */
static void the_primary_key_is_asked_for(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(16401, "users", 'f');
    AUTO(struct relation *, relation_free_p) orders = room_table(16402, "orders", 'n');
    room_begin(room, "1|name|~\n2|id|~", TOPIC_ROUTE_FAIL);
    atomic_store(&room->fake.hold, true); /* no answer comes before we looked */
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_WAIT);
    assert_int_equal(room->list.count, 0);
    assert_null(handler_builtin_table(users));
    atomic_store(&room->fake.hold, false);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    room_expect_record(room, 0, "users-topic", "{\"id\":1,\"name\":\"a\"}", ROOM_ROW_VALUE);
    assert_true(fake_sessions_parameter_was(&room->fake, room->fake.last_key, "16401"));
    atomic_store(&room->fake.key, "1|id|~");
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, orders), EMIT_OK);
    room_expect_record(room, 0, "orders-topic", "1", ROOM_ROW_VALUE);
    assert_true(fake_sessions_parameter_was(&room->fake, room->fake.last_key, "16402"));
    /* Once for a version of a table. */
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, orders), EMIT_OK);
    assert_int_equal(atomic_load(&room->fake.keys), 2);
    assert_int_equal(room->warnings, 0);
}

static void a_table_without_a_key_has_null_keys_and_one_warning(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(16401, "users", 'f');
    AUTO(struct relation *, relation_free_p) again = room_table(16401, "users", 'f');
    room_begin(room, no_columns, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    room_expect_record(room, 0, "users-topic", NULL, ROOM_ROW_VALUE);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, again), EMIT_OK);
    room_expect_record(room, 0, "users-topic", NULL, ROOM_ROW_VALUE);
    assert_int_equal(room->warnings, 1);
    fake_assert_contains(room->warning, "public.users: table has no key");
}

/* The answer is today's primary key, the stream may be at an older shape of the table. */
static void a_primary_key_that_is_not_published_is_no_key(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(16401, "users", 'f');
    room_begin(room, "1|id|~\n2|tenant|~", TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call_until(room, &room->handler, ROOM_ROW, users), EMIT_OK);
    room_expect_record(room, 0, "users-topic", NULL, ROOM_ROW_VALUE);
    assert_int_equal(room->warnings, 1);
}

static void without_a_session_the_key_is_waited_for(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(16401, "users", 'f');
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(room_call(room, &room->handler, ROOM_ROW, users), EMIT_WAIT);
        assert_int_equal(room->list.count, 0);
        assert_int_equal(room->err.class, ERROR_NONE);
    }
}

/* Its rows are skipped, or stop the line: neither waits for a session. */
/* Without a session nobody knows whether it is a part of a table that has a topic. */
static void a_table_that_the_mapping_does_not_name_is_waited_for(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) table = room_table(16401, "unmapped", 'd');
    room_begin(room, NULL, TOPIC_ROUTE_SKIP);
    assert_int_equal(room_call(room, &room->handler, ROOM_ROW, table), EMIT_WAIT);
    assert_int_equal(atomic_load(&room->status.skipped_changes), 0);
}

/* ---- truncation ---- */

static void a_truncation_is_one_record_a_table_when_it_is_wanted(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    AUTO(struct relation *, relation_free_p) orders = room_table(2, "orders", 'd');
    struct relation *const both[] = { users, orders };
    const struct change change = { .kind = CHANGE_TRUNCATE,
                                   .as.truncate = { .relations = both, .count = 2 } };
    room->with.encoding.truncate = true;
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, change, NULL), EMIT_OK);
    assert_int_equal(room->list.count, 2);
    room_expect_record(room, 0, "users-topic", NULL, "{\"operation\":\"TRUNCATE\"}");
    room_expect_record(room, 1, "orders-topic", NULL, "{\"operation\":\"TRUNCATE\"}");
}

static void a_truncation_is_nothing_when_it_is_not_wanted(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(1, "users", 'd');
    struct relation *const one[] = { users };
    const struct change change = { .kind = CHANGE_TRUNCATE,
                                   .as.truncate = { .relations = one, .count = 1 } };
    room_begin(room, NULL, TOPIC_ROUTE_FAIL);
    assert_int_equal(room_call(room, &room->handler, change, NULL), EMIT_OK);
    assert_int_equal(room->list.count, 0);
}

/* One table of it must wait: none is written before. */
static void a_truncation_waits_as_a_whole(void **state)
{
    struct room *room = *state;
    AUTO(struct relation *, relation_free_p) users = room_table(16401, "users", 'd');
    AUTO(struct relation *, relation_free_p) orders = room_table(16402, "orders", 'f');
    struct relation *const both[] = { users, orders };
    const struct change change = { .kind = CHANGE_TRUNCATE,
                                   .as.truncate = { .relations = both, .count = 2 } };
    room->with.encoding.truncate = true;
    room_begin(room, "1|id|~", TOPIC_ROUTE_FAIL);
    atomic_store(&room->fake.hold, true);
    assert_int_equal(room_call(room, &room->handler, change, NULL), EMIT_WAIT);
    assert_int_equal(room->list.count, 0);
    atomic_store(&room->fake.hold, false);
    assert_int_equal(room_call_until(room, &room->handler, change, NULL), EMIT_OK);
    assert_int_equal(room->list.count, 2);
    room_expect_record(room, 0, "users-topic", NULL, "{\"operation\":\"TRUNCATE\"}");
    room_expect_record(room, 1, "orders-topic", NULL, "{\"operation\":\"TRUNCATE\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROOM_TEST(a_row_becomes_the_record_of_its_tables_topic),
        ROOM_TEST(a_relation_without_rows_needs_no_topic),
        ROOM_TEST(begin_and_commit_give_nothing),
        ROOM_TEST(a_table_without_a_topic_stops_the_line),
        ROOM_TEST(a_table_that_shall_be_skipped_is_counted_and_said_once),
        ROOM_TEST(a_part_takes_topic_and_key_of_its_parent),
        ROOM_TEST(a_table_is_one_in_the_status_through_all_its_versions),
        ROOM_TEST(a_row_that_cannot_be_encoded_stops_the_line),
        ROOM_TEST(a_configured_key_wins_and_needs_no_question),
        ROOM_TEST(the_primary_key_is_asked_for),
        ROOM_TEST(a_table_without_a_key_has_null_keys_and_one_warning),
        ROOM_TEST(a_primary_key_that_is_not_published_is_no_key),
        ROOM_TEST(without_a_session_the_key_is_waited_for),
        ROOM_TEST(a_table_that_the_mapping_does_not_name_is_waited_for),
        ROOM_TEST(a_truncation_is_one_record_a_table_when_it_is_wanted),
        ROOM_TEST(a_truncation_is_nothing_when_it_is_not_wanted),
        ROOM_TEST(a_truncation_waits_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
