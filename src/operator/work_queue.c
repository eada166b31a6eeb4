#include "operator/work_queue.h"

#include <string.h>

#include "base/map.h"
#include "base/memory.h"

/* Of a key that was asked for, is worked on, or failed. */
struct item {
    char *key;
    bool queued, working;
    bool dropped;       /* while it was worked on: it does not come again by itself */
    mono_ms_t due;      /* when queued */
    uint64_t turn;      /* of those that are due at once, the first that was asked for */
    mono_ms_t calm;     /* not before, whoever asks */
    mono_ms_t rested;   /* when it was done last */
    unsigned failures;  /* in a row */
    unsigned changes;   /* in a row */
    struct item *after; /* of the same hash */
};

struct work_queue {
    struct work_queue_options with;
    struct map items;
    size_t working;
    uint64_t turns;
};

static const mono_ms_t never = { INT64_MAX };

struct work_queue *work_queue_new(const struct work_queue_options *options)
{
    CHECK(options->first_ms > 0 && options->max_ms >= options->first_ms && options->calm_ms > 0);
    struct work_queue *queue = memory_alloc(sizeof(*queue));
    *queue = (struct work_queue){ .with = *options, .items = MAP_INIT };
    return queue;
}

static void item_free(struct item *item)
{
    memory_free(item->key);
    memory_free(item);
}

void work_queue_free(struct work_queue *queue)
{
    if (queue == NULL)
        return;
    size_t cursor = 0;
    for (struct item *item; (item = map_next(&queue->items, &cursor)) != NULL;) {
        while (item != NULL) {
            struct item *after = item->after;
            item_free(item);
            item = after;
        }
    }
    map_done(&queue->items);
    memory_free(queue);
}

static struct item *find(const struct work_queue *queue, const char *key)
{
    struct item *item = map_get(&queue->items, map_hash(slice_of(key)));
    while (item != NULL && strcmp(item->key, key) != 0)
        item = item->after;
    return item;
}

static struct item *find_or_make(struct work_queue *queue, const char *key)
{
    struct item *item = find(queue, key);
    if (item != NULL)
        return item;
    uint64_t hash = map_hash(slice_of(key));
    item = memory_alloc(sizeof(*item));
    *item = (struct item){
        .key = memory_text(key),
        .calm = { INT64_MIN },
        .after = map_get(&queue->items, hash),
    };
    (void)map_put(&queue->items, hash, item);
    return item;
}

static void forget(struct work_queue *queue, struct item *item)
{
    uint64_t hash = map_hash(slice_of(item->key));
    struct item *first = map_get(&queue->items, hash);
    if (first == item && item->after == NULL) {
        (void)map_remove(&queue->items, hash);
    } else if (first == item) {
        (void)map_put(&queue->items, hash, item->after);
    } else {
        while (first->after != item)
            first = first->after;
        first->after = item->after;
    }
    item_free(item);
}

static void ask(struct work_queue *queue, struct item *item, mono_ms_t due)
{
    if (mono_ms_before(due, item->calm))
        due = item->calm;
    if (item->queued && !mono_ms_before(due, item->due))
        return;
    item->queued = true;
    item->due = due;
    item->turn = queue->turns++;
}

void work_queue_add_after(struct work_queue *queue, const char *key, int64_t after_ms,
                          mono_ms_t now)
{
    struct item *item = find_or_make(queue, key);
    item->dropped = false;
    ask(queue, item, mono_ms_add(now, after_ms));
}

void work_queue_add(struct work_queue *queue, const char *key, mono_ms_t now)
{
    work_queue_add_after(queue, key, 0, now);
}

static bool comes_before(const struct item *a, const struct item *b)
{
    return a->due.value != b->due.value ? mono_ms_before(a->due, b->due) : a->turn < b->turn;
}

static struct item *first_of(const struct work_queue *queue)
{
    struct item *first = NULL;
    size_t cursor = 0;
    for (struct item *item; (item = map_next(&queue->items, &cursor)) != NULL;)
        for (; item != NULL; item = item->after)
            if (item->queued && !item->working && (first == NULL || comes_before(item, first)))
                first = item;
    return first;
}

