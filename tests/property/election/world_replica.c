#include "world_replica.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "election/election_rules.h"

enum { STEPS_AT_ONCE = 8 };

const char *world_replica_identity(uint8_t who)
{
    static const char *const identities[] = { "", "a_1", "b_2", "c_3", "departed_4", "bob_5" };
    return identities[who];
}

const char *world_replica_application(uint8_t who)
{
    static const char *const applications[] = { "",        "pqcdc:1", "pqcdc:2",
                                                "pqcdc:3", "pqcdc:4", "psql5" };
    return applications[who];
}

static uint8_t id_of(unsigned index)
{
    return (uint8_t)(index + 1);
}

bool world_replica_api_works(const struct world *world, unsigned index)
{
    return !world->api_down && !world->replicas[index].api_cut;
}

bool world_replica_db_works(const struct world *world, unsigned index)
{
    return !world->db_down && !world->replicas[index].db_cut;
}

/* The store. */

static bool has_streamed(uint8_t phase)
{
    return phase == ELECTION_PHASE_STREAMING || phase == ELECTION_PHASE_STALLED;
}

void world_set_lease(struct world *world, bool exists, uint8_t holder, uint8_t phase)
{
    struct lease *lease = &world->lease;
    bool same = exists == lease->exists && holder == lease->holder &&
                has_streamed(phase) == has_streamed(lease->phase);
    world->before = *lease;
    *lease = (struct lease){ exists, holder, phase, exists ? world->next_version++ : 0 };
    world->lease_ticks = 0;
    for (unsigned i = 0; i < world->setting->replicas; i++)
        world->replicas[i].hinted = !world->setting->no_watch;
    if (same)
        return;
    for (unsigned i = 0; i < world->setting->replicas; i++)
        world->replicas[i].saw_free = 0;
}

/* Property 2: the lease changes its holder only when it named nobody, said `stalled`, or was, when
 * the take-over was ordered, abandoned or expired by what is true in this world (judge()). Property
 * 6: when a lease has expired, its holder of old may not start a stream any more. */
static void check_takeover(struct world *world, const struct request *request)
{
    const struct lease *lease = &world->lease;
    if (lease->holder == NOBODY || lease->holder == request->holder ||
        lease->phase == ELECTION_PHASE_STALLED)
        return;
    if (world->census != NULL)
        world->census->takeovers++;
    if (!request->expired && !request->abandoned)
        world_break(world, PROPERTY_2);
    if (request->abandoned || lease->holder > world->setting->replicas)
        return;
    const struct replica *old = &world->replicas[lease->holder - 1];
    if (old->life != LIFE_DEAD && !old->read_proof && old->may_start_until_ms > old->now_ms)
        world_break(world, PROPERTY_6);
}

static enum election_outcome apply_write(struct world *world, const struct request *request)
{
    if (request->call == ELECTION_CALL_CREATE) {
        if (world->lease.exists)
            return ELECTION_CONFLICT;
        world_set_lease(world, true, request->holder, request->phase);
        return ELECTION_OK;
    }
    if (!world->lease.exists)
        return ELECTION_NOT_FOUND;
    if (world->lease.version != request->built_on)
        return ELECTION_CONFLICT;
    if (request->call == ELECTION_CALL_TAKE)
        check_takeover(world, request);
    if (request->call == ELECTION_CALL_RELEASE)
        world_set_lease(world, true, NOBODY, ELECTION_PHASE_NONE);
    else
        world_set_lease(world, true, request->holder, request->phase);
    return ELECTION_OK;
}

void world_replica_apply(struct world *world, struct request *request)
{
    if (request->call != ELECTION_CALL_READ)
        request->outcome = apply_write(world, request);
    else
        request->outcome = world->lease.exists ? ELECTION_OK : ELECTION_NOT_FOUND;
    request->lease = world->lease;
    request->stage = STAGE_APPLIED;
}

/* The machine. */

static struct election_record record_of(const struct world *world, const struct lease *lease)
{
    struct election_record record = { .exists = lease->exists };
    if (!lease->exists)
        return record;
    record.phase = (enum election_phase)lease->phase;
    record.version = lease->version;
    record.duration_ms =
        lease->holder == NOBODY ? TICK_MS : world->setting->options.lease_duration_ms;
    strcpy(record.holder, world_replica_identity(lease->holder));
    return record;
}

