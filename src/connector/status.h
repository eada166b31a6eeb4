/* What everybody else may know of a connector: written by the pipeline's thread with relaxed atomic
 * stores, read by HTTP threads. Only reason and outage (texts) take a short lock.
 *
 * Times are Unix microseconds, LSNs plain numbers; 0 = not yet.
 */
#ifndef CONNECTOR_STATUS_H
#define CONNECTOR_STATUS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "change/change.h"
#include "connector/life_cycle.h"

/* One table that had a row or a Relation in this process; entries are only ever added. */
struct status_table {
    struct status_table *next;
    char *name;  /* schema.table */
    char *topic; /* NULL: skipped, it has no topic */
    uint32_t topic_id;
    _Atomic uint64_t changes;
};

/* PostgreSQL or Kafka is away. */
struct outage {
    struct error error; /* class ERROR_NONE = it is not */
    int64_t since_unix_us;
};

struct status {
    _Atomic int state; /* enum life_cycle_state */
    _Atomic int64_t state_since_us;
    _Atomic int64_t turned_ms; /* CLOCK_BOOTTIME of the pipeline's last turn */
    _Atomic bool started;      /* the loop has turned once */

    _Atomic uint64_t received_lsn;  /* end of the last transaction read to its Commit */
    _Atomic uint64_t confirmed_lsn; /* told to the server */
    _Atomic uint64_t server_lsn;    /* the furthest end the server mentioned */
    _Atomic int64_t commit_time_us; /* of the last transaction read to its Commit */
    _Atomic int64_t lag_us;         /* its commit until it was read */
    _Atomic int64_t ack_us;         /* of the last one that was acknowledged: since it was read */
    _Atomic int64_t change_ns;      /* a change, on average in the last turn that had some */
    _Atomic bool transaction_open;
    _Atomic uint32_t transactions_unconfirmed;
    _Atomic uint32_t blocked; /* bits of enum blocked */

    _Atomic uint64_t changes[CHANGE_KIND_COUNT];
    _Atomic uint64_t skipped_changes; /* rows of tables without a topic */
    _Atomic uint64_t handler_slow;    /* calls of a program's handler that took too long */
    _Atomic uint64_t received_bytes;
    _Atomic uint64_t stream_starts;
    _Atomic uint64_t failures; /* streams or attempts that ended with an error */

    struct status_table *_Atomic tables;

    pthread_mutex_t lock; /* of what is below */
    struct error reason;  /* why it is not streaming; class ERROR_NONE = nothing to say */
    struct outage kafka;
};

void status_init(struct status *status);
void status_done(struct status *status);

/* Of the last transaction read to its Commit. */
void status_note_commit(struct status *status, int64_t commit_us, int64_t now_us);
void status_set_state(struct status *status, enum life_cycle_state state, int64_t now_us);
enum life_cycle_state status_state(const struct status *status);
void status_set_reason(struct status *status, const struct error *reason); /* NULL = none */
void status_reason(struct status *status, struct error *out_reason);
void status_set_kafka(struct status *status, const struct outage *outage); /* NULL = it is there */
void status_kafka(struct status *status, struct outage *out_outage);

/* The entry of a table with that topic, made when it is new. Pipeline's thread. topic: may be NULL.
 */
struct status_table *status_table_find(struct status *status, const char *name, const char *topic,
                                       uint32_t topic_id);

/* The names of the tables that are written to the topic, "a, b and 3 more"; "" = not known. */
void status_tables_of_topic(const struct status *status, const char *topic, char *out, size_t size);

/* For counters that only one thread writes: cheaper than an atomic addition. */
static inline void status_count(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + more, memory_order_relaxed);
}

static inline void status_store(_Atomic uint64_t *cell, uint64_t value)
{
    atomic_store_explicit(cell, value, memory_order_relaxed);
}

#endif