const char *work_queue_take(struct work_queue *queue, mono_ms_t now)
{
    struct item *item = first_of(queue);
    if (item == NULL || mono_ms_before(now, item->due))
        return NULL;
    item->queued = false;
    item->working = true;
    queue->working++;
    return item->key;
}

/* The n-th wait in a row, from 1. */
static int64_t wait_ms(int64_t first_ms, int64_t max_ms, unsigned n)
{
    int64_t wait = first_ms;
    while (--n > 0 && wait < max_ms)
        wait = wait > max_ms / 2 ? max_ms : 2 * wait;
    return wait < max_ms ? wait : max_ms;
}

static void keep_calm(struct work_queue *queue, struct item *item, bool changed, mono_ms_t now)
{
    const struct work_queue_options *with = &queue->with;
    bool rested = mono_ms_since(now, item->rested) >= 2 * with->calm_ms;
    item->rested = now;
    item->changes = changed ? (rested ? 0 : item->changes) + 1 : 0;
    item->calm = now;
    if (item->changes > 1)
        item->calm = mono_ms_add(now, wait_ms(with->first_ms, with->calm_ms, item->changes - 1));
    if (item->queued && mono_ms_before(item->due, item->calm))
        item->due = item->calm;
}

static void come_again(struct work_queue *queue, struct item *item, enum work_queue_end end,
                       int64_t again_ms, mono_ms_t now)
{
    const struct work_queue_options *with = &queue->with;
    bool failed = end == WORK_QUEUE_FAILED || end == WORK_QUEUE_REFUSED;
    item->failures = failed ? item->failures + 1 : 0;
    if (failed)
        again_ms = end == WORK_QUEUE_REFUSED
                       ? with->max_ms
                       : wait_ms(with->first_ms, with->max_ms, item->failures);
    if (again_ms >= 0)
        ask(queue, item, mono_ms_add(now, again_ms));
}

void work_queue_done(struct work_queue *queue, const char *key, enum work_queue_end end,
                     int64_t again_ms, mono_ms_t now)
{
    struct item *item = find(queue, key);
    CHECK(item != NULL && item->working);
    item->working = false;
    queue->working--;
    if (item->dropped) {
        forget(queue, item);
        return;
    }
    if (end == WORK_QUEUE_LATER) {
        work_queue_add_after(queue, key, again_ms, now);
        return;
    }
    keep_calm(queue, item, end == WORK_QUEUE_CHANGED, now);
    come_again(queue, item, end, again_ms, now);
    if (!item->queued)
        forget(queue, item);
}

static void drop(struct work_queue *queue, struct item *item)
{
    item->queued = false;
    item->dropped = item->working;
    item->failures = item->changes = 0;
    item->calm = (mono_ms_t){ INT64_MIN };
    if (!item->working)
        forget(queue, item);
}

void work_queue_drop(struct work_queue *queue, const char *key)
{
    struct item *item = find(queue, key);
    if (item != NULL)
        drop(queue, item);
}

void work_queue_clear(struct work_queue *queue)
{
    for (struct item *item; (item = first_of(queue)) != NULL;)
        drop(queue, item);
    size_t cursor = 0; /* those that are worked on stay, but need not come again */
    for (struct item *item; (item = map_next(&queue->items, &cursor)) != NULL;)
        for (; item != NULL; item = item->after) {
            item->queued = false;
            item->dropped = true;
        }
}

mono_ms_t work_queue_due(const struct work_queue *queue)
{
    const struct item *first = first_of(queue);
    return first != NULL ? first->due : never;
}

size_t work_queue_depth(const struct work_queue *queue, mono_ms_t now)
{
    size_t depth = 0, cursor = 0;
    for (const struct item *item; (item = map_next(&queue->items, &cursor)) != NULL;)
        for (; item != NULL; item = item->after)
            depth += item->queued && !item->working && !mono_ms_before(now, item->due);
    return depth;
}

size_t work_queue_working(const struct work_queue *queue)
{
    return queue->working;
}
