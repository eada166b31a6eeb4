#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "connector/topic_metrics.h"

struct fixture {
    struct metrics *metrics;
    struct topic_table topics;
    struct topic_metrics *of_topics;
};

static int setup(void **state)
{
    static struct fixture fixture;
    fixture = (struct fixture){ .metrics = metrics_new() };
    fixture.of_topics = topic_metrics_new(&(struct topic_metrics_options){
        .metrics = fixture.metrics,
        .topics = &fixture.topics,
        .slot = "or\"ders",
        .machine = "pod-1",
    });
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    topic_metrics_free(fixture->of_topics);
    topic_metrics_free(NULL);
    topic_table_done(&fixture->topics);
    metrics_free(fixture->metrics);
    return 0;
}

static uint32_t add(struct fixture *fixture, const char *name)
{
    struct error err = ERROR_INIT;
    uint32_t topic = UINT32_MAX;
    assert_true(topic_table_add(&fixture->topics, name, &topic, &err));
    return topic;
}

static void expect_scrape(struct fixture *fixture, const char *expected)
{
    AUTO(struct buf, buf_done) out = buf_init(1 << 20);
    topic_metrics_refresh(fixture->of_topics);
    metrics_write(fixture->metrics, &out);
    assert_string_equal(buf_text(&out), expected);
}

#define WRITE_HEAD                                                                                 \
    "# HELP go_pq_cdc_kafka_write_total Records that Kafka acknowledged, by topic; together "      \
    "pqcdc_records_acked_total\n# TYPE go_pq_cdc_kafka_write_total counter\n"
#define ERR_HEAD                                                                                   \
    "# HELP go_pq_cdc_kafka_err_total Records that Kafka refused for good, by topic; together "    \
    "pqcdc_records_refused_total\n# TYPE go_pq_cdc_kafka_err_total counter\n"

static void a_topic_appears_with_its_first_record(void **state)
{
    struct fixture *fixture = *state;
    expect_scrape(fixture, "");
    uint32_t a = add(fixture, "a"), b = add(fixture, "b");
    expect_scrape(fixture, "");
    topic_table_count_acked(&fixture->topics, b);
    topic_table_count_acked(&fixture->topics, b);
    expect_scrape(fixture,
                  WRITE_HEAD "go_pq_cdc_kafka_write_total{slot_name=\"or\\\"ders\",host=\"pod-1\","
                             "topic_name=\"b\"} 2\n");
    topic_table_count_refused(&fixture->topics, a);
    uint32_t c = add(fixture, "c");
    topic_table_count_acked(&fixture->topics, c);
    topic_table_count_acked(&fixture->topics, b);
    expect_scrape(fixture,
                  ERR_HEAD "go_pq_cdc_kafka_err_total{slot_name=\"or\\\"ders\",host=\"pod-1\","
                           "topic_name=\"a\"} 1\n" WRITE_HEAD
                           "go_pq_cdc_kafka_write_total{slot_name=\"or\\\"ders\",host=\"pod-1\","
                           "topic_name=\"b\"} 3\n"
                           "go_pq_cdc_kafka_write_total{slot_name=\"or\\\"ders\",host=\"pod-1\","
                           "topic_name=\"c\"} 1\n");
}

static void each_has_its_row_in_the_docs(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) docs = buf_init(1 << 20);
    topic_metrics_write_docs(&docs);
    assert_non_null(strstr(buf_text(&docs),
                           "| `go_pq_cdc_kafka_write_total` | counter | slot_name, "
                           "host, topic_name | Records that"));
    assert_non_null(strstr(buf_text(&docs), "| `go_pq_cdc_kafka_err_total` | counter |"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_topic_appears_with_its_first_record, setup, teardown),
        cmocka_unit_test_setup_teardown(each_has_its_row_in_the_docs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
