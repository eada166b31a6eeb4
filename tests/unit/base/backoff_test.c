#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "unit/base/child.h"

static void waits_double_up_to_the_cap(void **state)
{
    (void)state;
    static const int64_t ranges[] = { 100, 200, 400, 800, 1000, 1000, 1000 };
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct backoff backoff = backoff_init(100, 1000, seed);
        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
            assert_in_range(backoff_next_ms(&backoff), ranges[i] / 2, ranges[i]);
    }
}

static void the_whole_upper_half_is_drawn(void **state)
{
    (void)state;
    bool seen[11] = { false };
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct backoff backoff = backoff_init(10, 10, seed);
        seen[backoff_next_ms(&backoff)] = true;
    }
    for (size_t ms = 0; ms <= 10; ms++)
        assert_int_equal(seen[ms], ms >= 5);
}

static void reset_begins_anew(void **state)
{
    (void)state;
    struct backoff backoff = backoff_init(100, 100000, 3);
    for (int i = 0; i < 8; i++)
        backoff_next_ms(&backoff);
    backoff_reset(&backoff);
    assert_in_range(backoff_next_ms(&backoff), 50, 100);
    assert_in_range(backoff_next_ms(&backoff), 100, 200);
}

static void seeds_give_different_waits(void **state)
{
    (void)state;
    struct backoff a = backoff_init(1000000, 1000000, 1);
    struct backoff b = backoff_init(1000000, 1000000, 2);
    int equal = 0;
    for (int i = 0; i < 100; i++)
        equal += backoff_next_ms(&a) == backoff_next_ms(&b);
    assert_true(equal < 5);
}

static void extremes_do_not_overflow(void **state)
{
    (void)state;
    struct backoff small = backoff_init(1, 1, 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(backoff_next_ms(&small), 1);
    struct backoff large = backoff_init(1, INT64_MAX, 0);
    int64_t wait = 0;
    for (int i = 0; i < 200; i++) {
        wait = backoff_next_ms(&large);
        assert_true(wait > 0);
    }
    assert_true(wait >= INT64_MAX / 2);
}

static void bad_bounds(void *self)
{
    (void)self;
    backoff_init(10, 9, 0);
}

static void a_cap_below_the_first_wait_aborts(void **state)
{
    (void)state;
    assert_true(child_aborted(child_run(bad_bounds, NULL), "broken invariant"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_up_to_the_cap),
        cmocka_unit_test(the_whole_upper_half_is_drawn),
        cmocka_unit_test(reset_begins_anew),
        cmocka_unit_test(seeds_give_different_waits),
        cmocka_unit_test(extremes_do_not_overflow),
        cmocka_unit_test(a_cap_below_the_first_wait_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
