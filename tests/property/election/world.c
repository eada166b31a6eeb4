#include "world.h"

#include <string.h>

#include "base/check.h"
#include "election/election_rules.h"
#include "world_actions.h"
#include "world_replica.h"

struct election_options world_options(bool step_down)
{
    return (struct election_options){
        .lease_duration_ms = LEASE_DURATION * TICK_MS,
        .renew_deadline_ms = RENEW_DEADLINE * TICK_MS,
        .retry_period_ms = RETRY_PERIOD * TICK_MS,
        .poll_interval_ms = TICK_MS,
        .takeover_grace_ms = TICK_MS / 2,
        .takeover_polls = GRACE_LOOKS,
        .database_limit_ms = 2 * TICK_MS,
        .broker_limit_ms = 2 * TICK_MS,
        .stop_limit_ms = STOP_LIMIT * TICK_MS,
        .step_down_on_outage = step_down,
    };
}

void world_init(struct world *world, const struct setting *setting)
{
    memset(world, 0, sizeof(*world));
    world->setting = setting;
    world->slot_exists = !setting->no_slot;
    world->next_version = 1;
    world->faults = (uint8_t)setting->faults;
    for (unsigned i = 0; i < setting->replicas; i++)
        world_replica_begin(world, i);
    world->replicas[0].kafka_slow = setting->hasty;
}

void world_break(struct world *world, enum property property)
{
    if (world->broken == PROPERTY_HOLDS)
        world->broken = property;
}

const char *world_property_text(enum property property)
{
    static const char *const texts[] = {
#define X(name, text) text,
        PROPERTIES(X)
#undef X
    };
    return texts[property];
}

bool world_runs(const struct world *world, unsigned i)
{
    return world->replicas[i].life == LIFE_RUNNING;
}

bool world_lives(const struct world *world, unsigned i)
{
    return world->replicas[i].life != LIFE_DEAD;
}

/* Time. */

static bool call_is_due(const struct world *world, unsigned i)
{
    const struct request *request = &world->replicas[i].request;
    unsigned limit = request->slow || !world_replica_api_works(world, i) ? CALL_TIMEOUT : 0;
    return world_runs(world, i) && request->stage != STAGE_NONE && request->age >= limit;
}

static bool may_begin(const struct world *world, unsigned i)
{
    return world_replica_may_stream(world, i) && !world->replicas[i].dawdles;
}

bool world_can_start_stream(const struct world *world, unsigned i)
{
    return may_begin(world, i) && world->slot_exists;
}

bool world_can_create_slot(const struct world *world, unsigned i)
{
    return may_begin(world, i) && !world->slot_exists;
}

bool world_can_finish_slot(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world->replicas[i].work == WORK_CREATING &&
           world->reader == i + 1 && world_replica_db_works(world, i);
}

bool world_can_land(const struct world *world, unsigned i)
{
    const struct replica *replica = &world->replicas[i];
    return world_runs(world, i) && replica->queued && !replica->kafka_cut && !replica->kafka_slow;
}

/* All that is due in a tick must have happened. */
bool world_can_tick(const struct world *world, unsigned unused UNUSED)
{
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        bool turned = !world_runs(world, i) || world->replicas[i].turned;
        if (!turned || call_is_due(world, i) || world_can_land(world, i))
            return false;
    }
    return true;
}

/* No further than anybody asks. */
static void count(uint8_t *counter, bool goes_on, unsigned limit)
{
    if (!goes_on)
        *counter = 0;
    else if (*counter < limit)
        ++*counter;
}

static void tick_replica(struct world *world, unsigned i)
{
    struct replica *replica = &world->replicas[i];
    bool streams = world_runs(world, i) && replica->work == WORK_STREAMING;
    bool lost =
        world_replica_api_works(world, i) && !replica->request.slow && world->lease.holder != i + 1;
    replica->now_ms += TICK_MS * world->setting->speed[i] / 100;
    count(&replica->blind_ticks, !replica->turned, ELECTION_RULES_GAP_POLLS);
    if (replica->blind_ticks == ELECTION_RULES_GAP_POLLS)
        replica->saw_free = 0;
    replica->turned = false;
    replica->call_failed = false;
    count(&replica->request.age, replica->request.stage != STAGE_NONE, CALL_TIMEOUT);
    count(&replica->stop_ticks, streams && replica->must_stop, STOP_SLACK + 1);
    count(&replica->lost_ticks, streams && lost, LOSS_SLACK + 1);
    count(&replica->db_ticks, !world_replica_db_works(world, i), UNFIT_SLACK);
    count(&replica->kafka_ticks, replica->kafka_cut, UNFIT_SLACK);
}

/* A reader that does not answer loses the slot in time, frozen or cut off. */
static void tick_slot(struct world *world)
{
    unsigned reader = world->reader;
    bool ours = reader != NOBODY && reader <= world->setting->replicas;
    bool silent = ours && (!world_runs(world, reader - 1) || world->replicas[reader - 1].db_cut);
    count(&world->silent_ticks, silent, WAL_SENDER_TIMEOUT);
    if (world->silent_ticks >= WAL_SENDER_TIMEOUT) {
        world_free_slot(world, reader - 1);
        world->silent_ticks = 0;
    }
}