/* What is true of the causes, as the candidate could see it at its last look at the slot. */
static void judge(const struct world *world, const struct replica *replica, struct request *request)
{
    uint8_t holder = world->lease.holder;
    bool holder_read = holder != STRANGER && holder == replica->saw_reader;
    request->expired = world->lease_ticks >= RENEW_DEADLINE && !holder_read;
    request->abandoned =
        replica->saw_free >= GRACE_LOOKS && world->lease.phase == ELECTION_PHASE_STREAMING;
}

static void send_call(struct world *world, unsigned index, const struct election_orders *orders)
{
    struct replica *replica = &world->replicas[index];
    CHECK(replica->request.stage == STAGE_NONE);
    replica->request = (struct request){
        .stage = STAGE_SENT,
        .call = orders->call,
        .built_on = orders->version,
        .holder = id_of(index),
        .phase = (uint8_t)orders->phase,
    };
    if (orders->call == ELECTION_CALL_READ || orders->call == ELECTION_CALL_RELEASE)
        replica->request.phase = 0;
    if (orders->call == ELECTION_CALL_READ || orders->call == ELECTION_CALL_CREATE)
        replica->request.built_on = 0;
    if (orders->call == ELECTION_CALL_TAKE)
        judge(world, replica, &replica->request);
    bool takes = orders->call == ELECTION_CALL_TAKE || orders->row->next == ELECTION_ACQUIRING;
    bool blind = replica->db_ticks >= UNFIT_SLACK && !world_replica_db_works(world, index);
    bool mute = replica->kafka_ticks >= UNFIT_SLACK && replica->kafka_cut;
    if (takes && (blind || mute))
        world_break(world, PROPERTY_2);
    if (replica->call_failed)
        world_break(world, PROPERTY_7);
}

static void note_row(const struct world *world, const struct election_row *row)
{
    unsigned count;
    if (world->census != NULL && row != NULL)
        world->census->rows |= UINT64_C(1) << (row - election_rules_all(&count));
}

static void obey(struct world *world, unsigned index, const struct election_orders *orders)
{
    struct replica *replica = &world->replicas[index];
    note_row(world, orders->row);
    replica->must_stop = orders->must_stop;
    replica->may_start_until_ms = orders->may_start_until.value;
    if (orders->call != ELECTION_CALL_NONE)
        send_call(world, index, orders);
    if (replica->election.state == ELECTION_OVER)
        world_replica_die(world, index);
}

void world_replica_tell(struct world *world, unsigned index, const struct election_event *event)
{
    static const struct election_event tick = { .kind = ELECTION_EVENT_TICK };
    struct replica *replica = &world->replicas[index];
    struct election_orders orders;
    for (unsigned i = 0; replica->life != LIFE_DEAD; i++, event = &tick) {
        mono_ms_t now = { replica->now_ms };
        world->setting->machine->step(&replica->election, event, now, &orders);
        obey(world, index, &orders);
        if (orders.wake_at.value > replica->now_ms)
            return;
        if (i == STEPS_AT_ONCE) {
            world_break(world, PROPERTY_7);
            return;
        }
    }
}

void world_replica_hint(struct world *world, unsigned index, const struct lease *lease)
{
    struct election_event event = { .kind = ELECTION_EVENT_HINT };
    event.hint = record_of(world, lease);
    world_replica_tell(world, index, &event);
}

static void tell_answer(struct world *world, unsigned index, enum election_outcome outcome)
{
    struct replica *replica = &world->replicas[index];
    struct request request = replica->request;
    struct election_event event = { .kind = ELECTION_EVENT_ANSWER };
    event.answer.call = request.call;
    event.answer.outcome = outcome;
    if (outcome == ELECTION_OK) {
        event.answer.record = record_of(world, &request.lease);
        if (request.lease.holder == id_of(index))
            replica->read_proof = request.call == ELECTION_CALL_READ;
    }
    if (outcome != ELECTION_OK && outcome != ELECTION_CONFLICT && outcome != ELECTION_NOT_FOUND) {
        replica->lost_ticks = 0;
        replica->call_failed = request.age == 0;
    }
    replica->request = (struct request){ .stage = STAGE_NONE };
    world_replica_tell(world, index, &event);
}

