/* Races that are planted where librdkafka is near: ThreadSanitizer must report each of them in
 * spite of what it is told of librdkafka (tests/tsan/librdkafka.c, tests/tsan.supp), and nothing in
 * the run without one. Only in builds with -DTSAN=ON; the name of the case is the argument.
 *
 *   none      a producer sends and is acknowledged
 *   report    the count of delivery reports is raised without an atomic, while another thread reads
 * it callback  the same in a callback that librdkafka calls free      a block is freed by us while
 * another thread reads it
 */
#include "unit/kafka/kafka_fixture.h"

#include <pthread.h>

enum { RECORDS = 20 };

#define PLANTED __attribute__((noinline)) static

static const char *planted;
static volatile uint64_t plain_count;
static atomic_bool over;

void __real_delivery_count_acked(struct delivery *delivery, int64_t now_unix_us);
void __wrap_delivery_count_acked(struct delivery *delivery, int64_t now_unix_us);

PLANTED void planted_report(void)
{
    plain_count = plain_count + 1;
}

PLANTED void planted_callback(void)
{
    plain_count = plain_count + 1;
}

PLANTED void planted_free(char *block)
{
    memory_free(block);
}

/* In the place of the room's own: the link is told so (--wrap). */
void __wrap_delivery_count_acked(struct delivery *delivery, int64_t now_unix_us)
{
    if (strcmp(planted, "report") == 0)
        planted_report();
    __real_delivery_count_acked(delivery, now_unix_us);
}

static void *watch_count(void *self UNUSED)
{
    uint64_t sum = 0;
    while (!atomic_load_explicit(&over, memory_order_relaxed))
        sum += plain_count;
    return (void *)(uintptr_t)(sum == 1);
}

static void *read_block(void *block)
{
    return (void *)(uintptr_t)(*(volatile char *)block == 1);
}

/* As the pipeline does it. */
static void deliver(const struct mock *mock)
{
    const struct producer_options options = fixture_options(mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    for (int i = 0; i < RECORDS; i++)
        fixture_send_text(delivery, topic, "k", "v", 1);
    fixture_expect_acks(delivery, RECORDS);
    delivery_free(delivery);
}

static void on_delivery(rd_kafka_t *handle UNUSED, const rd_kafka_message_t *message UNUSED,
                        void *opaque UNUSED)
{
    planted_callback();
}

static void call_back(const struct mock *mock)
{
    char reason[256], value[] = "v";
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", mock->brokers, reason, sizeof reason);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    assert_non_null(handle);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(handle, "orders", NULL);
    for (int i = 0; i < RECORDS; i++)
        assert_int_equal(rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, 1, NULL, 0, NULL),
                         0);
    assert_int_equal(rd_kafka_flush(handle, FIXTURE_DEADLINE_MS), 0);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(handle);
}

static void run(void **state)
{
    (void)state;
    pthread_t watcher, reader;
    struct mock mock = mock_start(1);
    char *block = memory_alloc(64);
    CHECK(pthread_create(&watcher, NULL, watch_count, NULL) == 0);
    CHECK(pthread_create(&reader, NULL, read_block, block) == 0);
    if (strcmp(planted, "free") != 0)
        CHECK(pthread_join(reader, NULL) == 0);
    if (strcmp(planted, "callback") == 0)
        call_back(&mock);
    else
        deliver(&mock);
    planted_free(block);
    atomic_store_explicit(&over, true, memory_order_relaxed);
    CHECK(pthread_join(watcher, NULL) == 0);
    if (strcmp(planted, "free") == 0)
        CHECK(pthread_join(reader, NULL) == 0);
    mock_stop(&mock);
}

int main(int argument_count, char **arguments)
{
    planted = argument_count == 2 ? arguments[1] : "none";
    const struct CMUnitTest tests[] = { cmocka_unit_test(run) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
