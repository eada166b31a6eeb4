#include "kafka/producer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "kafka/connection_error.h"
#include "kafka/delivery.h"
#include "kafka/first_acks.h"
#include "kafka/kafka_error.h"
#include "kafka/producer_tags.h"
#include "kafka/wire_watch.h"

_Static_assert(sizeof(uintptr_t) >= sizeof(uint64_t), "a ticket travels in a pointer");

enum { REASON_SIZE = 512 };

struct producer_topic {
    struct partitioner_state partitioning;
    struct first_acks first_acks;
    uint32_t topic;
    rd_kafka_topic_t *handle;
};

struct producer {
    rd_kafka_t *handle;
    rd_kafka_queue_t *queue;
    struct wire_watch *watch;
    struct tls_watch *tls;
    const struct partitioner *partitioner;
    struct producer_topic **topics;
    uint32_t topic_count, topic_capacity;
    uint64_t unreported;
    bool tagged;
    struct producer_tags tags;
};

/* The record that this thread is producing. */
struct producing {
    struct producer_topic *topic;
    int32_t partition; /* RECORD_PARTITION_ANY: none was asked for yet */
    bool held;
};

static _Thread_local struct producing producing;

CLEANUP_POINTER(rd_kafka_conf_t, rd_kafka_conf_destroy)

static bool conf_is(const rd_kafka_conf_t *conf, const char *property, const char *value)
{
    char text[64] = "";
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, property, text, &size) == RD_KAFKA_CONF_OK &&
           strcmp(text, value) == 0;
}

/* Tokens are fetched on a thread of librdkafka: our queue hands out events only. */
static bool refresh_tokens(rd_kafka_t *handle, struct error *err)
{
    rd_kafka_error_t *failure = rd_kafka_sasl_background_callbacks_enable(handle);
    if (failure == NULL)
        return true;
    kafka_error_set(err, rd_kafka_error_code(failure), "kafka: %s", rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return false;
}

static bool prepare_conf(struct producer *producer, rd_kafka_conf_t *conf, int64_t batch_bytes,
                         struct error *err)
{
    char number[32], reason[REASON_SIZE];
    snprintf(number, sizeof number, "%lld", (long long)batch_bytes);
    if (rd_kafka_conf_set(conf, "batch.size", number, reason, sizeof reason) != RD_KAFKA_CONF_OK)
        return error_set(err, ERROR_CONFIG, "option_invalid", "kafka: batch.size: %s", reason);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    rd_kafka_conf_enable_sasl_queue(conf, 1);
    tls_watch_install(producer->tls, conf);
    return wire_watch_install(producer->watch, conf, err);
}

/* librdkafka before 2.12 frees a configuration with interceptors twice when the producer does not
 * start (its issue 4142). So whether it starts is tried without them, and without brokers. */
bool producer_rehearse(const rd_kafka_conf_t *conf, struct error *err)
{
    char reason[REASON_SIZE];
    AUTO(rd_kafka_conf_t *, rd_kafka_conf_destroy_p) trial = rd_kafka_conf_dup(conf);
    CHECK(rd_kafka_conf_set(trial, "bootstrap.servers", "", NULL, 0) == RD_KAFKA_CONF_OK);
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_PRODUCER, trial, reason, sizeof reason);
    if (handle == NULL)
        return kafka_error_no_start(err, "the producer", reason);
    (void)TAKE(trial);
    rd_kafka_destroy(handle);
    return true;
}

static bool start(struct producer *producer, rd_kafka_conf_t *conf, int wake_fd, struct error *err)
{
    char reason[REASON_SIZE];
    bool tokens = conf_is(conf, "sasl.mechanisms", "OAUTHBEARER");
    producer->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (producer->handle == NULL) /* conf is lost, see above */
        return kafka_error_no_start(err, "the producer", reason);
    static const uint64_t one = 1;
    rd_kafka_set_log_queue(producer->handle, NULL); /* the main queue */
    producer->queue = rd_kafka_queue_get_main(producer->handle);
    rd_kafka_queue_io_event_enable(producer->queue, wake_fd, &one, sizeof one);
    return !tokens || refresh_tokens(producer->handle, err);
}

bool producer_new(const struct producer_setup *setup, struct producer **out_producer,
                  struct error *err)
{
    if (!producer_rehearse(setup->conf, err))
        return false;
    AUTO(struct producer *, producer_free_p) producer = memory_alloc(sizeof *producer);
    AUTO(rd_kafka_conf_t *, rd_kafka_conf_destroy_p) conf = rd_kafka_conf_dup(setup->conf);
    producer->partitioner = setup->partitioner;
    producer->tagged = setup->tagged;
    producer->tls = tls_watch_new();
    producer->watch = wire_watch_new(setup->wake_fd, !conf_is(conf, "acks", "0"));
    if (!prepare_conf(producer, conf, setup->batch_bytes, err) ||
        !start(producer, TAKE(conf), setup->wake_fd, err))
        return false;
    *out_producer = TAKE(producer);
    return true;
}

