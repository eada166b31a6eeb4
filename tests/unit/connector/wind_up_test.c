/* How a stream's end is made safe, step by step; when each step is taken: pipeline_*_test.c. The
 * test's thread is the pipeline, and the server between its calls. */
#include "unit/postgres/fake_walsender.h"

#include <stdatomic.h>

#include "base/reader.h"
#include "connector/measures.h"
#include "connector/slot_only.h"
#include "connector/wind_up.h"
#include "unit/connector/scripted_delivery.h"

enum { STATUS_INTERVAL_MS = 3000, SETTLE_LIMIT_MS = 5000, QUIET_LIMIT_MS = 1000 };

struct fixture {
    struct fake_walsender fake;
    struct scripted_delivery delivery;
    struct status status;
    struct metrics *metrics;
    struct measures measures;
    struct broker_notice brokers;
    struct wind_up with;
    ticket_t ticket; /* of the one record in flight, which ends at 110 */
    int64_t now_ms;  /* each look at the clock takes step_ms */
    int64_t step_ms;
    uint32_t looks;      /* at the clock */
    uint32_t event_look; /* at which the record is acknowledged; 0 = never */
    char warning[256];
};

static mono_ms_t now(void *self)
{
    struct fixture *fixture = self;
    fixture->now_ms += fixture->step_ms;
    if (++fixture->looks == fixture->event_look) {
        if (scripted_delivery_abandoned(&fixture->delivery))
            scripted_delivery_push(
                &fixture->delivery,
                &(struct scripted_event){ .event = { DELIVERY_ACKED, .ticket = fixture->ticket } });
        else
            scripted_delivery_ack(&fixture->delivery, 0);
        scripted_delivery_unanswered(&fixture->delivery, false);
    }
    return (mono_ms_t){ fixture->now_ms };
}

static int64_t wall_us(void *self)
{
    return SERVER_TIME_EPOCH_US + ((struct fixture *)self)->now_ms * 1000;
}

static void note(void *self, enum log_level level, const char *message,
                 const struct log_field *fields UNUSED)
{
    struct fixture *fixture = self;
    if (level == LOG_WARN)
        (void)snprintf(fixture->warning, sizeof(fixture->warning), "%s", message);
}

ON_PIPELINE_THREAD static struct wal_stream *open_stream(struct fixture *fixture)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.20" },
                                               { FAKE_EXPECT, "START_REPLICATION" },
                                               { FAKE_END, NULL } };
    fake_walsender_begin(&fixture->fake, script, 0);
    struct db_conn_options conn_options = fake_options(&fixture->fake.server);
    conn_options.replication = true;
    const struct wal_stream_options options = { .slot = "orders",
                                                .publication = "orders_pub",
                                                .status_interval_ms = STATUS_INTERVAL_MS,
                                                .clock = fixture->with.clock };
    struct db_conn *conn = NULL;
    struct wal_stream *stream = NULL;
    struct error err = ERROR_INIT;
    if (!db_conn_open(&conn_options, INTERRUPT_NONE, &conn, &err) ||
        !wal_stream_start(&options, conn, LSN_NONE, &stream, &err))
        fail_msg("%s", err.text);
    fake_walsender_take_over(&fixture->fake);
    return stream;
}

/* A transaction whose one record is in flight. */
ON_PIPELINE_THREAD static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    const struct clock clock = { .now = now, .wall_us = wall_us, .self = fixture };
    struct record record = { .partition = RECORD_PARTITION_ANY };
    fixture->now_ms = 100000;
    scripted_delivery_init(&fixture->delivery);
    status_init(&fixture->status);
    fixture->metrics = metrics_new();
    fixture->measures = measures_init(fixture->metrics, &fixture->status);
    fixture->with = (struct wind_up){
        .clock = clock,
        .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .log = log_new(&(struct log_options){
            .level = LOG_INFO, .clock = clock, .sink = note, .sink_self = fixture }),
        .brokers = &fixture->brokers,
        .status = &fixture->status,
        .measures = &fixture->measures,
        .delivery = &fixture->delivery.delivery,
        .tracker = ack_tracker_new(4),
        .gate = slot_only_gate(),
    };
    fixture->with.stream = open_stream(fixture);
    fixture->ticket = ack_tracker_begin(fixture->with.tracker);
    ack_tracker_add(fixture->with.tracker, fixture->ticket, 1);
    (void)ack_tracker_close(fixture->with.tracker, fixture->ticket, (lsn_t){ 110 });
    assert_int_equal(delivery_send(fixture->with.delivery, &record, fixture->ticket, NULL),
                     DELIVERY_OK);
    *state = fixture;
    return 0;
}

