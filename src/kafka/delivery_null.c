#include "kafka/delivery.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kafka/ticket_queue.h"

enum { TICKETS_MAX = 64 * 1024 };

struct delivery_null {
    struct delivery delivery;
    struct ticket_queue done;
    bool abandoned;
    bool cut_waits;
    uint64_t cut;
};

static struct delivery_null *self_of(struct delivery *delivery)
{
    return (struct delivery_null *)delivery;
}

static bool null_topic(struct delivery *delivery, const char *name, uint32_t *out_topic,
                       struct error *err)
{
    return topic_table_add(&delivery->topics, name, out_topic, err);
}

static enum delivery_send null_send(struct delivery *delivery, const struct record *record,
                                    ticket_t ticket, struct error *err)
{
    struct delivery_null *null = self_of(delivery);
    CHECK(record->topic < delivery->topics.count);
    if (null->abandoned) {
        error_set(err, ERROR_RECONNECT, "producer_gone", "the null sink was abandoned");
        return DELIVERY_FAILED;
    }
    if (null->cut_waits || !ticket_queue_push(&null->done, ticket))
        return DELIVERY_FULL;
    /* Nothing is ever in flight: taken is done. */
    uint64_t cost = delivery_record_cost(record);
    delivery_count_sent(delivery, record, cost);
    delivery_count_settled(delivery, cost);
    return DELIVERY_OK;
}

static void null_cut(struct delivery *delivery, uint64_t cut, struct slice progress UNUSED)
{
    struct delivery_null *null = self_of(delivery);
    null->cut_waits = true;
    null->cut = cut;
    ticket_queue_wake(&null->done);
}

static bool null_next(struct delivery *delivery, struct delivery_event *out_event)
{
    struct delivery_null *null = self_of(delivery);
    ticket_t ticket;
    if (ticket_queue_pop(&null->done, &ticket)) {
        struct clock clock = clock_system();
        delivery_count_acked(delivery, clock_wall_us(&clock));
        *out_event = (struct delivery_event){ .kind = DELIVERY_ACKED, .ticket = ticket };
        return true;
    }
    if (!null->cut_waits)
        return false;
    null->cut_waits = false;
    *out_event = (struct delivery_event){ .kind = DELIVERY_CUT, .cut = null->cut };
    return true;
}

static bool null_rebuild(struct delivery *delivery, struct error *err UNUSED)
{
    struct delivery_null *null = self_of(delivery);
    ticket_queue_clear(&null->done);
    null->abandoned = false;
    null->cut_waits = false;
    return true;
}

static void null_abandon(struct delivery *delivery)
{
    struct delivery_null *null = self_of(delivery);
    ticket_queue_clear(&null->done);
    null->abandoned = true;
    null->cut_waits = false;
}

static bool null_quiet(const struct delivery *delivery UNUSED)
{
    return true;
}

static int null_fd(const struct delivery *delivery)
{
    return ((const struct delivery_null *)delivery)->done.wake_fd;
}

static void null_free(struct delivery *delivery)
{
    struct delivery_null *null = self_of(delivery);
    ticket_queue_done(&null->done);
    topic_table_done(&delivery->topics);
    memory_free(null);
}

static const struct delivery_ops null_ops = {
    .topic = null_topic,
    .send = null_send,
    .cut = null_cut,
    .next = null_next,
    .rebuild = null_rebuild,
    .abandon = null_abandon,
    .quiet = null_quiet,
    .fd = null_fd,
    .free = null_free,
};

struct delivery *delivery_null_new(void)
{
    struct delivery_null *null = memory_alloc(sizeof *null);
    null->delivery.ops = &null_ops;
    null->done = ticket_queue_init(TICKETS_MAX);
    atomic_store(&null->delivery.stats.brokers_up, 1); /* nothing is missing */
    return &null->delivery;
}
