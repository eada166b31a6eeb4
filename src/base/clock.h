/* Time. mono_ms_t counts milliseconds of CLOCK_BOOTTIME (it goes on while the machine sleeps, which
 * is what leases need); wall time is only for logs and for comparing with a server's clock. A clock
 * is a value with a function, so that tests can set it. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t value;
} mono_ms_t;

struct clock {
    mono_ms_t (*now)(void *self);
    int64_t (*wall_us)(void *self); /* microseconds since 1970-01-01 UTC */
    void *self;
};

struct clock clock_system(void);

static inline mono_ms_t clock_now(const struct clock *clock)
{
    return clock->now(clock->self);
}

static inline int64_t clock_wall_us(const struct clock *clock)
{
    return clock->wall_us(clock->self);
}

/* A clock that stands still until it is told: for tests. */
struct clock_manual {
    int64_t mono_ms;
    int64_t wall_us;
};
struct clock clock_manual(struct clock_manual *manual);

/* What is too far away is at the end of time. */
static inline mono_ms_t mono_ms_add(mono_ms_t time, int64_t delta_ms)
{
    int64_t sum;
    if (__builtin_add_overflow(time.value, delta_ms, &sum))
        sum = delta_ms > 0 ? INT64_MAX : INT64_MIN;
    return (mono_ms_t){ sum };
}

static inline int64_t mono_ms_since(mono_ms_t later, mono_ms_t earlier)
{
    return later.value - earlier.value;
}

static inline bool mono_ms_before(mono_ms_t a, mono_ms_t b)
{
    return a.value < b.value;
}

#endif
