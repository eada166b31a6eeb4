/* A whole line: pipeline_run() on a thread of its own over a real wal_stream and ack_tracker. The
 * test's thread is the server, and plays the delivery and the handler.
 *
 * Each status that the server gets is checked: its flush never goes back and never passes
 * line->allowed, which a test raises when it lets the line confirm more. */
#ifndef TESTS_UNIT_CONNECTOR_PIPELINE_LINE_H
#define TESTS_UNIT_CONNECTOR_PIPELINE_LINE_H

#include "unit/postgres/fake_walsender.h"

#include "base/reader.h"
#include "base/text.h"
#include "connector/pipeline.h"
#include "connector/slot_only.h"

#include "unit/connector/pgoutput_bytes.h"
#include "unit/connector/scripted_delivery.h"
#include "unit/connector/scripted_handler.h"

enum {
    LINE_TABLE_OID = 16400,
    LINE_STATUS_INTERVAL_MS = 20,
    LINE_STOP_TIMEOUT_MS = 3600 * 1000,
    LINE_RING_ENTRIES = 1024,
    LINE_PATIENCE_TURNS = 20 * 1000, /* of a millisecond */
    LINE_PATIENCE_STATUSES = 1000,   /* of LINE_STATUS_INTERVAL_MS */
};

/* Far beyond everything: what 'w' messages say of the server's end must never be confirmed. */
#define LINE_SERVER_END UINT64_C(0x7FFFFFFFFFFF)

struct line {
    struct fake_walsender fake;
    struct scripted_delivery delivery;
    struct scripted_handler handler;
    struct pipeline_options with; /* may be changed before the start */
    uint32_t ring_entries;        /* likewise */
    struct status status;
    struct metrics *metrics;
    struct measures measures;
    struct gate_teller teller;
    struct broker_notice brokers;
    struct pipeline *pipeline;
    int stop_fd;
    pthread_t thread;
    bool running;
    enum pipeline_end end; /* once it ended, as err */
    struct error err;
    uint64_t allowed, flushed;
    uint64_t position; /* of the next 'w' message */
    atomic_bool stop_noticed;
    _Atomic int64_t ahead_ms;   /* of the real time */
    _Atomic int64_t stopped_ms; /* when it was stopped; 0 = it goes on */
    _Atomic uint32_t warnings;
    char warning[1024]; /* the last one of the log; once it ended */
    char loss[1024];    /* what the log says of the stream that was lost last; likewise */
};

