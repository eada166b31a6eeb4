/* Who leads: a pure machine. It has no clock, does no I/O, takes no memory; it is one value that
 * may be copied. The caller tells it what it sees and obeys what it orders:
 *
 *     election_step(&election, &event, now, &orders);
 *
 * Its rules are the rows of election.def; docs/failover.md shows them. What the caller owes it:
 *
 * - Each call that it orders is made once and answered once: UNKNOWN when no whole answer came in
 *   time. Until then it orders no other. RENEW, TAKE and RELEASE are PUTs built on the very record
 *   whose version the orders name, with uid and resourceVersion; when the caller has no such record
 *   it answers CONFLICT itself. READ must not be served from a cache.
 * - A TICK at wake_at, at the latest: a machine that is woken late takes it for a freeze.
 * - Each look at the slot as a POLL, in their order, each failed one too; how the worker stands as
 * a WORKER, at once when it changes. The worker obeys must_stop at every turn, and looks at
 *   may_start_until before each START_REPLICATION.
 * - STOP once, when the worker will not stream again; it counts from when the worker says so too.
 * - After `die` the process ends at once.
 *
 * Times are of one monotonic clock that goes on while the machine sleeps. Not thread-safe. */
#ifndef ELECTION_ELECTION_H
#define ELECTION_ELECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum {
    ELECTION_IDENTITY_SIZE = 320,   /* <pod>_<uuid> and a NUL */
    ELECTION_APPLICATION_SIZE = 64, /* as PostgreSQL cuts it */
};

#define ELECTION_STATES(X)                                                                         \
    X(FOLLOWING, "following") /* not the holder, or not known to be */                             \
    X(ACQUIRING, "acquiring") /* a create or a take-over is on its way */                          \
    X(LEADING, "leading")     /* the holder, as far as is known */                                 \
    X(LOSING, "losing")       /* the worker must stop first */                                     \
    X(RELEASING, "releasing") /* the worker has stopped; the lease is given back */                \
    X(OVER, "over")

#define ELECTION_CALLS(X)                                                                          \
    X(NONE, "none")                                                                                \
    X(READ, "read")                                                                                \
    X(CREATE, "create")                                                                            \
    X(RENEW, "renew")                                                                              \
    X(TAKE, "take")                                                                                \
    X(RELEASE, "release")

/* What the lease says of its holder; NONE = nothing, or nothing that we know. */
#define ELECTION_PHASES(X)                                                                         \
    X(NONE, "")                                                                                    \
    X(STARTING, "starting")                                                                        \
    X(STREAMING, "streaming")                                                                      \
    X(STALLED, "stalled")

enum election_state {
#define X(name, text) ELECTION_##name,
    ELECTION_STATES(X)
#undef X
        ELECTION_STATE_COUNT
};

enum election_call {
#define X(name, text) ELECTION_CALL_##name,
    ELECTION_CALLS(X)
#undef X
        ELECTION_CALL_COUNT
};

enum election_phase {
#define X(name, text) ELECTION_PHASE_##name,
    ELECTION_PHASES(X)
#undef X
        ELECTION_PHASE_COUNT
};

struct election_options {
    char identity[ELECTION_IDENTITY_SIZE];
    int64_t lease_duration_ms; /* for records that name none */
    int64_t renew_deadline_ms;
    int64_t retry_period_ms;
    int64_t poll_interval_ms;  /* of the looks at the slot */
    int64_t takeover_grace_ms; /* the slot must be free for so long (less than retry_period_ms), */
    uint32_t takeover_polls;   /* in so many looks, none further from the next than the grace */
    int64_t database_limit_ms; /* no look at the slot for so long: stalled */
    int64_t broker_limit_ms;   /* no broker for so long: stalled */
    int64_t stop_limit_ms;     /* the worker stops in so long, or the process dies */
    bool step_down_on_outage;  /* of the API server; else a running stream goes on */
};

/* One sight of the lease. */
struct election_record {
    bool exists; /* false: nothing else counts */
    enum election_phase phase;
    uint64_t version; /* election_version() */
    int64_t duration_ms;
    char holder[ELECTION_IDENTITY_SIZE]; /* "" = nobody */
};

/* One look at the slot. */
struct election_poll {
    bool answered; /* false: nothing else counts */
    bool exists;
    bool active;
    char reader[ELECTION_APPLICATION_SIZE]; /* its application_name; "" = not known */
};

