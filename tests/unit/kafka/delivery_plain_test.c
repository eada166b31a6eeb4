#include "unit/kafka/kafka_fixture.h"

/* Acknowledgements. */

static void each_record_is_acknowledged_once(void **state)
{
    (void)state;
    enum { RECORDS = 1000, PARTITIONS = 3, FIRST_BYTES = PARTITIONS * 6 };
    struct mock mock = mock_start(2);
    mock_topic(&mock, "orders", PARTITIONS);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_warm_up(delivery, topic, PARTITIONS);
    uint64_t bytes = 0;
    for (uint64_t i = 0; i < RECORDS; i++) {
        char key[16], value[32];
        snprintf(key, sizeof key, "%" PRIu64, i % 50);
        snprintf(value, sizeof value, "value-%" PRIu64, i);
        fixture_send_text(delivery, topic, key, value, UINT64_MAX - i);
        bytes += strlen(key) + strlen(value);
    }
    assert_int_equal(fixture_in_flight_records(delivery), RECORDS);
    assert_int_equal(fixture_in_flight_bytes(delivery), bytes + RECORDS * DELIVERY_RECORD_COST);
    static bool seen[RECORDS];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < RECORDS; i++) {
        struct delivery_event event = fixture_expect(delivery, DELIVERY_ACKED, NULL);
        uint64_t index = UINT64_MAX - event.ticket.value;
        assert_in_range(index, 0, RECORDS - 1);
        assert_false(seen[index]);
        seen[index] = true;
    }
    fixture_expect_none_in_flight(delivery);
    const struct delivery_stats *stats = delivery_stats(delivery);
    assert_int_equal(atomic_load(&stats->records_sent), PARTITIONS + RECORDS);
    assert_int_equal(atomic_load(&stats->records_acked), PARTITIONS + RECORDS);
    assert_int_equal(atomic_load(&stats->records_refused), 0);
    assert_int_equal(atomic_load(&stats->bytes_sent), FIRST_BYTES + bytes);
    assert_true(atomic_load(&stats->last_ack_unix_us) > 1600000000000000);
    FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
    delivery_free(delivery);
    assert_int_equal(fixture_count(&mock, "orders", PARTITIONS), PARTITIONS + RECORDS);
    mock_stop(&mock);
}

static void the_brokers_connect_without_a_record(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    static const int acks[] = { -1, 1, 0 };
    for (size_t i = 0; i < COUNT_OF(acks); i++) {
        struct producer_options options = fixture_options(&mock);
        options.required_acks = acks[i];
        struct delivery *delivery = fixture_delivery(&options);
        assert_false(delivery_connected(delivery));
        FIXTURE_UNTIL(delivery, delivery_connected(delivery));
        assert_true(atomic_load(&delivery_stats(delivery)->brokers_up) >= 1);
        delivery_free(delivery);
    }
    mock_stop(&mock);
}

/* Until a note of that code; how many others came. */
static int others_until_note(struct delivery *delivery, const char *code)
{
    mono_ms_t start = fixture_now();
    int others = 0;
    while (!fixture_expired(start)) {
        struct delivery_event event;
        while (delivery_next(delivery, &event)) {
            assert_int_equal(event.kind, DELIVERY_NOTE);
            if (strcmp(event.err->code, code) == 0)
                return others;
            print_message("%s: %s\n", event.err->code, event.err->text);
            others++;
        }
        fixture_wait_fd(delivery);
    }
    fail_msg("no note %s", code);
    return others;
}

static void a_lost_broker_is_noted_and_so_is_its_return(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    struct producer_options options = fixture_options(&mock);
    mock_topic(&mock, "orders", 1);
    struct delivery *delivery = fixture_delivery(&options);
    fixture_send_text(delivery, fixture_topic(delivery, "orders"), "k", "v", 1);
    fixture_expect_acks(delivery, 1);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    assert_int_equal(others_until_note(delivery, "brokers_lost"), 0);
    assert_false(delivery_connected(delivery));
    rd_kafka_mock_broker_set_up(mock.cluster, 1);
    /* librdkafka's attempts meanwhile are no news. */
    assert_int_equal(others_until_note(delivery, "brokers_back"), 0);
    assert_true(delivery_connected(delivery));
    delivery_free(delivery);
    mock_stop(&mock);
}

/* Backpressure. */