/* NULL = it is not set. */
static char *secret_of(const rd_kafka_conf_t *conf, const char *property)
{
    size_t size = 0;
    if (rd_kafka_conf_get(conf, property, NULL, &size) != RD_KAFKA_CONF_OK || size <= 1)
        return NULL;
    char *text = memory_alloc(size);
    CHECK(rd_kafka_conf_get(conf, property, text, &size) == RD_KAFKA_CONF_OK);
    return text;
}

void producer_renew_login(struct producer *producer, const rd_kafka_conf_t *conf)
{
    AUTO(char *, secret_free_p) user = secret_of(conf, "sasl.username");
    AUTO(char *, secret_free_p) password = secret_of(conf, "sasl.password");
    if (user == NULL || password == NULL)
        return;
    rd_kafka_error_t *failure = rd_kafka_sasl_set_credentials(producer->handle, user, password);
    if (failure != NULL)
        rd_kafka_error_destroy(failure);
}

void producer_retire(struct producer *producer)
{
    rd_kafka_queue_io_event_enable(producer->queue, -1, NULL, 0);
    wire_watch_mute(producer->watch);
    producer_purge(producer);
}

void producer_free(struct producer *producer)
{
    if (producer == NULL)
        return;
    for (uint32_t i = 0; i < producer->topic_count; i++)
        rd_kafka_topic_destroy(producer->topics[i]->handle);
    if (producer->queue != NULL)
        rd_kafka_queue_destroy(producer->queue);
    if (producer->handle != NULL)
        rd_kafka_destroy_flags(producer->handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    for (uint32_t i = 0; i < producer->topic_count; i++) {
        partitioner_state_done(&producer->topics[i]->partitioning);
        first_acks_done(&producer->topics[i]->first_acks);
        memory_free(producer->topics[i]);
    }
    memory_free(producer->topics);
    wire_watch_free(producer->watch);
    producer_tags_done(&producer->tags);
    tls_watch_free(producer->tls);
    memory_free(producer);
}

static void topic_append(struct producer *producer, struct producer_topic *topic)
{
    if (producer->topic_count == producer->topic_capacity) {
        producer->topic_capacity =
            producer->topic_capacity == 0 ? 16 : producer->topic_capacity * 2;
        producer->topics = memory_resize(producer->topics, producer->topic_capacity *
                                                               sizeof(struct producer_topic *));
    }
    producer->topics[producer->topic_count++] = topic;
}

/* librdkafka does not take a record whose partition is not there: so it is held without being
 * queued. Its own thread asks for records that were queued before it knew the partitions. */
static int32_t choose_partition(const rd_kafka_topic_t *handle UNUSED, const void *key,
                                size_t key_bytes, int32_t partition_count, void *topic_opaque,
                                void *record_opaque UNUSED)
{
    struct producer_topic *topic = topic_opaque;
    struct slice key_slice = { key, key_bytes };
    int32_t partition = partitioner_choose(&topic->partitioning, key_slice, partition_count);
    if (producing.topic != topic)
        return partition;
    producing.partition = partition;
    producing.held = first_acks_hold(&topic->first_acks, partition);
    if (LIKELY(!producing.held))
        return partition;
    partitioner_take_back(&topic->partitioning, key_slice, partition);
    return INT32_MAX;
}

bool producer_topic_add(struct producer *producer, const char *name, struct error *err)
{
    struct producer_topic *topic = memory_alloc(sizeof *topic);
    struct clock clock = clock_system();
    partitioner_state_init(&topic->partitioning, producer->partitioner,
                           (uint64_t)clock_wall_us(&clock) + producer->topic_count);
    topic->topic = producer->topic_count;
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(producer->handle);
    rd_kafka_topic_conf_set_opaque(conf, topic);
    rd_kafka_topic_conf_set_partitioner_cb(conf, choose_partition);
    topic->handle = rd_kafka_topic_new(producer->handle, name, conf); /* takes conf in any case */
    if (topic->handle == NULL) {
        rd_kafka_resp_err_t code = rd_kafka_last_error();
        partitioner_state_done(&topic->partitioning);
        memory_free(topic);
        return kafka_error_set(err, code, "kafka: topic \"%s\"", name);
    }
    topic_append(producer, topic);
    return true;
}

uint32_t producer_topic_count(const struct producer *producer)
{
    return producer->topic_count;
}

/* librdkafka takes these without const and does not write to them. */
static void *unconst(const char *bytes)
{
    return (void *)(uintptr_t)bytes;
}

static rd_kafka_resp_err_t send_bare(rd_kafka_topic_t *topic, const struct record *record,
                                     void *opaque)
{
    int failed =
        rd_kafka_produce(topic, record->partition, RD_KAFKA_MSG_F_COPY, unconst(record->value.data),
                         record->value.size, record->key.data, record->key.size, opaque);
    return failed == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

static rd_kafka_resp_err_t send_with_headers(rd_kafka_t *handle, rd_kafka_topic_t *topic,
                                             const struct record *record, void *opaque)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(record->header_count);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (uint32_t i = 0; i < record->header_count && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
        const struct header *header = &record->headers[i];
        code = rd_kafka_header_add(headers, header->name, -1, header->value.data,
                                   (ssize_t)header->value.size);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = rd_kafka_producev(
            handle, RD_KAFKA_VTYPE_RKT, topic, RD_KAFKA_VTYPE_PARTITION, record->partition,
            RD_KAFKA_VTYPE_MSGFLAGS, RD_KAFKA_MSG_F_COPY, RD_KAFKA_VTYPE_VALUE, record->value.data,
            record->value.size, RD_KAFKA_VTYPE_KEY, record->key.data, record->key.size,
            RD_KAFKA_VTYPE_HEADERS, headers, RD_KAFKA_VTYPE_OPAQUE, opaque, RD_KAFKA_VTYPE_END);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers); /* they change hands only when the record does */
    return code;
}

/* What librdkafka carries for us: the ticket, or a tag that holds it. */

static void *opaque_of(struct producer *producer, const struct record *record, ticket_t ticket)
{
    if (LIKELY(!producer->tagged))
        return (void *)(uintptr_t)ticket.value;
    struct producer_tag *tag = producer_tags_take(&producer->tags);
    tag->ticket = ticket;
    tag->origin = record->origin != NULL ? *record->origin : (struct record_origin){ 0 };
    return tag;
}

static void opaque_done(struct producer *producer, void *opaque)
{
    if (UNLIKELY(producer->tagged))
        producer_tags_give(&producer->tags, opaque);
}

rd_kafka_resp_err_t producer_send(struct producer *producer, const struct record *record,
                                  ticket_t ticket)
{
    CHECK(record->topic < producer->topic_count);
    struct producer_topic *topic = producer->topics[record->topic];
    if (UNLIKELY(first_acks_hold(&topic->first_acks, record->partition)))
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    partitioner_state_weigh(&topic->partitioning, record->key.size + record->value.size);
    producing = (struct producing){ .topic = topic, .partition = record->partition };
    void *opaque = opaque_of(producer, record, ticket);
    rd_kafka_resp_err_t code =
        record->header_count == 0
            ? send_bare(topic->handle, record, opaque)
            : send_with_headers(producer->handle, topic->handle, record, opaque);
    producing.topic = NULL;
    if (UNLIKELY(code != RD_KAFKA_RESP_ERR_NO_ERROR))
        opaque_done(producer, opaque);
    if (UNLIKELY(producing.held))
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        producer->unreported++;
        first_acks_sent(&topic->first_acks, producing.partition);
    }
    return code;
}

