/* How long to leave the socket alone before it is read. A walsender writes each message by a system
 * call of its own, and a reader that is as fast as it wakes up for each: both then spend most of
 * their time in the kernel. A short pause lets messages pile up, and one read takes them all.
 *
 * Three rules bound it. It is off while few messages come, where it would only add latency. It is
 * short, so that reports, timers and a stop are served in time. And it is left out when enough is
 * waiting already: a pause before each full read would cap the throughput, and one that fills the
 * socket would stall the server. A Unix socket is soon full: it counts what its messages take of
 * the kernel's memory, and holds some 200 small ones.
 *
 * Pure: no I/O, no clock. */
#ifndef POSTGRES_READ_PACE_H
#define POSTGRES_READ_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

enum {
    READ_PACE_PAUSE_US = 300,
    READ_PACE_ENOUGH_BYTES = 16 * 1024, /* what libpq takes at one read */
    READ_PACE_ENOUGH_UNIX_BYTES = 4 * 1024,
    READ_PACE_WINDOW_MS = 10,          /* how far back "recent" reaches, at least */
    READ_PACE_BUSY_PER_SECOND = 10000, /* messages; fewer wake-ups than these cost little */
};

/* All zero but enough_bytes is a valid beginning. */
struct read_pace {
    int enough_bytes; /* one of the two above */
    mono_ms_t since;  /* the window's beginning, and what had come by then */
    uint64_t messages;
    bool busy; /* by the last whole window */
};

/* Microseconds. waiting_bytes: what the kernel holds; messages: received so far, which never falls.
 */
int32_t read_pace_us(struct read_pace *pace, int waiting_bytes, uint64_t messages, mono_ms_t now);

#endif