static void without_a_broker_the_cap_stops_us_and_nothing_is_lost(void **state)
{
    (void)state;
    enum { CAP = 64 * 1024 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    options.in_flight_bytes = CAP;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_send_text(delivery, topic, "k", "0", 0);
    fixture_expect_acks(delivery, 1);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    FIXTURE_UNTIL(delivery, !delivery_connected(delivery));
    uint64_t sent = 1;
    for (;;) {
        char value[32];
        snprintf(value, sizeof value, "%" PRIu64, sent);
        struct record record = fixture_record(topic, "k", value);
        struct error err = ERROR_INIT;
        enum delivery_send answer = delivery_send(delivery, &record, (ticket_t){ sent }, &err);
        if (answer == DELIVERY_FULL)
            break;
        assert_int_equal(answer, DELIVERY_OK);
        sent++;
        assert_true(fixture_in_flight_bytes(delivery) <= CAP);
    }
    assert_in_range(sent, 200, CAP / DELIVERY_RECORD_COST + 1);
    rd_kafka_mock_broker_set_up(mock.cluster, 1);
    fixture_expect_acks(delivery, sent - 1);
    fixture_expect_none_in_flight(delivery);
    fixture_send_text(delivery, topic, "k", "again", 1);
    fixture_expect_acks(delivery, 1);
    delivery_free(delivery);
    /* In order, each once. */
    struct topic_reader reader = topic_reader_open(&mock, "orders", 1);
    int ends_left = 1;
    for (uint64_t i = 0; i < sent; i++) {
        rd_kafka_message_t *message = topic_reader_next(&reader, &ends_left);
        assert_non_null(message);
        char value[32] = "";
        memcpy(value, message->payload, message->len);
        assert_int_equal(strtoull(value, NULL, 10), i);
        rd_kafka_message_destroy(message);
    }
    topic_reader_close(&reader);
    mock_stop(&mock);
}

static void a_record_larger_than_the_cap_goes_alone(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    options.in_flight_bytes = 1000;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    char *large = memory_alloc(500001);
    memset(large, 'x', 500000);
    struct record record = fixture_record(topic, "k", large);
    struct error err = ERROR_INIT;
    fixture_send_text(delivery, topic, "k", "small", 1);
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FULL);
    fixture_expect_acks(delivery, 1);
    fixture_send(delivery, &record, 2);
    struct record small = fixture_record(topic, "k", "small");
    assert_int_equal(delivery_send(delivery, &small, (ticket_t){ 3 }, &err), DELIVERY_FULL);
    assert_int_equal(fixture_expect(delivery, DELIVERY_ACKED, NULL).ticket.value, 2);
    fixture_send(delivery, &small, 3);
    fixture_expect_acks(delivery, 1);
    memory_free(large);
    delivery_free(delivery);
    mock_stop(&mock);
}

static void librdkafkas_queue_is_never_the_narrower_one(void **state)
{
    (void)state;
    enum { CAP = 1024 * 1024 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 1);
    struct producer_options options = fixture_options(&mock);
    options.in_flight_bytes = CAP;
    options.batch_records = 1;
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_warm_up(delivery, topic, 1);
    rd_kafka_mock_broker_set_down(mock.cluster, 1);
    FIXTURE_UNTIL(delivery, !delivery_connected(delivery));
    /* The smallest records there are: as many as the cap allows. */
    struct record record = fixture_record(topic, NULL, NULL);
    struct error err = ERROR_INIT;
    uint64_t sent = 0;
    while (delivery_send(delivery, &record, (ticket_t){ sent }, &err) == DELIVERY_OK)
        sent++;
    assert_int_equal(sent, CAP / DELIVERY_RECORD_COST);
    delivery_free(delivery);
    mock_stop(&mock);
}

/* Content. */

static void expect_header(rd_kafka_headers_t *headers, size_t index, const char *name,
                          const char *value)
{
    const char *found_name = NULL;
    const void *found = NULL;
    size_t size = 0;
    assert_int_equal(rd_kafka_header_get_all(headers, index, &found_name, &found, &size), 0);
    assert_string_equal(found_name, name);
    if (value == NULL) {
        assert_null(found);
        return;
    }
    assert_int_equal(size, strlen(value));
    assert_memory_equal(found, value, size);
}

