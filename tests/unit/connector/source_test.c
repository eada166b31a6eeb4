#include "unit/postgres/fake_walsender.h"

#include "connector/source.h"

#include "unit/connector/pgoutput_bytes.h"

enum { TABLE_OID = 16400 };

/* A source over a stream whose server is the test. */
struct fixture {
    struct fake_walsender fake;
    struct wal_stream *stream;
    struct source *source;
    struct change change;
    struct wal_message message;
    struct error err;
};

ON_PIPELINE_THREAD static void attach(struct fixture *fixture)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.20" },
                                               { FAKE_EXPECT, "START_REPLICATION" },
                                               { FAKE_END, NULL } };
    fake_walsender_begin(&fixture->fake, script, 0);
    struct db_conn_options conn_options = fake_options(&fixture->fake.server);
    conn_options.replication = true;
    const struct wal_stream_options options = { .slot = "orders",
                                                .publication = "orders_pub",
                                                .status_interval_ms = 60 * 1000,
                                                .clock = clock_system() };
    struct db_conn *conn = NULL;
    if (!db_conn_open(&conn_options, INTERRUPT_NONE, &conn, &fixture->err) ||
        !wal_stream_start(&options, conn, LSN_NONE, &fixture->stream, &fixture->err))
        fail_msg("%s", fixture->err.text);
    fake_walsender_take_over(&fixture->fake);
    source_attach(fixture->source, fixture->stream);
}

ON_PIPELINE_THREAD static void detach(struct fixture *fixture)
{
    wal_stream_close(TAKE(fixture->stream));
    fake_walsender_end(&fixture->fake);
}

ON_PIPELINE_THREAD static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    fixture->source = source_new();
    attach(fixture);
    *state = fixture;
    return 0;
}

ON_PIPELINE_THREAD static int teardown(void **state)
{
    struct fixture *fixture = *state;
    detach(fixture);
    source_free(fixture->source);
    memory_free(fixture);
    return 0;
}

/* As the pipeline does: what is there, else what the socket brings. */
ON_PIPELINE_THREAD static enum pull next(struct fixture *fixture)
{
    for (;;) {
        enum pull pull =
            source_next(fixture->source, &fixture->change, &fixture->message, &fixture->err);
        if (pull != PULL_EMPTY)
            return pull;
        struct pollfd ready = { .fd = wal_stream_fd(fixture->stream), .events = POLLIN };
        assert_int_equal(poll(&ready, 1, FAKE_PATIENCE_MS), 1);
        if (!wal_stream_fill(fixture->stream, &fixture->err))
            return PULL_FAILED;
    }
}

static void say(struct fixture *fixture, uint64_t position, struct buf payload)
{
    fake_walsender_send_data(&fixture->fake, position, position + 1, BYTES_COMMIT_TIME,
                             payload.data, payload.size);
    buf_done(&payload);
}

ON_PIPELINE_THREAD static void changes_come_in_the_order_of_the_socket(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(
        source_next(fixture->source, &fixture->change, &fixture->message, &fixture->err),
        PULL_EMPTY);
    say(fixture, 10, bytes_begin(100, 4242));
    say(fixture, 20, bytes_relation(TABLE_OID, "orders"));
    say(fixture, 30, bytes_insert(TABLE_OID, SLICE_TEXT("first")));
    say(fixture, 110, bytes_commit(100, 110));
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(fixture->change.kind, CHANGE_BEGIN);
    assert_int_equal(fixture->change.as.begin.xid, 4242);
    assert_int_equal(fixture->change.as.begin.final_lsn.value, 100);
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(fixture->change.kind, CHANGE_RELATION);
    assert_true(slice_is(fixture->change.relation->name, "orders"));
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(fixture->change.kind, CHANGE_INSERT);
    assert_int_equal(fixture->change.as.row.new.count, 1);
    assert_true(slice_is(fixture->change.as.row.new.values[0].bytes, "first"));
    assert_int_equal(fixture->message.start.value, 30);
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(fixture->change.kind, CHANGE_COMMIT);
    assert_int_equal(fixture->change.as.commit.end_lsn.value, 110);
}

