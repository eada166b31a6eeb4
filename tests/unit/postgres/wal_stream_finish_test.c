/* The clean end of a stream, and servers that do not read. */
#include "unit/postgres/wal_stream_fixture.h"

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

/* No second status waits behind the first, and no tick is wanted before the socket is. False: the
 * kernel moved more bytes on, later than it ever did, so that this says nothing. */
ON_PIPELINE_THREAD static bool stays_full(struct fixture *fixture)
{
    bool as_before = true;
    for (int i = 0; i < 100; i++)
        as_before &= tick_after(fixture, STATUS_INTERVAL_MS) == STATUS_INTERVAL_MS;
    struct pollfd ready = { .fd = wal_stream_fd(fixture->stream), .events = POLLOUT };
    if (!wal_stream_wants_write(fixture->stream) && poll(&ready, 1, 0) == 1)
        return false;
    assert_true(as_before);
    assert_true(wal_stream_wants_write(fixture->stream));
    assert_int_equal(wal_stream_confirmed(fixture->stream).value, 0);
    return true;
}

ON_PIPELINE_THREAD static int open_full(struct fixture *fixture)
{
    int small = 64 * 1024;
    for (int tries = 0; tries < 10; tries++) {
        open_connection(fixture, copy_at_once, INTERRUPT_NONE, small);
        assert_true(start(fixture, LSN_NONE));
        fake_walsender_take_over(&fixture->fake);
        int fd = wal_stream_fd(fixture->stream);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
        int sent = fill_the_socket(fixture);
        wal_stream_confirm(fixture->stream, (lsn_t){ 5 });
        if (stays_full(fixture))
            return sent;
        close_all(fixture);
    }
    fail_msg("the socket is never full");
    return 0;
}

ON_PIPELINE_THREAD static void test_full_socket(void **state UNUSED)
{
    struct fixture fixture;
    struct status status;
    int sent = open_full(&fixture);

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
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    intptr_t sent = 0;
    bool done = false;
    for (; sent < ROWS_OF_TRANSACTION && !done; sent++) {
        struct pollfd ready = { .fd = fixture->fake.server.fd, .events = POLLOUT };
        bool full = poll(&ready, 1, 0) == 0;
        while (full && !done && poll(&(struct pollfd){ .fd = ready.fd, .events = POLLIN }, 1, 0))
            done = fake_walsender_receive(&fixture->fake, &body) == 'c';
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
    assert_int_equal(setsockopt(fixture.fake.server.fd, SOL_SOCKET, SO_SNDBUF,
                                &(int){ 4 * ROW_BYTES }, sizeof(int)),
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
    fake_walsender_send_error(&fixture.fake, "FATAL", "57P01:terminating connection");
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