static void keys_values_and_headers_arrive_as_they_were(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 2);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    const struct header headers[] = {
        { "pos", SLICE_TEXT("0/16B3748/1") },
        { "empty", SLICE_TEXT("") },
        { "none", SLICE_NULL },
        { "pos", SLICE_TEXT("twice") },
    };
    struct record with_headers = fixture_record(topic, "k", "v");
    with_headers.partition = 1;
    with_headers.headers = headers;
    with_headers.header_count = COUNT_OF(headers);
    uint64_t cost = DELIVERY_RECORD_COST + 2 + 4 * DELIVERY_HEADER_COST +
                    strlen("posemptynonepos") + strlen("0/16B3748/1twice");
    fixture_send(delivery, &with_headers, 1);
    assert_int_equal(fixture_in_flight_bytes(delivery), cost);
    struct record tombstone = fixture_record(topic, "k", NULL);
    tombstone.partition = 1;
    fixture_send(delivery, &tombstone, 2);
    struct record null_key = fixture_record(topic, NULL, "");
    null_key.partition = 1;
    fixture_send(delivery, &null_key, 3);
    struct record empty_key = fixture_record(topic, "", "v");
    empty_key.partition = 1;
    fixture_send(delivery, &empty_key, 4);
    fixture_expect_acks(delivery, 4);
    fixture_expect_none_in_flight(delivery);
    delivery_free(delivery);

    struct topic_reader reader = topic_reader_open(&mock, "orders", 2);
    int ends_left = 2;
    rd_kafka_message_t *message = topic_reader_next(&reader, &ends_left);
    assert_int_equal(message->partition, 1);
    rd_kafka_headers_t *found = NULL;
    assert_int_equal(rd_kafka_message_headers(message, &found), 0);
    assert_int_equal(rd_kafka_header_cnt(found), 4);
    expect_header(found, 0, "pos", "0/16B3748/1");
    expect_header(found, 1, "empty", "");
    expect_header(found, 2, "none", NULL);
    expect_header(found, 3, "pos", "twice");
    rd_kafka_message_destroy(message);

    message = topic_reader_next(&reader, &ends_left);
    assert_null(message->payload);
    assert_int_equal(message->key_len, 1);
    assert_int_not_equal(rd_kafka_message_headers(message, &found), 0);
    rd_kafka_message_destroy(message);

    message = topic_reader_next(&reader, &ends_left);
    assert_null(message->key);
    assert_non_null(message->payload);
    assert_int_equal(message->len, 0);
    rd_kafka_message_destroy(message);

    message = topic_reader_next(&reader, &ends_left);
    assert_non_null(message->key);
    assert_int_equal(message->key_len, 0);
    rd_kafka_message_destroy(message);
    topic_reader_close(&reader);
    mock_stop(&mock);
}

static void compressed_batches_arrive_too(void **state)
{
    (void)state;
    static const char *const codecs[] = { "gzip", "snappy", "lz4", "zstd" };
    struct mock mock = mock_start(1);
    for (size_t i = 0; i < COUNT_OF(codecs); i++) {
        mock_topic(&mock, codecs[i], 1);
        struct producer_options options = fixture_options(&mock);
        options.compression = codecs[i];
        struct delivery *delivery = fixture_delivery(&options);
        uint32_t topic = fixture_topic(delivery, codecs[i]);
        for (uint64_t n = 0; n < 100; n++)
            fixture_send_text(delivery, topic, "key", "value value value value", n);
        fixture_expect_acks(delivery, 100);
        delivery_free(delivery);
        assert_int_equal(fixture_count(&mock, codecs[i], 1), 100);
    }
    mock_stop(&mock);
}

/* Partitions. */

struct vector {
    char balancer[32], key[128];
    int partition_count, partition;
};

static size_t read_vectors(struct vector *vectors, size_t max)
{
    FILE *file = fopen(TEST_DATA "/kafka-go-partitions.tsv", "r");
    assert_non_null(file);
    char line[256];
    size_t count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#')
            continue;
        assert_true(count < max);
        struct vector *vector = &vectors[count++];
        assert_int_equal(sscanf(line, "%31[^\t]\t%d\t%127[^\t]\t%d", vector->balancer,
                                &vector->partition_count, vector->key, &vector->partition),
                         4);
    }
    fclose(file);
    return count;
}

static int partition_of(const struct vector *vectors, size_t count, const char *balancer,
                        int partition_count, const rd_kafka_message_t *message)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(vectors[i].balancer, balancer) == 0 &&
            vectors[i].partition_count == partition_count &&
            strlen(vectors[i].key) == message->key_len &&
            memcmp(vectors[i].key, message->key, message->key_len) == 0)
            return vectors[i].partition;
    return -1;
}

