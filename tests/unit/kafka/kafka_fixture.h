/* A mock cluster (librdkafka's own, in this process, on loopback) and the few steps that tests of
 * the room share. Waiting is for conditions; the deadlines only end a test that fails. */
#ifndef UNIT_KAFKA_KAFKA_FIXTURE_H
#define UNIT_KAFKA_KAFKA_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "kafka/delivery.h"
#include "kafka/delivery_plain.h"

enum { FIXTURE_DEADLINE_MS = 30000, API_PRODUCE = 0, API_INIT_PRODUCER_ID = 22 };

struct mock {
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
    const char *brokers;
};

static UNUSED mono_ms_t fixture_now(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock);
}

static UNUSED bool fixture_expired(mono_ms_t start)
{
    return mono_ms_since(fixture_now(), start) > FIXTURE_DEADLINE_MS;
}

static UNUSED struct mock mock_start(int broker_count)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason);
    struct mock mock = { .handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason) };
    assert_non_null(mock.handle);
    mock.cluster = rd_kafka_mock_cluster_new(mock.handle, broker_count);
    assert_non_null(mock.cluster);
    mock.brokers = rd_kafka_mock_cluster_bootstraps(mock.cluster);
    return mock;
}

static UNUSED void mock_stop(struct mock *mock)
{
    rd_kafka_mock_cluster_destroy(mock->cluster);
    rd_kafka_destroy(mock->handle);
}