ON_PIPELINE_THREAD static int teardown(void **state)
{
    struct fixture *fixture = *state;
    wal_stream_close(fixture->with.stream);
    fake_walsender_end(&fixture->fake);
    ack_tracker_free(fixture->with.tracker);
    scripted_delivery_done(&fixture->delivery);
    log_free(fixture->with.log);
    metrics_free(fixture->metrics);
    status_done(&fixture->status);
    (void)close(fixture->with.stop_fd);
    memory_free(fixture);
    return 0;
}

/* The statuses that the server got up to now; *out_flushed: of the last one. */
static int count_statuses(struct fixture *fixture, uint64_t *out_flushed)
{
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    struct pollfd ready = { .fd = fixture->fake.server.fd, .events = POLLIN };
    int count = 0;
    for (; poll(&ready, 1, 0) == 1; count++) {
        assert_int_equal(fake_walsender_receive(&fixture->fake, &body), 'd');
        struct reader reader = reader_init(buf_slice(&body));
        assert_int_equal(reader_u8(&reader), 'r');
        (void)reader_u64(&reader);
        *out_flushed = reader_u64(&reader);
    }
    return count;
}

static uint64_t confirmed(const struct fixture *fixture)
{
    return ack_tracker_confirmed(fixture->with.tracker).value;
}

/* ---- what was sent is waited for ---- */

/* A server that hears nothing cuts the connection before the last word. */
ON_PIPELINE_THREAD static void the_server_is_answered_while_reports_are_waited_for(void **state)
{
    struct fixture *fixture = *state;
    uint64_t flushed = 7;
    fixture->step_ms = STATUS_INTERVAL_MS / 4;
    wind_up_settle(&fixture->with);
    assert_int_equal(count_statuses(fixture, &flushed), 1);
    assert_int_equal(flushed, 0);
    assert_int_equal(confirmed(fixture), 0);
}

ON_PIPELINE_THREAD static void it_waits_no_longer_than_five_seconds(void **state)
{
    struct fixture *fixture = *state;
    fixture->step_ms = 100;
    wind_up_settle(&fixture->with);
    assert_in_range(fixture->now_ms, 100000 + SETTLE_LIMIT_MS, 100000 + SETTLE_LIMIT_MS + 500);
}

ON_PIPELINE_THREAD static void a_report_ends_the_wait_and_is_confirmed(void **state)
{
    struct fixture *fixture = *state;
    uint64_t flushed = 0;
    fixture->event_look = 8;
    fixture->step_ms = 10;
    wind_up_settle(&fixture->with);
    assert_int_equal(confirmed(fixture), 110);
    assert_true(fixture->now_ms < 100000 + SETTLE_LIMIT_MS);
    fake_walsender_send(&fixture->fake, 'c', NULL, 0);
    wind_up_goodbye(&fixture->with);
    assert_int_equal(atomic_load(&fixture->status.confirmed_lsn), 110);
    AUTO(struct buf, buf_done) body = buf_init(FAKE_MESSAGE_MAX_BYTES);
    char type = 'd';
    for (; type == 'd'; type = fake_walsender_receive(&fixture->fake, &body))
        if (body.size > 17)
            flushed = (uint64_t)(unsigned char)body.data[16];
    assert_int_equal(type, 'c');
    assert_int_equal(flushed, 110);
}

/* Each ends it before the time does. */
ON_PIPELINE_THREAD static void what_is_of_no_use_is_not_waited_for(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 4; i++) {
        uint64_t one = 1;
        fixture->now_ms = 100000;
        if (i == 0)
            scripted_delivery_connected(&fixture->delivery, false);
        else if (i == 1)
            scripted_delivery_say(&fixture->delivery, DELIVERY_LOST);
        else if (i == 2)
            assert_int_equal(write(fixture->with.stop_fd, &one, sizeof(one)), sizeof(one));
        else
            scripted_delivery_refuse(&fixture->delivery, 0);
        wind_up_settle(&fixture->with); /* time stands still: else it would not end */
        assert_int_equal(confirmed(fixture), 0);
        scripted_delivery_connected(&fixture->delivery, true);
        (void)!read(fixture->with.stop_fd, &one, sizeof(one));
    }
}