void world_replica_answer(struct world *world, unsigned index)
{
    tell_answer(world, index, world->replicas[index].request.outcome);
}

void world_replica_fail(struct world *world, unsigned index, enum election_outcome outcome)
{
    tell_answer(world, index, outcome);
}

/* The worker. */

void world_free_slot(struct world *world, unsigned index)
{
    if (world->reader != id_of(index))
        return;
    world->reader = NOBODY;
    if (world->replicas[index].work == WORK_CREATING)
        world->slot_exists = false;
}

/* What outlives the process: its clock, what is cut from it, and what it left on its way. */
static struct replica without_process(const struct replica *replica)
{
    return (struct replica){
        .now_ms = replica->now_ms,
        .must_stop = true,
        .may_start_until_ms = INT64_MIN,
        .ghost = replica->ghost,
        .api_cut = replica->api_cut,
        .db_cut = replica->db_cut,
        .kafka_cut = replica->kafka_cut,
        .kafka_slow = replica->kafka_slow,
        .db_ticks = replica->db_ticks,
        .kafka_ticks = replica->kafka_ticks,
    };
}

void world_replica_begin(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    int64_t now_ms = replica->now_ms;
    struct election_options options = world->setting->options;
    strcpy(options.identity, world_replica_identity(id_of(index)));
    *replica = without_process(replica);
    world->setting->machine->init(&replica->election, &options, (mono_ms_t){ now_ms });
}

/* Whoever was it is from now on somebody who is gone: who comes after it has another identity. */
static void bury(struct world *world, uint8_t who)
{
    struct lease *leases[2 + 2 * REPLICA_LIMIT] = { &world->lease, &world->before };
    unsigned count = 2;
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        struct replica *replica = &world->replicas[i];
        leases[count++] = &replica->request.lease;
        leases[count++] = &replica->ghost.lease;
        if (strcmp(replica->election.record.holder, world_replica_identity(who)) == 0)
            strcpy(replica->election.record.holder, world_replica_identity(DEPARTED));
        if (strcmp(replica->election.poll.reader, world_replica_application(who)) == 0)
            strcpy(replica->election.poll.reader, world_replica_application(DEPARTED));
        if (replica->saw_reader == who)
            replica->saw_reader = DEPARTED;
        if (replica->ghost.holder == who)
            replica->ghost.holder = DEPARTED;
    }
    for (unsigned i = 0; i < count; i++) {
        if (leases[i]->holder == who)
            leases[i]->holder = DEPARTED;
    }
}

void world_replica_die(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    world_free_slot(world, index);
    struct request left = replica->request;
    *replica = without_process(replica);
    replica->life = LIFE_DEAD;
    if (left.stage == STAGE_SENT && left.call != ELECTION_CALL_READ)
        replica->ghost = left;
    bury(world, id_of(index));
}

static uint8_t newest_epoch(const struct world *world)
{
    uint8_t newest = world->newest;
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        const struct replica *replica = &world->replicas[i];
        if (replica->epoch > newest)
            newest = replica->epoch;
        if (replica->queued_epoch > newest)
            newest = replica->queued_epoch;
    }
    return newest;
}

bool world_replica_may_stream(const struct world *world, unsigned index)
{
    const struct replica *replica = &world->replicas[index];
    return replica->life == LIFE_RUNNING && replica->work == WORK_IDLE && !replica->leaving &&
           replica->may_start_until_ms > replica->now_ms && world->reader == NOBODY &&
           world_replica_db_works(world, index) && !replica->kafka_cut;
}

void world_replica_stream(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    world->reader = id_of(index);
    world->silent_ticks = 0;
    replica->work = WORK_STREAMING;
    replica->epoch = (uint8_t)(newest_epoch(world) + 1);
    if (!replica->queued)
        replica->excused = replica->kafka_cut;
}

/* Property 3: nothing is queued later than STOP_SLACK ticks after must_stop was ordered, nor later
 * than LOSS_SLACK ticks after the lease named another while the API server answered. */
