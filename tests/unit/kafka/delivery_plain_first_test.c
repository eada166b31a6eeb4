#include "unit/kafka/kafka_fixture.h"

#include "kafka/partitioner.h"

/* The first record to a partition. */

enum { PARTITIONS = 2 };

static struct delivery *start(struct mock *mock, const char *balancer, uint32_t *out_topic)
{
    *mock = mock_start(1);
    mock_topic(mock, "orders", PARTITIONS);
    struct producer_options options = fixture_options(mock);
    options.balancer = balancer;
    options.batch_records = 1;
    options.linger_ms = 0;
    struct delivery *delivery = fixture_delivery(&options);
    *out_topic = fixture_topic(delivery, "orders");
    return delivery;
}

/* Sends until the refusal is told; what else is reported is not acknowledged. */
static void send_behind_a_refused_one(struct mock *mock, struct delivery *delivery,
                                      const struct record *record)
{
    rd_kafka_mock_push_request_errors(mock->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_INVALID_RECORD);
    struct error err = ERROR_INIT;
    struct delivery_event event = { .kind = DELIVERY_NOTE };
    uint64_t sent = 0;
    mono_ms_t begin = fixture_now();
    while (event.kind != DELIVERY_REFUSED && !fixture_expired(begin)) {
        if (delivery_send(delivery, record, (ticket_t){ sent }, &err) == DELIVERY_OK)
            sent++;
        while (event.kind != DELIVERY_REFUSED && delivery_next(delivery, &event))
            assert_int_not_equal(event.kind, DELIVERY_ACKED);
    }
    assert_int_equal(event.kind, DELIVERY_REFUSED);
    assert_int_equal(event.ticket.value, 0);
    assert_int_equal(sent, 1);
}

static int32_t partition_of(const char *balancer, const struct record *record)
{
    if (record->partition != RECORD_PARTITION_ANY)
        return record->partition;
    struct partitioner_state state;
    partitioner_state_init(&state, partitioner_find(balancer), 1);
    int32_t partition = partitioner_choose(&state, record->key, PARTITIONS);
    partitioner_state_done(&state);
    return partition;
}

/* The mock does not look at sequences: it writes whatever is on the wire behind a refused batch, as
 * a broker does that does not know the producer. */
static void nothing_is_on_the_wire_behind_a_first_record(void **state)
{
    (void)state;
    static const struct {
        const char *balancer, *key;
        int32_t partition;
        uint32_t header_count;
        bool known; /* the topic's partitions */
    } cases[] = {
        { "Hash", "k", RECORD_PARTITION_ANY, 0, false },
        { "Hash", "k", RECORD_PARTITION_ANY, 0, true },
        { "Hash", "k", RECORD_PARTITION_ANY, 1, true },
        { "Murmur2Balancer", "k", RECORD_PARTITION_ANY, 0, true },
        { "CRC32Balancer", "k", RECORD_PARTITION_ANY, 0, true },
        { "Hash", NULL, 1, 0, false },
        { "Hash", NULL, 1, 1, true },
    };
    const struct header header = { "h", SLICE_TEXT("x") };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mock mock;
        uint32_t topic = 0;
        struct delivery *delivery = start(&mock, cases[i].balancer, &topic);
        struct error err = ERROR_INIT;
        struct record record = fixture_record(topic, cases[i].key, "v");
        record.partition = cases[i].partition;
        record.headers = &header;
        record.header_count = cases[i].header_count;
        size_t before = 0;
        if (cases[i].known) { /* as a producer that is new to the record's partition only */
            struct record other = record;
            other.partition = 1 - partition_of(cases[i].balancer, &record);
            fixture_send(delivery, &other, 77);
            fixture_expect_acks(delivery, 1);
            before = 1;
        }
        send_behind_a_refused_one(&mock, delivery, &record);
        delivery_abandon(delivery);
        FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
        assert_int_equal(fixture_count(&mock, "orders", PARTITIONS), before);
        /* The next producer is as new. */
        assert_true(delivery_rebuild(delivery, &err));
        send_behind_a_refused_one(&mock, delivery, &record);
        delivery_abandon(delivery);
        FIXTURE_UNTIL(delivery, delivery_quiet(delivery));
        assert_int_equal(fixture_count(&mock, "orders", PARTITIONS), before);
        assert_true(delivery_rebuild(delivery, &err));
        fixture_send(delivery, &record, 1);
        fixture_expect_acks(delivery, 1);
        delivery_free(delivery);
        mock_stop(&mock);
    }
}

static enum delivery_send try_send(struct delivery *delivery, uint32_t topic, int32_t partition)
{
    struct error err = ERROR_INIT;
    struct record record = fixture_record(topic, NULL, "v");
    record.partition = partition;
    return delivery_send(delivery, &record, (ticket_t){ 1 }, &err);
}

/* An acknowledgement counts when its event was read. */
static void a_partition_waits_for_itself_only_and_once(void **state)
{
    (void)state;
    struct mock mock;
    uint32_t topic = 0;
    struct delivery *delivery = start(&mock, "RoundRobin", &topic);
    mock_topic(&mock, "other", 1);
    uint32_t other = fixture_topic(delivery, "other");
    assert_int_equal(try_send(delivery, topic, RECORD_PARTITION_ANY), DELIVERY_OK);
    assert_int_equal(try_send(delivery, topic, RECORD_PARTITION_ANY), DELIVERY_FULL);
    assert_int_equal(try_send(delivery, other, RECORD_PARTITION_ANY), DELIVERY_OK);
    fixture_expect_acks(delivery, 2);
    /* The first turn went to partition 0. */
    assert_int_equal(try_send(delivery, topic, RECORD_PARTITION_ANY), DELIVERY_OK); /* 1 */
    assert_int_equal(try_send(delivery, topic, 1), DELIVERY_FULL);
    assert_int_equal(try_send(delivery, topic, RECORD_PARTITION_ANY), DELIVERY_OK);   /* 0 */
    assert_int_equal(try_send(delivery, topic, RECORD_PARTITION_ANY), DELIVERY_FULL); /* 1 */
    assert_int_equal(try_send(delivery, topic, RECORD_PARTITION_ANY), DELIVERY_FULL); /* 1 */
    assert_int_equal(try_send(delivery, topic, 0), DELIVERY_OK);
    assert_int_equal(fixture_in_flight_records(delivery), 3);
    fixture_expect_acks(delivery, 3);
    fixture_expect_none_in_flight(delivery);
    for (int i = 0; i < 10; i++)
        assert_int_equal(try_send(delivery, topic, RECORD_PARTITION_ANY), DELIVERY_OK);
    assert_int_equal(try_send(delivery, other, RECORD_PARTITION_ANY), DELIVERY_OK);
    fixture_expect_acks(delivery, 11);
    delivery_free(delivery);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_on_the_wire_behind_a_first_record),
        cmocka_unit_test(a_partition_waits_for_itself_only_and_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