void world_tick(struct world *world)
{
    for (unsigned i = 0; i < world->setting->replicas; i++)
        tick_replica(world, i);
    tick_slot(world);
    count(&world->lease_ticks, true, RENEW_DEADLINE);
}

void world_do_tick(struct world *world, unsigned unused UNUSED)
{
    world_tick(world);
}

/* Turns, streams. */

bool world_can_turn(const struct world *world, unsigned i)
{
    return world_runs(world, i) && !world->replicas[i].turned;
}

void world_do_turn(struct world *world, unsigned i)
{
    world_replica_turn(world, i);
}

void world_do_start_stream(struct world *world, unsigned i)
{
    world_replica_stream(world, i);
}

void world_do_create_slot(struct world *world, unsigned i)
{
    world->slot_exists = true;
    world->reader = (uint8_t)(i + 1);
    world->silent_ticks = 0;
    world->replicas[i].work = WORK_CREATING;
}

void world_do_finish_slot(struct world *world, unsigned i)
{
    world_replica_stream(world, i);
}

void world_do_land(struct world *world, unsigned i)
{
    world_replica_land(world, i);
}

/* The table. */

enum who { EACH, ALL };
enum when { QUICK, COURSE, CHOICE, MEND, TROUBLE, MISHAP };

static const struct kind {
    const char *name;
    enum who who;
    enum when when;
    bool (*can)(const struct world *world, unsigned index);
    void (*act)(struct world *world, unsigned index);
} kinds[] = {
#define ACTION(name_, who_, when_) { #name_, who_, when_, world_can_##name_, world_do_##name_ },
#include "world_actions.def"
#undef ACTION
};

/* What decides which sorts of actions may happen just now. */
struct moment {
    bool quick;  /* something QUICK may */
    bool begins; /* a tick: nobody has had its turn */
    bool calling, writing;
    bool overdue; /* a call */
};

static unsigned range_of(const struct world *world, const struct kind *kind)
{
    return kind->who == EACH ? world->setting->replicas : 1;
}

static bool has_quick(const struct world *world)
{
    for (const struct kind *kind = kinds; kind->when == QUICK; kind++) {
        for (unsigned i = 0; i < range_of(world, kind); i++) {
            if (kind->can(world, i))
                return true;
        }
    }
    return false;
}

static struct moment moment_of(const struct world *world)
{
    struct moment moment = { .quick = has_quick(world), .begins = true };
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        const struct replica *replica = &world->replicas[i];
        moment.begins &= !replica->turned;
        moment.calling |= replica->request.stage != STAGE_NONE;
        moment.writing |= replica->queued;
        moment.overdue |= call_is_due(world, i);
    }
    return moment;
}

static bool is_time(const struct world *world, const struct moment *moment, enum when when)
{
    bool in_order = world->setting->in_order;
    switch (when) {
    case QUICK:
        return true;
    case COURSE:
        return !moment->quick;
    case CHOICE:
        return !moment->quick && (!in_order || moment->begins || moment->overdue);
    case MEND:
        return !moment->quick && moment->begins;
    case TROUBLE:
        return world->faults > 0 &&
               (moment->begins || moment->writing || (moment->calling && !in_order));
    case MISHAP:
        return world->faults > 0 && !moment->quick;
    }
    return false;
}

/* In order, only the first kind of the course happens, and to the first replica; but which one
 * begins a tick is free. */
static unsigned list_kind(const struct world *world, const struct moment *moment,
                          const struct kind *kind, struct action *out)
{
    bool one = world->setting->in_order && kind->when == COURSE && !moment->begins;
    unsigned count = 0;
    for (unsigned i = 0; i < range_of(world, kind) && !(one && count > 0); i++) {
        if (kind->can(world, i))
            out[count++] = (struct action){ (uint8_t)(kind - kinds), (uint8_t)i };
    }
    return count;
}

unsigned world_list(const struct world *world, struct action out[WORLD_ACTION_LIMIT])
{
    _Static_assert(COUNT_OF(kinds) * REPLICA_LIMIT <= WORLD_ACTION_LIMIT, "all fit");
    struct moment moment = moment_of(world);
    unsigned count = 0;
    bool course = false;
    for (const struct kind *kind = kinds; kind < kinds + COUNT_OF(kinds); kind++) {
        bool passed = course && world->setting->in_order && kind->when == COURSE;
        if (passed || !is_time(world, &moment, kind->when))
            continue;
        unsigned found = list_kind(world, &moment, kind, out + count);
        course |= kind->when == COURSE && found > 0;
        count += found;
    }
    return count;
}

void world_act(struct world *world, struct action action)
{
    const struct kind *kind = &kinds[action.kind];
    if (world_action_is_fault(action))
        world->faults--;
    kind->act(world, action.replica);
}

const char *world_action_name(struct action action)
{
    return kinds[action.kind].name;
}

bool world_action_is_tick(struct action action)
{
    return kinds[action.kind].act == world_do_tick;
}

bool world_action_is_fault(struct action action)
{
    return kinds[action.kind].when >= TROUBLE;
}
