/* What can happen to processes, links and servers. */
#include "base/check.h"
#include "world_actions.h"

#include "world_replica.h"

/* Processes. */

/* Whatever it has on its way, or will have in this stream, may come late. */
static void excuse(struct replica *replica)
{
    if (replica->work == WORK_STREAMING || replica->queued)
        replica->excused = true;
}

bool world_can_freeze(const struct world *world, unsigned i)
{
    return world_runs(world, i);
}

void world_do_freeze(struct world *world, unsigned i)
{
    world->replicas[i].life = LIFE_FROZEN;
    excuse(&world->replicas[i]);
}

bool world_can_thaw(const struct world *world, unsigned i)
{
    return world->replicas[i].life == LIFE_FROZEN;
}

void world_do_thaw(struct world *world, unsigned i)
{
    world->replicas[i].life = LIFE_RUNNING;
    if (world->reader == i + 1)
        world->silent_ticks = 0;
}

bool world_can_kill(const struct world *world, unsigned i)
{
    return world_lives(world, i);
}

void world_do_kill(struct world *world, unsigned i)
{
    world_replica_die(world, i);
}

bool world_can_restart(const struct world *world, unsigned i)
{
    return !world_lives(world, i);
}

void world_do_restart(struct world *world, unsigned i)
{
    world_replica_begin(world, i);
}

bool world_can_halt(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world->replicas[i].work != WORK_HALTED;
}

void world_do_halt(struct world *world, unsigned i)
{
    world_replica_halt(world, i);
}

bool world_can_recover(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world->replicas[i].work == WORK_HALTED;
}

void world_do_recover(struct world *world, unsigned i)
{
    world->replicas[i].work = WORK_IDLE;
}

bool world_can_stick(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world->replicas[i].work == WORK_STREAMING &&
           !world->replicas[i].stuck;
}

void world_do_stick(struct world *world, unsigned i)
{
    world->replicas[i].stuck = true;
}

bool world_can_dawdle(const struct world *world, unsigned i)
{
    return world_runs(world, i) && !world->replicas[i].dawdles;
}

void world_do_dawdle(struct world *world, unsigned i)
{
    world->replicas[i].dawdles = true;
}

bool world_can_hurry(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world->replicas[i].dawdles;
}

void world_do_hurry(struct world *world, unsigned i)
{
    world->replicas[i].dawdles = false;
}

bool world_can_leave(const struct world *world, unsigned i)
{
    return world_runs(world, i) && !world->replicas[i].leaving;
}

void world_do_leave(struct world *world, unsigned i)
{
    world->replicas[i].leaving = true;
}

/* Links. */

bool world_can_cut_api(const struct world *world, unsigned i)
{
    return world_lives(world, i) && !world->replicas[i].api_cut && !world->api_down;
}

void world_do_cut_api(struct world *world, unsigned i)
{
    world->replicas[i].api_cut = true;
}

bool world_can_cut_db(const struct world *world, unsigned i)
{
    return world_lives(world, i) && !world->replicas[i].db_cut;
}

void world_do_cut_db(struct world *world, unsigned i)
{
    world->replicas[i].db_cut = true;
    excuse(&world->replicas[i]);
}

bool world_can_cut_kafka(const struct world *world, unsigned i)
{
    return world_lives(world, i) && !world->replicas[i].kafka_cut;
}

void world_do_cut_kafka(struct world *world, unsigned i)
{
    world->replicas[i].kafka_cut = true;
    excuse(&world->replicas[i]);
}

bool world_can_slow_kafka(const struct world *world, unsigned i)
{
    return world_lives(world, i) && !world->replicas[i].kafka_slow;
}

void world_do_slow_kafka(struct world *world, unsigned i)
{
    world->replicas[i].kafka_slow = true;
}

bool world_can_kafka_is_quick(const struct world *world, unsigned i)
{
    return world->replicas[i].kafka_slow;
}

void world_do_kafka_is_quick(struct world *world, unsigned i)
{
    world->replicas[i].kafka_slow = false;
}

bool world_can_cut_all(const struct world *world, unsigned i)
{
    return world_can_cut_api(world, i) && world_can_cut_db(world, i) &&
           world_can_cut_kafka(world, i);
}

