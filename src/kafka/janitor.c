#include "kafka/janitor.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/thread.h"

/* Shared by its owner and the threads; whoever leaves last frees it. */
struct janitor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t pending;
    bool owned;
};

struct burial {
    struct janitor *janitor;
    void (*destroy)(void *object);
    void *object;
};

struct janitor *janitor_new(void)
{
    struct janitor *janitor = memory_alloc(sizeof *janitor);
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&janitor->changed, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
    CHECK(pthread_mutex_init(&janitor->lock, NULL) == 0);
    janitor->owned = true;
    return janitor;
}

static void unlock_and_leave(struct janitor *janitor)
{
    bool last = !janitor->owned && janitor->pending == 0;
    pthread_cond_broadcast(&janitor->changed);
    pthread_mutex_unlock(&janitor->lock);
    if (!last)
        return;
    pthread_cond_destroy(&janitor->changed);
    pthread_mutex_destroy(&janitor->lock);
    memory_free(janitor);
}

static void *bury(void *opaque)
{
    struct burial burial = *(struct burial *)opaque;
    memory_free(opaque);
    burial.destroy(burial.object);
    pthread_mutex_lock(&burial.janitor->lock);
    burial.janitor->pending--;
    unlock_and_leave(burial.janitor);
    return NULL;
}

void janitor_bury(struct janitor *janitor, void (*destroy)(void *object), void *object)
{
    struct burial *burial = memory_alloc(sizeof *burial);
    *burial = (struct burial){ janitor, destroy, object };
    pthread_mutex_lock(&janitor->lock);
    janitor->pending++;
    pthread_mutex_unlock(&janitor->lock);
    pthread_t thread;
    if (thread_start("janitor", bury, burial, &thread))
        CHECK(pthread_detach(thread) == 0);
    else
        bury(burial);
}

static struct timespec deadline_after(int64_t wait_ms)
{
    struct timespec deadline;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &deadline) == 0);
    int64_t nanoseconds = deadline.tv_nsec + wait_ms % 1000 * 1000000;
    deadline.tv_sec += wait_ms / 1000 + nanoseconds / 1000000000;
    deadline.tv_nsec = nanoseconds % 1000000000;
    return deadline;
}

void janitor_free(struct janitor *janitor, int64_t wait_ms)
{
    if (janitor == NULL)
        return;
    struct timespec deadline = deadline_after(wait_ms);
    pthread_mutex_lock(&janitor->lock);
    while (janitor->pending > 0 &&
           pthread_cond_timedwait(&janitor->changed, &janitor->lock, &deadline) == 0) {
    }
    janitor->owned = false;
    unlock_and_leave(janitor);
}
