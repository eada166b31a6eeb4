#include "path.h"

#include <stdio.h>

#include "settle.h"

enum { FORCED_LIMIT = 64 };

void path_begin(struct world *world, const struct setting *setting)
{
    world_init(world, setting);
    if (setting->running)
        settle_begin(world);
}

static bool is_forced(const struct world *world, struct action last, struct action *out_next)
{
    struct action actions[WORLD_ACTION_LIMIT];
    if (world->broken != PROPERTY_HOLDS || world_action_is_tick(last) ||
        world_list(world, actions) != 1)
        return false;
    *out_next = actions[0];
    return true;
}

/* Property 7: a tick ends, however many calls follow from each other. */
unsigned path_act(struct world *world, struct action action, path_listener *listener)
{
    unsigned count = 0;
    do {
        uint64_t version = world->lease.version;
        world_act(world, action);
        if (listener != NULL)
            listener(world, action, world->lease.version != version);
        if (++count == FORCED_LIMIT)
            world_break(world, PROPERTY_7);
    } while (is_forced(world, action, &action));
    return count;
}

static void tell_replica(const struct replica *replica)
{
    const char *state =
        replica->life == LIFE_DEAD ? "dead" : election_state_name(replica->election.state);
    bool calls = replica->request.stage != STAGE_NONE, streams = replica->work == WORK_STREAMING;
    printf("  %-9s%c%c%c", state, calls ? '>' : ' ', streams ? '*' : ' ',
           replica->life == LIFE_FROZEN ? '!' : ' ');
}

static void tell_lease(const struct lease *lease)
{
    static const char *const holders[] = { "nobody", "a", "b", "c", "who is gone", "a stranger" };
    if (!lease->exists)
        printf("  no lease");
    else
        printf("  lease: %s, %s", holders[lease->holder],
               election_phase_name((enum election_phase)lease->phase));
}

static void tell_action(const struct world *world, struct action action, bool lease_changed)
{
    printf("      %c %-15s", 'a' + action.replica, world_action_name(action));
    for (unsigned i = 0; i < world->setting->replicas; i++)
        tell_replica(&world->replicas[i]);
    if (lease_changed)
        tell_lease(&world->lease);
    printf("\n");
}

void path_tell(const struct setting *setting, const struct action *actions, unsigned count)
{
    struct world world;
    path_begin(&world, setting);
    for (unsigned i = 0; i < count; i++)
        (void)path_act(&world, actions[i], tell_action);
}
