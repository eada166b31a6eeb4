#include "unit/postgres/wal_stream_fixture.h"

#include <sys/eventfd.h>

#include "postgres/read_pace.h"

/* ---- START_REPLICATION ---- */

ON_PIPELINE_THREAD static void test_command(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.20" },
        { FAKE_EXPECT, "START_REPLICATION SLOT \"orders\" LOGICAL 16/B374D848 (proto_version '1', "
                       "publication_names '\"orders_pub\"')" },
        { FAKE_END, NULL }
    };
    struct fixture fixture;
    open_connection(&fixture, script, INTERRUPT_NONE, 0);
    assert_true(start(&fixture, (lsn_t){ 0x16B374D848 }));
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_command_quotes_both_levels(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.20" },
        { FAKE_EXPECT, "START_REPLICATION SLOT \"o\"\"r\" LOGICAL 0/0 (proto_version '1', "
                       "publication_names '\"it''s \"\"two\\,\"', messages 'true')" },
        { FAKE_END, NULL }
    };
    struct fixture fixture;
    open_connection(&fixture, script, INTERRUPT_NONE, 0);
    fixture.options.slot = "o\"r";
    fixture.options.publication = "it's \"two\\,";
    fixture.options.messages = true;
    assert_true(start(&fixture, LSN_NONE));
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_busy_slot_can_be_tried_again(void **state UNUSED)
{
    static const char busy[] = "55006:replication slot \"orders\" is active for PID 4711";
    const struct fake_step script[] = { { FAKE_GREET, "15.20" }, { FAKE_EXPECT, FAKE_START },
                                        { FAKE_ERROR, busy },    { FAKE_EXPECT, FAKE_START },
                                        { FAKE_ERROR, busy },    { FAKE_EXPECT, FAKE_START },
                                        { FAKE_END, NULL } };
    struct fixture fixture;
    open_connection(&fixture, script, INTERRUPT_NONE, 0);
    for (int i = 0; i < 2; i++) {
        assert_false(start(&fixture, LSN_NONE));
        fake_assert_error(&fixture.err, ERROR_WAIT, "55006", "PID 4711", "");
    }
    assert_true(start(&fixture, LSN_NONE));
    assert_int_equal(wal_stream_bytes(fixture.stream), 0);
    assert_true(lsn_is_none(wal_stream_confirmed(fixture.stream)));
    close_all(&fixture);
}

ON_PIPELINE_THREAD static void test_start_can_be_stopped(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.20" },
                                               { FAKE_EXPECT, FAKE_START },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    struct fixture fixture;
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    open_connection(&fixture, script, (struct interrupt){ .stop_fd = stop_fd }, 0);
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    assert_false(start(&fixture, LSN_NONE));
    assert_int_equal(fixture.err.class, ERROR_STOPPED);
    close_all(&fixture);
    (void)close(stop_fd);
}

ON_PIPELINE_THREAD static void test_start_on_a_connection_that_is_cut(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.20" }, { FAKE_EXPECT, FAKE_START }, { FAKE_CUT, NULL }, { FAKE_END, NULL }
    };
    struct fixture fixture;
    open_connection(&fixture, script, INTERRUPT_NONE, 0);
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

/* Messages enough to make the stream busy, then fills that find nothing: each pauses first. What
 * makes it busy is read_pace's; here counts that it is asked. */
ON_PIPELINE_THREAD static void test_a_busy_stream_pauses_before_it_reads(void **state UNUSED)
{
    enum { FILLS = 20, MESSAGES = READ_PACE_BUSY_PER_SECOND / 1000 * READ_PACE_WINDOW_MS };
    struct fixture fixture;
    struct wal_message message;
    open_stream(&fixture);
    assert_true(wal_stream_fill(fixture.stream, &fixture.err));
    for (int i = 0; i < MESSAGES; i++) {
        fake_walsender_send_keepalive(&fixture.fake, 1, 2, false);
        assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
    }
    fixture.time.mono_ms += READ_PACE_WINDOW_MS;
    struct clock clock = clock_system();
    int64_t before_us = clock_wall_us(&clock);
    for (int i = 0; i < FILLS; i++)
        assert_true(wal_stream_fill(fixture.stream, &fixture.err));
    assert_true(clock_wall_us(&clock) - before_us >= FILLS * READ_PACE_PAUSE_US);
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
        fake_walsender_send(&fixture.fake, 'd', rows[i].bytes, rows[i].size);
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
        const char *severity, *error;
        enum error_class class;
    } rows[] = {
        { "FATAL", "57P01:terminating connection due to administrator command", ERROR_RECONNECT },
        { "ERROR", "55000:can no longer get changes from replication slot \"orders\"", ERROR_HALT },
        { "ERROR", "42704:publication \"orders_pub\" does not exist", ERROR_HALT },
        { "ERROR", "XX000:could not read from reorder buffer spill file", ERROR_RETRY },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct fixture fixture;
        struct wal_message message;
        open_stream(&fixture);
        fake_walsender_send_data(&fixture.fake, 1, 1, 1, "before", 6);
        fake_walsender_send_error(&fixture.fake, rows[i].severity, rows[i].error);
        assert_int_equal(next(&fixture, &message), WAL_NEXT_MESSAGE);
        assert_true(slice_is(message.payload, "before"));
        const char code[] = { rows[i].error[0], rows[i].error[1], rows[i].error[2],
                              rows[i].error[3], rows[i].error[4], '\0' };
        expect_failure(&fixture, rows[i].class, code, rows[i].error + sizeof(code));
        close_all(&fixture);
    }
}

ON_PIPELINE_THREAD static void test_farewell_before_the_cut_is_read(void **state UNUSED)
{
    struct fixture fixture;
    open_stream(&fixture);
    fake_walsender_send_error(&fixture.fake, "FATAL", "57P01:terminating connection");
    fake_walsender_cut(&fixture.fake);
    expect_failure(&fixture, ERROR_RECONNECT, "57P01", "terminating");
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
    expect_failure(&fixture, ERROR_RECONNECT, "connection_lost", "");
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
        fake_walsender_send(&fixture.fake, types[i], types[i] == 'C' ? "COPY 0" : NULL,
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
        cmocka_unit_test(test_a_busy_stream_pauses_before_it_reads),
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
