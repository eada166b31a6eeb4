/* What can happen to calls and hints. */
#include "world_actions.h"

#include "world_replica.h"

static bool is_sent(const struct world *world, unsigned i)
{
    return world_lives(world, i) && world->replicas[i].request.stage == STAGE_SENT;
}

static bool is_applied(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world->replicas[i].request.stage == STAGE_APPLIED;
}

static bool can_be_served(const struct world *world, unsigned i)
{
    return world_runs(world, i) && is_sent(world, i) && world_replica_api_works(world, i);
}

bool world_can_serve(const struct world *world, unsigned i)
{
    return can_be_served(world, i) && !world->replicas[i].request.slow;
}

void world_do_serve(struct world *world, unsigned i)
{
    world_replica_apply(world, &world->replicas[i].request);
    world_replica_answer(world, i);
}

bool world_can_serve_slowly(const struct world *world, unsigned i)
{
    return can_be_served(world, i) && world->replicas[i].request.slow;
}

void world_do_serve_slowly(struct world *world, unsigned i)
{
    world_do_serve(world, i);
}

/* While its sender cannot see it. */
bool world_can_arrive_unseen(const struct world *world, unsigned i)
{
    return is_sent(world, i) && !can_be_served(world, i);
}

void world_do_arrive_unseen(struct world *world, unsigned i)
{
    world_replica_apply(world, &world->replicas[i].request);
}

bool world_can_answer_late(const struct world *world, unsigned i)
{
    return can_be_served(world, i);
}

void world_do_answer_late(struct world *world, unsigned i)
{
    world->replicas[i].request.slow = true;
    world_replica_apply(world, &world->replicas[i].request);
}

static bool can_be_answered(const struct world *world, unsigned i)
{
    return is_applied(world, i) && world_replica_api_works(world, i);
}

bool world_can_answer(const struct world *world, unsigned i)
{
    return can_be_answered(world, i) && !world->replicas[i].request.slow;
}

void world_do_answer(struct world *world, unsigned i)
{
    world_replica_answer(world, i);
}

bool world_can_answer_slowly(const struct world *world, unsigned i)
{
    return can_be_answered(world, i) && world->replicas[i].request.slow;
}

void world_do_answer_slowly(struct world *world, unsigned i)
{
    world_replica_answer(world, i);
}

bool world_can_hold_call(const struct world *world, unsigned i)
{
    return world_can_serve(world, i);
}

void world_do_hold_call(struct world *world, unsigned i)
{
    world->replicas[i].request.slow = true;
}

bool world_can_hint(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world->replicas[i].hinted && !world->setting->no_watch &&
           world_replica_api_works(world, i);
}

void world_do_hint(struct world *world, unsigned i)
{
    world->replicas[i].hinted = false;
    world_replica_hint(world, i, &world->lease);
}

bool world_can_old_hint(const struct world *world, unsigned i)
{
    return world_runs(world, i) && world_replica_api_works(world, i) &&
           world->before.version != world->lease.version && !world->setting->no_watch;
}

void world_do_old_hint(struct world *world, unsigned i)
{
    world_replica_hint(world, i, &world->before);
}

/* No answer: it never arrived, or what came back did not. */
bool world_can_go_unanswered(const struct world *world, unsigned i)
{
    const struct request *request = &world->replicas[i].request;
    return world_runs(world, i) && request->stage != STAGE_NONE &&
           (request->slow || !world_replica_api_works(world, i));
}

void world_do_go_unanswered(struct world *world, unsigned i)
{
    world_replica_fail(world, i, ELECTION_UNKNOWN);
}

bool world_can_lose_call(const struct world *world, unsigned i)
{
    return can_be_served(world, i);
}

void world_do_lose_call(struct world *world, unsigned i)
{
    world_replica_fail(world, i, ELECTION_UNKNOWN);
}

bool world_can_lose_answer(const struct world *world, unsigned i)
{
    return can_be_served(world, i);
}

void world_do_lose_answer(struct world *world, unsigned i)
{
    world_replica_apply(world, &world->replicas[i].request);
    world_replica_fail(world, i, ELECTION_UNKNOWN);
}

/* It may arrive after its sender has given it up. */
bool world_can_delay_call(const struct world *world, unsigned i)
{
    const struct replica *replica = &world->replicas[i];
    return can_be_served(world, i) && replica->request.call != ELECTION_CALL_READ &&
           replica->ghost.stage == STAGE_NONE;
}

void world_do_delay_call(struct world *world, unsigned i)
{
    world->replicas[i].ghost = world->replicas[i].request;
    world_replica_fail(world, i, ELECTION_UNKNOWN);
}

bool world_can_be_busy(const struct world *world, unsigned i)
{
    return can_be_served(world, i);
}

void world_do_be_busy(struct world *world, unsigned i)
{
    world_replica_fail(world, i, ELECTION_BUSY);
}

bool world_can_deny(const struct world *world, unsigned i)
{
    return can_be_served(world, i);
}

void world_do_deny(struct world *world, unsigned i)
{
    world_replica_fail(world, i, ELECTION_DENIED);
}

bool world_can_ghost_arrives(const struct world *world, unsigned i)
{
    return world->replicas[i].ghost.stage != STAGE_NONE;
}

void world_do_ghost_arrives(struct world *world, unsigned i)
{
    world_replica_apply(world, &world->replicas[i].ghost);
    world->replicas[i].ghost = (struct request){ .stage = STAGE_NONE };
}

bool world_can_ghost_is_lost(const struct world *world, unsigned i)
{
    return world_can_ghost_arrives(world, i);
}

void world_do_ghost_is_lost(struct world *world, unsigned i)
{
    world->replicas[i].ghost = (struct request){ .stage = STAGE_NONE };
}