static UNUSED void mock_topic(struct mock *mock, const char *topic, int partition_count)
{
    assert_int_equal(rd_kafka_mock_topic_create(mock->cluster, topic, partition_count, 1),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
}

static UNUSED struct producer_options fixture_options(const struct mock *mock)
{
    return (struct producer_options){
        .brokers = mock != NULL ? mock->brokers : "127.0.0.1:1",
        .client_id = "pqcdc-test",
        .required_acks = -1,
        .batch_records = 2000,
        .batch_bytes = 1024 * 1024,
        .linger_ms = 1,
        .read_timeout_ms = 30000,
        .write_timeout_ms = 30000,
        .metadata_ttl_ms = 60000,
        .compression = "none",
        .balancer = "Hash",
        .in_flight_bytes = 16 * 1024 * 1024,
    };
}

/* Acknowledgements that were read while sending; fixture_event() tells them first. */
static struct {
    struct delivery_event acks[1024];
    size_t first, count;
} fixture_early;

static UNUSED struct delivery *fixture_delivery(const struct producer_options *options)
{
    struct error err = ERROR_INIT;
    struct delivery *delivery = NULL;
    fixture_early.first = fixture_early.count = 0;
    if (!delivery_plain_new(options, &delivery, &err))
        fail_msg("%s: %s", err.code, err.text);
    return delivery;
}

static UNUSED uint32_t fixture_topic(struct delivery *delivery, const char *name)
{
    struct error err = ERROR_INIT;
    uint32_t topic = 0;
    if (!delivery_topic(delivery, name, &topic, &err))
        fail_msg("%s: %s", err.code, err.text);
    return topic;
}

static UNUSED struct record fixture_record(uint32_t topic, const char *key, const char *value)
{
    return (struct record){
        .topic = topic,
        .partition = RECORD_PARTITION_ANY,
        .key = key != NULL ? slice_of(key) : SLICE_NULL,
        .value = value != NULL ? slice_of(value) : SLICE_NULL,
    };
}

/* Waits until the descriptor says so or some milliseconds passed. */
static UNUSED void fixture_wait_fd(const struct delivery *delivery)
{
    struct pollfd wait = { .fd = delivery_fd(delivery), .events = POLLIN };
    (void)poll(&wait, 1, 50);
}

static UNUSED void fixture_read_early(struct delivery *delivery)
{
    struct delivery_event event;
    fixture_wait_fd(delivery);
    while (delivery_next(delivery, &event)) {
        if (event.kind == DELIVERY_NOTE)
            continue;
        assert_int_equal(event.kind, DELIVERY_ACKED);
        assert_true(fixture_early.count < COUNT_OF(fixture_early.acks));
        fixture_early.acks[fixture_early.count++] = event;
    }
}

static UNUSED bool fixture_take_early(struct delivery_event *out_event)
{
    if (fixture_early.first == fixture_early.count)
        return false;
    *out_event = fixture_early.acks[fixture_early.first++];
    if (fixture_early.first == fixture_early.count)
        fixture_early.first = fixture_early.count = 0;
    return true;
}

/* Waits while the delivery is full. */
static UNUSED void fixture_send(struct delivery *delivery, const struct record *record,
                                uint64_t ticket)
{
    struct error err = ERROR_INIT;
    mono_ms_t start = fixture_now();
    enum delivery_send sent = delivery_send(delivery, record, (ticket_t){ ticket }, &err);
    while (sent == DELIVERY_FULL && !fixture_expired(start)) {
        fixture_read_early(delivery);
        sent = delivery_send(delivery, record, (ticket_t){ ticket }, &err);
    }
    if (sent != DELIVERY_OK)
        fail_msg("send answered %d: %s %s", (int)sent, err.code, err.text);
}

static UNUSED void fixture_send_text(struct delivery *delivery, uint32_t topic, const char *key,
                                     const char *value, uint64_t ticket)
{
    struct record record = fixture_record(topic, key, value);
    fixture_send(delivery, &record, ticket);
}

/* The next event that is not a NOTE. The error, if any, is copied. */
static UNUSED struct delivery_event fixture_event(struct delivery *delivery,
                                                  struct error *out_error)
{
    mono_ms_t start = fixture_now();
    struct delivery_event event = { 0 };
    if (fixture_take_early(&event))
        return event;
    while (!fixture_expired(start)) {
        while (delivery_next(delivery, &event)) {
            if (event.kind == DELIVERY_NOTE)
                continue;
            if (event.err != NULL && out_error != NULL)
                *out_error = *event.err;
            return event;
        }
        fixture_wait_fd(delivery);
    }
    fail_msg("no event came");
    return event;
}

static UNUSED struct delivery_event
fixture_expect(struct delivery *delivery, enum delivery_event_kind kind, struct error *out_error)
{
    struct error error = ERROR_INIT;
    struct delivery_event event = fixture_event(delivery, &error);
    if (event.kind != kind)
        fail_msg("event %d instead of %d: %s %s", (int)event.kind, (int)kind, error.code,
                 error.text);
    if (out_error != NULL)
        *out_error = error;
    return event;
}

static UNUSED void fixture_expect_acks(struct delivery *delivery, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        fixture_expect(delivery, DELIVERY_ACKED, NULL);
}

/* A record to each partition: the producer is not new to them any more, and send waits for none. */
static UNUSED void fixture_warm_up(struct delivery *delivery, uint32_t topic, int partition_count)
{
    for (int i = 0; i < partition_count; i++) {
        struct record record = fixture_record(topic, "k", "first");
        record.partition = i;
        fixture_send(delivery, &record, 0);
        fixture_expect_acks(delivery, 1);
    }
}

/* Reads (and drops NOTEs) until the condition holds; any other event fails the test. */
#define FIXTURE_UNTIL(delivery, condition)                                                         \
    do {                                                                                           \
        mono_ms_t start_ = fixture_now();                                                          \
        struct delivery_event event_;                                                              \
        while (!(condition)) {                                                                     \
            while (delivery_next(delivery, &event_))                                               \
                assert_int_equal(event_.kind, DELIVERY_NOTE);                                      \
            if (fixture_expired(start_))                                                           \
                fail_msg("never: " #condition);                                                    \
            if (!(condition))                                                                      \
                fixture_wait_fd(delivery);                                                         \
        }                                                                                          \
    } while (0)

static UNUSED uint64_t fixture_in_flight_records(const struct delivery *delivery)
{
    return atomic_load(&delivery_stats(delivery)->in_flight_records);
}

static UNUSED uint64_t fixture_in_flight_bytes(const struct delivery *delivery)
{
    return atomic_load(&delivery_stats(delivery)->in_flight_bytes);
}

static UNUSED void fixture_expect_none_in_flight(const struct delivery *delivery)
{
    assert_int_equal(fixture_in_flight_records(delivery), 0);
    assert_int_equal(fixture_in_flight_bytes(delivery), 0);
}

/* Reading topics back. */

struct topic_reader {
    rd_kafka_t *handle;
    rd_kafka_topic_partition_list_t *partitions;
};

static UNUSED struct topic_reader topic_reader_open(const struct mock *mock, const char *topic,
                                                    int partition_count)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", mock->brokers, reason, sizeof reason);
    rd_kafka_conf_set(conf, "group.id", "reader", reason, sizeof reason);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", reason, sizeof reason);
    rd_kafka_conf_set(conf, "log_level", "0", reason, sizeof reason);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "20", reason, sizeof reason);
    struct topic_reader reader = { .handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason,
                                                          sizeof reason) };
    assert_non_null(reader.handle);
    reader.partitions = rd_kafka_topic_partition_list_new(partition_count);
    for (int i = 0; i < partition_count; i++)
        rd_kafka_topic_partition_list_add(reader.partitions, topic, i)->offset = 0;
    assert_int_equal(rd_kafka_assign(reader.handle, reader.partitions), 0);
    return reader;
}

/* The next message, or NULL when the ends of all partitions were met. Destroy it. */
static UNUSED rd_kafka_message_t *topic_reader_next(struct topic_reader *reader, int *ends_left)
{
    mono_ms_t start = fixture_now();
    while (*ends_left > 0 && !fixture_expired(start)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(reader->handle, 100);
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
            return message;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            (*ends_left)--;
        rd_kafka_message_destroy(message);
    }
    assert_int_equal(*ends_left, 0);
    return NULL;
}

static UNUSED void topic_reader_close(struct topic_reader *reader)
{
    rd_kafka_assign(reader->handle, NULL);
    rd_kafka_topic_partition_list_destroy(reader->partitions);
    rd_kafka_consumer_close(reader->handle);
    rd_kafka_destroy(reader->handle);
}

/* How many records the topic holds now. */
static UNUSED size_t fixture_count(const struct mock *mock, const char *topic, int partition_count)
{
    struct topic_reader reader = topic_reader_open(mock, topic, partition_count);
    int ends_left = partition_count;
    size_t count = 0;
    for (rd_kafka_message_t *message = topic_reader_next(&reader, &ends_left); message != NULL;
         message = topic_reader_next(&reader, &ends_left)) {
        count++;
        rd_kafka_message_destroy(message);
    }
    topic_reader_close(&reader);
    return count;
}

#endif