rd_kafka_event_t *producer_event(struct producer *producer)
{
    return rd_kafka_queue_poll(producer->queue, 0);
}

ticket_t producer_ticket(const struct producer *producer, const rd_kafka_message_t *message)
{
    if (LIKELY(!producer->tagged))
        return (ticket_t){ (uintptr_t)message->_private };
    return ((const struct producer_tag *)message->_private)->ticket;
}

const struct record_origin *producer_origin(const struct producer *producer,
                                            const rd_kafka_message_t *message)
{
    return producer->tagged ? &((const struct producer_tag *)message->_private)->origin : NULL;
}

uint32_t producer_message_topic(const rd_kafka_message_t *message)
{
    const struct producer_topic *topic = rd_kafka_topic_opaque(message->rkt);
    return topic->topic;
}

uint64_t producer_message_header_cost(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    uint64_t cost = 0;
    const char *name = NULL;
    const void *value = NULL;
    size_t size = 0;
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++)
        cost += DELIVERY_HEADER_COST + strlen(name) + size;
    return cost;
}

void producer_reported(struct producer *producer, const rd_kafka_message_t *message)
{
    struct producer_topic *topic = rd_kafka_topic_opaque(message->rkt);
    CHECK(producer->unreported > 0);
    producer->unreported--;
    opaque_done(producer, message->_private);
    first_acks_reported(&topic->first_acks, message->partition,
                        message->err == RD_KAFKA_RESP_ERR_NO_ERROR);
}

void producer_purge(struct producer *producer)
{
    rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
                                         RD_KAFKA_PURGE_F_NON_BLOCKING);
}

bool producer_quiet(const struct producer *producer)
{
    return producer->unreported == 0 && wire_watch_unanswered(producer->watch) == 0;
}

bool producer_describe(const struct producer *producer, rd_kafka_resp_err_t code, const char *text,
                       struct error *err)
{
    return connection_error_set(err, code, text, producer->tls);
}

uint32_t producer_brokers_up(const struct producer *producer)
{
    return wire_watch_brokers_up(producer->watch);
}

uint32_t producer_brokers_reached(const struct producer *producer)
{
    return wire_watch_brokers_reached(producer->watch);
}

bool producer_fatal(const struct producer *producer, rd_kafka_resp_err_t *out_code, char *reason,
                    size_t reason_size)
{
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(producer->handle, reason, reason_size);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    *out_code = code;
    return true;
}
