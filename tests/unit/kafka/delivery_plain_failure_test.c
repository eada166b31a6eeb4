#include "unit/kafka/kafka_fixture.h"

/* Errors of brokers. */

static void transient_errors_repeat_without_doubling(void **state)
{
    (void)state;
    enum { RECORDS = 300 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    const struct producer_property quick = { "retry.backoff.ms", "10" };
    struct producer_options options = fixture_options(&mock);
    options.batch_records = 20;
    options.properties = &quick;
    options.property_count = 1;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    rd_kafka_mock_push_request_errors(
        mock.cluster, API_PRODUCE, 5, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    for (uint64_t i = 0; i < RECORDS; i++) {
        char value[32];
        snprintf(value, sizeof value, "%" PRIu64, i);
        fixture_send_text(delivery, topic, "k", value, i);
    }
    fixture_expect_acks(delivery, RECORDS);
    fixture_expect_none_in_flight(delivery);
    delivery_free(delivery);
    struct topic_reader reader = topic_reader_open(&mock, "orders", 1);
    int ends_left = 1;
    for (unsigned long i = 0; i < RECORDS; i++) {
        rd_kafka_message_t *message = topic_reader_next(&reader, &ends_left);
        assert_non_null(message);
        char value[32] = "";
        memcpy(value, message->payload, message->len);
        assert_int_equal(strtoul(value, NULL, 10), i);
        rd_kafka_message_destroy(message);
    }
    assert_null(topic_reader_next(&reader, &ends_left));
    topic_reader_close(&reader);
    mock_stop(&mock);
}

static void a_refused_record_says_what_to_do(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    (void)fixture_topic(delivery, "first");
    uint32_t topic = fixture_topic(delivery, "orders");
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    fixture_send_text(delivery, topic, "secret-key", "secret-value", 42);
    struct error err = ERROR_INIT;
    struct delivery_event event = fixture_expect(delivery, DELIVERY_REFUSED, &err);
    assert_int_equal(event.ticket.value, 42);
    assert_int_equal(event.topic, topic);
    assert_int_equal(err.class, ERROR_HALT);
    assert_string_equal(err.code, "TOPIC_AUTHORIZATION_FAILED");
    assert_non_null(strstr(err.text, "\"orders\", partition 0"));
    assert_null(strstr(err.text, "secret"));
    assert_non_null(strstr(err.advice, "kafka-acls.sh --bootstrap-server "));
    assert_non_null(strstr(err.advice, "--topic orders"));
    fixture_expect_none_in_flight(delivery);
    assert_int_equal(atomic_load(&delivery_stats(delivery)->records_refused), 1);
    assert_int_equal(atomic_load(&delivery_stats(delivery)->records_acked), 0);
    delivery_free(delivery);
    mock_stop(&mock);
}

/* Else a later record of the same key would appear before the refused one, which the slot sends
 * again. Requests that were on the wire behind the refused one are refused by a real broker, since
 * their sequence has a gap; the mock does not look at sequences and takes them: at most four. */
static void nothing_overtakes_a_refused_record(void **state)
{
    (void)state;
    enum { RECORDS = 500, BEFORE = 3, ON_THE_WIRE = 4 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    options.batch_records = 1;
    options.linger_ms = 0;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    for (uint64_t i = 0; i < BEFORE; i++) {
        fixture_send_text(delivery, topic, "k", "before", i);
        fixture_expect_acks(delivery, 1);
    }
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_RECORD);
    struct record record = fixture_record(topic, "k", "after");
    struct error err = ERROR_INIT;
    for (uint64_t i = 0; i < RECORDS; i++) {
        enum delivery_send sent = delivery_send(delivery, &record, (ticket_t){ 1000 + i }, &err);
        if (sent == DELIVERY_FULL) /* it is known already, and an event says it */
            break;
        assert_int_equal(sent, DELIVERY_OK);
    }
    struct delivery_event event = fixture_expect(delivery, DELIVERY_REFUSED, &err);
    assert_int_equal(event.ticket.value, 1000);
    assert_int_equal(err.class, ERROR_HALT);
    assert_string_equal(err.code, "INVALID_RECORD");
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 9 }, &err), DELIVERY_FULL);
    /* Most of it is settled without anybody's doing; what stays unreported is let go below. */
    int acked = 0;
    mono_ms_t start = fixture_now();
    while (fixture_in_flight_records(delivery) > 0 && !fixture_expired(start)) {
        while (delivery_next(delivery, &event))
            acked += event.kind == DELIVERY_ACKED ? 1 : 0;
        fixture_wait_fd(delivery);
    }
    assert_in_range(acked, 0, ON_THE_WIRE);
    delivery_abandon(delivery);
    fixture_expect_none_in_flight(delivery);
    FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
    size_t written = fixture_count(&mock, "orders", 1);
    assert_in_range(written, BEFORE + acked, BEFORE + ON_THE_WIRE);
    assert_true(delivery_rebuild(delivery, &err));
    fixture_send(delivery, &record, 1);
    fixture_expect_acks(delivery, 1);
    delivery_free(delivery);
    assert_int_equal(fixture_count(&mock, "orders", 1), written + 1);
    mock_stop(&mock);
}