/* Also that no broker is connected any more: there may be nothing to wait for. */
ON_PIPELINE_THREAD static void what_the_kafka_client_says_meanwhile_is_heard(void **state)
{
    struct fixture *fixture = *state;
    struct scripted_event note = { .event = { .kind = DELIVERY_NOTE } };
    (void)error_set(&note.err, ERROR_RETRY, "brokers_lost", "kafka: no broker is connected");
    scripted_delivery_push(&fixture->delivery, &note);
    fixture->step_ms = 100;
    wind_up_settle(&fixture->with);
    assert_string_equal(fixture->warning, "the Kafka client reports");
    assert_string_equal(fixture->brokers.lost.code, "brokers_lost");
}

/* A connection that is lost while reports come: they count all the same. */
ON_PIPELINE_THREAD static void a_server_that_leaves_ends_no_wait(void **state)
{
    struct fixture *fixture = *state;
    fake_walsender_cut(&fixture->fake);
    fixture->event_look = 12;
    fixture->step_ms = STATUS_INTERVAL_MS / 10;
    wind_up_settle(&fixture->with);
    assert_int_equal(confirmed(fixture), 110);
    wind_up_goodbye(&fixture->with);
    fake_assert_contains(fixture->warning, "the stream did not end cleanly");
    assert_int_equal(atomic_load(&fixture->status.confirmed_lsn), 0);
}

/* ---- the producer is silenced ---- */

ON_PIPELINE_THREAD static void the_server_is_answered_while_the_producer_becomes_quiet(void **state)
{
    struct fixture *fixture = *state;
    uint64_t flushed = 7;
    scripted_delivery_unanswered(&fixture->delivery, true);
    fixture->step_ms = QUIET_LIMIT_MS / 4;
    fixture->now_ms += STATUS_INTERVAL_MS; /* one is due */
    wind_up_quiet(&fixture->with);
    assert_true(scripted_delivery_abandoned(&fixture->delivery));
    assert_int_equal(count_statuses(fixture, &flushed), 1);
    assert_int_equal(flushed, 0); /* what is purged was not delivered */
    fake_assert_contains(fixture->warning, "requests to Kafka are still unanswered");
}

ON_PIPELINE_THREAD static void a_stop_does_not_cut_the_quiet_short(void **state)
{
    struct fixture *fixture = *state;
    uint64_t one = 1;
    scripted_delivery_unanswered(&fixture->delivery, true);
    assert_int_equal(write(fixture->with.stop_fd, &one, sizeof(one)), sizeof(one));
    fixture->event_look = 6;
    fixture->step_ms = 10;
    struct clock real = clock_system();
    mono_ms_t before = clock_now(&real);
    wind_up_quiet(&fixture->with);
    assert_true(mono_ms_since(clock_now(&real), before) >= 100); /* it rests between its looks */
    assert_true(delivery_quiet(fixture->with.delivery));
    assert_string_equal(fixture->warning, "");
    assert_true(fixture->looks >= 6);
    assert_int_equal(confirmed(fixture), 0); /* its late report counts for nothing */
}

ON_PIPELINE_THREAD static void a_quiet_producer_is_not_waited_for(void **state)
{
    struct fixture *fixture = *state;
    wind_up_quiet(&fixture->with); /* time stands still */
    assert_true(scripted_delivery_abandoned(&fixture->delivery));
    assert_true(delivery_idle(fixture->with.delivery));
    assert_string_equal(fixture->warning, "");
}

/* ---- without a server ---- */

ON_PIPELINE_THREAD static void nobody_is_told_when_nobody_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct wal_stream *stream = TAKE(fixture->with.stream);
    uint64_t flushed = 7;
    fixture->step_ms = STATUS_INTERVAL_MS;
    wind_up_settle(&fixture->with);
    scripted_delivery_unanswered(&fixture->delivery, true);
    wind_up_quiet(&fixture->with);
    wind_up_goodbye(&fixture->with);
    assert_int_equal(count_statuses(fixture, &flushed), 0);
    fixture->with.stream = stream;
}

#define WIND_UP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WIND_UP_TEST(the_server_is_answered_while_reports_are_waited_for),
        WIND_UP_TEST(it_waits_no_longer_than_five_seconds),
        WIND_UP_TEST(a_report_ends_the_wait_and_is_confirmed),
        WIND_UP_TEST(what_is_of_no_use_is_not_waited_for),
        WIND_UP_TEST(what_the_kafka_client_says_meanwhile_is_heard),
        WIND_UP_TEST(a_server_that_leaves_ends_no_wait),
        WIND_UP_TEST(the_server_is_answered_while_the_producer_becomes_quiet),
        WIND_UP_TEST(a_stop_does_not_cut_the_quiet_short),
        WIND_UP_TEST(a_quiet_producer_is_not_waited_for),
        WIND_UP_TEST(nobody_is_told_when_nobody_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
