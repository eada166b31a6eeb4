/* What is to be looked at, by keys: each key is there once, however often it was asked for, and is
 * worked on by one at a time. Pure: the time is given. One owner.
 *
 * A key that was asked for while it is worked on comes again behind that. A failure brings it back
 * after first_ms, then twice as long each time, up to max_ms; being asked for brings it at once,
 * and only done() without a failure forgets the failures. Work that changed something wakes itself
 * by what it changed, and somebody else may change it back for ever: so keys that change something
 * each time come at growing distances too, up to calm_ms, until they change nothing or rest that
 * long.
 */
#ifndef OPERATOR_WORK_QUEUE_H
#define OPERATOR_WORK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"

enum work_queue_end {
    WORK_QUEUE_IDLE,    /* nothing was to be done */
    WORK_QUEUE_CHANGED, /* something was written */
    WORK_QUEUE_LATER,   /* it was not looked at: nothing is known of it that was not before */
    WORK_QUEUE_FAILED,  /* the same may succeed later */
    WORK_QUEUE_REFUSED, /* the same fails again: not before max_ms, unless it is asked for */
};

struct work_queue_options {
    int64_t first_ms; /* 5 */
    int64_t max_ms;   /* 1000 s, or less */
    int64_t calm_ms;
};

struct work_queue;

struct work_queue *work_queue_new(const struct work_queue_options *options);
void work_queue_free(struct work_queue *queue); /* NULL allowed */
CLEANUP_POINTER(struct work_queue, work_queue_free)

void work_queue_add(struct work_queue *queue, const char *key, mono_ms_t now);
/* No later than that. */
void work_queue_add_after(struct work_queue *queue, const char *key, int64_t after_ms,
                          mono_ms_t now);

/* The key that is due longest; it lives until work_queue_done(). NULL = nothing is due. */
const char *work_queue_take(struct work_queue *queue, mono_ms_t now);
/* again_ms: look at it again no later than after that, -1 = only when asked. Not of FAILED and
 * REFUSED, which come again by themselves. A key that is not asked for any more is forgotten. */
void work_queue_done(struct work_queue *queue, const char *key, enum work_queue_end end,
                     int64_t again_ms, mono_ms_t now);
/* What the key was asked for no longer counts; its failures are forgotten. One that is worked on
 * does not come again however that ends, unless it is asked for after this. */
void work_queue_drop(struct work_queue *queue, const char *key);
void work_queue_clear(struct work_queue *queue); /* drop() of all */

/* When work_queue_take() will have something; INT64_MAX = never, as it stands. */
mono_ms_t work_queue_due(const struct work_queue *queue);
size_t work_queue_depth(const struct work_queue *queue, mono_ms_t now); /* due, not worked on */
size_t work_queue_working(const struct work_queue *queue);

#endif