void world_do_cut_all(struct world *world, unsigned i)
{
    world_do_cut_api(world, i);
    world_do_cut_db(world, i);
    world_do_cut_kafka(world, i);
}

bool world_can_mend_api(const struct world *world, unsigned i)
{
    return world->replicas[i].api_cut;
}

void world_do_mend_api(struct world *world, unsigned i)
{
    world->replicas[i].api_cut = false;
}

bool world_can_mend_db(const struct world *world, unsigned i)
{
    return world->replicas[i].db_cut;
}

void world_do_mend_db(struct world *world, unsigned i)
{
    world->replicas[i].db_cut = false;
    world->replicas[i].db_ticks = 0;
    if (world->reader == i + 1)
        world->silent_ticks = 0;
}

bool world_can_mend_kafka(const struct world *world, unsigned i)
{
    return world->replicas[i].kafka_cut;
}

void world_do_mend_kafka(struct world *world, unsigned i)
{
    world->replicas[i].kafka_cut = false;
    world->replicas[i].kafka_ticks = 0;
}

/* Servers. */

bool world_can_api_goes_down(const struct world *world, unsigned unused UNUSED)
{
    return !world->api_down;
}

void world_do_api_goes_down(struct world *world, unsigned unused UNUSED)
{
    world->api_down = true;
}

bool world_can_api_is_back(const struct world *world, unsigned unused UNUSED)
{
    return world->api_down;
}

void world_do_api_is_back(struct world *world, unsigned unused UNUSED)
{
    world->api_down = false;
}

bool world_can_db_restarts(const struct world *world, unsigned unused UNUSED)
{
    return !world->db_down;
}

void world_do_db_restarts(struct world *world, unsigned unused UNUSED)
{
    world->db_down = true;
    for (unsigned i = 0; i < world->setting->replicas; i++)
        world_free_slot(world, i);
    world->reader = NOBODY;
}

bool world_can_db_is_back(const struct world *world, unsigned unused UNUSED)
{
    return world->db_down;
}

void world_do_db_is_back(struct world *world, unsigned unused UNUSED)
{
    world->db_down = false;
    for (unsigned i = 0; i < world->setting->replicas; i++)
        world->replicas[i].db_ticks = 0;
}

bool world_can_stranger_reads(const struct world *world, unsigned unused UNUSED)
{
    return world->slot_exists && world->reader == NOBODY && !world->db_down;
}

void world_do_stranger_reads(struct world *world, unsigned unused UNUSED)
{
    world->reader = STRANGER;
}

bool world_can_stranger_goes(const struct world *world, unsigned unused UNUSED)
{
    return world->reader == STRANGER;
}

void world_do_stranger_goes(struct world *world, unsigned unused UNUSED)
{
    world->reader = NOBODY;
}

bool world_can_slot_vanishes(const struct world *world, unsigned unused UNUSED)
{
    return world->slot_exists && world->reader == NOBODY;
}

void world_do_slot_vanishes(struct world *world, unsigned unused UNUSED)
{
    world->slot_exists = false;
}

bool world_can_lease_deleted(const struct world *world, unsigned unused UNUSED)
{
    return world->lease.exists;
}

void world_do_lease_deleted(struct world *world, unsigned unused UNUSED)
{
    world_set_lease(world, false, NOBODY, ELECTION_PHASE_NONE);
}

bool world_can_lease_stolen(const struct world *world, unsigned unused UNUSED)
{
    return world->lease.exists && world->lease.holder != STRANGER;
}

void world_do_lease_stolen(struct world *world, unsigned unused UNUSED)
{
    world_set_lease(world, true, STRANGER, world->lease.phase);
}

bool world_can_lease_emptied(const struct world *world, unsigned unused UNUSED)
{
    return world->lease.exists && world->lease.holder != NOBODY;
}

void world_do_lease_emptied(struct world *world, unsigned unused UNUSED)
{
    world_set_lease(world, true, NOBODY, world->lease.phase);
}

bool world_can_lease_touched(const struct world *world, unsigned unused UNUSED)
{
    return world->lease.exists;
}

void world_do_lease_touched(struct world *world, unsigned unused UNUSED)
{
    world_set_lease(world, true, world->lease.holder, world->lease.phase);
}
