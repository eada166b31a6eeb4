#include "unit/kafka/kafka_fixture.h"

static bool readable(const struct delivery *delivery)
{
    struct pollfd wait = { .fd = delivery_fd(delivery), .events = POLLIN };
    return poll(&wait, 1, 0) == 1;
}

static void every_record_is_acknowledged_with_its_ticket(void **state)
{
    (void)state;
    struct delivery *delivery = delivery_null_new();
    assert_true(delivery_connected(delivery));
    uint32_t topic = fixture_topic(delivery, "orders");
    struct delivery_event event;
    assert_false(readable(delivery));
    assert_false(delivery_next(delivery, &event));
    static const uint64_t tickets[] = { 1, 1, 2, 3, 3, 3 };
    for (size_t i = 0; i < COUNT_OF(tickets); i++)
        fixture_send_text(delivery, topic, "key", "value", tickets[i]);
    assert_true(readable(delivery));
    for (size_t i = 0; i < COUNT_OF(tickets); i++) {
        assert_true(delivery_next(delivery, &event));
        assert_int_equal(event.kind, DELIVERY_ACKED);
        assert_int_equal(event.ticket.value, tickets[i]);
    }
    assert_false(delivery_next(delivery, &event));
    assert_false(readable(delivery));
    const struct delivery_stats *stats = delivery_stats(delivery);
    assert_int_equal(atomic_load(&stats->records_sent), 6);
    assert_int_equal(atomic_load(&stats->records_acked), 6);
    assert_int_equal(atomic_load(&stats->bytes_sent), 48);
    assert_int_equal(fixture_in_flight_records(delivery), 0);
    assert_int_equal(fixture_in_flight_bytes(delivery), 0);
    assert_true(delivery_quiet(delivery));
    delivery_free(delivery);
}

static void too_many_unread_tickets_are_full(void **state)
{
    (void)state;
    struct delivery *delivery = delivery_null_new();
    struct record record = fixture_record(fixture_topic(delivery, "orders"), "k", "v");
    struct error err = ERROR_INIT;
    uint64_t sent = 0;
    while (delivery_send(delivery, &record, (ticket_t){ sent }, &err) == DELIVERY_OK)
        sent++;
    assert_int_equal(sent, 65536);
    fixture_expect_acks(delivery, 1);
    fixture_send(delivery, &record, sent);
    fixture_expect_acks(delivery, sent);
    delivery_free(delivery);
}

static void a_cut_comes_last_and_holds_the_next_record_back(void **state)
{
    (void)state;
    struct delivery *delivery = delivery_null_new();
    struct record record = fixture_record(fixture_topic(delivery, "orders"), "k", "v");
    struct error err = ERROR_INIT;
    fixture_send(delivery, &record, 1);
    delivery_cut(delivery, 7, SLICE_NULL);
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FULL);
    fixture_expect_acks(delivery, 1);
    assert_int_equal(fixture_expect(delivery, DELIVERY_CUT, NULL).cut, 7);
    delivery_cut(delivery, 8, SLICE_NULL); /* with nothing sent */
    assert_true(readable(delivery));
    assert_int_equal(fixture_expect(delivery, DELIVERY_CUT, NULL).cut, 8);
    fixture_send(delivery, &record, 2);
    delivery_free(delivery);
}

static void abandoned_records_are_not_acknowledged(void **state)
{
    (void)state;
    struct delivery *delivery = delivery_null_new();
    uint32_t topic = fixture_topic(delivery, "orders");
    struct record record = fixture_record(topic, "k", "v");
    struct error err = ERROR_INIT;
    struct delivery_event event;
    fixture_send(delivery, &record, 1);
    delivery_cut(delivery, 1, SLICE_NULL);
    delivery_abandon(delivery);
    assert_false(delivery_next(delivery, &event));
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 2 }, &err), DELIVERY_FAILED);
    assert_int_equal(err.class, ERROR_RECONNECT);
    assert_true(delivery_rebuild(delivery, &err));
    assert_string_equal(delivery_topic_name(delivery, topic), "orders");
    fixture_send(delivery, &record, 3);
    assert_int_equal(fixture_expect(delivery, DELIVERY_ACKED, NULL).ticket.value, 3);
    delivery_free(delivery);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_record_is_acknowledged_with_its_ticket),
        cmocka_unit_test(too_many_unread_tickets_are_full),
        cmocka_unit_test(a_cut_comes_last_and_holds_the_next_record_back),
        cmocka_unit_test(abandoned_records_are_not_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
