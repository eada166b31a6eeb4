/* wal_stream and watcher with a real server (wal_level = logical). What a test makes is dropped
 * when the next one begins, so that a run which was cut short does no harm. */
#include "integration/postgres/real_postgres.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/reader.h"
#include "postgres/wal_stream.h"
#include "postgres/watcher.h"

enum { STATUS_INTERVAL_MS = 1000, LIVE_TIMEOUT_MS = 1000, AT_ONCE_MS = 10 * 1000 };

#define SLOT            "pqcdc_stream_test"
#define PUBLICATION     "it's \"the\" pub\\lication, really"
#define PUBLICATION_SQL "\"it's \"\"the\"\" pub\\lication, really\""
#define SLOT_IS(what)                                                                              \
    "SELECT count(*) FROM pg_replication_slots WHERE slot_name = '" SLOT "' AND " what
#define SLOT_PID "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '" SLOT "'"

struct fixture {
    struct db_conn *session;
    struct wal_stream *stream;
    struct error err;
    struct slice payload; /* of the last change that was read */
    char pending;         /* its kind, when it was read ahead */
    int relations;        /* Relation messages so far: they may come again at any time */
    lsn_t commit_end;     /* of the last Commit */
};

/* ---- the server ---- */

static struct db_conn_options connection(const char *application_name, bool replication)
{
    struct db_conn_options options = real_options("postgres");
    options.application_name = application_name;
    options.replication = replication;
    return options;
}

static struct db_conn *connect_for_streaming(void)
{
    return real_open(connection("pqcdc:stream", true), INTERRUPT_NONE);
}

static int64_t number(struct fixture *fixture, const char *sql)
{
    AUTO(char *, memory_free_p) value = real_value(fixture->session, sql);
    return strtoll(value, NULL, 10);
}

static int64_t now_ms(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock).value;
}

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int64_t give_up_ms_ = now_ms() + REAL_PATIENCE_MS;                                         \
        while (!(condition)) {                                                                     \
            if (now_ms() > give_up_ms_)                                                            \
                fail_msg("never came true: %s", #condition);                                       \
            (void)usleep(2000);                                                                    \
        }                                                                                          \
    } while (false)

static void drop_everything(struct db_conn *session)
{
    real_await(session, SLOT_IS("active"), "0");
    real_run(session, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                      " WHERE slot_name = '" SLOT "'");
    real_run(session, "DROP SCHEMA IF EXISTS stream_test CASCADE");
    real_run(session, "DROP PUBLICATION IF EXISTS " PUBLICATION_SQL);
}

static void set_up_slot(struct fixture *fixture)
{
    *fixture = (struct fixture){ .session = real_open(connection("pqcdc:stream_test", false),
                                                      INTERRUPT_NONE) };
    drop_everything(fixture->session);
    real_run(fixture->session, "CREATE SCHEMA stream_test");
    real_run(fixture->session, "CREATE TABLE stream_test.orders (id int PRIMARY KEY, note text)");
    real_run(fixture->session,
             "CREATE PUBLICATION " PUBLICATION_SQL " FOR TABLE stream_test.orders");
    real_run(fixture->session, "SELECT pg_create_logical_replication_slot('" SLOT "', 'pgoutput')");
}

/* ---- the stream ---- */

static struct wal_stream_options stream_options(void)
{
    return (struct wal_stream_options){ .slot = SLOT,
                                        .publication = PUBLICATION,
                                        .status_interval_ms = STATUS_INTERVAL_MS,
                                        .clock = clock_system() };
}

ON_PIPELINE_THREAD static void stream_with(struct fixture *fixture,
                                           const struct wal_stream_options *options)
{
    struct db_conn *conn = connect_for_streaming();
    fixture->pending = '\0';
    if (!wal_stream_start(options, conn, LSN_NONE, &fixture->stream, &fixture->err))
        fail_msg("%s", fixture->err.text);
}

ON_PIPELINE_THREAD static void begin_stream(struct fixture *fixture)
{
    struct wal_stream_options options = stream_options();
    set_up_slot(fixture);
    stream_with(fixture, &options);
}