ON_PIPELINE_THREAD static void a_keepalive_is_no_change(void **state)
{
    struct fixture *fixture = *state;
    fixture->change.kind = CHANGE_MESSAGE;
    fake_walsender_send_keepalive(&fixture->fake, 777, BYTES_COMMIT_TIME, false);
    assert_int_equal(next(fixture), PULL_KEEPALIVE);
    assert_int_equal(fixture->message.kind, WAL_KEEPALIVE);
    assert_int_equal(fixture->message.server_end.value, 777);
    assert_int_equal(fixture->change.kind, CHANGE_MESSAGE);
}

ON_PIPELINE_THREAD static void what_cannot_be_decoded_names_its_position(void **state)
{
    struct fixture *fixture = *state;
    struct buf broken = bytes_begin(100, 1);
    broken.size--;
    say(fixture, 0x16B374D848, broken);
    assert_int_equal(next(fixture), PULL_FAILED);
    assert_int_equal(fixture->err.class, ERROR_HALT);
    assert_string_equal(fixture->err.code, "undecodable");
    assert_memory_equal(fixture->err.text, "at WAL position 16/B374D848: ", 29);
}

/* What a Commit says would be confirmed to the server. */
ON_PIPELINE_THREAD static void a_commit_that_lies_is_undecodable(void **state)
{
    static const struct {
        uint64_t commit, end, sent_at;
    } rows[] = {
        { 101, 110, 110 },                           /* of another transaction */
        { 100, 100, 110 },                           /* of no length */
        { 100, 99, 110 },         { 100, 111, 110 }, /* of what was not sent yet */
        { 100, UINT64_MAX, 110 },
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(fixture, 10, bytes_begin(100, 1));
        say(fixture, rows[i].sent_at, bytes_commit(rows[i].commit, rows[i].end));
        assert_int_equal(next(fixture), PULL_CHANGE);
        assert_int_equal(next(fixture), PULL_FAILED);
        assert_string_equal(fixture->err.code, "undecodable");
        fake_assert_contains(fixture->err.text, "of a transaction whose Begin said 0/64");
        detach(fixture);
        attach(fixture);
    }
}

static void expect_disorder(struct fixture *fixture, const char *text)
{
    assert_int_equal(fixture->err.class, ERROR_HALT);
    assert_string_equal(fixture->err.code, "undecodable");
    assert_memory_equal(fixture->err.text, "at WAL position 16/B374D848: ", 29);
    fake_assert_contains(fixture->err.text, text);
}

/* The decoder knows messages; that rows and Commit belong into a transaction is said here, with the
 * place of the last transaction. */
ON_PIPELINE_THREAD static void messages_out_of_order_are_undecodable(void **state)
{
    static const char *const outside[] = { "insert message outside", "truncate message outside",
                                           "commit message outside" };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < COUNT_OF(outside); i++) {
        say(fixture, 10, bytes_begin(0x16B374D800, 1));
        say(fixture, 20, bytes_relation(TABLE_OID, "orders"));
        say(fixture, 0x16B374D810, bytes_commit(0x16B374D800, 0x16B374D810));
        say(fixture, 0x16B374D848,
            i == 0   ? bytes_insert(TABLE_OID, SLICE_TEXT("a"))
            : i == 1 ? bytes_truncate(TABLE_OID)
                     : bytes_commit(100, 110));
        for (int n = 0; n < 3; n++)
            assert_int_equal(next(fixture), PULL_CHANGE);
        assert_int_equal(next(fixture), PULL_FAILED);
        expect_disorder(fixture, outside[i]);
        fake_assert_contains(fixture->err.text, "the last one was at 16/B374D800");
        detach(fixture);
        attach(fixture);
    }
    say(fixture, 10, bytes_begin(100, 1));
    say(fixture, 0x16B374D848, bytes_begin(200, 2));
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(next(fixture), PULL_FAILED);
    expect_disorder(fixture, "begin message inside a transaction; the last one was at 0/64");
}

