/* A thread with one ordinary session beside the stream: it looks at slot and publication, pings,
 * reads WAL figures, answers look-ups of relations, and notices a server that shuts down. It
 * publishes by atomics and a mailbox; it never logs. When its session is lost it opens a new one
 * with a back-off, for ever. While it is told to beat it writes a heartbeat at an interval.
 */
#ifndef POSTGRES_WATCHER_H
#define POSTGRES_WATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/clock.h"
#include "postgres/db_conn.h"
#include "postgres/heartbeat.h"
#include "postgres/publication_watch.h"
#include "postgres/relation_facts.h"
#include "postgres/slot.h"

struct watcher;

struct watcher_options {
    struct db_conn_options conn; /* texts are copied */
    const char *slot;
    const char *publication; /* NULL = it is not looked at */
    bool timescaledb;        /* chunks are parts of their hypertables */
    int64_t interval_ms;     /* how often to look at the slot; the ping is at most 1 s apart */
    struct heartbeat_options heartbeat; /* texts are copied */
    struct clock clock;
};

struct watcher *watcher_start(const struct watcher_options *options);
/* From now on; any thread. */
void watcher_set_interval(struct watcher *watcher, int64_t interval_ms);
/* Off at first; any thread. The first beat comes an interval later. */
void watcher_set_beating(struct watcher *watcher, bool beating);
void watcher_stop(struct watcher *watcher); /* joins; at most a second; NULL allowed */

/* Any thread. The last look (zeroed before the first) and its age; a torn read is impossible. */
bool watcher_sight(const struct watcher *watcher, struct slot_sight *out_sight,
                   int64_t *out_age_ms);
uint64_t watcher_sights(const struct watcher *watcher); /* looks since the start; cheap */
/* The last look at the publication. */
struct watcher_publication {
    struct publication_sight sight;
    bool passed_over; /* by this server a missing one is no error: its changes are passed over */
    char
        change[PUBLICATION_CHANGE_SIZE]; /* how it last differed from the look before; "" = never */
};
bool watcher_publication(const struct watcher *watcher, struct watcher_publication *out_seen);
uint64_t watcher_publication_changes(const struct watcher *watcher); /* since the start; cheap */
int64_t watcher_ping_age_ms(const struct watcher *watcher); /* INT64_MAX = never answered */
bool watcher_connected(const struct watcher *watcher);
/* The session was lost and the server refuses with 57P03, or it said 57P01 and is not there: it
 * shuts down. Falls back to false when a session works again. */
bool watcher_shutdown_noticed(const struct watcher *watcher);
/* What keeps it from seeing: it is blind from its start, or the end of a session, until the next
 * look that succeeds. */
struct watcher_blindness {
    struct error error; /* of the last attempt; class ERROR_NONE = none has failed yet */
    int64_t age_ms;
    int64_t since_unix_us;
};
bool watcher_last_error(const struct watcher *watcher, struct watcher_blindness *out_blindness);

struct watcher_heart {
    uint64_t beats, failures; /* since the start */
    struct error error; /* of the last beat; class ERROR_NONE = it was well, or none came yet */
};
void watcher_heart(const struct watcher *watcher, struct watcher_heart *out_heart);
/* Times that the error's code changed, since the start; cheap. */
uint64_t watcher_heart_turns(const struct watcher *watcher);

/* Readable (an eventfd) when an answer or a sight has come; the pipeline drains it by
 * watcher_acknowledge(). */
int watcher_fd(const struct watcher *watcher);
void watcher_acknowledge(struct watcher *watcher);

/* Look-ups of relations, one at a time, from the pipeline's thread. ask() repeats are harmless;
 * asking for another relation drops what was asked before. */
enum watcher_answered { WATCHER_PENDING, WATCHER_FOUND };
void watcher_ask(struct watcher *watcher, uint32_t relation_oid);
/* FOUND: as it is now; without facts when it is gone. A partition has its own primary key only.
 * What is found is copied into the arena. FOUND is said once: it ends the question, and the next
 * ask() looks anew. */
enum watcher_answered watcher_answer(struct watcher *watcher, uint32_t relation_oid,
                                     struct arena *arena, struct relation_facts *out_facts);

#endif