static void a_record_too_large_for_us_is_not_taken(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    const struct producer_property small = { "message.max.bytes", "5000" };
    struct producer_options options = fixture_options(&mock);
    options.properties = &small;
    options.property_count = 1;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    char large[6001];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    const struct header header = { "h", SLICE_TEXT("x") };
    for (uint32_t header_count = 0; header_count < 2; header_count++) {
        struct record record = fixture_record(topic, "key", large);
        record.headers = &header;
        record.header_count = header_count;
        struct error err = ERROR_INIT;
        assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 1 }, &err), DELIVERY_FAILED);
        assert_int_equal(err.class, ERROR_HALT);
        assert_string_equal(err.code, "record_too_large");
        assert_non_null(strstr(err.text, "\"orders\""));
        assert_non_null(strstr(err.text, "6003 bytes"));
        assert_non_null(strstr(err.text, "message.max.bytes = 5000"));
        assert_non_null(strstr(err.advice, "max.message.bytes"));
    }
    fixture_expect_none_in_flight(delivery);
    fixture_send_text(delivery, topic, "key", "small", 2);
    fixture_expect_acks(delivery, 1);
    delivery_free(delivery);
    mock_stop(&mock);
}

static void a_record_too_large_for_the_topic_halts(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    fixture_send_text(delivery, topic, "key", "value", 7);
    struct error err = ERROR_INIT;
    assert_int_equal(fixture_expect(delivery, DELIVERY_REFUSED, &err).ticket.value, 7);
    assert_int_equal(err.class, ERROR_HALT);
    assert_string_equal(err.code, "record_too_large");
    assert_non_null(strstr(err.text, "8 bytes"));
    assert_non_null(strstr(err.text, "the topic's max.message.bytes"));
    delivery_free(delivery);
    mock_stop(&mock);
}