static void send_vectors(struct delivery *delivery, const struct vector *vectors, size_t count,
                         const char *balancer)
{
    uint64_t sent = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(vectors[i].balancer, balancer) != 0)
            continue;
        char name[64];
        snprintf(name, sizeof name, "%s-%d", balancer, vectors[i].partition_count);
        fixture_send_text(delivery, fixture_topic(delivery, name), vectors[i].key, "v", sent++);
    }
    fixture_expect_acks(delivery, sent);
}

/* The first record of a topic is sent before the metadata is there: librdkafka then asks for the
 * partition on its own thread. */
static void the_partitions_are_those_of_the_ancestor(void **state)
{
    (void)state;
    static const char *const balancers[] = { "Hash", "ReferenceHash", "CRC32Balancer",
                                             "Murmur2Balancer" };
    static const int partition_counts[] = { 1, 3, 7, 12, 100 };
    static struct vector vectors[400];
    size_t count = read_vectors(vectors, COUNT_OF(vectors));
    assert_int_equal(count, 280);
    struct mock mock = mock_start(1);
    for (size_t b = 0; b < COUNT_OF(balancers); b++) {
        char name[64];
        for (size_t p = 0; p < COUNT_OF(partition_counts); p++) {
            snprintf(name, sizeof name, "%s-%d", balancers[b], partition_counts[p]);
            mock_topic(&mock, name, partition_counts[p]);
        }
        struct producer_options options = fixture_options(&mock);
        options.balancer = balancers[b];
        struct delivery *delivery = fixture_delivery(&options);
        send_vectors(delivery, vectors, count, balancers[b]);
        send_vectors(delivery, vectors, count, balancers[b]);
        delivery_free(delivery);
        for (size_t p = 0; p < COUNT_OF(partition_counts); p++) {
            snprintf(name, sizeof name, "%s-%d", balancers[b], partition_counts[p]);
            struct topic_reader reader = topic_reader_open(&mock, name, partition_counts[p]);
            int ends_left = partition_counts[p];
            size_t read = 0;
            for (rd_kafka_message_t *message = topic_reader_next(&reader, &ends_left);
                 message != NULL; message = topic_reader_next(&reader, &ends_left)) {
                assert_int_equal(message->partition, partition_of(vectors, count, balancers[b],
                                                                  partition_counts[p], message));
                rd_kafka_message_destroy(message);
                read++;
            }
            topic_reader_close(&reader);
            assert_int_equal(read, 28);
        }
    }
    mock_stop(&mock);
}

/* Would fail if librdkafka's own sticky choice took records without a key. */
static void null_keys_reach_our_partitioner(void **state)
{
    (void)state;
    enum { PARTITIONS = 4, ROUNDS = 25 };
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", PARTITIONS);
    struct producer_options options = fixture_options(&mock);
    options.balancer = "RoundRobin";
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    for (uint64_t i = 0; i < PARTITIONS * ROUNDS; i++)
        fixture_send_text(delivery, topic, NULL, "v", i);
    fixture_expect_acks(delivery, PARTITIONS * ROUNDS);
    delivery_free(delivery);
    struct topic_reader reader = topic_reader_open(&mock, "orders", PARTITIONS);
    int ends_left = PARTITIONS, counts[PARTITIONS] = { 0 };
    for (rd_kafka_message_t *message = topic_reader_next(&reader, &ends_left); message != NULL;
         message = topic_reader_next(&reader, &ends_left)) {
        counts[message->partition]++;
        rd_kafka_message_destroy(message);
    }
    for (int i = 0; i < PARTITIONS; i++)
        assert_int_equal(counts[i], ROUNDS);
    topic_reader_close(&reader);
    mock_stop(&mock);
}

static void a_partition_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct mock mock = mock_start(1);
    mock_topic(&mock, "orders", 2);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    fixture_send_text(delivery, topic, "k", "v", 1);
    fixture_expect_acks(delivery, 1);
    const struct header header = { "h", SLICE_TEXT("x") };
    for (uint32_t header_count = 0; header_count < 2; header_count++) {
        struct record record = fixture_record(topic, "k", "v");
        record.partition = 2;
        record.headers = &header;
        record.header_count = header_count;
        struct error err = ERROR_INIT;
        assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FAILED);
        assert_int_equal(err.class, ERROR_HALT);
        assert_string_equal(err.code, "_UNKNOWN_PARTITION");
        assert_non_null(strstr(err.text, "\"orders\""));
    }
    fixture_expect_none_in_flight(delivery);
    delivery_free(delivery);
    mock_stop(&mock);
}

/* Cuts. */

