/* One thread's poll loop: descriptors, timers, and a stop that any thread or signal may call.
 *
 * Every function but loop_stop() and loop_stop_fd() belongs to the thread that runs the loop.
 * Callbacks may add, change and remove anything, themselves included. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"

struct loop;
struct loop_watch;
struct loop_timer;

struct loop *loop_new(const struct clock *clock); /* the clock is copied */
void loop_free(struct loop *loop);                /* frees its watches and timers as well */
CLEANUP_POINTER(struct loop, loop_free)

/* events = POLLIN | POLLOUT | POLLRDHUP ...; 0 keeps the watch without polling the descriptor. */
typedef void loop_ready_fn(void *self, short revents);
struct loop_watch *loop_watch_add(struct loop *loop, int fd, short events, loop_ready_fn *ready,
                                  void *self);
void loop_watch_set(struct loop_watch *watch, short events);
void loop_watch_remove(struct loop_watch *watch); /* does not close the descriptor; NULL allowed */

typedef void loop_due_fn(void *self);
struct loop_timer *loop_timer_add(struct loop *loop, loop_due_fn *due, void *self); /* not armed */
void loop_timer_set(struct loop_timer *timer, mono_ms_t due); /* fires once, at or after `due` */
void loop_timer_clear(struct loop_timer *timer);
void loop_timer_remove(struct loop_timer *timer); /* NULL allowed */

/* Waits at most max_wait_ms (-1 = until something happens; 0 = only looks), then calls what is due
 * and ready. Returns false once loop_stop() was called (the turn's callbacks still ran). The first
 * turn after the stop does not wait; later ones do, so that a drain can go on turning. */
bool loop_turn(struct loop *loop, int max_wait_ms);

mono_ms_t loop_now(const struct loop *loop);

/* Any thread, async-signal-safe; loop_stop_fd() becomes readable and stays so. */
void loop_stop(struct loop *loop);
bool loop_stopped(const struct loop *loop);
int loop_stop_fd(const struct loop *loop);

#endif