ON_PIPELINE_THREAD static void end_stream(struct fixture *fixture)
{
    wal_stream_close(fixture->stream);
    db_conn_close(fixture->session);
}

/* One turn of what the pipeline does all day. */
ON_PIPELINE_THREAD static enum wal_next turn(struct fixture *fixture, struct wal_message *message)
{
    mono_ms_t due;
    if (!wal_stream_tick(fixture->stream, &due, &fixture->err))
        return WAL_NEXT_FAILED;
    enum wal_next result = wal_stream_next(fixture->stream, message, &fixture->err);
    if (result != WAL_NEXT_EMPTY)
        return result;
    int64_t wait_ms = due.value - now_ms();
    struct pollfd ready = { .fd = wal_stream_fd(fixture->stream), .events = POLLIN };
    if (wal_stream_wants_write(fixture->stream))
        ready.events |= POLLOUT;
    if (poll(&ready, 1, wait_ms > 0 ? (int)wait_ms : 0) > 0 &&
        !wal_stream_fill(fixture->stream, &fixture->err))
        return WAL_NEXT_FAILED;
    return WAL_NEXT_EMPTY;
}

ON_PIPELINE_THREAD static enum wal_next next(struct fixture *fixture, struct wal_message *message)
{
    int64_t give_up_ms = now_ms() + REAL_PATIENCE_MS;
    for (;;) {
        enum wal_next result = turn(fixture, message);
        if (result != WAL_NEXT_EMPTY)
            return result;
        assert_true(now_ms() < give_up_ms);
    }
}

ON_PIPELINE_THREAD static char read_kind(struct fixture *fixture)
{
    struct wal_message message;
    for (;;) {
        if (next(fixture, &message) != WAL_NEXT_MESSAGE)
            fail_msg("%s", fixture->err.text);
        if (message.kind == WAL_KEEPALIVE)
            continue;
        assert_true(message.payload.size > 0 && message.sent_at.value > 0);
        if (message.payload.data[0] != 'R')
            break;
        fixture->relations++;
    }
    fixture->payload = message.payload;
    if (message.payload.data[0] == 'C') {
        struct reader reader = reader_init(message.payload);
        (void)reader_bytes(&reader, 10); /* kind, flags, LSN of the commit record */
        fixture->commit_end.value = reader_u64(&reader);
    }
    return message.payload.data[0];
}

/* The kind of the next message but Relation; 14 also sends empty transactions, of autovacuum for
 * one. */
ON_PIPELINE_THREAD static char next_kind(struct fixture *fixture)
{
    char kind = fixture->pending;
    fixture->pending = '\0';
    if (kind == '\0')
        kind = read_kind(fixture);
    while (kind == 'B' && (fixture->pending = read_kind(fixture)) == 'C') {
        fixture->pending = '\0';
        kind = read_kind(fixture);
    }
    return kind;
}

ON_PIPELINE_THREAD static void expect_kinds(struct fixture *fixture, const char *kinds)
{
    for (; *kinds != '\0'; kinds++)
        assert_int_equal(next_kind(fixture), *kinds);
}

ON_PIPELINE_THREAD static void expect_failure(struct fixture *fixture, enum error_class class,
                                              const char *code)
{
    struct wal_message message;
    enum wal_next result;
    do
        result = next(fixture, &message);
    while (result == WAL_NEXT_MESSAGE);
    assert_int_equal(result, WAL_NEXT_FAILED);
    assert_string_equal(error_class_name(fixture->err.class), error_class_name(class));
    assert_string_equal(fixture->err.code, code);
}

