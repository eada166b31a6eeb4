/* What the tests of wal_stream share: both ends of a stream, the client's and the fake's, with a
 * clock that stands still until a test moves it. */
#ifndef TESTS_UNIT_POSTGRES_WAL_STREAM_FIXTURE_H
#define TESTS_UNIT_POSTGRES_WAL_STREAM_FIXTURE_H

#include "unit/postgres/fake_walsender.h"

#include "base/reader.h"
#include "postgres/wal_stream.h"

enum { STATUS_INTERVAL_MS = 3000, FINISH_LIMIT_MS = 10 * 1000, SETTLED_MS = 200 };

#define FAKE_START "START_REPLICATION SLOT \"orders\" LOGICAL 0/0"

static const struct fake_step copy_at_once[] = { { FAKE_GREET, "15.20" },
                                                 { FAKE_EXPECT, FAKE_START },
                                                 { FAKE_END, NULL } };

struct fixture {
    struct fake_walsender fake;
    struct clock_manual time;
    struct wal_stream_options options;
    struct db_conn *conn; /* until a stream took it */
    struct wal_stream *stream;
    struct error err;
};

/* ---- the two ends ---- */

static inline void open_connection(struct fixture *fixture, const struct fake_step *script,
                                   struct interrupt interrupt, int receive_buffer_bytes)
{
    *fixture = (struct fixture){
        .time = { .mono_ms = 100000, .wall_us = SERVER_TIME_EPOCH_US + 5 },
        .options = { .slot = "orders",
                     .publication = "orders_pub",
                     .status_interval_ms = STATUS_INTERVAL_MS },
    };
    fake_walsender_begin(&fixture->fake, script, receive_buffer_bytes);
    struct db_conn_options options = fake_options(&fixture->fake.server);
    options.replication = true;
    if (!db_conn_open(&options, interrupt, &fixture->conn, &fixture->err))
        fail_msg("%s", fixture->err.text);
    fixture->options.clock = clock_manual(&fixture->time);
}

ON_PIPELINE_THREAD static inline bool start(struct fixture *fixture, lsn_t from)
{
    bool started =
        wal_stream_start(&fixture->options, fixture->conn, from, &fixture->stream, &fixture->err);
    if (started)
        fixture->conn = NULL;
    return started;
}

ON_PIPELINE_THREAD static inline void open_stream(struct fixture *fixture)
{
    open_connection(fixture, copy_at_once, INTERRUPT_NONE, 0);
    if (!start(fixture, LSN_NONE))
        fail_msg("%s", fixture->err.text);
    fake_walsender_take_over(&fixture->fake);
}

ON_PIPELINE_THREAD static inline void close_all(struct fixture *fixture)
{
    wal_stream_close(fixture->stream);
    db_conn_close(fixture->conn);
    fake_walsender_end(&fixture->fake);
}

/* As the pipeline does: what libpq has, else what the socket brings. */
ON_PIPELINE_THREAD static inline enum wal_next next(struct fixture *fixture,
                                                    struct wal_message *message)
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

ON_PIPELINE_THREAD static inline void
expect_failure(struct fixture *fixture, enum error_class class, const char *code, const char *text)
{
    struct wal_message message;
    assert_int_equal(next(fixture, &message), WAL_NEXT_FAILED);
    fake_assert_error(&fixture->err, class, code, text, "");
    fake_assert_contains(fixture->err.text, "\"orders\"");
}

/* Returns in how many ms the stream wants to be ticked again. */
ON_PIPELINE_THREAD static inline int64_t tick(struct fixture *fixture)
{
    mono_ms_t next_tick = { -1 };
    if (!wal_stream_tick(fixture->stream, &next_tick, &fixture->err))
        fail_msg("%s", fixture->err.text);
    return next_tick.value - fixture->time.mono_ms;
}

ON_PIPELINE_THREAD static inline int64_t tick_after(struct fixture *fixture, int64_t wait_ms)
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
static inline char receive(struct fixture *fixture, struct status *out_status)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    char type = fake_walsender_receive(&fixture->fake, &body);
    if (type != 'd')
        return type;
    struct reader reader = reader_init(buf_slice(&body));
    assert_int_equal(body.size, 34);
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

static inline void send_copy_done(struct fixture *fixture)
{
    fake_walsender_send(&fixture->fake, 'c', NULL, 0);
}

/* Ends the stream and counts what was sent before the final status: nothing can come later. */
ON_PIPELINE_THREAD static inline int count_statuses(struct fixture *fixture,
                                                    struct status *out_last)
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

#endif
