/* The queue against a plain model: every key that was asked for comes, none comes early, none comes
 * while it is worked on, and none waits for longer than max_ms. */
#include "operator/work_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

enum { KEYS = 12, STEPS = 4000, RUNS = 60, MAX_MS = 3000 };

struct model {
    bool asked, working;
    int64_t due, calm_until;
};

struct world {
    struct work_queue *queue;
    struct model keys[KEYS];
    int64_t now;
    uint64_t seed;
};

static uint64_t draw(struct world *world, uint64_t below)
{
    world->seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = world->seed;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return (mixed ^ mixed >> 31) % below;
}

static void name_of(uint64_t key, char out[16])
{
    (void)snprintf(out, 16, "space/%llu", (unsigned long long)key);
}

static mono_ms_t now_of(const struct world *world)
{
    return (mono_ms_t){ world->now };
}

static void ask(struct world *world)
{
    char name[16];
    uint64_t key = draw(world, KEYS);
    struct model *model = &world->keys[key];
    int64_t after = draw(world, 3) == 0 ? (int64_t)draw(world, 500) : 0;
    name_of(key, name);
    work_queue_add_after(world->queue, name, after, now_of(world));
    int64_t due = world->now + after;
    model->due = model->asked && model->due < due ? model->due : due;
    model->asked = true;
}

static void take(struct world *world)
{
    const char *key = work_queue_take(world->queue, now_of(world));
    if (key == NULL) {
        for (unsigned i = 0; i < KEYS; i++) {
            const struct model *model = &world->keys[i];
            bool due = model->asked && !model->working && model->due <= world->now &&
                       model->calm_until <= world->now;
            assert_false(due);
        }
        return;
    }
    struct model *model = &world->keys[strtoul(key + 6, NULL, 10)];
    assert_true(model->asked && !model->working);
    assert_true(model->due <= world->now);
    model->asked = false;
    model->working = true;
}

static void finish(struct world *world)
{
    char name[16];
    uint64_t key = draw(world, KEYS);
    struct model *model = &world->keys[key];
    if (!model->working)
        return;
    name_of(key, name);
    enum work_queue_end end = (enum work_queue_end)draw(world, WORK_QUEUE_REFUSED + 1);
    int64_t again = draw(world, 2) == 0 ? -1 : (int64_t)draw(world, 1000);
    if (end == WORK_QUEUE_LATER && again < 0)
        again = 0;
    work_queue_done(world->queue, name, end, again, now_of(world));
    model->working = false;
    if (end != WORK_QUEUE_LATER)
        model->calm_until = end == WORK_QUEUE_CHANGED ? world->now + 1000 : world->now;
    if (end == WORK_QUEUE_FAILED || end == WORK_QUEUE_REFUSED)
        again = end == WORK_QUEUE_FAILED ? 1 : MAX_MS; /* at the earliest */
    if (again < 0)
        return;
    if (!model->asked || world->now + again < model->due)
        model->due = world->now + again;
    /* How long a failure waits is the unit test's: it is only known that it comes. */
    if (end == WORK_QUEUE_FAILED)
        model->calm_until = world->now + MAX_MS;
    model->asked = true;
}

static void drain(struct world *world)
{
    for (unsigned i = 0; i < KEYS; i++) {
        char name[16];
        name_of(i, name);
        if (world->keys[i].working)
            work_queue_done(world->queue, name, WORK_QUEUE_IDLE, -1, now_of(world));
        world->keys[i].working = false;
    }
    int64_t end = world->now + MAX_MS;
    for (mono_ms_t due; (due = work_queue_due(world->queue)).value != INT64_MAX;) {
        assert_true(due.value <= end);
        world->now = due.value > world->now ? due.value : world->now;
        const char *key = work_queue_take(world->queue, now_of(world));
        assert_non_null(key);
        unsigned long at = strtoul(key + 6, NULL, 10);
        assert_true(world->keys[at].asked);
        world->keys[at].asked = false;
        work_queue_done(world->queue, key, WORK_QUEUE_IDLE, -1, now_of(world));
    }
    for (unsigned i = 0; i < KEYS; i++)
        assert_false(world->keys[i].asked);
}

static void nothing_is_lost_and_nothing_comes_early(void **state)
{
    (void)state;
    static const struct work_queue_options options = { 1, MAX_MS, 1000 };
    for (uint64_t run = 0; run < RUNS; run++) {
        struct world world = { .queue = work_queue_new(&options), .seed = run };
        for (unsigned step = 0; step < STEPS; step++) {
            static void (*const actions[])(struct world *) = { ask, take, take, finish, finish };
            actions[draw(&world, 5)](&world);
            if (draw(&world, 3) == 0)
                world.now += (int64_t)draw(&world, 40);
        }
        drain(&world);
        work_queue_free(world.queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_and_nothing_comes_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