ON_PIPELINE_THREAD static void test_changes_arrive_and_are_confirmed(void **state UNUSED)
{
    struct fixture fixture;
    begin_stream(&fixture);
    real_run(fixture.session, "BEGIN; INSERT INTO stream_test.orders VALUES (1, 'a'), (2, 'b');"
                              " UPDATE stream_test.orders SET note = 'c' WHERE id = 1;"
                              " DELETE FROM stream_test.orders WHERE id = 2; COMMIT");
    expect_kinds(&fixture, "BIIUDC");
    lsn_t end = fixture.commit_end;
    assert_true(fixture.relations > 0);
    assert_true(wal_stream_bytes(fixture.stream) > 0);
    AUTO(struct buf, buf_done) moved = buf_init(1024);
    buf_append_format(&moved, SLOT_IS("confirmed_flush_lsn = '%s'"), lsn_text(end).text);
    assert_int_equal(number(&fixture, buf_text(&moved)), 0);
    wal_stream_confirm(fixture.stream, end);
    int64_t give_up_ms = now_ms() + REAL_PATIENCE_MS;
    while (number(&fixture, buf_text(&moved)) == 0) {
        struct wal_message message;
        enum wal_next result = turn(&fixture, &message);
        assert_true(result == WAL_NEXT_MESSAGE || result == WAL_NEXT_EMPTY);
        assert_true(now_ms() < give_up_ms);
    }
    assert_int_equal(lsn_compare(wal_stream_confirmed(fixture.stream), end), 0);
    assert_true(wal_stream_finish(fixture.stream, REAL_PATIENCE_MS, &fixture.err));
    end_stream(&fixture);
}

/* What was confirmed by the final status does not come again. */
ON_PIPELINE_THREAD static void test_finish_confirms(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_stream_options options = stream_options();
    begin_stream(&fixture);
    real_run(fixture.session, "INSERT INTO stream_test.orders VALUES (1, 'before')");
    expect_kinds(&fixture, "BIC");
    wal_stream_confirm(fixture.stream, fixture.commit_end);
    if (!wal_stream_finish(fixture.stream, REAL_PATIENCE_MS, &fixture.err))
        fail_msg("%s", fixture.err.text);
    wal_stream_close(fixture.stream);
    real_run(fixture.session, "INSERT INTO stream_test.orders VALUES (2, 'after')");
    real_await(fixture.session, SLOT_IS("active"), "0");
    stream_with(&fixture, &options);
    expect_kinds(&fixture, "BI");
    assert_non_null(memmem(fixture.payload.data, fixture.payload.size, "after", strlen("after")));
    end_stream(&fixture);
}

static uint64_t received_bytes(int fd)
{
    struct tcp_info info = { .tcpi_state = 0 };
    socklen_t size = sizeof(info);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info.tcpi_bytes_received;
}

ON_PIPELINE_THREAD static void test_finish_in_the_middle_of_a_large_transaction(void **state UNUSED)
{
    enum { ROWS = 1000 * 1000, READ_ROWS = 10 * 1000 };
    struct fixture fixture;
    struct wal_stream_options options = stream_options();
    begin_stream(&fixture);
    real_run(fixture.session, "INSERT INTO stream_test.orders"
                              " SELECT n, 'a note of some length'"
                              " FROM generate_series(1, 1000000) AS n");
    expect_kinds(&fixture, "B");
    for (int i = 0; i < READ_ROWS; i++)
        assert_int_equal(next_kind(&fixture), 'I');

    int64_t began_ms = now_ms();
    if (!wal_stream_finish(fixture.stream, REAL_PATIENCE_MS, &fixture.err))
        fail_msg("%s", fixture.err.text);
    uint64_t until_finished = received_bytes(wal_stream_fd(fixture.stream));
    wal_stream_close(fixture.stream);
    fixture.stream = NULL;
    real_await(fixture.session, SLOT_IS("active"), "0");
    print_message("the slot was free after %lld ms and %llu bytes\n",
                  (long long)(now_ms() - began_ms), (unsigned long long)until_finished);

    /* Nothing of it was confirmed: it comes again, whole. */
    int64_t rows = 0;
    stream_with(&fixture, &options);
    expect_kinds(&fixture, "B");
    while (next_kind(&fixture) == 'I')
        rows++;
    assert_int_equal(rows, ROWS);
    /* The server did not have to send all of it before it ended. */
    assert_true(until_finished < wal_stream_bytes(fixture.stream) * 9 / 10);
    end_stream(&fixture);
}

