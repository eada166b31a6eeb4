#include "base/clock.h"

#include <time.h>

#include "base/check.h"

static struct timespec read_clock(clockid_t id)
{
    struct timespec time;
    CHECK(clock_gettime(id, &time) == 0);
    return time;
}

static mono_ms_t system_now(void *self)
{
    (void)self;
    struct timespec time = read_clock(CLOCK_BOOTTIME);
    return (mono_ms_t){ (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000 };
}

static int64_t system_wall_us(void *self)
{
    (void)self;
    struct timespec time = read_clock(CLOCK_REALTIME);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

struct clock clock_system(void)
{
    return (struct clock){ .now = system_now, .wall_us = system_wall_us };
}

static mono_ms_t manual_now(void *self)
{
    const struct clock_manual *manual = self;
    return (mono_ms_t){ manual->mono_ms };
}

static int64_t manual_wall_us(void *self)
{
    const struct clock_manual *manual = self;
    return manual->wall_us;
}

struct clock clock_manual(struct clock_manual *manual)
{
    return (struct clock){ .now = manual_now, .wall_us = manual_wall_us, .self = manual };
}
