/* Destroys things whose destruction may block (a producer waits for its threads, and those for name
 * servers and sockets), each on a thread of its own, so that nobody waits for it. */
#ifndef KAFKA_JANITOR_H
#define KAFKA_JANITOR_H

#include <stdint.h>

struct janitor;

struct janitor *janitor_new(void);

/* Runs destroy(object) elsewhere; here, when no thread can be had. */
void janitor_bury(struct janitor *janitor, void (*destroy)(void *object), void *object);

/* Waits at most wait_ms for what is still being destroyed; the rest goes on without its owner. (At
 * the end of a process it is better to wait a little: libraries are unloaded under running
 * threads.)
 */
void janitor_free(struct janitor *janitor, int64_t wait_ms);

#endif
