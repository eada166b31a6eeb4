/* Steps 5 and 6: records go in, tickets come out. One interface, several implementations: plain (an
 * idempotent producer), and two for looking and measuring without Kafka: null and stdout. A
 * transactional one will be another.
 *
 * Belongs to the pipeline's thread; only the counters of struct delivery_stats are read elsewhere.
 * The in-flight cap is ours: the sum over unacknowledged records of key + value + headers +
 * DELIVERY_RECORD_COST + DELIVERY_HEADER_COST per header.
 */
#ifndef KAFKA_DELIVERY_H
#define KAFKA_DELIVERY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/slice.h"
#include "change/record.h"
#include "change/ticket.h"
#include "kafka/topic_table.h"

enum { DELIVERY_RECORD_COST = 256, DELIVERY_HEADER_COST = 96 };

enum delivery_send { DELIVERY_OK, DELIVERY_FULL, DELIVERY_FAILED };

enum delivery_event_kind {
    DELIVERY_ACKED,   /* ticket: one of its records is on the brokers */
    DELIVERY_REFUSED, /* ticket, err: one of its records will never be written by this producer */
    DELIVERY_CUT,     /* cut: everything sent before it is safe */
    DELIVERY_LOST,    /* err: the producer is broken (fatal), or of no use, and must be rebuilt */
    DELIVERY_NOTE,    /* err: something to log; nothing to do. Of class ERROR_NONE: good news */
};

struct delivery_event {
    enum delivery_event_kind kind;
    ticket_t ticket;
    uint64_t cut;
    uint32_t topic;          /* REFUSED */
    const struct error *err; /* REFUSED, LOST, NOTE: until the next call */
};

/* Updated by the delivery, read by any thread. */
struct delivery_stats {
    _Atomic uint64_t records_sent;
    _Atomic uint64_t records_acked;
    _Atomic uint64_t records_refused;
    _Atomic uint64_t bytes_sent; /* key + value */
    _Atomic uint64_t in_flight_records;
    _Atomic uint64_t in_flight_bytes; /* by the formula above */
    _Atomic uint32_t brokers_up;
    _Atomic int64_t last_ack_unix_us;
};

struct delivery;

struct delivery_ops {
    bool (*topic)(struct delivery *, const char *name, uint32_t *out_topic, struct error *err);
    enum delivery_send (*send)(struct delivery *, const struct record *, ticket_t,
                               struct error *err);
    void (*cut)(struct delivery *, uint64_t cut, struct slice progress);
    bool (*next)(struct delivery *, struct delivery_event *out_event);
    bool (*rebuild)(struct delivery *, struct error *err);
    void (*abandon)(struct delivery *);
    bool (*quiet)(const struct delivery *);
    int (*fd)(const struct delivery *);
    bool (*reaches)(const struct delivery *); /* NULL = it is connected */
    void (*free)(struct delivery *);
};

/* Implementations start with this. All zero is a valid beginning for stats and topics. */
struct delivery {
    const struct delivery_ops *ops;
    struct delivery_stats stats;
    struct topic_table topics;
};

/* A stable id for a topic name, for the life of the delivery (it outlives a rebuild of the
 * producer). Not per row: relations keep the id. */
MUST_CHECK bool delivery_topic(struct delivery *delivery, const char *name, uint32_t *out_topic,
                               struct error *err);
const char *delivery_topic_name(const struct delivery *delivery, uint32_t topic);

/* Copies the record. FULL: nothing was taken; try again after an event. FAILED: this record can
 * never be taken (too large, unknown partition: ERROR_HALT) or the producer is broken
 * (ERROR_RECONNECT). */
MUST_CHECK enum delivery_send delivery_send(struct delivery *delivery, const struct record *record,
                                            ticket_t ticket, struct error *err);

/* Asks for a DELIVERY_CUT event once everything sent so far is safe; until then send answers FULL.
 * A later cut takes the place of one that waits. progress is what a transactional delivery stores
 * with it; the others ignore it. */
void delivery_cut(struct delivery *delivery, uint64_t cut, struct slice progress);

/* The next event that is there now; false = none. Call until false when fd() is readable. */
bool delivery_next(struct delivery *delivery, struct delivery_event *out_event);
/* Readable = delivery_next() may have something. */
int delivery_fd(const struct delivery *delivery);

/* Purges what is queued; no event of what was sent before follows. Writes may still be on the wire.
 */
void delivery_abandon(struct delivery *delivery);
/* No request is unanswered. After abandon it becomes true only while delivery_next() is called. */
bool delivery_quiet(const struct delivery *delivery);
/* After abandon or LOST: a new producer; topic ids stay. The old one is destroyed elsewhere (a
 * janitor thread), since that may block. */
MUST_CHECK bool delivery_rebuild(struct delivery *delivery, struct error *err);

/* No record is unacknowledged. */
bool delivery_idle(const struct delivery *delivery);
/* Whether at least one broker is connected. */
bool delivery_connected(const struct delivery *delivery);
/* And whether what is sent to one arrives there: known within about a second. */
bool delivery_reaches(const struct delivery *delivery);
const struct delivery_stats *delivery_stats(const struct delivery *delivery);
/* What became of the records of each topic; null and stdout count none. */
const struct topic_table *delivery_topics(const struct delivery *delivery);
void delivery_free(struct delivery *delivery); /* does not wait for what is unacknowledged */
CLEANUP_POINTER(struct delivery, delivery_free)

/* kafka/delivery_null.c: acknowledges everything at once; prints nothing. */
struct delivery *delivery_null_new(void);
/* kafka/delivery_stdout.c: one JSON line a record: {"topic","partition"?,"key","value","headers"}
 * on the descriptor (not owned); acknowledged when written. Key, value and headers' values are JSON
 * texts, or null; a byte that is not UTF-8 becomes U+FFFD. FULL while the descriptor's reader is
 * slow: nothing blocks. A failed write is LOST (ERROR_HALT); the process must ignore SIGPIPE. */
struct delivery *delivery_stdout_new(int fd);

/* For implementations. The counters have one writer, the pipeline's thread. */

/* What the record counts in flight. */
uint64_t delivery_record_cost(const struct record *record);
void delivery_count_sent(struct delivery *delivery, const struct record *record, uint64_t cost);
/* One record is not in flight any more, whatever became of it. */
void delivery_count_settled(struct delivery *delivery, uint64_t cost);
void delivery_count_acked(struct delivery *delivery, int64_t now_unix_us);
void delivery_count_refused(struct delivery *delivery);
/* Nothing is in flight any more: everything was settled at once, or given up. */
void delivery_count_none_in_flight(struct delivery *delivery);

#endif
