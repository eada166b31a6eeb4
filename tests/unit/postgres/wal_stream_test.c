#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>

#include "base/reader.h"
#include "postgres/wal_stream.h"

#include "unit/postgres/fake_walsender.h"

enum { STATUS_INTERVAL_MS = 3000, FINISH_LIMIT_MS = 10 * 1000, SETTLED_MS = 200 };

static const enum fake_answer copy_at_once[] = { FAKE_COPY };

struct fixture {
    struct fake_walsender fake;
    struct clock_manual time;
    struct wal_stream_options options;
    struct db_conn *conn; /* until a stream took it */
    struct wal_stream *stream;
    struct error err;
};

/* ---- the two ends ---- */

static void open_connection(struct fixture *fixture, const enum fake_answer *answers,
                            struct interrupt interrupt, int receive_buffer_bytes)
{
    *fixture = (struct fixture){
        .time = { .mono_ms = 100000, .wall_us = SERVER_TIME_EPOCH_US + 5 },
        .options = { .slot = "orders",
                     .publication = "orders_pub",
                     .status_interval_ms = STATUS_INTERVAL_MS },
    };
    fake_walsender_start(&fixture->fake, answers, receive_buffer_bytes);
    const struct db_conn_options options = { .host = "127.0.0.1",
                                             .port = fixture->fake.port,
                                             .user = "cdc",
                                             .database = "shop",
                                             .ssl_mode = "disable",
                                             .application_name = "test",
                                             .replication = true };
    if (!db_conn_open(&options, interrupt, &fixture->conn, &fixture->err))
        fail_msg("%s", fixture->err.text);
    fixture->options.clock = clock_manual(&fixture->time);
}

ON_PIPELINE_THREAD static bool start(struct fixture *fixture, lsn_t from)
{
    bool started =
        wal_stream_start(&fixture->options, fixture->conn, from, &fixture->stream, &fixture->err);
    if (started)
        fixture->conn = NULL;
    return started;
}

ON_PIPELINE_THREAD static void open_stream(struct fixture *fixture)
{
    open_connection(fixture, copy_at_once, INTERRUPT_NONE, 0);
    if (!start(fixture, LSN_NONE))
        fail_msg("%s", fixture->err.text);
    fake_walsender_take_over(&fixture->fake);
}

ON_PIPELINE_THREAD static void close_all(struct fixture *fixture)
{
    wal_stream_close(fixture->stream);
    db_conn_close(fixture->conn);
    fake_walsender_stop(&fixture->fake);
}

/* As the pipeline does: what libpq has, else what the socket brings. */
ON_PIPELINE_THREAD static enum wal_next next(struct fixture *fixture, struct wal_message *message)
{
    for (;;) {
        enum wal_next result = wal_stream_next(fixture->stream, message, &fixture->err);
        if (result != WAL_NEXT_EMPTY)
            return result;
        struct pollfd ready = { .fd = wal_stream_fd(fixture->stream), .events = POLLIN };
        assert_int_equal(poll(&ready, 1, FAKE_PATIENCE_MS), 1);
        if (!wal_stream_fill(fixture->stream, &fixture->err))
            return WAL_NEXT_FAILED;
    }
}

ON_PIPELINE_THREAD static void expect_failure(struct fixture *fixture, enum error_class class,
                                              const char *code)
{
    struct wal_message message;
    assert_int_equal(next(fixture, &message), WAL_NEXT_FAILED);
    assert_string_equal(error_class_name(fixture->err.class), error_class_name(class));
    assert_string_equal(fixture->err.code, code);
    assert_non_null(strstr(fixture->err.text, "\"orders\""));
}

/* Returns in how many ms the stream wants to be ticked again. */
ON_PIPELINE_THREAD static int64_t tick(struct fixture *fixture)
{
    mono_ms_t next_tick = { -1 };
    if (!wal_stream_tick(fixture->stream, &next_tick, &fixture->err))
        fail_msg("%s", fixture->err.text);
    return next_tick.value - fixture->time.mono_ms;
}

