#include "unit/kafka/kafka_fixture.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "kafka/partitioner.h"
#include "kafka/producer.h"

struct made {
    struct producer *producer;
    rd_kafka_conf_t *conf;
    int wake_fd;
};

static struct made make(const struct mock *mock)
{
    struct error err = ERROR_INIT;
    struct producer_options options = fixture_options(mock);
    struct made made = { .wake_fd = eventfd(0, EFD_NONBLOCK) };
    assert_true(producer_options_build(&options, &made.conf, &err));
    struct producer_setup setup = {
        .conf = made.conf,
        .partitioner = partitioner_find("Hash"),
        .batch_bytes = 100000,
        .wake_fd = made.wake_fd,
    };
    if (!producer_new(&setup, &made.producer, &err))
        fail_msg("%s", err.text);
    return made;
}

static void unmake(struct made *made)
{
    producer_free(made->producer);
    rd_kafka_conf_destroy(made->conf);
    close(made->wake_fd);
}

/* The first delivery report; the caller destroys the event. */
static rd_kafka_event_t *next_report(struct made *made)
{
    mono_ms_t start = fixture_now();
    while (!fixture_expired(start)) {
        rd_kafka_event_t *event = producer_event(made->producer);
        if (event != NULL && rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
            return event;
        if (event != NULL)
            rd_kafka_event_destroy(event);
        struct pollfd wait = { .fd = made->wake_fd, .events = POLLIN };
        (void)poll(&wait, 1, 20);
    }
    fail_msg("no report");
    return NULL;
}

static void a_report_tells_ticket_topic_and_cost(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 2);
    mock_topic(&mock, "items", 2);
    struct made made = make(&mock);
    struct error err = ERROR_INIT;
    assert_true(producer_topic_add(made.producer, "orders", &err));
    assert_true(producer_topic_add(made.producer, "items", &err));
    assert_int_equal(producer_topic_count(made.producer), 2);
    const struct header headers[] = { { "pos", SLICE_TEXT("0/1") }, { "x", SLICE_NULL } };
    struct record record = fixture_record(1, "key", "value");
    record.headers = headers;
    record.header_count = 2;
    assert_int_equal(producer_send(made.producer, &record, (ticket_t){ 0xfedcba9876543210 }), 0);
    assert_false(producer_quiet(made.producer));
    rd_kafka_event_t *event = next_report(&made);
    const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
    assert_int_equal(message->err, 0);
    assert_true(producer_ticket(made.producer, message).value == 0xfedcba9876543210);
    assert_int_equal(producer_message_topic(message), 1);
    assert_int_equal(producer_message_header_cost(message), 2 * DELIVERY_HEADER_COST + 7);
    assert_false(producer_quiet(made.producer));
    producer_reported(made.producer, message);
    rd_kafka_event_destroy(event);
    mono_ms_t start = fixture_now();
    while (!producer_quiet(made.producer))
        assert_false(fixture_expired(start));
    assert_int_equal(producer_brokers_up(made.producer), 1);
    rd_kafka_resp_err_t code = 77;
    char reason[128];
    assert_false(producer_fatal(made.producer, &code, reason, sizeof reason));
    assert_int_equal(code, 77);
    unmake(&made);
    mock_stop(&mock);
}

static void purged_records_are_reported_as_such(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    struct made made = make(&mock);
    struct error err = ERROR_INIT;
    for (uint32_t i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "orders-%u", (unsigned)i);
        assert_true(producer_topic_add(made.producer, name, &err));
        struct record record = fixture_record(i, "key", "value");
        assert_int_equal(producer_send(made.producer, &record, (ticket_t){ i }), 0);
        assert_int_equal(producer_send(made.producer, &record, (ticket_t){ i }),
                         RD_KAFKA_RESP_ERR__QUEUE_FULL);
    }
    producer_purge(made.producer);
    for (int i = 0; i < 10;) {
        rd_kafka_event_t *event = next_report(&made);
        for (const rd_kafka_message_t *message = rd_kafka_event_message_next(event);
             message != NULL; message = rd_kafka_event_message_next(event), i++) {
            assert_int_equal(message->err, RD_KAFKA_RESP_ERR__PURGE_QUEUE);
            producer_reported(made.producer, message);
        }
        rd_kafka_event_destroy(event);
    }
    assert_true(producer_quiet(made.producer));
    unmake(&made);
    mock_stop(&mock);
}

static void a_retired_one_does_not_touch_the_descriptor(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct made made = make(&mock);
    struct error err = ERROR_INIT;
    assert_true(producer_topic_add(made.producer, "orders", &err));
    struct record record = fixture_record(0, "key", "value");
    assert_int_equal(producer_send(made.producer, &record, (ticket_t){ 1 }), 0);
    rd_kafka_event_t *event = next_report(&made);
    producer_reported(made.producer, rd_kafka_event_message_next(event));
    rd_kafka_event_destroy(event);
    producer_retire(made.producer);
    eventfd_t signals = 0;
    (void)eventfd_read(made.wake_fd, &signals);
    assert_int_equal(producer_send(made.producer, &record, (ticket_t){ 2 }), 0);
    producer_purge(made.producer);
    rd_kafka_event_destroy(next_report(&made));
    assert_int_not_equal(eventfd_read(made.wake_fd, &signals), 0);
    unmake(&made);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_tells_ticket_topic_and_cost),
        cmocka_unit_test(purged_records_are_reported_as_such),
        cmocka_unit_test(a_retired_one_does_not_touch_the_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
