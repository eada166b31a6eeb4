#include "explore.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "path.h"
#include "table.h"

/* States that wait for their turn, in the order in which they were found. */
struct queue {
    uint8_t *bytes; /* a length and so many bytes each */
    size_t head, tail, size;
};

struct search {
    const struct setting *setting;
    struct table seen;
    struct queue queue;
    struct settle_memory *memory;
    uint32_t *parents; /* by number of the state */
    struct action *actions;
    uint16_t *depths;
    uint32_t limit;
    struct explored found;
};

static void queue_make_room(struct queue *queue, size_t size)
{
    if (queue->tail + size <= queue->size)
        return;
    size_t used = queue->tail - queue->head;
    if (2 * used + size > queue->size) {
        uint8_t *larger = memory_alloc(2 * queue->size + size);
        memcpy(larger, queue->bytes + queue->head, used);
        memory_free(queue->bytes);
        queue->bytes = larger;
        queue->size = 2 * queue->size + size;
    } else {
        memmove(queue->bytes, queue->bytes + queue->head, used);
    }
    queue->head = 0;
    queue->tail = used;
}

static void queue_push(struct queue *queue, const uint8_t *bytes, size_t size)
{
    queue_make_room(queue, size + 1);
    queue->bytes[queue->tail] = (uint8_t)size;
    memcpy(queue->bytes + queue->tail + 1, bytes, size);
    queue->tail += size + 1;
}

static bool queue_pop(struct queue *queue, uint8_t out[WORLD_PACKED_SIZE])
{
    if (queue->head == queue->tail)
        return false;
    size_t size = queue->bytes[queue->head];
    memcpy(out, queue->bytes + queue->head + 1, size);
    queue->head += size + 1;
    return true;
}

static void tell_way(const struct search *search, uint32_t last, struct action action)
{
    struct action way[UINT8_MAX + 1];
    unsigned at = COUNT_OF(way);
    way[--at] = action;
    for (; last != 0 && at > 0; last = search->parents[last])
        way[--at] = search->actions[last];
    path_tell(search->setting, way + at, (unsigned)COUNT_OF(way) - at);
}

/* The search. */

/* Property 1: when every fault ends, a replica that is fit streams within SETTLE_LIMIT ticks and
 * goes on. Property 4: so does another when one fault never ends, which is of the holder. */
static void try_to_settle(struct search *search, const struct world *world)
{
    search->found.settled++;
    for (unsigned ill = 0; ill < ILL_COUNT; ill++) {
        struct settled settled = settle(world, (enum ill)ill, search->memory);
        if (settled.ticks > search->found.settle_ticks)
            search->found.settle_ticks = settled.ticks;
        if (settled.broken != PROPERTY_HOLDS) {
            search->found.broken = settled.broken;
            search->found.ill = (enum ill)ill;
            return;
        }
    }
}

static bool begins_a_tick(const struct world *world)
{
    for (unsigned i = 0; i < world->setting->replicas; i++) {
        if (world->replicas[i].turned)
            return false;
    }
    return true;
}

static void add_state(struct search *search, const struct world *world, uint32_t parent,
                      struct action action)
{
    uint8_t packed[WORLD_PACKED_SIZE];
    size_t size = world_pack(world, packed);
    uint64_t key = table_hash(packed, size);
    if (table_get(&search->seen, key) != 0)
        return;
    if (search->found.states == search->limit) {
        search->found.complete = false;
        return;
    }
    table_put(&search->seen, key, 1);
    queue_push(&search->queue, packed, size);
    uint32_t number = search->found.states++;
    search->parents[number] = parent;
    search->actions[number] = action;
    search->depths[number] = number == 0 ? 0 : (uint16_t)(search->depths[parent] + 1);
    search->found.depth = search->depths[number];
    if (begins_a_tick(world))
        try_to_settle(search, world);
}

static void act(struct search *search, struct world *world, struct action action)
{
    search->found.steps += path_act(world, action, NULL);
    search->found.broken = world->broken;
}

/* False: a property is broken. */
static bool expand(struct search *search, const struct world *world, uint32_t number, bool tell)
{
    struct action actions[WORLD_ACTION_LIMIT];
    unsigned count = world_list(world, actions);
    for (unsigned i = 0; i < count; i++) {
        struct world next = *world;
        act(search, &next, actions[i]);
        if (search->found.broken == PROPERTY_HOLDS)
            add_state(search, &next, number, actions[i]);
        if (search->found.broken != PROPERTY_HOLDS) {
            if (tell)
                tell_way(search, number, actions[i]);
            return false;
        }
    }
    return true;
}

struct explored explore(const struct setting *setting, uint32_t state_limit, bool tell,
                        struct census *census)
{
    struct search search = {
        .setting = setting,
        .seen = table_init(),
        .queue = { .bytes = memory_alloc(1 << 20), .size = 1 << 20 },
        .memory = settle_memory_new(),
        .parents = memory_alloc(state_limit * sizeof(uint32_t)),
        .actions = memory_alloc(state_limit * sizeof(struct action)),
        .depths = memory_alloc(state_limit * sizeof(uint16_t)),
        .limit = state_limit,
        .found = { .complete = true },
    };
    struct world world;
    uint8_t packed[WORLD_PACKED_SIZE];
    path_begin(&world, setting);
    add_state(&search, &world, 0, (struct action){ 0, 0 });
    for (uint32_t number = 0; queue_pop(&search.queue, packed); number++) {
        world_unpack(setting, packed, &world);
        world.census = census;
        if (!expand(&search, &world, number, tell))
            break;
    }
    table_done(&search.seen);
    settle_memory_free(search.memory);
    memory_free(search.queue.bytes);
    memory_free(search.parents);
    memory_free(search.actions);
    memory_free(search.depths);
    return search.found;
}

/* Random ways. */

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (uint32_t)((*seed * UINT64_C(0x2545F4914F6CDD1D)) >> 33) % below;
}

/* A fault now and then, else any of the others. */
static struct action draw_action(const struct world *world, uint64_t *seed)
{
    struct action actions[WORLD_ACTION_LIMIT], chosen = { 0, 0 };
    bool wants_fault = draw(seed, 12) == 0;
    uint32_t weight = 0;
    unsigned count = world_list(world, actions);
    for (unsigned i = 0; i < count; i++) {
        uint32_t own = world_action_is_fault(actions[i]) == wants_fault ? 64 : 1;
        weight += own;
        if (draw(seed, weight) < own)
            chosen = actions[i];
    }
    return chosen;
}

static bool wander_once(struct search *search, uint64_t *seed, bool tell, struct census *census)
{
    struct world world;
    path_begin(&world, search->setting);
    world.census = census;
    for (unsigned n = 0; n < WANDER_STEPS; n++) {
        struct action action = draw_action(&world, seed);
        search->actions[n] = action;
        act(search, &world, action);
        if (world.broken == PROPERTY_HOLDS && begins_a_tick(&world))
            try_to_settle(search, &world);
        if (search->found.broken == PROPERTY_HOLDS)
            continue;
        if (tell)
            path_tell(search->setting, search->actions, n + 1);
        return false;
    }
    return true;
}

struct explored wander(const struct setting *setting, uint32_t ways, uint64_t seed, bool tell,
                       struct census *census)
{
    struct search search = {
        .setting = setting,
        .memory = settle_memory_new(),
        .actions = memory_alloc(WANDER_STEPS * sizeof(struct action)),
    };
    for (uint32_t i = 0; i < ways && wander_once(&search, &seed, tell, census); i++)
        search.found.states++;
    settle_memory_free(search.memory);
    memory_free(search.actions);
    return search.found;
}