ON_PIPELINE_THREAD static int64_t tick_after(struct fixture *fixture, int64_t wait_ms)
{
    fixture->time.mono_ms += wait_ms;
    return tick(fixture);
}

/* ---- what the server got ---- */

struct status {
    uint64_t written, flushed, applied;
    int64_t clock;
    uint8_t reply;
};

/* 'd' with a status in it, 'c' for CopyDone, 0 for the end. */
static char receive(struct fixture *fixture, struct status *out_status)
{
    char body[FAKE_MESSAGE_MAX];
    size_t size = 0;
    char type = fake_walsender_receive(&fixture->fake, body, &size);
    if (type != 'd')
        return type;
    struct reader reader = reader_init((struct slice){ body, size });
    assert_int_equal(size, 34);
    assert_int_equal(reader_u8(&reader), 'r');
    out_status->written = reader_u64(&reader);
    out_status->flushed = reader_u64(&reader);
    out_status->applied = reader_u64(&reader);
    out_status->clock = (int64_t)reader_u64(&reader);
    out_status->reply = reader_u8(&reader);
    assert_true(reader_complete(&reader));
    assert_int_equal(out_status->written, out_status->flushed);
    assert_int_equal(out_status->applied, out_status->flushed);
    assert_int_equal(out_status->reply, 0);
    return type;
}

static void send_copy_done(struct fixture *fixture)
{
    fake_send(fixture->fake.fd, 'c', NULL, 0);
}

/* Ends the stream and counts what was sent before the final status: nothing can come later. */
ON_PIPELINE_THREAD static int count_statuses(struct fixture *fixture, struct status *out_last)
{
    struct status status = { .flushed = 0 };
    int count = -1; /* the final one is finish()'s */
    send_copy_done(fixture);
    if (!wal_stream_finish(fixture->stream, FINISH_LIMIT_MS, &fixture->err))
        fail_msg("%s", fixture->err.text);
    char type;
    while ((type = receive(fixture, &status)) == 'd')
        count++;
    assert_int_equal(type, 'c');
    *out_last = status;
    return count;
}

/* ---- START_REPLICATION ---- */

