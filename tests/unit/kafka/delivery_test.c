#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kafka/delivery.h"

/* An implementation that writes down what it is asked. */
struct script {
    struct delivery delivery;
    char calls[64];
    uint64_t cut;
    bool freed;
};

static struct script *script_of(struct delivery *delivery)
{
    return (struct script *)delivery;
}

static void note(struct delivery *delivery, const char *call)
{
    strcat(script_of(delivery)->calls, call);
}

static bool script_topic(struct delivery *delivery, const char *name, uint32_t *out_topic,
                         struct error *err)
{
    note(delivery, "topic ");
    return topic_table_add(&delivery->topics, name, out_topic, err);
}

static enum delivery_send script_send(struct delivery *delivery, const struct record *record,
                                      ticket_t ticket, struct error *err)
{
    (void)err;
    note(delivery, "send ");
    assert_int_equal(ticket.value, 12);
    assert_int_equal(record->topic, 0);
    return DELIVERY_FULL;
}

static void script_cut(struct delivery *delivery, uint64_t cut, struct slice progress)
{
    note(delivery, "cut ");
    script_of(delivery)->cut = cut;
    assert_true(slice_is(progress, "here"));
}

static bool script_next(struct delivery *delivery, struct delivery_event *out_event)
{
    note(delivery, "next ");
    *out_event = (struct delivery_event){ .kind = DELIVERY_CUT, .cut = script_of(delivery)->cut };
    return true;
}

static bool script_rebuild(struct delivery *delivery, struct error *err)
{
    note(delivery, "rebuild ");
    return error_set(err, ERROR_RETRY, "no", "not now");
}

static void script_abandon(struct delivery *delivery)
{
    note(delivery, "abandon ");
}

static bool script_quiet(const struct delivery *delivery)
{
    (void)delivery;
    return true;
}

static int script_fd(const struct delivery *delivery)
{
    (void)delivery;
    return 31;
}

static void script_free(struct delivery *delivery)
{
    script_of(delivery)->freed = true;
    topic_table_done(&delivery->topics);
}

static const struct delivery_ops script_ops = {
    .topic = script_topic,
    .send = script_send,
    .cut = script_cut,
    .next = script_next,
    .rebuild = script_rebuild,
    .abandon = script_abandon,
    .quiet = script_quiet,
    .fd = script_fd,
    .free = script_free,
};

static void each_call_reaches_the_implementation(void **state)
{
    (void)state;
    struct script script = { .delivery = { .ops = &script_ops } };
    struct delivery *delivery = &script.delivery;
    struct error err = ERROR_INIT;
    uint32_t topic = 9;
    assert_true(delivery_topic(delivery, "orders", &topic, &err));
    assert_int_equal(topic, 0);
    assert_string_equal(delivery_topic_name(delivery, 0), "orders");
    assert_null(delivery_topic_name(delivery, 1));
    struct record record = { 0 };
    assert_int_equal(delivery_send(delivery, &record, (ticket_t){ 12 }, &err), DELIVERY_FULL);
    delivery_cut(delivery, 5, SLICE_TEXT("here"));
    struct delivery_event event = { 0 };
    assert_true(delivery_next(delivery, &event));
    assert_int_equal(event.cut, 5);
    delivery_abandon(delivery);
    assert_true(delivery_quiet(delivery));
    assert_int_equal(delivery_fd(delivery), 31);
    assert_false(delivery_rebuild(delivery, &err));
    assert_string_equal(err.text, "not now");
    assert_string_equal(script.calls, "topic send cut next abandon rebuild ");
    delivery_free(delivery);
    assert_true(script.freed);
    delivery_free(NULL);
}

static void connected_is_one_broker_or_more(void **state)
{
    (void)state;
    struct script script = { .delivery = { .ops = &script_ops } };
    assert_false(delivery_connected(&script.delivery));
    atomic_store(&script.delivery.stats.brokers_up, 2);
    assert_true(delivery_connected(&script.delivery));
    assert_ptr_equal(delivery_stats(&script.delivery), &script.delivery.stats);
}

static void a_record_costs_its_bytes_and_what_librdkafka_adds(void **state)
{
    (void)state;
    const struct header headers[] = { { "pos", SLICE_TEXT("0/1") }, { "op", SLICE_NULL } };
    struct record record = { .partition = RECORD_PARTITION_ANY };
    assert_int_equal(delivery_record_cost(&record), 256);
    record.key = SLICE_TEXT("key");
    record.value = SLICE_TEXT("value");
    assert_int_equal(delivery_record_cost(&record), 264);
    record.headers = headers;
    record.header_count = 2;
    assert_int_equal(delivery_record_cost(&record), 264 + 2 * 96 + 8);
}

static void counters_follow_a_record(void **state)
{
    (void)state;
    struct script script = { .delivery = { .ops = &script_ops } };
    struct delivery *delivery = &script.delivery;
    const struct delivery_stats *stats = delivery_stats(delivery);
    struct record record = { .key = SLICE_TEXT("key"), .value = SLICE_TEXT("value") };
    delivery_count_sent(delivery, &record, 264);
    delivery_count_sent(delivery, &record, 1000);
    assert_int_equal(atomic_load(&stats->records_sent), 2);
    assert_int_equal(atomic_load(&stats->bytes_sent), 16);
    assert_int_equal(atomic_load(&stats->in_flight_records), 2);
    assert_int_equal(atomic_load(&stats->in_flight_bytes), 1264);
    delivery_count_settled(delivery, 264);
    delivery_count_acked(delivery, 1700000000000000);
    assert_int_equal(atomic_load(&stats->in_flight_records), 1);
    assert_int_equal(atomic_load(&stats->in_flight_bytes), 1000);
    assert_int_equal(atomic_load(&stats->records_acked), 1);
    assert_int_equal(atomic_load(&stats->last_ack_unix_us), 1700000000000000);
    delivery_count_refused(delivery);
    assert_int_equal(atomic_load(&stats->records_refused), 1);
    delivery_count_none_in_flight(delivery);
    assert_int_equal(atomic_load(&stats->in_flight_records), 0);
    assert_int_equal(atomic_load(&stats->in_flight_bytes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_reaches_the_implementation),
        cmocka_unit_test(connected_is_one_broker_or_more),
        cmocka_unit_test(a_record_costs_its_bytes_and_what_librdkafka_adds),
        cmocka_unit_test(counters_follow_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