ON_PIPELINE_THREAD static void test_walsender_is_killed(void **state UNUSED)
{
    struct fixture fixture;
    begin_stream(&fixture);
    real_run(fixture.session, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                              " WHERE slot_name = '" SLOT "'");
    expect_failure(&fixture, ERROR_RECONNECT, "57P01");
    end_stream(&fixture);
}

ON_PIPELINE_THREAD static void test_busy_slot(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_stream_options options = stream_options();
    struct wal_stream *second = NULL;
    begin_stream(&fixture);
    struct db_conn *conn = connect_for_streaming();
    AUTO(struct buf, buf_done) pid = buf_init(64);
    buf_append_format(&pid, "%lld", (long long)number(&fixture, SLOT_PID));
    assert_false(wal_stream_start(&options, conn, LSN_NONE, &second, &fixture.err));
    assert_int_equal(fixture.err.class, ERROR_WAIT);
    assert_string_equal(fixture.err.code, "55006");
    assert_non_null(strstr(fixture.err.text, buf_text(&pid)));

    /* The connection that was refused takes the slot once it is free. */
    wal_stream_close(fixture.stream);
    WAIT_UNTIL(wal_stream_start(&options, conn, LSN_NONE, &second, &fixture.err));
    fixture.stream = second;
    real_run(fixture.session, "INSERT INTO stream_test.orders VALUES (1, 'a')");
    expect_kinds(&fixture, "BIC");
    end_stream(&fixture);
}

ON_PIPELINE_THREAD static void test_missing_slot(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_stream_options options = stream_options();
    set_up_slot(&fixture);
    struct db_conn *conn = connect_for_streaming();
    options.slot = "pqcdc_no_such_slot";
    assert_false(wal_stream_start(&options, conn, LSN_NONE, &fixture.stream, &fixture.err));
    assert_int_equal(fixture.err.class, ERROR_HALT);
    assert_string_equal(fixture.err.code, "42704");
    db_conn_close(conn);
    db_conn_close(fixture.session);
}

ON_PIPELINE_THREAD static void test_missing_publication(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_stream_options options = stream_options();
    struct wal_message message = { .kind = WAL_DATA };
    set_up_slot(&fixture);
    options.publication = "no such publication";
    stream_with(&fixture, &options);
    real_run(fixture.session, "INSERT INTO stream_test.orders VALUES (1, 'a')");
    if (fixture.session->server_version < 180000) {
        expect_failure(&fixture, ERROR_HALT, "42704");
    } else { /* skipped, with a warning in the server's log */
        int64_t committed = number(&fixture, "SELECT pg_current_wal_lsn() - '0/0'");
        while (message.kind == WAL_DATA || message.server_end.value < (uint64_t)committed) {
            assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
            assert_true(message.kind != WAL_DATA || message.payload.data[0] != 'I');
        }
    }
    end_stream(&fixture);
}

ON_PIPELINE_THREAD static void test_logical_messages(void **state UNUSED)
{
    for (int messages = 0; messages <= 1; messages++) {
        struct fixture fixture;
        struct wal_stream_options options = stream_options();
        options.messages = messages;
        set_up_slot(&fixture);
        stream_with(&fixture, &options);
        real_run(fixture.session, "SELECT pg_logical_emit_message(false, 'prefix', 'content')");
        real_run(fixture.session, "INSERT INTO stream_test.orders VALUES (1, 'a')");
        expect_kinds(&fixture, messages ? "MBIC" : "BIC");
        end_stream(&fixture);
    }
}

/* A pipeline that does not read (backpressure) goes on ticking, and keeps its slot. */
ON_PIPELINE_THREAD static void test_status_keeps_a_paused_stream_alive(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_stream_options options = stream_options();
    set_up_slot(&fixture);
    struct db_conn_options connecting = connection("pqcdc:stream", true);
    connecting.wal_sender_timeout_ms = LIVE_TIMEOUT_MS;
    options.status_interval_ms = LIVE_TIMEOUT_MS / 3;
    if (!wal_stream_start(&options, real_open(connecting, INTERRUPT_NONE), LSN_NONE,
                          &fixture.stream, &fixture.err))
        fail_msg("%s", fixture.err.text);
    int64_t pause_ends_ms = now_ms() + 3 * LIVE_TIMEOUT_MS;
    while (now_ms() < pause_ends_ms) {
        mono_ms_t due;
        assert_true(wal_stream_tick(fixture.stream, &due, &fixture.err));
        int64_t wait_ms = due.value - now_ms();
        (void)usleep((useconds_t)(wait_ms > 0 ? wait_ms : 1) * 1000);
    }
    real_run(fixture.session, "INSERT INTO stream_test.orders VALUES (1, 'a')");
    expect_kinds(&fixture, "BIC");
    end_stream(&fixture);
}

