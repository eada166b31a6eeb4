#include "kafka/delivery.h"

#include <string.h>

bool delivery_topic(struct delivery *delivery, const char *name, uint32_t *out_topic,
                    struct error *err)
{
    return delivery->ops->topic(delivery, name, out_topic, err);
}

const char *delivery_topic_name(const struct delivery *delivery, uint32_t topic)
{
    return topic_table_name(&delivery->topics, topic);
}

enum delivery_send delivery_send(struct delivery *delivery, const struct record *record,
                                 ticket_t ticket, struct error *err)
{
    return delivery->ops->send(delivery, record, ticket, err);
}

void delivery_cut(struct delivery *delivery, uint64_t cut, struct slice progress)
{
    delivery->ops->cut(delivery, cut, progress);
}

bool delivery_next(struct delivery *delivery, struct delivery_event *out_event)
{
    return delivery->ops->next(delivery, out_event);
}

int delivery_fd(const struct delivery *delivery)
{
    return delivery->ops->fd(delivery);
}

void delivery_abandon(struct delivery *delivery)
{
    delivery->ops->abandon(delivery);
}

bool delivery_quiet(const struct delivery *delivery)
{
    return delivery->ops->quiet(delivery);
}

bool delivery_rebuild(struct delivery *delivery, struct error *err)
{
    return delivery->ops->rebuild(delivery, err);
}

bool delivery_idle(const struct delivery *delivery)
{
    return atomic_load_explicit(&delivery->stats.in_flight_records, memory_order_relaxed) == 0;
}

bool delivery_connected(const struct delivery *delivery)
{
    return atomic_load_explicit(&delivery->stats.brokers_up, memory_order_relaxed) > 0;
}

bool delivery_reaches(const struct delivery *delivery)
{
    return delivery_connected(delivery) &&
           (delivery->ops->reaches == NULL || delivery->ops->reaches(delivery));
}

const struct delivery_stats *delivery_stats(const struct delivery *delivery)
{
    return &delivery->stats;
}

const struct topic_table *delivery_topics(const struct delivery *delivery)
{
    return &delivery->topics;
}

void delivery_free(struct delivery *delivery)
{
    if (delivery != NULL)
        delivery->ops->free(delivery);
}

uint64_t delivery_record_cost(const struct record *record)
{
    uint64_t cost = DELIVERY_RECORD_COST + record->key.size + record->value.size;
    for (uint32_t i = 0; i < record->header_count; i++)
        cost +=
            DELIVERY_HEADER_COST + strlen(record->headers[i].name) + record->headers[i].value.size;
    return cost;
}

/* One writer: no locked instruction per record. */
static void add(_Atomic uint64_t *counter, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + amount, memory_order_relaxed);
}

static void subtract(_Atomic uint64_t *counter, uint64_t amount)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    CHECK(value >= amount);
    atomic_store_explicit(counter, value - amount, memory_order_relaxed);
}

void delivery_count_sent(struct delivery *delivery, const struct record *record, uint64_t cost)
{
    struct delivery_stats *stats = &delivery->stats;
    add(&stats->records_sent, 1);
    add(&stats->bytes_sent, record->key.size + record->value.size);
    add(&stats->in_flight_records, 1);
    add(&stats->in_flight_bytes, cost);
}

void delivery_count_settled(struct delivery *delivery, uint64_t cost)
{
    subtract(&delivery->stats.in_flight_records, 1);
    subtract(&delivery->stats.in_flight_bytes, cost);
}

void delivery_count_acked(struct delivery *delivery, int64_t now_unix_us)
{
    add(&delivery->stats.records_acked, 1);
    atomic_store_explicit(&delivery->stats.last_ack_unix_us, now_unix_us, memory_order_relaxed);
}

void delivery_count_refused(struct delivery *delivery)
{
    add(&delivery->stats.records_refused, 1);
}

void delivery_count_none_in_flight(struct delivery *delivery)
{
    atomic_store_explicit(&delivery->stats.in_flight_records, 0, memory_order_relaxed);
    atomic_store_explicit(&delivery->stats.in_flight_bytes, 0, memory_order_relaxed);
}