/* The topic's limit is not known to us; the size of a refused batch tells something about it. */
static void a_batch_too_large_for_the_topic_makes_smaller_batches(void **state)
{
    (void)state;
    enum { RECORDS = 64 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    options.linger_ms = 200; /* all of them in one batch */
    options.batch_records = RECORDS;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_send_text(delivery, topic, "k", "first", 0);
    fixture_expect_acks(delivery, 1);
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    char value[101];
    memset(value, 'v', 100);
    value[100] = '\0';
    for (uint64_t i = 0; i < RECORDS; i++)
        fixture_send_text(delivery, topic, "k", value, 1);
    struct error err = ERROR_INIT;
    fixture_expect(delivery, DELIVERY_REFUSED, &err);
    assert_int_equal(err.class, ERROR_RETRY);
    assert_string_equal(err.code, "batch_too_large");
    assert_non_null(strstr(err.text, "batch of 64 records"));
    assert_non_null(strstr(err.text, "below 3232 bytes")); /* half of 64 * 101 */
    delivery_abandon(delivery);
    assert_true(delivery_rebuild(delivery, &err));
    fixture_warm_up(delivery, topic, 1);
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    struct record record = fixture_record(topic, "k", value);
    for (uint64_t i = 0; i < RECORDS; i++)
        if (delivery_send(delivery, &record, (ticket_t){ 2 }, &err) == DELIVERY_FULL)
            break; /* the first batch is refused already */
    fixture_expect(delivery, DELIVERY_REFUSED, &err);
    assert_string_equal(err.code, "batch_too_large");
    assert_null(strstr(err.text, "batch of 64 records"));
    delivery_abandon(delivery);
    assert_true(delivery_rebuild(delivery, &err));
    for (uint64_t i = 0; i < RECORDS; i++)
        fixture_send_text(delivery, topic, "k", value, 3);
    fixture_expect_acks(delivery, RECORDS);
    delivery_free(delivery);
    mock_stop(&mock);
}

static void a_missing_topic_halts(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    rd_kafka_mock_topic_set_error(mock.cluster, "orders", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    const struct producer_property soon = { "topic.metadata.propagation.max.ms", "10" };
    struct producer_options options = fixture_options(&mock);
    options.properties = &soon;
    options.property_count = 1;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_send_text(delivery, topic, "k", "v", 5);
    struct error err = ERROR_INIT;
    assert_int_equal(fixture_expect(delivery, DELIVERY_REFUSED, &err).ticket.value, 5);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(err.class, ERROR_HALT);
        assert_string_equal(err.code, "topic_missing");
        assert_non_null(strstr(err.text, "\"orders\""));
        assert_non_null(strstr(err.advice, "kafka.allowAutoTopicCreation"));
        /* From now on it is refused at once. */
        struct record record = fixture_record(topic, "k", "v");
        assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 6 }, &err), DELIVERY_FAILED);
    }
    fixture_expect_none_in_flight(delivery);
    delivery_free(delivery);
    mock_stop(&mock);
}

/* The producer's end and a new one. */

static void a_fatal_error_is_told_once_and_a_rebuild_heals_it(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    mock_topic(&mock, "items", 1);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t orders = fixture_topic(delivery, "orders"), items = fixture_topic(delivery, "items");
    rd_kafka_mock_push_request_errors(mock.cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    fixture_send_text(delivery, orders, "k", "v", 1);
    struct error err = ERROR_INIT;
    fixture_expect(delivery, DELIVERY_LOST, &err);
    assert_int_equal(err.class, ERROR_RECONNECT);
    assert_string_equal(err.code, "OUT_OF_ORDER_SEQUENCE_NUMBER");
    FIXTURE_UNTIL(delivery, fixture_in_flight_records(delivery) == 0);
    struct record record = fixture_record(orders, "k", "v");
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FAILED);
    assert_int_equal(err.class, ERROR_RECONNECT);

    int fd = delivery_fd(delivery);
    assert_true(delivery_rebuild(delivery, &err));
    assert_int_equal(delivery_fd(delivery), fd);
    assert_string_equal(delivery_topic_name(delivery, orders), "orders");
    assert_string_equal(delivery_topic_name(delivery, items), "items");
    assert_int_equal(fixture_topic(delivery, "items"), items);
    fixture_send_text(delivery, orders, "k", "v", 3);
    fixture_send_text(delivery, items, "k", "v", 3);
    fixture_expect_acks(delivery, 2);
    fixture_expect_none_in_flight(delivery);
    FIXTURE_UNTIL(delivery, delivery_connected(delivery));
    delivery_free(delivery);
    assert_int_equal(fixture_count(&mock, "orders", 1), 1);
    assert_int_equal(fixture_count(&mock, "items", 1), 1);
    mock_stop(&mock);
}

