#include "unit/kafka/kafka_fixture.h"

enum { HEARD_MAX = 64, TEXT_SIZE = 128 };

/* What was heard, as text: everything is gone once the responder has returned. */
struct heard {
    size_t count;
    char texts[HEARD_MAX][TEXT_SIZE];
};

static void hear(void *self, const struct response *response)
{
    struct heard *heard = self;
    assert_true(heard->count < HEARD_MAX);
    char *text = heard->texts[heard->count++];
    int size =
        snprintf(text, TEXT_SIZE, "%s %s/%d/%" PRId64 " %.*s=%.*s %" PRIu64 "/%" PRIu64 "/%u",
                 response->err == NULL ? "acked" : response->err->code, response->topic,
                 (int)response->partition, response->offset, SLICE_ARGS(response->key),
                 SLICE_ARGS(response->value), response->origin.commit_lsn, response->origin.ordinal,
                 response->origin.xid);
    for (uint32_t i = 0; i < response->header_count; i++)
        size += snprintf(text + size, TEXT_SIZE - (size_t)size, " %s:%.*s",
                         response->headers[i].name, SLICE_ARGS(response->headers[i].value));
}

static struct delivery *heard_delivery(const struct mock *mock, struct heard *heard)
{
    struct producer_options options = fixture_options(mock);
    options.respond = hear;
    options.respond_self = heard;
    *heard = (struct heard){ .count = 0 };
    return fixture_delivery(&options);
}

static void send_with_origin(struct delivery *delivery, uint32_t topic, const char *value,
                             uint64_t ordinal)
{
    const struct record_origin origin = { 7, ordinal, 9 };
    const struct header headers[] = { { "a", SLICE_TEXT("1") }, { "b", SLICE_NULL } };
    struct record record = fixture_record(topic, "k", value);
    record.origin = &origin;
    record.headers = headers;
    record.header_count = (uint32_t)(ordinal % 3);
    fixture_send(delivery, &record, 1000 + ordinal);
}

/* Tickets are as ever, and more records are in flight than one block of tags has. */
static void each_answer_comes_with_its_record_and_its_change(void **state)
{
    (void)state;
    enum { RECORDS = 3000 };
    struct heard heard;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct delivery *delivery = heard_delivery(&mock, &heard);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_warm_up(delivery, topic, 1);
    assert_string_equal(heard.texts[0], "acked orders/0/0 k=first 0/0/0");
    for (uint64_t i = 0; i < 3; i++)
        send_with_origin(delivery, topic, "value", i);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(fixture_expect(delivery, DELIVERY_ACKED, NULL).ticket.value, 1000 + i);
    assert_int_equal(heard.count, 4);
    assert_string_equal(heard.texts[1], "acked orders/0/1 k=value 7/0/9");
    assert_string_equal(heard.texts[2], "acked orders/0/2 k=value 7/1/9 a:1");
    assert_string_equal(heard.texts[3], "acked orders/0/3 k=value 7/2/9 a:1 b:");
    for (uint64_t i = 0; i < RECORDS; i++) {
        if (i % 50 == 0)
            heard.count = 0;
        fixture_send_text(delivery, topic, "k", "many", i);
        if (i % 50 == 49)
            fixture_expect_acks(delivery, 50);
    }
    fixture_expect_none_in_flight(delivery);
    delivery_free(delivery);
    mock_stop(&mock);
}

static void one_that_is_refused_is_told_of(void **state)
{
    (void)state;
    struct heard heard;
    struct error err = ERROR_INIT;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct delivery *delivery = heard_delivery(&mock, &heard);
    uint32_t topic = fixture_topic(delivery, "orders");
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    send_with_origin(delivery, topic, "value", 1);
    assert_int_equal(fixture_expect(delivery, DELIVERY_REFUSED, &err).ticket.value, 1001);
    assert_int_equal(heard.count, 1);
    char expected[TEXT_SIZE];
    (void)snprintf(expected, sizeof(expected), "%s orders/0/-1 k=value 7/1/9 a:1", err.code);
    assert_string_equal(heard.texts[0], expected);
    delivery_free(delivery);
    mock_stop(&mock);
}

static void one_that_cannot_even_be_queued_is_told_of(void **state)
{
    (void)state;
    enum { TOO_LARGE = 2 * 1024 * 1024 };
    static char value[TOO_LARGE];
    struct heard heard;
    struct error err = ERROR_INIT;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct delivery *delivery = heard_delivery(&mock, &heard);
    struct record record = fixture_record(fixture_topic(delivery, "orders"), "k", NULL);
    const struct record_origin origin = { 7, 8, 9 };
    record.value = (struct slice){ value, sizeof(value) };
    record.origin = &origin;
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 1 }, &err), DELIVERY_FAILED);
    assert_int_equal(heard.count, 1);
    assert_string_equal(heard.texts[0], "record_too_large orders/-1/-1 k= 7/8/9");
    delivery_free(delivery);
    mock_stop(&mock);
}

/* A batch that was too large is sent again in parts, and what is abandoned comes again: neither is
 * an answer. What librdkafka never reports is freed all the same. */
static void what_comes_again_is_not_told_of(void **state)
{
    (void)state;
    enum { RECORDS = 8 };
    struct heard heard;
    struct error err = ERROR_INIT;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    options.respond = hear;
    options.respond_self = &heard;
    options.linger_ms = 200; /* all of them in one batch */
    heard.count = 0;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_warm_up(delivery, topic, 1);
    heard.count = 0;
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    for (uint64_t i = 0; i < RECORDS; i++)
        send_with_origin(delivery, topic, "value", i);
    fixture_expect(delivery, DELIVERY_REFUSED, &err);
    assert_string_equal(err.code, "batch_too_large");
    delivery_abandon(delivery);
    assert_int_equal(heard.count, 0);
    assert_true(delivery_rebuild(delivery, &err));
    fixture_warm_up(delivery, topic, 1);
    assert_int_equal(heard.count, 1);
    send_with_origin(delivery, topic, "value", 0); /* not answered for when it is freed */
    delivery_free(delivery);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_comes_with_its_record_and_its_change),
        cmocka_unit_test(one_that_is_refused_is_told_of),
        cmocka_unit_test(one_that_cannot_even_be_queued_is_told_of),
        cmocka_unit_test(what_comes_again_is_not_told_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