ON_PIPELINE_THREAD static void test_command(void **state UNUSED)
{
    struct fixture fixture;
    open_connection(&fixture, copy_at_once, INTERRUPT_NONE, 0);
    assert_true(start(&fixture, (lsn_t){ 0x16B374D848 }));
    assert_string_equal(fixture.fake.command,
                        "START_REPLICATION SLOT \"orders\" LOGICAL 16/B374D848 (proto_version '1', "
                        "publication_names '\"orders_pub\"')");
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_command_quotes_both_levels(void **state UNUSED)
{
    struct fixture fixture;
    open_connection(&fixture, copy_at_once, INTERRUPT_NONE, 0);
    fixture.options.slot = "o\"r";
    fixture.options.publication = "it's \"two\\,";
    fixture.options.messages = true;
    assert_true(start(&fixture, LSN_NONE));
    assert_string_equal(fixture.fake.command,
                        "START_REPLICATION SLOT \"o\"\"r\" LOGICAL 0/0 (proto_version '1', "
                        "publication_names '\"it''s \"\"two\\,\"', messages 'true')");
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_busy_slot_can_be_tried_again(void **state UNUSED)
{
    static const enum fake_answer answers[] = { FAKE_BUSY, FAKE_BUSY, FAKE_COPY };
    struct fixture fixture;
    open_connection(&fixture, answers, INTERRUPT_NONE, 0);
    for (int i = 0; i < 2; i++) {
        assert_false(start(&fixture, LSN_NONE));
        assert_int_equal(fixture.err.class, ERROR_WAIT);
        assert_string_equal(fixture.err.code, "55006");
        assert_non_null(strstr(fixture.err.text, "PID 4711"));
    }
    assert_true(start(&fixture, LSN_NONE));
    assert_int_equal(wal_stream_bytes(fixture.stream), 0);
    assert_true(lsn_is_none(wal_stream_confirmed(fixture.stream)));
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_start_can_be_stopped(void **state UNUSED)
{
    static const enum fake_answer answers[] = { FAKE_SILENCE };
    struct fixture fixture;
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    open_connection(&fixture, answers, (struct interrupt){ .stop_fd = stop_fd }, 0);
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    assert_false(start(&fixture, LSN_NONE));
    assert_int_equal(fixture.err.class, ERROR_STOPPED);
    close_all(&fixture);
    (void)close(stop_fd);
}

ON_PIPELINE_THREAD static void test_start_on_a_connection_that_is_cut(void **state UNUSED)
{
    static const enum fake_answer answers[] = { FAKE_CUT };
    struct fixture fixture;
    open_connection(&fixture, answers, INTERRUPT_NONE, 0);
    assert_false(start(&fixture, LSN_NONE));
    assert_int_equal(fixture.err.class, ERROR_RECONNECT);
    assert_non_null(strstr(fixture.err.text, "\"orders\""));
    close_all(&fixture);
}

/* ---- receiving ---- */

ON_PIPELINE_THREAD static void test_messages(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_message message;
    open_stream(&fixture);
    assert_int_equal(wal_stream_next(fixture.stream, &message, &fixture.err), WAL_NEXT_EMPTY);
    fake_walsender_send_data(&fixture.fake, 0x1122334455667788, 0x99, -7, "Begin", 5);
    fake_walsender_send_keepalive(&fixture.fake, 0xA0, 42, false);
    fake_walsender_send_data(&fixture.fake, 0, 0, 8, "", 0);

    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    assert_int_equal(message.kind, WAL_DATA);
    assert_int_equal(message.start.value, 0x1122334455667788);
    assert_int_equal(message.server_end.value, 0x99);
    assert_int_equal(message.sent_at.value, -7);
    assert_true(slice_is(message.payload, "Begin"));

    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    assert_int_equal(message.kind, WAL_KEEPALIVE);
    assert_int_equal(message.start.value, 0);
    assert_int_equal(message.server_end.value, 0xA0);
    assert_int_equal(message.sent_at.value, 42);
    assert_int_equal(message.payload.size, 0);

    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    assert_int_equal(message.kind, WAL_DATA);
    assert_int_equal(message.payload.size, 0);
    assert_int_equal(wal_stream_bytes(fixture.stream), 5);
    assert_int_equal(wal_stream_next(fixture.stream, &message, &fixture.err), WAL_NEXT_EMPTY);
    close_all(&fixture);
}

struct large_message {
    struct fake_walsender *fake;
    char *payload;
    size_t size;
};

static void *send_large_message(void *self)
{
    struct large_message *large = self;
    fake_walsender_send_data(large->fake, 1, 2, 3, large->payload, large->size);
    return NULL;
}

ON_PIPELINE_THREAD static void test_large_message_over_many_reads(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_message message;
    pthread_t sender;
    open_stream(&fixture);
    struct large_message large = { .fake = &fixture.fake, .size = 32 * 1024 * 1024 };
    large.payload = memory_alloc(large.size);
    for (size_t i = 0; i < large.size; i++)
        large.payload[i] = (char)(i * 31 + (i >> 16));
    assert_int_equal(pthread_create(&sender, NULL, send_large_message, &large), 0);
    int fills = 0;
    while (wal_stream_next(fixture.stream, &message, &fixture.err) == WAL_NEXT_EMPTY) {
        struct pollfd ready = { .fd = wal_stream_fd(fixture.stream), .events = POLLIN };
        assert_int_equal(poll(&ready, 1, FAKE_PATIENCE_MS), 1);
        assert_true(wal_stream_fill(fixture.stream, &fixture.err));
        fills++;
    }
    assert_int_equal(pthread_join(sender, NULL), 0);
    assert_true(fills > 1);
    assert_int_equal(message.payload.size, large.size);
    assert_memory_equal(message.payload.data, large.payload, large.size);
    assert_int_equal(wal_stream_bytes(fixture.stream), large.size);
    memory_free(large.payload);
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_undecodable(void **state UNUSED)
{
    static const struct {
        const char *bytes;
        size_t size;
    } rows[] = {
        { "w", 1 },
        { "w23456789"
          "23456789"
          "2345678",
          24 },
        { "k", 1 },
        { "k23456789"
          "23456789",
          17 },
        { "k23456789"
          "23456789"
          "\1"
          "x",
          19 },
        { "x23456789", 9 },
        { "\0", 1 },
        { "\xff\xff", 2 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture fixture;
        struct wal_message message = { .kind = WAL_DATA, .start = { 77 } };
        open_stream(&fixture);
        fake_send(fixture.fake.fd, 'd', rows[i].bytes, rows[i].size);
        assert_int_equal(next(&fixture, &message), WAL_NEXT_FAILED);
        assert_int_equal(fixture.err.class, ERROR_HALT);
        assert_string_equal(fixture.err.code, "undecodable");
        assert_int_equal(message.start.value, 77);
        close_all(&fixture);
    }
}

ON_PIPELINE_THREAD static void test_server_errors_are_classified(void **state UNUSED)
{
    static const struct {
        const char *severity, *sqlstate, *message;
        enum error_class class;
    } rows[] = {
        { "FATAL", "57P01", "terminating connection due to administrator command",
          ERROR_RECONNECT },
        { "ERROR", "55000", "can no longer get changes from replication slot \"orders\"",
          ERROR_HALT },
        { "ERROR", "42704", "publication \"orders_pub\" does not exist", ERROR_HALT },
        { "ERROR", "XX000", "could not read from reorder buffer spill file", ERROR_RETRY },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture fixture;
        struct wal_message message;
        open_stream(&fixture);
        fake_walsender_send_data(&fixture.fake, 1, 1, 1, "before", 6);
        fake_send_error(fixture.fake.fd, rows[i].severity, rows[i].sqlstate, rows[i].message);
        assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
        assert_true(slice_is(message.payload, "before"));
        expect_failure(&fixture, rows[i].class, rows[i].sqlstate);
        assert_non_null(strstr(fixture.err.text, rows[i].message));
        close_all(&fixture);
    }
}

ON_PIPELINE_THREAD static void test_farewell_before_the_cut_is_read(void **state UNUSED)
{
    struct fixture fixture;
    open_stream(&fixture);
    fake_send_error(fixture.fake.fd, "FATAL", "57P01", "terminating connection");
    fake_walsender_cut(&fixture.fake);
    expect_failure(&fixture, ERROR_RECONNECT, "57P01");
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_connection_cut(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_message message;
    open_stream(&fixture);
    fake_walsender_send_data(&fixture.fake, 1, 1, 1, "last", 4);
    fake_walsender_cut(&fixture.fake);
    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    assert_true(slice_is(message.payload, "last"));
    expect_failure(&fixture, ERROR_RECONNECT, "connection_lost");
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_server_ends_the_stream(void **state UNUSED)
{
    static const char types[] = { 'C', 'c' };
    for (size_t i = 0; i < sizeof(types); i++) {
        struct fixture fixture;
        struct wal_message message;
        open_stream(&fixture);
        fake_walsender_send_data(&fixture.fake, 1, 1, 1, "last", 4);
        fake_send(fixture.fake.fd, types[i], types[i] == 'C' ? "COPY 0" : NULL,
                  types[i] == 'C' ? 7 : 0);
        assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
        assert_int_equal(next(&fixture, &message), WAL_NEXT_END);
        /* Nothing more is sent, and there is nothing to finish. */
        wal_stream_confirm(fixture.stream, (lsn_t){ 9 });
        assert_int_equal(tick_after(&fixture, STATUS_INTERVAL_MS), STATUS_INTERVAL_MS);
        assert_true(lsn_is_none(wal_stream_confirmed(fixture.stream)));
        assert_false(wal_stream_finish(fixture.stream, FINISH_LIMIT_MS, &fixture.err));
        assert_string_equal(fixture.err.code, "copy_ended");
        close_all(&fixture);
    }
}

/* ---- status updates ---- */

ON_PIPELINE_THREAD static void test_status_content(void **state UNUSED)
{
    struct fixture fixture;
    struct status status;
    open_stream(&fixture);
    fixture.time.wall_us = SERVER_TIME_EPOCH_US + 123456789;
    assert_int_equal(tick_after(&fixture, STATUS_INTERVAL_MS), STATUS_INTERVAL_MS);
    assert_int_equal(receive(&fixture, &status), 'd');
    assert_int_equal(status.flushed, 0);
    assert_int_equal(status.clock, 123456789);

    wal_stream_confirm(fixture.stream, (lsn_t){ 0xFEDCBA9876543210 });
    assert_true(lsn_is_none(wal_stream_confirmed(fixture.stream)));
    (void)tick_after(&fixture, STATUS_INTERVAL_MS);
    assert_int_equal(receive(&fixture, &status), 'd');
    assert_true(status.flushed == 0xFEDCBA9876543210);
    assert_true(wal_stream_confirmed(fixture.stream).value == 0xFEDCBA9876543210);
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_status_each_interval(void **state UNUSED)
{
    struct fixture fixture;
    struct status last;
    open_stream(&fixture);
    assert_int_equal(tick(&fixture), STATUS_INTERVAL_MS);
    assert_int_equal(tick_after(&fixture, STATUS_INTERVAL_MS - 1), 1);
    assert_int_equal(tick_after(&fixture, 1), STATUS_INTERVAL_MS);
    assert_int_equal(tick_after(&fixture, STATUS_INTERVAL_MS + 500), STATUS_INTERVAL_MS);
    assert_int_equal(count_statuses(&fixture, &last), 2);
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_confirmed_rises_every_100_ms(void **state UNUSED)
{
    struct fixture fixture;
    struct status last;
    open_stream(&fixture);
    wal_stream_confirm(fixture.stream, (lsn_t){ 10 });
    assert_int_equal(tick_after(&fixture, 99), 1);
    assert_int_equal(wal_stream_confirmed(fixture.stream).value, 0);
    assert_int_equal(tick_after(&fixture, 1), STATUS_INTERVAL_MS);
    assert_int_equal(wal_stream_confirmed(fixture.stream).value, 10);
    /* Not again for the same one; after a pause, at once. */
    wal_stream_confirm(fixture.stream, (lsn_t){ 10 });
    assert_int_equal(tick_after(&fixture, 1000), STATUS_INTERVAL_MS - 1000);
    wal_stream_confirm(fixture.stream, (lsn_t){ 11 });
    assert_int_equal(tick(&fixture), STATUS_INTERVAL_MS);
    assert_int_equal(wal_stream_confirmed(fixture.stream).value, 11);
    assert_int_equal(count_statuses(&fixture, &last), 2);
    assert_int_equal(last.flushed, 11);
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_flush_never_goes_back(void **state UNUSED)
{
    struct fixture fixture;
    struct status status;
    open_stream(&fixture);
    wal_stream_confirm(fixture.stream, (lsn_t){ 200 });
    (void)tick_after(&fixture, 100);
    wal_stream_confirm(fixture.stream, (lsn_t){ 100 });
    wal_stream_confirm(fixture.stream, LSN_NONE);
    assert_int_equal(tick_after(&fixture, STATUS_INTERVAL_MS), STATUS_INTERVAL_MS);
    assert_int_equal(receive(&fixture, &status), 'd');
    assert_int_equal(status.flushed, 200);
    assert_int_equal(receive(&fixture, &status), 'd');
    assert_int_equal(status.flushed, 200);
    assert_int_equal(wal_stream_confirmed(fixture.stream).value, 200);
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_reply_when_asked(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_message message;
    struct status last;
    open_stream(&fixture);
    fixture.time.mono_ms += 1000;
    fake_walsender_send_keepalive(&fixture.fake, 1, 1, false);
    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    assert_int_equal(tick(&fixture), STATUS_INTERVAL_MS - 1000);
    fake_walsender_send_keepalive(&fixture.fake, 2, 1, true);
    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    assert_int_equal(tick(&fixture), STATUS_INTERVAL_MS);
    assert_int_equal(tick_after(&fixture, 20), STATUS_INTERVAL_MS - 20);
    assert_int_equal(count_statuses(&fixture, &last), 1);
    assert_int_equal(last.flushed, 0);
    close_all(&fixture);
}

/* A server that shuts down asks as fast as we answer. */
ON_PIPELINE_THREAD static void test_reply_storm(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_message message;
    struct status last;
    open_stream(&fixture);
    for (int ms = 1; ms <= 100; ms++) {
        fixture.time.mono_ms++;
        for (int i = 0; i < 5; i++) {
            fake_walsender_send_keepalive(&fixture.fake, 1, 1, true);
            assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
            int64_t wait_ms = tick(&fixture);
            assert_true(wait_ms > 0);
        }
    }
    assert_int_equal(count_statuses(&fixture, &last), 10);
    close_all(&fixture);
}

/* ---- a server that does not read ---- */

/* How many statuses it takes; the kernel moves bytes on for a while after it refused some. */
ON_PIPELINE_THREAD static int fill_the_socket(struct fixture *fixture)
{
    struct pollfd ready = { .fd = wal_stream_fd(fixture->stream), .events = POLLOUT };
    int sent = 0;
    while (!wal_stream_wants_write(fixture->stream) || poll(&ready, 1, SETTLED_MS) == 1) {
        sent += !wal_stream_wants_write(fixture->stream);
        (void)tick_after(fixture, wal_stream_wants_write(fixture->stream) ? 0 : STATUS_INTERVAL_MS);
        assert_true(sent < 1000 * 1000);
    }
    return sent;
}

ON_PIPELINE_THREAD static void test_full_socket(void **state UNUSED)
{
    int small = 64 * 1024;
    struct fixture fixture;
    struct status status;
    open_connection(&fixture, copy_at_once, INTERRUPT_NONE, small);
    assert_true(start(&fixture, LSN_NONE));
    fake_walsender_take_over(&fixture.fake);
    assert_int_equal(
        setsockopt(wal_stream_fd(fixture.stream), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    int sent = fill_the_socket(&fixture);
    /* No second status waits behind the first, and no tick is wanted before the socket is. */
    wal_stream_confirm(fixture.stream, (lsn_t){ 5 });
    for (int i = 0; i < 100; i++)
        assert_int_equal(tick_after(&fixture, STATUS_INTERVAL_MS), STATUS_INTERVAL_MS);
    assert_true(wal_stream_wants_write(fixture.stream));
    assert_int_equal(wal_stream_confirmed(fixture.stream).value, 0);

    int received = 0;
    while (wal_stream_confirmed(fixture.stream).value == 0) {
        struct pollfd ready = { .fd = wal_stream_fd(fixture.stream), .events = POLLOUT };
        if (poll(&ready, 1, 0) == 1)
            (void)tick(&fixture);
        if (received < sent) {
            assert_int_equal(receive(&fixture, &status), 'd');
            assert_int_equal(status.flushed, 0);
            received++;
        }
    }
    assert_false(wal_stream_wants_write(fixture.stream));
    for (; received < sent; received++) {
        assert_int_equal(receive(&fixture, &status), 'd');
        assert_int_equal(status.flushed, 0);
    }
    assert_int_equal(receive(&fixture, &status), 'd');
    assert_int_equal(status.flushed, 5);
    close_all(&fixture);
}

/* Both directions are full: only a client that reads while it writes gets its last status out. */
ON_PIPELINE_THREAD static void *read_late(void *self)
{
    struct fixture *fixture = self;
    struct status status = { .flushed = 0 };
    char payload[1000] = { 0 };
    for (int i = 0; i < 20 * 1000; i++)
        fake_walsender_send_data(&fixture->fake, 1, 1, 1, payload, sizeof(payload));
    char type;
    while ((type = receive(fixture, &status)) == 'd')
        continue;
    CHECK(type == 'c' && status.flushed == 7);
    send_copy_done(fixture);
    return NULL;
}

ON_PIPELINE_THREAD static void test_finish_with_full_sockets(void **state UNUSED)
{
    int small = 64 * 1024;
    struct fixture fixture;
    pthread_t server;
    open_connection(&fixture, copy_at_once, INTERRUPT_NONE, small);
    assert_true(start(&fixture, LSN_NONE));
    fake_walsender_take_over(&fixture.fake);
    assert_int_equal(
        setsockopt(wal_stream_fd(fixture.stream), SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    (void)fill_the_socket(&fixture);
    wal_stream_confirm(fixture.stream, (lsn_t){ 7 });
    assert_int_equal(pthread_create(&server, NULL, read_late, &fixture), 0);
    if (!wal_stream_finish(fixture.stream, FINISH_LIMIT_MS, &fixture.err))
        fail_msg("%s", fixture.err.text);
    assert_int_equal(pthread_join(server, NULL), 0);
    close_all(&fixture);
}

/* ---- the clean end ---- */

ON_PIPELINE_THREAD static void test_finish(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_message message;
    struct status status;
    open_stream(&fixture);
    /* The rest of a transaction, one that asks for a reply, and even more behind CopyDone. */
    fake_walsender_send_data(&fixture.fake, 1, 1, 1, "seen", 4);
    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    for (int i = 0; i < 1000; i++)
        fake_walsender_send_data(&fixture.fake, 1, 1, 1, "unseen", 6);
    fake_walsender_send_keepalive(&fixture.fake, 1, 1, true);
    send_copy_done(&fixture);
    fake_walsender_send_data(&fixture.fake, 1, 1, 1, "late", 4);

    wal_stream_confirm(fixture.stream, (lsn_t){ 321 });
    if (!wal_stream_finish(fixture.stream, FINISH_LIMIT_MS, &fixture.err))
        fail_msg("%s", fixture.err.text);
    assert_int_equal(wal_stream_confirmed(fixture.stream).value, 321);
    assert_int_equal(wal_stream_bytes(fixture.stream), 4);
    assert_int_equal(tick_after(&fixture, 10 * STATUS_INTERVAL_MS), STATUS_INTERVAL_MS);
    wal_stream_close(fixture.stream);
    fixture.stream = NULL;
    assert_int_equal(receive(&fixture, &status), 'd');
    assert_int_equal(status.flushed, 321);
    assert_int_equal(receive(&fixture, &status), 'c');
    assert_int_equal(receive(&fixture, &status), 'X');
    assert_int_equal(receive(&fixture, &status), 0);
    close_all(&fixture);
}

/* In the middle of a transaction a walsender looks at its socket only when that is full. */
enum { ROWS_OF_TRANSACTION = 4000, ROW_BYTES = 16 * 1024 };

static void *send_transaction(void *self)
{
    struct fixture *fixture = self;
    AUTO(char *, memory_free_p) row = memory_alloc(ROW_BYTES);
    char body[FAKE_MESSAGE_MAX];
    size_t size;
    intptr_t sent = 0;
    bool done = false;
    for (; sent < ROWS_OF_TRANSACTION && !done; sent++) {
        struct pollfd ready = { .fd = fixture->fake.fd, .events = POLLOUT };
        bool full = poll(&ready, 1, 0) == 0;
        while (full && !done && poll(&(struct pollfd){ .fd = ready.fd, .events = POLLIN }, 1, 0))
            done = fake_walsender_receive(&fixture->fake, body, &size) == 'c';
        fake_walsender_send_data(&fixture->fake, 1, 1, 1, row, ROW_BYTES);
        (void)usleep(200); /* slower than its reader */
    }
    send_copy_done(fixture);
    return (void *)sent;
}

ON_PIPELINE_THREAD static void test_finish_in_the_middle_of_a_transaction(void **state UNUSED)
{
    struct fixture fixture;
    struct wal_message message;
    pthread_t server;
    void *sent;
    open_connection(&fixture, copy_at_once, INTERRUPT_NONE, 0);
    fixture.options.clock = clock_system();
    assert_true(start(&fixture, LSN_NONE));
    fake_walsender_take_over(&fixture.fake);
    assert_int_equal(
        setsockopt(fixture.fake.fd, SOL_SOCKET, SO_SNDBUF, &(int){ 4 * ROW_BYTES }, sizeof(int)),
        0);
    assert_int_equal(pthread_create(&server, NULL, send_transaction, &fixture), 0);
    assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    if (!wal_stream_finish(fixture.stream, FINISH_LIMIT_MS, &fixture.err))
        fail_msg("%s", fixture.err.text);
    assert_int_equal(pthread_join(server, &sent), 0);
    assert_true((intptr_t)sent < ROWS_OF_TRANSACTION / 2);
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_finish_is_bounded(void **state UNUSED)
{
    struct fixture fixture;
    open_connection(&fixture, copy_at_once, INTERRUPT_NONE, 0);
    fixture.options.clock = clock_system();
    assert_true(start(&fixture, LSN_NONE));
    fake_walsender_take_over(&fixture.fake);
    for (int i = 0; i < 100; i++)
        fake_walsender_send_data(&fixture.fake, 1, 1, 1, "unseen", 6);
    assert_false(wal_stream_finish(fixture.stream, 20, &fixture.err));
    assert_int_equal(fixture.err.class, ERROR_RECONNECT);
    assert_string_equal(fixture.err.code, "finish_timeout");
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_finish_refused(void **state UNUSED)
{
    struct fixture fixture;
    open_stream(&fixture);
    fake_send_error(fixture.fake.fd, "FATAL", "57P01", "terminating connection");
    assert_false(wal_stream_finish(fixture.stream, FINISH_LIMIT_MS, &fixture.err));
    assert_int_equal(fixture.err.class, ERROR_RECONNECT);
    assert_string_equal(fixture.err.code, "57P01");
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_finish_on_a_connection_that_is_cut(void **state UNUSED)
{
    struct fixture fixture;
    open_stream(&fixture);
    fake_walsender_cut(&fixture.fake);
    assert_false(wal_stream_finish(fixture.stream, FINISH_LIMIT_MS, &fixture.err));
    assert_int_equal(fixture.err.class, ERROR_RECONNECT);
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_close_nothing(void **state UNUSED)
{
    wal_stream_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command),
        cmocka_unit_test(test_command_quotes_both_levels),
        cmocka_unit_test(test_busy_slot_can_be_tried_again),
        cmocka_unit_test(test_start_can_be_stopped),
        cmocka_unit_test(test_start_on_a_connection_that_is_cut),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_large_message_over_many_reads),
        cmocka_unit_test(test_undecodable),
        cmocka_unit_test(test_server_errors_are_classified),
        cmocka_unit_test(test_farewell_before_the_cut_is_read),
        cmocka_unit_test(test_connection_cut),
        cmocka_unit_test(test_server_ends_the_stream),
        cmocka_unit_test(test_status_content),
        cmocka_unit_test(test_status_each_interval),
        cmocka_unit_test(test_confirmed_rises_every_100_ms),
        cmocka_unit_test(test_flush_never_goes_back),
        cmocka_unit_test(test_reply_when_asked),
        cmocka_unit_test(test_reply_storm),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_finish_with_full_sockets),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_finish_in_the_middle_of_a_transaction),
        cmocka_unit_test(test_finish_is_bounded),
        cmocka_unit_test(test_finish_refused),
        cmocka_unit_test(test_finish_on_a_connection_that_is_cut),
        cmocka_unit_test(test_close_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