enum election_worker_phase {
    ELECTION_WORKER_IDLE,      /* nothing of it can reach Kafka */
    ELECTION_WORKER_STARTING,  /* no stream; something of it may still reach Kafka */
    ELECTION_WORKER_STREAMING, /* it reads the slot */
    ELECTION_WORKER_HALTED,    /* as idle, until a person or a retry helps */
};

struct election_worker {
    enum election_worker_phase phase;
    bool brokers;         /* one is connected, or metadata came within 30 s */
    bool records_waiting; /* some are unacknowledged */
};

enum election_outcome {
    ELECTION_OK,        /* with the record as the answer shows it */
    ELECTION_CONFLICT,  /* not applied: somebody was faster */
    ELECTION_NOT_FOUND, /* not applied: there is no such lease */
    ELECTION_DENIED,    /* 401, 403: not applied */
    ELECTION_BUSY,      /* 429, 5xx: maybe applied */
    ELECTION_UNKNOWN,   /* no whole answer: maybe applied, maybe later */
};

enum election_event_kind {
    ELECTION_EVENT_TICK,   /* time has passed */
    ELECTION_EVENT_ANSWER, /* to the call that was ordered */
    ELECTION_EVENT_HINT,   /* from the watch: may be old */
    ELECTION_EVENT_POLL,
    ELECTION_EVENT_WORKER,
    ELECTION_EVENT_STOP, /* leave for good */
};

struct election_event {
    enum election_event_kind kind;
    union {
        struct {
            enum election_call call;
            enum election_outcome outcome;
            struct election_record record;
        } answer;
        struct election_record hint;
        struct election_poll poll;
        struct election_worker worker;
    };
};

struct election_row {
    enum election_state state;
    const char *condition; /* a short name, for metrics */
    enum election_state next;
    enum election_call call;
    const char *meaning; /* a sentence, for logs and events */
};

struct election_orders {
    enum election_call call;   /* to make now */
    uint64_t version;          /* RENEW, TAKE, RELEASE: of the record to build on */
    enum election_phase phase; /* CREATE, RENEW, TAKE: to write */
    bool must_stop;            /* a stream that runs must end */
    bool die;
    mono_ms_t may_start_until; /* START_REPLICATION only before it; INT64_MIN = not at all */
    mono_ms_t wake_at;
    const struct election_row *row; /* that was taken in this step; NULL = none */
};

/* Opaque; in the header so that it can be a value. */
struct election {
    struct election_options options;
    enum election_state state;
    mono_ms_t entered_at;
    mono_ms_t wake_at; /* as ordered last */
    bool leaving;      /* STOP came */

    enum election_call call; /* on its way; NONE = none */
    mono_ms_t called_at;
    mono_ms_t call_after;     /* no call before it */
    mono_ms_t write_after;    /* no write upon the refused version before it */
    mono_ms_t wrote_at;       /* the last CREATE, RENEW or TAKE */
    uint64_t built_on;        /* the version that the last call was built on */
    uint64_t refused;         /* the same of the last refused write */
    enum election_phase told; /* the phase that was written last; NONE = it is not known there */

    struct election_record record;
    mono_ms_t changed_at; /* when it was first seen as it is */
    bool old;             /* we slept since: read before taking */
    bool doubtful;        /* read before anything else is written */
    bool contested;       /* a write of the holder, us, was refused */
    bool claimed;         /* a CREATE or TAKE of ours may be applied or not */
    mono_ms_t proven_at;  /* start of the last call that showed us as the holder */

    struct election_poll poll;
    mono_ms_t polled_at, answered_at, free_since;
    uint32_t answered_polls; /* in a row */
    uint32_t free_polls;     /* in a row since the record changed: the slot exists, is not active */

    struct election_worker worker;
    mono_ms_t brokers_at; /* last time that they were there, or not needed */
    bool streamed;        /* in this term */
};

/* The figures of the design: 15/10/2 s, grace 300 ms in 5 looks of 50 ms; identity is to be set. */
struct election_options election_options_default(void);

/* CHECKs the options: leaseDuration > renewDeadline > retryPeriod > 0, an identity, ... */
void election_init(struct election *election, const struct election_options *options,
                   mono_ms_t now);

/* Takes at most one row. When it took one that made no call wake_at is now: step again. */
void election_step(struct election *election, const struct election_event *event, mono_ms_t now,
                   struct election_orders *out_orders);

/* Equal only for the same text; never 0. */
uint64_t election_version(const char *uid, const char *resource_version);

const char *election_state_name(enum election_state state);
const char *election_call_name(enum election_call call);
const char *election_phase_name(enum election_phase phase);
enum election_phase election_phase_of(const char *text); /* NULL and unknown texts: NONE */

#endif
