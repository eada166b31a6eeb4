#include "unit/kafka/kafka_fixture.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "kafka/wire_watch.h"

struct watched {
    struct wire_watch *watch;
    rd_kafka_t *handle;
    rd_kafka_topic_t *topic;
    int wake_fd;
};

static struct watched watched_start(const struct mock *mock, const char *acks)
{
    char reason[256];
    struct error err = ERROR_INIT;
    struct watched watched = { .wake_fd = eventfd(0, EFD_NONBLOCK) };
    watched.watch = wire_watch_new(watched.wake_fd, strcmp(acks, "0") != 0);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", mock->brokers, reason, sizeof reason);
    rd_kafka_conf_set(conf, "acks", acks, reason, sizeof reason);
    rd_kafka_conf_set(conf, "linger.ms", "0", reason, sizeof reason);
    rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason);
    assert_true(wire_watch_install(watched.watch, conf, &err));
    watched.handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    assert_non_null(watched.handle);
    watched.topic = rd_kafka_topic_new(watched.handle, "orders", NULL);
    return watched;
}

static void watched_stop(struct watched *watched)
{
    rd_kafka_topic_destroy(watched->topic);
    rd_kafka_destroy(watched->handle);
    wire_watch_free(watched->watch);
    close(watched->wake_fd);
}

static void produce(struct watched *watched)
{
    char value[] = "v";
    assert_int_equal(
        rd_kafka_produce(watched->topic, 0, RD_KAFKA_MSG_F_COPY, value, 1, "k", 1, NULL), 0);
}

#define UNTIL(condition)                                                                           \
    do {                                                                                           \
        mono_ms_t start_ = fixture_now();                                                          \
        while (!(condition)) {                                                                     \
            if (fixture_expired(start_))                                                           \
                fail_msg("never: " #condition);                                                    \
            usleep(500);                                                                           \
        }                                                                                          \
    } while (0)

static void brokers_are_counted_as_they_come_and_go(void **state)
{
    (void)state;
    struct mock mock = mock_start(2);
    mock_topic(&mock, "orders", 4);
    for (int32_t partition = 0; partition < 4; partition++)
        rd_kafka_mock_partition_set_leader(mock.cluster, "orders", partition, 1 + partition % 2);
    struct watched watched = watched_start(&mock, "-1");
    UNTIL(wire_watch_brokers_up(watched.watch) == 1); /* it connects where it must */
    eventfd_t signals = 0;
    UNTIL(eventfd_read(watched.wake_fd, &signals) == 0);
    char value[] = "v";
    for (int32_t partition = 0; partition < 4; partition++)
        rd_kafka_produce(watched.topic, partition, RD_KAFKA_MSG_F_COPY, value, 1, NULL, 0, NULL);
    UNTIL(wire_watch_brokers_up(watched.watch) == 2);
    UNTIL(eventfd_read(watched.wake_fd, &signals) == 0);
    rd_kafka_mock_broker_set_down(mock.cluster, 2);
    UNTIL(wire_watch_brokers_up(watched.watch) == 1);
    UNTIL(eventfd_read(watched.wake_fd, &signals) == 0);
    wire_watch_mute(watched.watch);
    (void)eventfd_read(watched.wake_fd, &signals);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    UNTIL(wire_watch_brokers_up(watched.watch) == 0);
    assert_int_not_equal(eventfd_read(watched.wake_fd, &signals), 0);
    watched_stop(&watched);
    mock_stop(&mock);
}

static void nobody_is_counted_where_nobody_listens(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    struct watched watched = watched_start(&mock, "-1");
    for (int i = 0; i < 50; i++) {
        assert_int_equal(wire_watch_brokers_up(watched.watch), 0);
        assert_int_equal(wire_watch_unanswered(watched.watch), 0);
        usleep(2000);
    }
    watched_stop(&watched);
    mock_stop(&mock);
}

enum { ANSWER_MS = 500 };

/* The answer may have come: what should be seen before it cannot be asked for any more. */
static bool too_late(mono_ms_t start)
{
    return mono_ms_since(fixture_now(), start) >= ANSWER_MS * 9 / 10;
}

static void a_request_is_unanswered_until_its_answer_came(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct watched watched = watched_start(&mock, "-1");
    produce(&watched);
    UNTIL(rd_kafka_outq_len(watched.handle) == 0 || rd_kafka_poll(watched.handle, 0) < 0);
    UNTIL(wire_watch_unanswered(watched.watch) == 0);
    rd_kafka_mock_broker_push_request_error_rtts(mock.cluster, 1, API_PRODUCE, 1,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, ANSWER_MS);
    mono_ms_t start = fixture_now();
    produce(&watched);
    UNTIL(wire_watch_unanswered(watched.watch) == 1 || too_late(start));
    /* librdkafka forgets the request; the broker does not. */
    rd_kafka_purge(watched.handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(watched.handle, 0);
    assert_int_equal(rd_kafka_outq_len(watched.handle), 0);
    assert_true(wire_watch_unanswered(watched.watch) == 1 || too_late(start));
    UNTIL(wire_watch_unanswered(watched.watch) == 0);
    assert_true(too_late(start));
    watched_stop(&watched);
    mock_stop(&mock);
}

static void a_broken_connection_takes_its_requests_with_it(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct watched watched = watched_start(&mock, "-1");
    UNTIL(wire_watch_brokers_up(watched.watch) == 1);
    assert_int_equal(wire_watch_brokers_reached(watched.watch), 1);
    rd_kafka_mock_broker_push_request_error_rtts(mock.cluster, 1, API_PRODUCE, 1,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, 60000);
    produce(&watched);
    UNTIL(wire_watch_unanswered(watched.watch) == 1);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    UNTIL(wire_watch_unanswered(watched.watch) == 0);
    UNTIL(wire_watch_brokers_up(watched.watch) == 0);
    assert_int_equal(wire_watch_brokers_reached(watched.watch), 0);
    watched_stop(&watched);
    mock_stop(&mock);
}

static void without_acknowledgements_no_answer_is_awaited(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct watched watched = watched_start(&mock, "0");
    for (int i = 0; i < 50; i++)
        produce(&watched);
    UNTIL(fixture_count(&mock, "orders", 1) == 50);
    UNTIL(wire_watch_unanswered(watched.watch) == 0);
    watched_stop(&watched);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brokers_are_counted_as_they_come_and_go),
        cmocka_unit_test(nobody_is_counted_where_nobody_listens),
        cmocka_unit_test(a_request_is_unanswered_until_its_answer_came),
        cmocka_unit_test(a_broken_connection_takes_its_requests_with_it),
        cmocka_unit_test(without_acknowledgements_no_answer_is_awaited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