/* Over TLS, when the server offers it: a record can be larger than the room in libpq's buffer. */
ON_PIPELINE_THREAD static void test_rows_of_all_sizes(void **state UNUSED)
{
    enum { TRANSACTIONS = 300, ROWS = 5 };
    struct fixture fixture;
    begin_stream(&fixture);
    for (int i = 0; i < TRANSACTIONS; i++) {
        AUTO(struct buf, buf_done) insert = buf_init(1024);
        buf_append_format(&insert,
                          "INSERT INTO stream_test.orders SELECT %d + n,"
                          " pg_catalog.repeat('x', (%d + n) * 7919 %% 40000)"
                          " FROM pg_catalog.generate_series(1, %d) AS n",
                          i * ROWS, i * ROWS, ROWS);
        int64_t began_ms = now_ms();
        real_run(fixture.session, buf_text(&insert));
        expect_kinds(&fixture, "BIIIIIC");
        wal_stream_confirm(fixture.stream, fixture.commit_end);
        assert_true(now_ms() - began_ms < AT_ONCE_MS);
    }
    end_stream(&fixture);
}

/* ---- the watcher ---- */

static struct watcher *watch(void)
{
    const struct watcher_options options = { .conn = connection("pqcdc:watcher", false),
                                             .slot = SLOT,
                                             .interval_ms = 20,
                                             .clock = clock_system() };
    return watcher_start(&options);
}

static struct slot_sight sight_of(const struct watcher *watcher)
{
    struct slot_sight sight;
    int64_t age_ms;
    (void)watcher_sight(watcher, &sight, &age_ms);
    return sight;
}

ON_PIPELINE_THREAD static void test_watcher_sees_the_slot(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_stream_options options = stream_options();
    set_up_slot(&fixture);
    struct watcher *watcher = watch();
    WAIT_UNTIL(watcher_connected(watcher));
    struct slot_sight sight = sight_of(watcher);
    assert_true(sight.exists && sight.logical && !sight.active && !sight.creating);
    assert_string_equal(sight.plugin, "pgoutput");
    assert_string_equal(sight.database, "postgres");
    assert_int_equal(sight.wal_status, SLOT_WAL_RESERVED);
    assert_false(lsn_is_none(sight.confirmed_flush));
    assert_true(lsn_compare(sight.restart_lsn, sight.confirmed_flush) <= 0);
    assert_true(lsn_compare(sight.confirmed_flush, sight.current_lsn) <= 0);

    stream_with(&fixture, &options);
    WAIT_UNTIL(sight_of(watcher).active);
    sight = sight_of(watcher);
    assert_int_equal(sight.active_pid, number(&fixture, SLOT_PID));
    assert_string_equal(sight.holder, "pqcdc:stream");
    wal_stream_close(fixture.stream);
    WAIT_UNTIL(!sight_of(watcher).active);
    real_run(fixture.session, "SELECT pg_drop_replication_slot('" SLOT "')");
    WAIT_UNTIL(!sight_of(watcher).exists);
    assert_true(watcher_ping_age_ms(watcher) < REAL_PATIENCE_MS);
    watcher_stop(watcher);
    db_conn_close(fixture.session);
}

static uint16_t key_of(struct watcher *watcher, uint32_t oid, struct arena *arena,
                       struct slice **names)
{
    struct relation_facts facts;
    watcher_ask(watcher, oid);
    WAIT_UNTIL(watcher_answer(watcher, oid, arena, &facts) == WATCHER_FOUND);
    *names = facts.key;
    return facts.key_count;
}

