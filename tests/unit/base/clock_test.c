#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

static int64_t boottime_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t realtime_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void the_system_clock_counts_boot_time(void **state)
{
    (void)state;
    struct clock clock = clock_system();
    for (int i = 0; i < 1000; i++) {
        int64_t before = boottime_ms();
        int64_t now = clock_now(&clock).value;
        assert_in_range(now, before, boottime_ms());
    }
}

static void wall_time_is_in_microseconds(void **state)
{
    (void)state;
    struct clock clock = clock_system();
    int64_t before = realtime_us();
    int64_t wall = clock_wall_us(&clock);
    /* A step of the wall clock in between is possible, but not by a minute. */
    assert_in_range(wall, before - 60000000, before + 60000000);
}

static void the_manual_clock_stands_until_told(void **state)
{
    (void)state;
    struct clock_manual manual = { .mono_ms = 5, .wall_us = 7 };
    struct clock clock = clock_manual(&manual);
    assert_int_equal(clock_now(&clock).value, 5);
    assert_int_equal(clock_wall_us(&clock), 7);
    manual.mono_ms = 1000;
    manual.wall_us = -3;
    assert_int_equal(clock_now(&clock).value, 1000);
    assert_int_equal(clock_wall_us(&clock), -3);
}

static void times_are_compared_and_added(void **state)
{
    (void)state;
    mono_ms_t early = { 100 };
    mono_ms_t late = mono_ms_add(early, 50);
    assert_int_equal(late.value, 150);
    assert_int_equal(mono_ms_since(late, early), 50);
    assert_int_equal(mono_ms_since(early, late), -50);
    assert_true(mono_ms_before(early, late));
    assert_false(mono_ms_before(late, early));
    assert_false(mono_ms_before(early, early));
    assert_int_equal(mono_ms_add(early, INT64_MAX).value, INT64_MAX); /* who waits for ever */
    assert_int_equal(mono_ms_add((mono_ms_t){ -2 }, INT64_MIN).value, INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_clock_counts_boot_time),
        cmocka_unit_test(wall_time_is_in_microseconds),
        cmocka_unit_test(the_manual_clock_stands_until_told),
        cmocka_unit_test(times_are_compared_and_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
