/* A delivery that a test's thread plays: it sees what was sent, and decides when a record is
 * acknowledged, refused, or finds no room, and when an abandoned one is quiet. */
#ifndef TESTS_UNIT_CONNECTOR_SCRIPTED_DELIVERY_H
#define TESTS_UNIT_CONNECTOR_SCRIPTED_DELIVERY_H

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "kafka/delivery.h"

enum { SCRIPTED_MAX = 4096, SCRIPTED_TEXT_SIZE = 48 };

struct scripted_record {
    char key[SCRIPTED_TEXT_SIZE], value[SCRIPTED_TEXT_SIZE]; /* cut to the size */
    size_t value_size;
    uint32_t topic;
    ticket_t ticket;
    uint64_t cost;
};

struct scripted_event {
    struct delivery_event event;
    uint64_t cost; /* 0: it settles no record */
    struct error err;
};

struct scripted_delivery {
    struct delivery delivery; /* first: the pipeline sees this */
    int fd;
    _Atomic bool unanswered;  /* requests are on the wire: not quiet */
    _Atomic int64_t *time_ms; /* that goes on by event_ms with each event, or NULL */
    int64_t event_ms;
    pthread_mutex_t lock; /* all below */
    struct scripted_record *records;
    struct scripted_event *events;
    uint32_t count, event_count, event_next;
    uint32_t room; /* records that are taken before send answers FULL */
    uint32_t full_count;
    bool fails; /* send answers FAILED */
    bool abandoned;
};

static inline struct scripted_delivery *scripted_of(struct delivery *delivery)
{
    return (struct scripted_delivery *)delivery;
}

/* ---- the pipeline's side ---- */

static inline bool scripted_topic(struct delivery *delivery, const char *name, uint32_t *out_topic,
                                  struct error *err)
{
    return topic_table_add(&delivery->topics, name, out_topic, err);
}

static inline void scripted_copy(struct slice from, char out[SCRIPTED_TEXT_SIZE])
{
    size_t size = from.size < SCRIPTED_TEXT_SIZE ? from.size : SCRIPTED_TEXT_SIZE - 1;
    if (size > 0)
        memcpy(out, from.data, size);
    out[size] = '\0';
}

static inline enum delivery_send scripted_take(struct scripted_delivery *self,
                                               const struct record *record, ticket_t ticket,
                                               struct error *err)
{
    if (self->fails) {
        error_set(err, ERROR_HALT, "MSG_SIZE_TOO_LARGE", "the record is too large");
        return DELIVERY_FAILED;
    }
    if (self->room == 0) {
        self->full_count++;
        return DELIVERY_FULL;
    }
    CHECK(self->count < SCRIPTED_MAX);
    struct scripted_record *copy = &self->records[self->count++];
    scripted_copy(record->key, copy->key);
    scripted_copy(record->value, copy->value);
    copy->value_size = record->value.size;
    copy->topic = record->topic;
    copy->ticket = ticket;
    copy->cost = delivery_record_cost(record);
    delivery_count_sent(&self->delivery, record, copy->cost);
    self->room--;
    return DELIVERY_OK;
}

static inline enum delivery_send scripted_send(struct delivery *delivery,
                                               const struct record *record, ticket_t ticket,
                                               struct error *err)
{
    struct scripted_delivery *self = scripted_of(delivery);
    pthread_mutex_lock(&self->lock);
    enum delivery_send answer = scripted_take(self, record, ticket, err);
    pthread_mutex_unlock(&self->lock);
    return answer;
}

static inline bool scripted_next(struct delivery *delivery, struct delivery_event *out_event)
{
    struct scripted_delivery *self = scripted_of(delivery);
    uint64_t count;
    (void)!read(self->fd, &count, sizeof(count));
    pthread_mutex_lock(&self->lock);
    bool any = self->event_next < self->event_count;
    if (any) {
        struct scripted_event *event = &self->events[self->event_next++];
        *out_event = event->event;
        out_event->err = &event->err;
        if (event->cost > 0)
            delivery_count_settled(delivery, event->cost);
    }
    pthread_mutex_unlock(&self->lock);
    if (any && self->time_ms != NULL)
        atomic_fetch_add(self->time_ms, self->event_ms);
    return any;
}

/* What is still to be told counts for nothing from here on. */
static inline void scripted_abandon(struct delivery *delivery)
{
    struct scripted_delivery *self = scripted_of(delivery);
    pthread_mutex_lock(&self->lock);
    self->abandoned = true;
    self->event_next = self->event_count;
    delivery_count_none_in_flight(delivery);
    pthread_mutex_unlock(&self->lock);
}

static inline bool scripted_quiet(const struct delivery *delivery)
{
    return !atomic_load(&((const struct scripted_delivery *)delivery)->unanswered);
}

static inline int scripted_fd(const struct delivery *delivery)
{
    return ((const struct scripted_delivery *)delivery)->fd;
}

/* ---- the test's side ---- */