static uint32_t oid_of(struct fixture *fixture, const char *table)
{
    AUTO(struct buf, buf_done) sql = buf_init(256);
    buf_append_format(&sql, "SELECT 'stream_test.%s'::regclass::oid", table);
    return (uint32_t)number(fixture, buf_text(&sql));
}

static void test_watcher_looks_up_keys(void **state UNUSED)
{
    static const struct {
        const char *table;
        uint16_t count;
        const char *names[2];
    } rows[] = {
        { "ordered", 2, { "The \"Second\"", "first" } },
        { "no_key", 0, { NULL } },
        { "only_unique", 0, { NULL } },
        { "root", 2, { "day", "id" } },
        { "root_one", 2, { "day", "id" } },
        { "leaf_with_key", 1, { "id" } },
    };
    struct fixture fixture;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    set_up_slot(&fixture);
    real_run(fixture.session,
             "CREATE TABLE stream_test.ordered (first int, gone int, \"The \"\"Second\"\"\" int,"
             " extra int, PRIMARY KEY (\"The \"\"Second\"\"\", first) INCLUDE (extra));"
             "ALTER TABLE stream_test.ordered DROP gone;"
             "CREATE TABLE stream_test.no_key (id int);"
             "CREATE TABLE stream_test.only_unique (id int NOT NULL UNIQUE);"
             "CREATE TABLE stream_test.root (id int, day date, PRIMARY KEY (day, id))"
             " PARTITION BY RANGE (day);"
             "CREATE TABLE stream_test.root_one PARTITION OF stream_test.root DEFAULT;"
             "CREATE TABLE stream_test.keyless (id int) PARTITION BY RANGE (id);"
             "CREATE TABLE stream_test.leaf_with_key PARTITION OF stream_test.keyless"
             " (PRIMARY KEY (id)) DEFAULT");
    struct watcher *watcher = watch();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint32_t oid = oid_of(&fixture, rows[i].table);
        assert_int_equal(key_of(watcher, oid, &arena, &names), rows[i].count);
        for (uint16_t n = 0; n < rows[i].count; n++)
            assert_true(slice_is(names[n], rows[i].names[n]));
    }
    assert_int_equal(key_of(watcher, 4294967295, &arena, &names), 0);
    watcher_stop(watcher);
    db_conn_close(fixture.session);
}

static void test_watcher_comes_back(void **state UNUSED)
{
    struct fixture fixture;
    set_up_slot(&fixture);
    struct watcher *watcher = watch();
    WAIT_UNTIL(watcher_connected(watcher));
    assert_int_equal(number(&fixture, "SELECT count(pg_terminate_backend(pid))"
                                      " FROM pg_stat_activity"
                                      " WHERE application_name = 'pqcdc:watcher'"),
                     1);
    WAIT_UNTIL(!watcher_connected(watcher));
    WAIT_UNTIL(watcher_connected(watcher));
    assert_false(watcher_shutdown_noticed(watcher));
    assert_true(sight_of(watcher).exists);
    watcher_stop(watcher);
    db_conn_close(fixture.session);
}

/* Leaves no slot behind: it would keep the server's WAL. */
static void test_clean_up(void **state UNUSED)
{
    struct db_conn *session = real_open(connection("pqcdc:stream_test", false), INTERRUPT_NONE);
    drop_everything(session);
    db_conn_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_arrive_and_are_confirmed),
        cmocka_unit_test(test_finish_confirms),
        cmocka_unit_test(test_finish_in_the_middle_of_a_large_transaction),
        cmocka_unit_test(test_walsender_is_killed),
        cmocka_unit_test(test_busy_slot),
        cmocka_unit_test(test_missing_slot),
        cmocka_unit_test(test_missing_publication),
        cmocka_unit_test(test_logical_messages),
        cmocka_unit_test(test_status_keeps_a_paused_stream_alive),
        cmocka_unit_test(test_rows_of_all_sizes),
        cmocka_unit_test(test_watcher_sees_the_slot),
        cmocka_unit_test(test_watcher_looks_up_keys),
        cmocka_unit_test(test_watcher_comes_back),
        cmocka_unit_test(test_clean_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