static void after_abandon_no_event_of_before_comes(void **state)
{
    (void)state;
    enum { RECORDS = 2000, PARTITIONS = 2 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", PARTITIONS);
    struct producer_options options = fixture_options(&mock);
    options.batch_records = 10;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    struct error err = ERROR_INIT;
    for (int round = 0; round < 3; round++) {
        fixture_warm_up(delivery, topic, PARTITIONS);
        for (uint64_t i = 0; i < RECORDS; i++) {
            char key[16];
            snprintf(key, sizeof key, "%" PRIu64, i);
            fixture_send_text(delivery, topic, key, "old", 1);
        }
        fixture_expect_acks(delivery, 5); /* in the middle of it, and of a report */
        delivery_cut(delivery, 9, SLICE_NULL);
        delivery_abandon(delivery);
        fixture_expect_none_in_flight(delivery);
        struct record record = fixture_record(topic, "k", "v");
        assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FAILED);
        assert_int_equal(err.class, ERROR_RECONNECT);
        if (round > 0) /* once without waiting */
            FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
        assert_true(delivery_rebuild(delivery, &err));
        for (uint64_t i = 0; i < 10; i++)
            fixture_send_text(delivery, topic, "k", "new", 2);
        for (int i = 0; i < 10; i++)
            assert_int_equal(fixture_expect(delivery, DELIVERY_ACKED, NULL).ticket.value, 2);
        fixture_expect_none_in_flight(delivery);
        FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
    }
    delivery_free(delivery);
    mock_stop(&mock);
}

static void it_is_not_quiet_while_a_request_is_unanswered(void **state)
{
    (void)state;
    enum { ANSWER_MS = 700 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_send_text(delivery, topic, "k", "v", 1);
    fixture_expect_acks(delivery, 1);
    FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
    assert_int_equal(rd_kafka_mock_broker_push_request_error_rtts(
                         mock.cluster, 1, API_PRODUCE, 1, RD_KAFKA_RESP_ERR_NO_ERROR, ANSWER_MS),
                     0);
    mono_ms_t start = fixture_now();
    fixture_send_text(delivery, topic, "k", "v", 2);
    assert_false(delivery_quiet(delivery));
    /* The mock stores the batch at once and holds back the answer. */
    while (fixture_count(&mock, "orders", 1) < 2)
        assert_false(fixture_expired(start));
    delivery_abandon(delivery);
    FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
    assert_true(mono_ms_since(fixture_now(), start) >= ANSWER_MS * 9 / 10);
    delivery_free(delivery);
    mock_stop(&mock);
}

static void a_broken_connection_is_quiet(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_warm_up(delivery, topic, 1);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    FIXTURE_UNTIL(delivery, !delivery_connected(delivery));
    for (uint64_t i = 0; i < 100; i++)
        fixture_send_text(delivery, topic, "k", "v", i);
    assert_false(delivery_quiet(delivery));
    delivery_abandon(delivery);
    FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
    delivery_free(delivery);
    mock_stop(&mock);
}

/* Nothing expires and nobody answers: one that waited would not return. */
static void freeing_does_not_wait_for_acknowledgements(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL); /* nobody listens there */
    struct delivery *delivery = fixture_delivery(&options);
    for (uint64_t i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "orders-%" PRIu64, i);
        fixture_send_text(delivery, fixture_topic(delivery, name), "k", "v", i);
    }
    delivery_free(delivery);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transient_errors_repeat_without_doubling),
        cmocka_unit_test(a_refused_record_says_what_to_do),
        cmocka_unit_test(nothing_overtakes_a_refused_record),
        cmocka_unit_test(a_record_too_large_for_us_is_not_taken),
        cmocka_unit_test(a_record_too_large_for_the_topic_halts),
        cmocka_unit_test(a_batch_too_large_for_the_topic_makes_smaller_batches),
        cmocka_unit_test(a_missing_topic_halts),
        cmocka_unit_test(a_fatal_error_is_told_once_and_a_rebuild_heals_it),
        cmocka_unit_test(after_abandon_no_event_of_before_comes),
        cmocka_unit_test(it_is_not_quiet_while_a_request_is_unanswered),
        cmocka_unit_test(a_broken_connection_is_quiet),
        cmocka_unit_test(freeing_does_not_wait_for_acknowledgements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
