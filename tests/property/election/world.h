/* The world around two or three machines of election.h: a lease store, a slot, a Kafka, workers,
 * and everything that can go wrong with them. It is explored by explore.h.
 *
 * Time goes in ticks of TICK_MS on a clock of speed 1. In each tick, in any order: each running
 * replica has one turn (its worker does something, tells, looks at the slot), calls are served, who
 * may stream begins to, records land in Kafka, hints come. What goes wrong costs one of the faults
 * that the setting allows; to be mended costs nothing and happens at any tick or never.
 */
#ifndef PROPERTY_ELECTION_WORLD_H
#define PROPERTY_ELECTION_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "election/election.h"

enum {
    TICK_MS = 1000,
    REPLICA_LIMIT = 3,

    /* In ticks. */
    LEASE_DURATION = 4,
    RENEW_DEADLINE = 2,
    RETRY_PERIOD = 1,
    WAL_SENDER_TIMEOUT = 2,
    CALL_TIMEOUT = 1,
    STOP_LIMIT = 1,
    STOP_SLACK = STOP_LIMIT + 1, /* property 3: no write so long after must_stop */
    LOSS_SLACK = 3,              /* the same after the lease named another, with a healthy API */
    GRACE_LOOKS = 2,             /* as world_options() has it */
    UNFIT_SLACK = 3,             /* property 2: nobody takes who was cut off for so long */
};

/* Who may stand in the lease or read the slot; replicas are 1, 2, 3. */
enum { NOBODY = 0, DEPARTED = REPLICA_LIMIT + 1, STRANGER };

#define PROPERTIES(X)                                                                              \
    X(HOLDS, "holds")                                                                              \
    X(1, "1 liveness: after the faults end a fit replica streams within T, and goes on")           \
    X(2, "2 cause: the holder changes only for a cause that the design lists")                     \
    X(3, "3 stop: nothing is queued long after must_stop, nor long after the lease was lost")      \
    X(4, "4 no dead end: when the holder cannot work a fit replica streams within T")              \
    X(5, "5 order: older writes land after newer ones only from who was frozen or cut off")        \
    X(6, "6 permission: none to start outlives the lease that expired")                            \
    X(7, "7 rest: no storm of calls, no endless steps")

enum property {
#define X(name, text) PROPERTY_##name,
    PROPERTIES(X)
#undef X
        PROPERTY_COUNT
};

/* The machine as it is, or a mutant of it. */
struct machine {
    const char *name;
    void (*init)(struct election *election, const struct election_options *options, mono_ms_t now);
    void (*step)(struct election *election, const struct election_event *event, mono_ms_t now,
                 struct election_orders *out_orders);
};

/* What was met on the way; not a part of any state. */
struct census {
    uint64_t rows;        /* bit n: row n of election.def was taken */
    uint64_t late_writes; /* that landed after newer ones, of who was frozen or cut off */
    uint64_t takeovers;
};

struct setting {
    const char *name;
    const struct machine *machine;
    unsigned replicas;
    unsigned faults;
    bool running;                  /* it begins with one that streams, else with the start of all */
    bool hasty;                    /* workers free the slot too early; the first's Kafka is slow */
    bool no_slot;                  /* the first leader has to create it */
    bool no_watch;                 /* no hint ever comes */
    bool in_order;                 /* see world_actions.def */
    unsigned speed[REPLICA_LIMIT]; /* of each clock, in percent */
    struct election_options options;
};

/* The setting's options in ticks of this world. */
struct election_options world_options(bool step_down);

struct lease {
    bool exists;
    uint8_t holder;
    uint8_t phase;
    uint64_t version;
};

enum stage { STAGE_NONE, STAGE_SENT, STAGE_APPLIED };

struct request {
    enum stage stage;
    enum election_call call;
    uint64_t built_on;
    uint8_t holder;
    uint8_t phase;
    uint8_t age;
    bool slow;               /* it may take until the timeout */
    bool expired, abandoned; /* the truth when it was ordered: a cause for a take-over */
    enum election_outcome outcome;
    struct lease lease; /* as the answer shows it */
};

enum life { LIFE_RUNNING, LIFE_FROZEN, LIFE_DEAD };
enum work { WORK_IDLE, WORK_CREATING, WORK_STREAMING, WORK_STOPPING, WORK_HALTED };

struct replica {
    struct election election;
    int64_t now_ms;
    bool must_stop;
    int64_t may_start_until_ms;

    enum life life;
    bool api_cut, db_cut, kafka_cut;
    bool kafka_slow; /* what is on its way lands when it is quick again, and cannot be taken back */
    struct request request, ghost; /* ghost: given up by its sender, may still arrive */
    bool hinted;                   /* the watch may show the lease */
    bool turned;                   /* in this tick */

    enum work work;
    bool stuck;   /* the worker does not obey */
    bool dawdles; /* the worker takes its time to begin */
    bool leaving, told_stop;
    uint8_t epoch; /* of its stream: a later one is higher */
    bool queued;   /* records are on their way to Kafka, */
    uint8_t queued_epoch;
    bool excused; /* frozen or cut off since its stream began */

    uint8_t stop_ticks, lost_ticks, db_ticks, kafka_ticks; /* for the properties */
    uint8_t saw_reader, blind_ticks; /* its last look, and ticks since without one */
    uint8_t saw_free; /* in so many looks, one a tick, under the same holder and phase */
    bool call_failed; /* in this tick, and was made in it */
    bool read_proof;  /* the last call that showed it as the holder was a READ */
};

struct world {
    const struct setting *setting;
    struct replica replicas[REPLICA_LIMIT];
    struct lease lease, before; /* before: what an old hint shows */
    uint8_t lease_ticks;        /* since it changed */
    bool api_down, db_down;
    bool slot_exists;
    uint8_t reader;
    uint8_t silent_ticks; /* the reader does not answer */
    uint8_t newest;       /* the highest epoch that landed */
    uint64_t next_version;
    uint8_t faults; /* left */
    enum property broken;
    struct census *census; /* NULL = nobody counts; not a part of the state */
};

/* What can happen: a row of world_actions.def, to a replica (0 = the first) or to the world. */
struct action {
    uint8_t kind, replica;
};

enum { WORLD_ACTION_LIMIT = 64 * REPLICA_LIMIT };

void world_init(struct world *world, const struct setting *setting);
unsigned world_list(const struct world *world,
                    struct action out[WORLD_ACTION_LIMIT]); /* that can */
void world_act(struct world *world, struct action action);
const char *world_action_name(struct action action);
bool world_action_is_tick(struct action action);
bool world_action_is_fault(struct action action);
void world_tick(struct world *world);
bool world_runs(const struct world *world, unsigned index);
bool world_lives(const struct world *world, unsigned index); /* runs, or is frozen */
const char *world_property_text(enum property property);
void world_break(struct world *world, enum property property); /* the first one counts */

/* Equal states have equal texts, whatever the names of versions and epochs. */
enum { WORLD_PACKED_SIZE = 224 };
size_t world_pack(const struct world *world, uint8_t out[WORLD_PACKED_SIZE]);
void world_unpack(const struct setting *setting, const uint8_t packed[WORLD_PACKED_SIZE],
                  struct world *out_world);

#endif