static void write_record(struct world *world, struct replica *replica)
{
    if (replica->stop_ticks > STOP_SLACK)
        world_break(world, PROPERTY_3);
    if (replica->lost_ticks > LOSS_SLACK && !replica->stuck)
        world_break(world, PROPERTY_3);
    if (replica->queued)
        return;
    replica->queued = true;
    replica->queued_epoch = replica->epoch;
}

static void drop_queue(struct replica *replica)
{
    replica->queued = false;
    replica->queued_epoch = 0;
}

/* Property 5: a write of an older stream lands after one of a newer stream only if its writer was
 * frozen, or cut off from PostgreSQL or Kafka, in the older one. */
void world_replica_land(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    bool late = replica->queued_epoch < world->newest;
    if (late && !replica->excused)
        world_break(world, PROPERTY_5);
    if (late && world->census != NULL)
        world->census->late_writes++;
    if (!late)
        world->newest = replica->queued_epoch;
    drop_queue(replica);
}

void world_replica_halt(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    world_free_slot(world, index);
    drop_queue(replica);
    replica->work = WORK_HALTED;
    replica->epoch = 0;
}

/* Nothing of it may be written when the slot is free; what is on its way to a Kafka that does not
 * answer may be. */
static void stop_working(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    bool waits = !replica->kafka_cut && !world->setting->hasty;
    if (replica->must_stop && waits && !replica->kafka_slow)
        drop_queue(replica);
    if (replica->queued && waits)
        return;
    world_free_slot(world, index);
    replica->work = WORK_IDLE;
    replica->epoch = 0;
}

static void work(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    bool reads = world->reader == id_of(index);
    bool obeys = replica->leaving || (replica->must_stop && !replica->stuck);
    switch (replica->work) {
    case WORK_STREAMING:
        if (!reads || obeys)
            replica->work = WORK_STOPPING;
        else
            write_record(world, replica);
        return;
    case WORK_CREATING:
        if (!reads || obeys)
            stop_working(world, index);
        return;
    case WORK_STOPPING:
        stop_working(world, index);
        return;
    case WORK_IDLE:
    case WORK_HALTED:
        return;
    }
}

static void tell_worker(struct world *world, unsigned index)
{
    static const enum election_worker_phase phases[] = {
        [WORK_IDLE] = ELECTION_WORKER_IDLE,           [WORK_CREATING] = ELECTION_WORKER_IDLE,
        [WORK_STREAMING] = ELECTION_WORKER_STREAMING, [WORK_STOPPING] = ELECTION_WORKER_STARTING,
        [WORK_HALTED] = ELECTION_WORKER_HALTED,
    };
    const struct replica *replica = &world->replicas[index];
    struct election_event event = { .kind = ELECTION_EVENT_WORKER };
    event.worker.phase = phases[replica->work];
    event.worker.brokers = !replica->kafka_cut;
    event.worker.records_waiting = replica->queued;
    world_replica_tell(world, index, &event);
}

static void tell_poll(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    struct election_event event = { .kind = ELECTION_EVENT_POLL };
    bool answers = world_replica_db_works(world, index);
    bool free = answers && world->slot_exists && world->reader == NOBODY;
    if (!free)
        replica->saw_free = 0;
    else if (replica->saw_free < GRACE_LOOKS)
        replica->saw_free++;
    if (answers) {
        event.poll.answered = true;
        event.poll.exists = world->slot_exists;
        event.poll.active = world->reader != NOBODY;
        strcpy(event.poll.reader, world_replica_application(world->reader));
        replica->saw_reader = world->reader;
    }
    world_replica_tell(world, index, &event);
}

static void tell_stop(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    bool still = replica->work == WORK_IDLE || replica->work == WORK_HALTED;
    if (!replica->leaving || replica->told_stop || !still)
        return;
    replica->told_stop = true;
    world_replica_tell(world, index, &(struct election_event){ .kind = ELECTION_EVENT_STOP });
}

void world_replica_turn(struct world *world, unsigned index)
{
    struct replica *replica = &world->replicas[index];
    replica->turned = true;
    work(world, index);
    tell_worker(world, index);
    if (replica->life != LIFE_DEAD)
        tell_poll(world, index);
    if (replica->life != LIFE_DEAD)
        tell_stop(world, index);
    if (replica->life != LIFE_DEAD)
        world_replica_tell(world, index, &(struct election_event){ .kind = ELECTION_EVENT_TICK });
}