static void a_cut_comes_after_all_that_was_sent_before(void **state)
{
    (void)state;
    enum { RECORDS = 500 };
    struct mock mock = mock_start(2);
    mock_topic(&mock, "orders", 4);
    struct producer_options options = fixture_options(&mock);
    struct delivery *delivery = fixture_delivery(&options);
    uint32_t topic = fixture_topic(delivery, "orders");
    delivery_cut(delivery, 1, SLICE_NULL);
    assert_int_equal(fixture_expect(delivery, DELIVERY_CUT, NULL).cut, 1);
    fixture_warm_up(delivery, topic, 4);
    for (uint64_t i = 0; i < RECORDS; i++) {
        char key[16];
        snprintf(key, sizeof key, "%" PRIu64, i);
        fixture_send_text(delivery, topic, key, "v", i);
    }
    delivery_cut(delivery, 2, SLICE_TEXT("ignored"));
    struct record record = fixture_record(topic, "k", "v");
    struct error err = ERROR_INIT;
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 1 }, &err), DELIVERY_FULL);
    delivery_cut(delivery, 3, SLICE_NULL);
    fixture_expect_acks(delivery, RECORDS);
    assert_int_equal(fixture_expect(delivery, DELIVERY_CUT, NULL).cut, 3);
    fixture_send(delivery, &record, 1);
    fixture_expect_acks(delivery, 1);
    delivery_free(delivery);
    mock_stop(&mock);
}

/* Other settings. */

static void without_all_acknowledgements_it_delivers_too(void **state)
{
    (void)state;
    enum { RECORDS = 500 };
    struct mock mock = mock_start(1);
    for (int acks = 0; acks <= 1; acks++) {
        char name[16];
        snprintf(name, sizeof name, "acks-%d", acks);
        mock_topic(&mock, name, 1);
        struct producer_options options = fixture_options(&mock);
        options.required_acks = acks;
        struct delivery *delivery = fixture_delivery(&options);
        uint32_t topic = fixture_topic(delivery, name);
        for (uint64_t i = 0; i < RECORDS; i++)
            fixture_send_text(delivery, topic, "k", "v", i);
        fixture_expect_acks(delivery, RECORDS);
        fixture_expect_none_in_flight(delivery);
        FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
        mono_ms_t start = fixture_now(); /* acks=0 is told before the broker has it */
        while (fixture_count(&mock, name, 1) < RECORDS)
            assert_false(fixture_expired(start));
        delivery_free(delivery);
    }
    mock_stop(&mock);
}

static void bad_options_and_names_are_errors(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL);
    struct delivery *delivery = NULL;
    struct error err = ERROR_INIT;
    options.balancer = "Best";
    assert_false(delivery_plain_new(&options, &delivery, &err));
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_null(delivery);

    options = fixture_options(NULL);
    const struct producer_property missing = { "ssl.ca.location", "/nonexistent/ca.pem" };
    const struct producer_property properties[] = { { "security.protocol", "ssl" }, missing };
    options.properties = properties;
    options.property_count = 2;
    assert_false(delivery_plain_new(&options, &delivery, &err));
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "ssl.ca.location"));

    options = fixture_options(NULL);
    delivery = fixture_delivery(&options);
    uint32_t topic = 0;
    assert_false(delivery_topic(delivery, "no such/topic", &topic, &err));
    assert_string_equal(err.code, "topic_invalid");
    assert_int_equal(fixture_topic(delivery, "a"), 0);
    delivery_free(delivery);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_acknowledged_once),
        cmocka_unit_test(the_brokers_connect_without_a_record),
        cmocka_unit_test(a_lost_broker_is_noted_and_so_is_its_return),
        cmocka_unit_test(without_a_broker_the_cap_stops_us_and_nothing_is_lost),
        cmocka_unit_test(a_record_larger_than_the_cap_goes_alone),
        cmocka_unit_test(librdkafkas_queue_is_never_the_narrower_one),
        cmocka_unit_test(keys_values_and_headers_arrive_as_they_were),
        cmocka_unit_test(compressed_batches_arrive_too),
        cmocka_unit_test(the_partitions_are_those_of_the_ancestor),
        cmocka_unit_test(null_keys_reach_our_partitioner),
        cmocka_unit_test(a_partition_that_is_not_there_is_refused),
        cmocka_unit_test(a_cut_comes_after_all_that_was_sent_before),
        cmocka_unit_test(without_all_acknowledgements_it_delivers_too),
        cmocka_unit_test(bad_options_and_names_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