/* What was open on a stream that was lost is not open on the next one. */
ON_PIPELINE_THREAD static void a_new_stream_begins_outside_a_transaction(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 10, bytes_begin(100, 1));
    assert_int_equal(next(fixture), PULL_CHANGE);
    detach(fixture);
    attach(fixture);
    say(fixture, 10, bytes_begin(100, 1));
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(fixture->change.kind, CHANGE_BEGIN);
    detach(fixture);
    attach(fixture);
    say(fixture, 0x16B374D848, bytes_commit(100, 110));
    assert_int_equal(next(fixture), PULL_FAILED);
    expect_disorder(fixture, "commit message outside a transaction");
}

/* A Relation may stand anywhere: it says nothing of rows. */
ON_PIPELINE_THREAD static void a_relation_needs_no_transaction(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 10, bytes_relation(TABLE_OID, "orders"));
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(fixture->change.kind, CHANGE_RELATION);
}

/* A new stream begins without relations: what the server does not send again is not known. */
ON_PIPELINE_THREAD static void a_new_stream_forgets_relations(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, 10, bytes_begin(100, 1));
    say(fixture, 20, bytes_relation(TABLE_OID, "orders"));
    say(fixture, 30, bytes_insert(TABLE_OID, SLICE_TEXT("known")));
    for (int i = 0; i < 3; i++)
        assert_int_equal(next(fixture), PULL_CHANGE);
    detach(fixture);
    attach(fixture);
    say(fixture, 10, bytes_begin(100, 1));
    say(fixture, 30, bytes_insert(TABLE_OID, SLICE_TEXT("unknown")));
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_int_equal(next(fixture), PULL_FAILED);
    assert_string_equal(fixture->err.code, "undecodable");
    assert_non_null(strstr(fixture->err.text, "16400"));
}

ON_PIPELINE_THREAD static void the_end_and_a_failure_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    fake_walsender_send(&fixture->fake, 'c', NULL, 0);
    assert_int_equal(next(fixture), PULL_END);
    detach(fixture);
    attach(fixture);
    fake_walsender_send_error(&fixture->fake, "FATAL", "57P01:terminating connection");
    assert_int_equal(next(fixture), PULL_FAILED);
    assert_string_equal(fixture->err.code, "57P01");
}

/* A giant row is decoded, and so is what follows. */
ON_PIPELINE_THREAD static void a_giant_row_is_one_change(void **state)
{
    enum { GIANT_BYTES = 200 * 1000 };
    struct fixture *fixture = *state;
    AUTO(char *, memory_free_p) text = memory_alloc(GIANT_BYTES);
    memset(text, 'x', GIANT_BYTES);
    say(fixture, 10, bytes_begin(100, 1));
    say(fixture, 20, bytes_relation(TABLE_OID, "orders"));
    say(fixture, 30, bytes_insert(TABLE_OID, (struct slice){ text, GIANT_BYTES }));
    say(fixture, 40, bytes_insert(TABLE_OID, SLICE_TEXT("small")));
    for (int i = 0; i < 3; i++)
        assert_int_equal(next(fixture), PULL_CHANGE);
    const struct slice giant = fixture->change.as.row.new.values[0].bytes;
    assert_int_equal(giant.size, GIANT_BYTES);
    assert_memory_equal(giant.data, text, GIANT_BYTES);
    assert_int_equal(next(fixture), PULL_CHANGE);
    assert_true(slice_is(fixture->change.as.row.new.values[0].bytes, "small"));
}

#define SOURCE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCE_TEST(changes_come_in_the_order_of_the_socket),
        SOURCE_TEST(a_keepalive_is_no_change),
        SOURCE_TEST(what_cannot_be_decoded_names_its_position),
        SOURCE_TEST(a_commit_that_lies_is_undecodable),
        SOURCE_TEST(messages_out_of_order_are_undecodable),
        SOURCE_TEST(a_new_stream_begins_outside_a_transaction),
        SOURCE_TEST(a_relation_needs_no_transaction),
        SOURCE_TEST(a_new_stream_forgets_relations),
        SOURCE_TEST(the_end_and_a_failure_are_told_apart),
        SOURCE_TEST(a_giant_row_is_one_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