#define LINE_WAIT(condition)                                                                       \
    do {                                                                                           \
        int turns_ = 0;                                                                            \
        while (!(condition)) {                                                                     \
            if (turns_++ == LINE_PATIENCE_TURNS)                                                   \
                fail_msg("never came true: %s", #condition);                                       \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (0)

#define LINE_TEST(name) cmocka_unit_test_setup_teardown(name, line_setup, line_teardown)

/* ---- time ---- */

/* The real one, which a test may move ahead or stop. */
static inline mono_ms_t line_now(void *self)
{
    const struct line *line = self;
    struct clock clock = clock_system();
    int64_t stopped_ms = atomic_load(&line->stopped_ms);
    mono_ms_t now = stopped_ms != 0 ? (mono_ms_t){ stopped_ms } : clock_now(&clock);
    return mono_ms_add(now, atomic_load(&line->ahead_ms));
}

static inline int64_t line_wall_us(void *self UNUSED)
{
    struct clock clock = clock_system();
    return clock_wall_us(&clock);
}

static inline void line_skip_time(struct line *line, int64_t skip_ms)
{
    atomic_fetch_add(&line->ahead_ms, skip_ms);
    scripted_delivery_wake(&line->delivery);
}

/* From here on nothing happens because time went by. */
static inline void line_stop_time(struct line *line)
{
    struct clock clock = clock_system();
    atomic_store(&line->stopped_ms, clock_now(&clock).value);
}

/* ---- the pipeline's thread ---- */

static inline void line_write_note(char out[1024], const char *message,
                                   const struct log_field *fields)
{
    AUTO(struct buf, buf_done) text = buf_init(1023);
    buf_append_text(&text, message);
    for (; fields->type != LOG_END; fields++) {
        if (fields->type == LOG_STRING)
            buf_append_format(&text, " %s=%s", fields->key, fields->value.string);
        else if (fields->type == LOG_BOOLEAN)
            buf_append_format(&text, " %s=%d", fields->key, fields->value.boolean);
        else if (fields->type == LOG_UNSIGNED)
            buf_append_format(&text, " %s=%" PRIu64, fields->key, fields->value.unsigned_integer);
    }
    (void)snprintf(out, 1024, "%s", buf_text(&text));
}

static inline void line_note(void *self, enum log_level level, const char *message,
                             const struct log_field *fields)
{
    struct line *line = self;
    if (strncmp(message, "stopping", 8) == 0)
        atomic_store(&line->stop_noticed, true);
    if (strncmp(message, "the stream was lost", 19) == 0)
        line_write_note(line->loss, message, fields);
    if (level != LOG_WARN)
        return;
    line_write_note(line->warning, message, fields);
    atomic_fetch_add(&line->warnings, 1);
}

ON_PIPELINE_THREAD static inline struct wal_stream *line_open(const struct line *line)
{
    struct db_conn_options conn_options = fake_options(&line->fake.server);
    const struct wal_stream_options options = { .slot = "orders",
                                                .publication = "orders_pub",
                                                .status_interval_ms = LINE_STATUS_INTERVAL_MS,
                                                .clock = line->with.clock };
    struct db_conn *conn = NULL;
    struct wal_stream *stream = NULL;
    struct error err = ERROR_INIT;
    conn_options.replication = true;
    CHECK(db_conn_open(&conn_options, INTERRUPT_NONE, &conn, &err));
    CHECK(wal_stream_start(&options, conn, LSN_NONE, &stream, &err));
    return stream;
}

static inline void *line_main(void *self)
{
    struct line *line = self;
    thread_role_enter_pipeline();
    struct wal_stream *stream = line_open(line);
    line->end = pipeline_run(line->pipeline, stream, &line->err);
    wal_stream_close(stream);
    thread_role_leave_pipeline();
    return NULL;
}

/* ---- life ---- */

/* Nobody listens on that port: it never has a session. */
static inline struct watcher *line_blind_watcher(void)
{
    return watcher_start(&(struct watcher_options){
        .conn = { .host = "127.0.0.1", .port = "1", .user = "cdc", .database = "shop" },
        .slot = "orders",
        .interval_ms = 60 * 1000,
        .clock = clock_system() });
}

static inline int line_setup(void **state)
{
    struct line *line = memory_alloc(sizeof(*line));
    struct error err = ERROR_INIT;
    const struct clock clock = { .now = line_now, .wall_us = line_wall_us, .self = line };
    line->fake = (struct fake_walsender){ .server = { .fd = -1, .listen_fd = -1 } };
    line->ring_entries = LINE_RING_ENTRIES;
    scripted_delivery_init(&line->delivery);
    status_init(&line->status);
    line->metrics = metrics_new();
    line->measures = measures_init(line->metrics, &line->status);
    line->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    line->with = (struct pipeline_options){
        .clock = clock,
        .loop = loop_new(&clock),
        .stop_fd = line->stop_fd,
        .stop_timeout_ms = LINE_STOP_TIMEOUT_MS,
        .freeze_limit_ms = INT64_MAX, /* tests skip time */
        .log = log_new(&(struct log_options){
            .level = LOG_INFO, .clock = clock, .sink = line_note, .sink_self = line }),
        .status = &line->status,
        .measures = &line->measures,
        .handler = scripted_handler_init(&line->handler),
        .delivery = &line->delivery.delivery,
        .watcher = line_blind_watcher(),
        .gate = slot_only_gate(),
        .teller = &line->teller,
    };
    line->teller = (struct gate_teller){ .gate = slot_only_gate(),
                                         .clock = clock,
                                         .watcher = line->with.watcher,
                                         .delivery = line->with.delivery,
                                         .brokers = &line->brokers };
    line->brokers.status = &line->status;
    if (!delivery_topic(line->with.delivery, "orders", &line->handler.topic, &err))
        return -1;
    *state = line;
    return 0;
}

/* The pipeline's owner between two streams, on its thread. */
static inline void line_serve(struct line *line)
{
    thread_role_enter_pipeline();
    pipeline_serve(line->pipeline);
    thread_role_leave_pipeline();
}

static inline void line_abandon(struct line *line)
{
    thread_role_enter_pipeline();
    pipeline_abandon(line->pipeline, ENDING_SENT_AWAY);
    thread_role_leave_pipeline();
}

static inline void line_begin_stream(struct line *line)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.20" },
                                               { FAKE_EXPECT, "START_REPLICATION" },
                                               { FAKE_END, NULL } };
    if (line->fake.server.listen_fd >= 0)
        fake_walsender_end(&line->fake);
    line->err = ERROR_INIT;
    line->warning[0] = line->loss[0] = '\0';
    line->flushed = 0;
    fake_walsender_begin(&line->fake, script, 0);
    CHECK(pthread_create(&line->thread, NULL, line_main, line) == 0);
    line->running = true;
    fake_walsender_take_over(&line->fake);
}

/* May be called again after an end: then the owner's part comes first, a pipeline that was cut is
 * given up, a new producer and a new generation of tickets. */
static inline void line_start(struct line *line)
{
    if (line->with.tracker == NULL) {
        line->with.tracker = ack_tracker_new(line->ring_entries);
        line->teller.watcher = line->with.watcher; /* a test may have another one */
        line->pipeline = pipeline_new(&line->with);
    } else {
        line_abandon(line);
        scripted_delivery_rebuild(&line->delivery);
        ack_tracker_restart(line->with.tracker);
    }
    line->allowed = 0;
    line->position = 0x1000;
    line_begin_stream(line);
}

/* The next stream of a pipeline that was cut: its producer and its tickets go on. */
static inline void line_resume(struct line *line)
{
    assert_true(pipeline_is_cut(line->pipeline));
    line_begin_stream(line);
}

static inline void line_join(struct line *line)
{
    CHECK(pthread_join(line->thread, NULL) == 0);
    line->running = false;
}

/* The same, without patience for who waits for time to go by. */
static inline void line_join_in_no_time(struct line *line)
{
    LINE_WAIT(pthread_tryjoin_np(line->thread, NULL) == 0);
    line->running = false;
    atomic_store(&line->stopped_ms, 0);
}

/* The same, with time that flies: who waits for an answer that does not come gives up soon. */
static inline void line_join_soon(struct line *line)
{
    LINE_WAIT((line_skip_time(line, 100), pthread_tryjoin_np(line->thread, NULL) == 0));
    line->running = false;
}

static inline void line_ask_to_stop(struct line *line)
{
    uint64_t one = 1;
    CHECK(write(line->stop_fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static inline int line_teardown(void **state)
{
    struct line *line = *state;
    if (line->running) {
        line_ask_to_stop(line);
        fake_walsender_cut(&line->fake);
        line_join_soon(line);
    }
    if (line->fake.server.listen_fd >= 0)
        fake_walsender_end(&line->fake);
    pipeline_free(line->pipeline);
    watcher_stop(line->with.watcher);
    ack_tracker_free(line->with.tracker);
    log_free(line->with.log);
    loop_free(line->with.loop);
    metrics_free(line->metrics);
    status_done(&line->status);
    scripted_delivery_done(&line->delivery);
    (void)close(line->stop_fd);
    memory_free(line);
    return 0;
}

/* ---- what the server says ---- */

/* Takes the payload. */
static inline void line_say_at(struct line *line, uint64_t position, struct buf payload)
{
    fake_walsender_send_data(&line->fake, position, LINE_SERVER_END, BYTES_COMMIT_TIME,
                             payload.data, payload.size);
    line->position++;
    buf_done(&payload);
}

static inline void line_say(struct line *line, struct buf payload)
{
    line_say_at(line, line->position, payload);
}

static inline void line_begin(struct line *line, uint64_t final_lsn)
{
    line_say(line, bytes_begin(final_lsn, (uint32_t)final_lsn));
}

static inline void line_relation(struct line *line)
{
    line_say(line, bytes_relation(LINE_TABLE_OID, "orders"));
}

static inline void line_row(struct line *line, const char *text)
{
    line_say(line, bytes_insert(LINE_TABLE_OID, slice_of(text)));
}

/* A Commit's end lies behind the final LSN of its Begin, and is where it is sent. */
static inline void line_commit(struct line *line, uint64_t final_lsn)
{
    line_say_at(line, final_lsn + 10, bytes_commit(final_lsn, final_lsn + 10));
}

static inline void line_transaction(struct line *line, uint64_t final_lsn, const char *text)
{
    line_begin(line, final_lsn);
    line_relation(line);
    line_row(line, text);
    line_commit(line, final_lsn);
}

/* What is said while it is corked arrives in one piece. */
static inline void line_cork(const struct line *line, bool corked)
{
    int on = corked;
    CHECK(setsockopt(line->fake.server.fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)) == 0);
}

static inline void line_keepalive(struct line *line, uint64_t end, bool reply)
{
    fake_walsender_send_keepalive(&line->fake, end, BYTES_COMMIT_TIME, reply);
}

/* ---- what the server hears ---- */

/* 'd' = a status, 'c' = CopyDone, 'X' = it leaves, 0 = the end. */
static inline char line_hear(struct line *line, int64_t *out_clock)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    char type = fake_walsender_receive(&line->fake, &body);
    if (type != 'd')
        return type;
    struct reader reader = reader_init(buf_slice(&body));
    assert_int_equal(reader_u8(&reader), 'r');
    (void)reader_u64(&reader);
    uint64_t flushed = reader_u64(&reader);
    (void)reader_u64(&reader);
    *out_clock = (int64_t)reader_u64(&reader);
    assert_true(flushed >= line->flushed);
    if (flushed > line->allowed)
        fail_msg("confirmed %" PRIu64 ", allowed is %" PRIu64, flushed, line->allowed);
    line->flushed = flushed;
    return type;
}

/* Until a status that was made after this call. */
static inline uint64_t line_flush_now(struct line *line)
{
    struct clock clock = clock_system();
    server_time_t now = server_time_from_unix_us(clock_wall_us(&clock));
    int64_t heard = 0;
    while (heard <= now.value)
        assert_int_equal(line_hear(line, &heard), 'd');
    return line->flushed;
}

/* Allows it, and waits until it is confirmed. */
static inline void line_expect_flush(struct line *line, uint64_t flushed)
{
    int64_t ignored;
    line->allowed = flushed;
    for (int heard = 0; line->flushed < flushed; heard++) {
        if (heard == LINE_PATIENCE_STATUSES)
            fail_msg("%" PRIu64 " is confirmed, never %" PRIu64, line->flushed, flushed);
        assert_int_equal(line_hear(line, &ignored), 'd');
    }
}

/* The pipeline has read every event, and nothing more than `flushed` is confirmed. */
static inline void line_expect_still(struct line *line, uint64_t flushed)
{
    LINE_WAIT(scripted_delivery_read(&line->delivery));
    assert_int_equal(line_flush_now(line), flushed);
}

static inline void line_expect_records(struct line *line, uint32_t count)
{
    LINE_WAIT(scripted_delivery_count(&line->delivery) >= count);
    assert_int_equal(scripted_delivery_count(&line->delivery), count);
}

static inline void line_expect_record(struct line *line, uint32_t at, const char *key,
                                      const char *value)
{
    const struct scripted_record record = scripted_delivery_record(&line->delivery, at);
    assert_string_equal(record.key, key);
    assert_string_equal(record.value, value);
}

/* Until the client's CopyDone, which is answered; then it must leave without another status. By
 * then the producer can write nothing more, since the end of the copy frees the slot. */
static inline void line_expect_goodbye(struct line *line, uint64_t flushed)
{
    int64_t ignored;
    char type = 'd';
    for (int heard = 0; type == 'd'; heard++) {
        if (heard == LINE_PATIENCE_STATUSES)
            fail_msg("it does not end the copy");
        type = line_hear(line, &ignored);
    }
    assert_int_equal(type, 'c');
    assert_int_equal(line->flushed, flushed);
    assert_true(scripted_delivery_abandoned(&line->delivery));
    fake_walsender_send(&line->fake, 'c', NULL, 0);
    assert_int_equal(line_hear(line, &ignored), 'X');
    line_join(line);
    assert_int_equal(atomic_load(&line->status.confirmed_lsn), flushed);
}

static inline void line_expect_clean_end(struct line *line, uint64_t flushed)
{
    line_expect_goodbye(line, flushed);
    assert_int_equal(line->end, PIPELINE_STOPPED);
}

/* The connection is closed without a last word. */
static inline void line_expect_no_goodbye(struct line *line)
{
    int64_t ignored;
    char type = 'd';
    while (type == 'd')
        type = line_hear(line, &ignored);
    assert_int_equal(type, 'X');
}

static inline void line_expect_error(const struct line *line, enum error_class class,
                                     const char *code, const char *text)
{
    assert_int_equal(line->end, PIPELINE_FAILED);
    fake_assert_error(&line->err, class, code, text, "");
}

/* It failed so, and was wound up. */
static inline void line_expect_failure_said(struct line *line, enum error_class class,
                                            const char *code, const char *text)
{
    line_expect_error(line, class, code, text);
    assert_true(scripted_delivery_abandoned(&line->delivery));
    assert_false(pipeline_is_cut(line->pipeline));
    assert_int_equal(atomic_load(&line->status.blocked), 0);
    assert_false(atomic_load(&line->status.transaction_open));
}

/* The same, whatever it waits for meanwhile. */
static inline void line_expect_failure(struct line *line, enum error_class class, const char *code,
                                       const char *text)
{
    line_join_soon(line);
    line_expect_failure_said(line, class, code, text);
}

/* Only the connection is lost: without waiting for anything the pipeline is cut, and its producer
 * goes on. Time must stand still. */
static inline void line_expect_cut(struct line *line, enum error_class class, const char *code,
                                   const char *text)
{
    line_join_in_no_time(line);
    line_expect_error(line, class, code, text);
    assert_true(pipeline_is_cut(line->pipeline));
    assert_false(scripted_delivery_abandoned(&line->delivery));
    assert_string_equal(line->warning, "");
    assert_int_equal(atomic_load(&line->status.blocked), 0);
    assert_false(atomic_load(&line->status.transaction_open));
}

static inline void line_lose_connection(struct line *line)
{
    line_stop_time(line);
    fake_walsender_cut(&line->fake);
    line_expect_cut(line, ERROR_RECONNECT, "connection_lost", "");
}

#endif
