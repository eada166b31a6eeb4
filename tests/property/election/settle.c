#include "settle.h"

#include "base/memory.h"
#include "table.h"
#include "world_replica.h"

enum { CALLS_AT_ONCE = 8, RUN_LIMIT = SETTLE_LIMIT + 1 };

struct settle_memory {
    struct table table; /* state -> ticks until it streams, plus one */
};

struct settle_memory *settle_memory_new(void)
{
    struct settle_memory *memory = memory_alloc(sizeof(*memory));
    memory->table = table_init();
    return memory;
}

void settle_memory_free(struct settle_memory *memory)
{
    table_done(&memory->table);
    memory_free(memory);
}

const char *settle_ill_name(enum ill ill)
{
    static const char *const names[] = {
#define X(name, text) text,
        ILLS(X)
#undef X
    };
    return names[ill];
}

/* Every fault ends. */
static void heal(struct world *world)
{
    world->api_down = false;
    world->db_down = false;
    world->faults = 0;
    if (world->reader == STRANGER)
        world->reader = NOBODY;
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        struct replica *replica = &world->replicas[i];
        replica->api_cut = replica->db_cut = replica->kafka_cut = false;
        replica->ghost = (struct request){ .stage = STAGE_NONE };
        replica->hinted = replica->dawdles = replica->kafka_slow = false;
        if (replica->life == LIFE_FROZEN)
            replica->life = LIFE_RUNNING;
        if (replica->work == WORK_HALTED)
            replica->work = WORK_IDLE;
    }
    world->silent_ticks = 0;
}

static void make_ill(struct world *world, unsigned index, enum ill ill)
{
    struct replica *replica = &world->replicas[index];
    replica->api_cut = ill == ILL_API || ill == ILL_API_DB || ill == ILL_API_KAFKA;
    replica->db_cut = ill == ILL_DB || ill == ILL_API_DB;
    replica->kafka_cut = ill == ILL_KAFKA || ill == ILL_API_KAFKA;
    if (replica->db_cut || replica->kafka_cut || ill == ILL_FROZEN)
        replica->excused = true;
    if (ill == ILL_FROZEN)
        replica->life = LIFE_FROZEN;
    else if (ill == ILL_HALTED)
        world_replica_halt(world, index);
    else if (ill == ILL_DEAD)
        world_replica_die(world, index);
}

static bool is_well(const struct world *world, unsigned index)
{
    const struct replica *replica = &world->replicas[index];
    return replica->life == LIFE_RUNNING && !replica->leaving && !replica->db_cut &&
           !replica->kafka_cut && replica->work != WORK_HALTED;
}

/* Somebody from whom it can be expected. */
static bool somebody_is_well(const struct world *world)
{
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        if (is_well(world, i) && !world->replicas[i].api_cut && !world->replicas[i].stuck)
            return true;
    }
    return false;
}

static void restart_the_dead(struct world *world)
{
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        if (world->replicas[i].life == LIFE_DEAD)
            world_replica_begin(world, i);
    }
}

static void serve_calls(struct world *world, unsigned i)
{
    struct replica *replica = &world->replicas[i];
    for (unsigned n = 0; n < CALLS_AT_ONCE && replica->request.stage != STAGE_NONE; n++) {
        if (!world_replica_api_works(world, i)) {
            if (n > 0)
                return; /* the next try is of the next tick */
            world_replica_fail(world, i, ELECTION_UNKNOWN);
            continue;
        }
        if (replica->request.stage == STAGE_SENT)
            world_replica_apply(world, &replica->request);
        world_replica_answer(world, i);
    }
    if (replica->request.stage != STAGE_NONE)
        world_break(world, PROPERTY_7);
}

static void begin_stream(struct world *world, unsigned i)
{
    struct replica *replica = &world->replicas[i];
    bool creating = replica->work == WORK_CREATING && world->reader == i + 1;
    if (!creating && !world_replica_may_stream(world, i))
        return;
    world->slot_exists = true;
    world_replica_stream(world, i);
}

static void live_a_tick(struct world *world)
{
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        if (world->replicas[i].life != LIFE_RUNNING)
            continue;
        serve_calls(world, i);
        if (!world->replicas[i].turned)
            world_replica_turn(world, i);
        serve_calls(world, i);
        begin_stream(world, i);
        if (world->replicas[i].queued && !world->replicas[i].kafka_cut)
            world_replica_land(world, i);
    }
    world_tick(world);
}

/* Who can work does, as the holder. Cut from the API server it need not be. */
static bool streams(const struct world *world)
{
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        const struct replica *replica = &world->replicas[i];
        bool holds = world->lease.exists && world->lease.holder == i + 1;
        if (is_well(world, i) && !replica->must_stop && (holds || replica->api_cut) &&
            replica->work == WORK_STREAMING && world->reader == i + 1)
            return true;
    }
    return false;
}

static bool goes_on(struct world world)
{
    uint8_t reader = world.reader;
    for (unsigned i = 0; i < SETTLE_CALM; i++) {
        live_a_tick(&world);
        if (!streams(&world) || world.reader != reader)
            return false;
    }
    return true;
}

/* Whether a replica that lives holds the lease. */
static bool find_holder(const struct world *world, unsigned *out_index)
{
    uint8_t holder = world->lease.holder;
    *out_index = holder - 1U;
    return world->lease.exists && holder != NOBODY && holder <= world->setting->replicas;
}

/* Lives on until it streams or is known; notes what was found out on the way. */
static unsigned ticks_until_it_streams(struct world *world, struct settle_memory *memory)
{
    uint64_t path[RUN_LIMIT];
    unsigned length = 0, rest = RUN_LIMIT;
    uint8_t packed[WORLD_PACKED_SIZE];
    while (length < RUN_LIMIT && world->broken == PROPERTY_HOLDS) {
        uint64_t key = table_hash(packed, world_pack(world, packed));
        uint8_t known = table_get(&memory->table, key);
        if (known != 0) {
            rest = known - 1U;
            break;
        }
        if (streams(world) && goes_on(*world)) {
            table_put(&memory->table, key, 1);
            rest = 0;
            break;
        }
        path[length++] = key;
        live_a_tick(world);
        if (!somebody_is_well(world))
            restart_the_dead(world);
    }
    for (unsigned i = 0; i < length && rest + i < RUN_LIMIT; i++)
        table_put(&memory->table, path[length - 1 - i], (uint8_t)(rest + i + 2));
    return length + rest;
}

struct settled settle(const struct world *world, enum ill ill, struct settle_memory *memory)
{
    struct world copy = *world;
    copy.census = NULL;
    heal(&copy);
    if (ill != ILL_NONE) {
        unsigned holder;
        if (!find_holder(&copy, &holder))
            return (struct settled){ PROPERTY_HOLDS, 0 };
        make_ill(&copy, holder, ill);
    }
    if (!somebody_is_well(&copy))
        restart_the_dead(&copy);
    unsigned ticks = ticks_until_it_streams(&copy, memory);
    enum property broken = copy.broken;
    if (broken == PROPERTY_HOLDS && ticks > SETTLE_LIMIT)
        broken = ill == ILL_NONE ? PROPERTY_1 : PROPERTY_4;
    return (struct settled){ broken, ticks };
}

void settle_begin(struct world *world)
{
    for (unsigned i = 0; i < SETTLE_LIMIT && !(streams(world) && goes_on(*world)); i++)
        live_a_tick(world);
}