static inline void scripted_delivery_wake(struct scripted_delivery *self)
{
    uint64_t one = 1;
    CHECK(write(self->fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static inline void scripted_delivery_init(struct scripted_delivery *self)
{
    static const struct delivery_ops ops = {
        .topic = scripted_topic,
        .send = scripted_send,
        .next = scripted_next,
        .abandon = scripted_abandon,
        .quiet = scripted_quiet,
        .fd = scripted_fd,
    };
    *self = (struct scripted_delivery){ .delivery.ops = &ops, .room = UINT32_MAX };
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(self->fd >= 0 && pthread_mutex_init(&self->lock, NULL) == 0);
    self->records = memory_array(SCRIPTED_MAX, sizeof(*self->records));
    self->events = memory_array(SCRIPTED_MAX, sizeof(*self->events));
    atomic_store(&self->delivery.stats.brokers_up, 1);
}

static inline void scripted_delivery_done(struct scripted_delivery *self)
{
    topic_table_done(&self->delivery.topics);
    memory_free(self->records);
    memory_free(self->events);
    (void)close(self->fd);
}

static inline uint32_t scripted_delivery_count(struct scripted_delivery *self)
{
    pthread_mutex_lock(&self->lock);
    uint32_t count = self->count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

static inline uint32_t scripted_delivery_full_count(struct scripted_delivery *self)
{
    pthread_mutex_lock(&self->lock);
    uint32_t count = self->full_count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

static inline struct scripted_record scripted_delivery_record(struct scripted_delivery *self,
                                                              uint32_t at)
{
    pthread_mutex_lock(&self->lock);
    CHECK(at < self->count);
    struct scripted_record record = self->records[at];
    pthread_mutex_unlock(&self->lock);
    return record;
}

/* Whether the pipeline has read every event. */
static inline bool scripted_delivery_read(struct scripted_delivery *self)
{
    pthread_mutex_lock(&self->lock);
    bool read = self->event_next == self->event_count;
    pthread_mutex_unlock(&self->lock);
    return read;
}

static inline void scripted_delivery_room(struct scripted_delivery *self, uint32_t room)
{
    pthread_mutex_lock(&self->lock);
    self->room = room;
    pthread_mutex_unlock(&self->lock);
    scripted_delivery_wake(self);
}

static inline void scripted_delivery_fails(struct scripted_delivery *self, bool fails)
{
    pthread_mutex_lock(&self->lock);
    self->fails = fails;
    pthread_mutex_unlock(&self->lock);
}

static inline void scripted_delivery_connected(struct scripted_delivery *self, bool connected)
{
    atomic_store(&self->delivery.stats.brokers_up, connected ? 1 : 0);
}

static inline void scripted_delivery_push(struct scripted_delivery *self,
                                          const struct scripted_event *event)
{
    pthread_mutex_lock(&self->lock);
    CHECK(self->event_count < SCRIPTED_MAX);
    self->events[self->event_count++] = *event;
    pthread_mutex_unlock(&self->lock);
    scripted_delivery_wake(self);
}

static inline void scripted_delivery_ack(struct scripted_delivery *self, uint32_t at)
{
    const struct scripted_record record = scripted_delivery_record(self, at);
    scripted_delivery_push(self, &(struct scripted_event){
                                     .event = { .kind = DELIVERY_ACKED, .ticket = record.ticket },
                                     .cost = record.cost });
}

static inline void scripted_delivery_refuse(struct scripted_delivery *self, uint32_t at)
{
    const struct scripted_record record = scripted_delivery_record(self, at);
    struct scripted_event event = {
        .event = { .kind = DELIVERY_REFUSED, .ticket = record.ticket, .topic = record.topic },
        .cost = record.cost
    };
    (void)error_set(&event.err, ERROR_HALT, "TOPIC_AUTHORIZATION_FAILED", "not authorised");
    scripted_delivery_push(self, &event);
}

static inline void scripted_delivery_say(struct scripted_delivery *self,
                                         enum delivery_event_kind kind)
{
    struct scripted_event event = { .event = { .kind = kind } };
    (void)error_set(&event.err, ERROR_RECONNECT, "_FATAL", "the producer says so");
    scripted_delivery_push(self, &event);
}

static inline bool scripted_delivery_abandoned(struct scripted_delivery *self)
{
    pthread_mutex_lock(&self->lock);
    bool abandoned = self->abandoned;
    pthread_mutex_unlock(&self->lock);
    return abandoned;
}

static inline void scripted_delivery_unanswered(struct scripted_delivery *self, bool unanswered)
{
    atomic_store(&self->unanswered, unanswered);
    scripted_delivery_wake(self);
}

/* What the owner does between two streams: a new producer. */
static inline void scripted_delivery_rebuild(struct scripted_delivery *self)
{
    pthread_mutex_lock(&self->lock);
    self->abandoned = false;
    self->event_next = self->event_count;
    pthread_mutex_unlock(&self->lock);
}

#endif
