#include "operator/work_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

enum { FIRST_MS = 5, MAX_MS = 1000000, CALM_MS = 5000 };

static const struct work_queue_options usual = { FIRST_MS, MAX_MS, CALM_MS };

static mono_ms_t at(int64_t ms)
{
    return (mono_ms_t){ ms };
}

static int setup(void **state)
{
    *state = work_queue_new(&usual);
    return 0;
}

static int teardown(void **state)
{
    work_queue_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void expect_take(struct work_queue *queue, int64_t now_ms, const char *key)
{
    const char *taken = work_queue_take(queue, at(now_ms));
    assert_non_null(taken);
    assert_string_equal(taken, key);
}

static void expect_none(struct work_queue *queue, int64_t now_ms)
{
    assert_null(work_queue_take(queue, at(now_ms)));
}

static void keys_come_in_the_order_they_were_asked_for(void **state)
{
    struct work_queue *queue = *state;
    expect_none(queue, 0);
    assert_int_equal(work_queue_due(queue).value, INT64_MAX);
    work_queue_add(queue, "shop/b", at(0));
    work_queue_add(queue, "shop/a", at(0));
    work_queue_add(queue, "shop/b", at(1)); /* is there already */
    assert_int_equal(work_queue_depth(queue, at(1)), 2);
    expect_take(queue, 1, "shop/b");
    expect_take(queue, 1, "shop/a");
    expect_none(queue, 1);
    assert_int_equal(work_queue_working(queue), 2);
    work_queue_done(queue, "shop/a", WORK_QUEUE_IDLE, -1, at(2));
    work_queue_done(queue, "shop/b", WORK_QUEUE_IDLE, -1, at(2));
    expect_none(queue, INT64_MAX - 1);
    assert_int_equal(work_queue_working(queue), 0);
}

static void a_key_is_worked_on_by_one(void **state)
{
    struct work_queue *queue = *state;
    work_queue_add(queue, "a", at(0));
    expect_take(queue, 0, "a");
    work_queue_add(queue, "a", at(1));
    work_queue_add(queue, "a", at(2));
    expect_none(queue, 3);
    assert_int_equal(work_queue_due(queue).value, INT64_MAX);
    assert_int_equal(work_queue_depth(queue, at(3)), 0);
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, 60000, at(3));
    expect_take(queue, 3, "a"); /* what was asked meanwhile counts, once */
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, -1, at(4));
    expect_none(queue, 100000);
}

static void the_earlier_time_counts(void **state)
{
    struct work_queue *queue = *state;
    work_queue_add_after(queue, "a", 1000, at(0));
    work_queue_add_after(queue, "a", 500, at(0));
    work_queue_add_after(queue, "a", 2000, at(0));
    assert_int_equal(work_queue_due(queue).value, 500);
    assert_int_equal(work_queue_depth(queue, at(499)), 0);
    expect_none(queue, 499);
    expect_take(queue, 500, "a");
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, 120000, at(600));
    assert_int_equal(work_queue_due(queue).value, 120600);
    work_queue_add(queue, "a", at(700));
    assert_int_equal(work_queue_due(queue).value, 700);
}

static void failures_double_the_wait_up_to_the_cap(void **state)
{
    struct work_queue *queue = *state;
    int64_t now = 0, wait = FIRST_MS;
    work_queue_add(queue, "a", at(now));
    for (int i = 0; i < 40; i++) {
        expect_take(queue, now, "a");
        work_queue_done(queue, "a", WORK_QUEUE_FAILED, 0, at(now));
        assert_int_equal(work_queue_due(queue).value - now, wait);
        expect_none(queue, now + wait - 1);
        now += wait;
        wait = wait * 2 < MAX_MS ? wait * 2 : MAX_MS;
    }
}

static void success_forgets_the_failures(void **state)
{
    struct work_queue *queue = *state;
    work_queue_add(queue, "a", at(0));
    for (int64_t now = 0; now < 10; now++) {
        work_queue_add(queue, "a", at(now));
        expect_take(queue, now, "a"); /* asked for: at once, whatever failed */
        work_queue_done(queue, "a", WORK_QUEUE_FAILED, -1, at(now));
    }
    assert_int_equal(work_queue_due(queue).value, 9 + FIRST_MS * 512);
    work_queue_add(queue, "a", at(10));
    expect_take(queue, 10, "a");
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, 0, at(10));
    expect_take(queue, 10, "a");
    work_queue_done(queue, "a", WORK_QUEUE_FAILED, -1, at(10));
    assert_int_equal(work_queue_due(queue).value, 10 + FIRST_MS);
}

static void what_is_refused_is_not_hot(void **state)
{
    struct work_queue *queue = *state;
    work_queue_add(queue, "a", at(0));
    expect_take(queue, 0, "a");
    work_queue_done(queue, "a", WORK_QUEUE_REFUSED, 10, at(0));
    assert_int_equal(work_queue_due(queue).value, MAX_MS);
    work_queue_add(queue, "a", at(50)); /* its spec was changed */
    expect_take(queue, 50, "a");
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, -1, at(50));
}

static void one_that_always_changes_something_calms_down(void **state)
{
    struct work_queue *queue = *state;
    int64_t now = 100000, runs = 0;
    for (; now < 160000; now++) {
        work_queue_add(queue, "a", at(now)); /* as its own write asks for it */
        if (work_queue_take(queue, at(now)) == NULL)
            continue;
        work_queue_done(queue, "a", WORK_QUEUE_CHANGED, 120000, at(now));
        runs++;
    }
    /* 5 + 10 + ... + 2560 ms, then one each 5 s */
    assert_in_range(runs, 18, 24);
    now = work_queue_due(queue).value;
    expect_take(queue, now, "a");
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, 120000, at(now));
    work_queue_add(queue, "a", at(now + 1));
    expect_take(queue, now + 1, "a"); /* it was good: no wait any more */
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, -1, at(now + 1));
}

static void changes_that_are_rare_do_not_wait(void **state)
{
    struct work_queue *queue = *state;
    for (int64_t now = 0; now < 1000000; now += 10000) {
        work_queue_add(queue, "a", at(now));
        expect_take(queue, now, "a");
        work_queue_done(queue, "a", WORK_QUEUE_CHANGED, 120000, at(now));
    }
}

static void what_was_not_looked_at_keeps_its_failures(void **state)
{
    struct work_queue *queue = *state;
    work_queue_add(queue, "a", at(0));
    for (int64_t now = 0; now < 3; now++) {
        work_queue_add(queue, "a", at(now));
        expect_take(queue, now, "a");
        work_queue_done(queue, "a", WORK_QUEUE_FAILED, -1, at(now));
    }
    work_queue_add(queue, "a", at(3));
    expect_take(queue, 3, "a");
    work_queue_done(queue, "a", WORK_QUEUE_LATER, 7, at(3));
    assert_int_equal(work_queue_due(queue).value, 10);
    expect_take(queue, 10, "a");
    work_queue_done(queue, "a", WORK_QUEUE_FAILED, -1, at(10));
    assert_int_equal(work_queue_due(queue).value, 10 + FIRST_MS * 8);
}

static void what_is_dropped_does_not_come(void **state)
{
    struct work_queue *queue = *state;
    work_queue_add(queue, "a", at(0));
    work_queue_drop(queue, "a");
    work_queue_drop(queue, "unknown");
    expect_none(queue, 10);
    work_queue_add(queue, "a", at(10));
    expect_take(queue, 10, "a");
    work_queue_add(queue, "a", at(11));
    work_queue_drop(queue, "a");
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, -1, at(12));
    expect_none(queue, 100);
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "k%d", i);
        work_queue_add(queue, key, at(0));
    }
    expect_take(queue, 0, "k0");
    work_queue_add(queue, "k0", at(0));
    work_queue_clear(queue);
    assert_int_equal(work_queue_depth(queue, at(0)), 0);
    work_queue_done(queue, "k0", WORK_QUEUE_IDLE, -1, at(0));
    assert_int_equal(work_queue_due(queue).value, INT64_MAX);
}

static void what_is_dropped_while_it_is_worked_on_is_forgotten(void **state)
{
    static const enum work_queue_end ends[] = { WORK_QUEUE_IDLE, WORK_QUEUE_CHANGED,
                                                WORK_QUEUE_LATER, WORK_QUEUE_FAILED,
                                                WORK_QUEUE_REFUSED };
    struct work_queue *queue = *state;
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        work_queue_add(queue, "a", at(0));
        expect_take(queue, 0, "a");
        work_queue_drop(queue, "a");
        work_queue_done(queue, "a", ends[i], 120000, at(0));
        assert_int_equal(work_queue_due(queue).value, INT64_MAX);
    }
    work_queue_add(queue, "a", at(0));
    expect_take(queue, 0, "a");
    work_queue_drop(queue, "a");
    work_queue_add(queue, "a", at(1)); /* made anew */
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, 100, at(1));
    expect_take(queue, 1, "a");
    work_queue_done(queue, "a", WORK_QUEUE_IDLE, 100, at(1));
    assert_int_equal(work_queue_due(queue).value, 101); /* the drop is over */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(keys_come_in_the_order_they_were_asked_for),
        TEST(a_key_is_worked_on_by_one),
        TEST(the_earlier_time_counts),
        TEST(failures_double_the_wait_up_to_the_cap),
        TEST(success_forgets_the_failures),
        TEST(what_is_refused_is_not_hot),
        TEST(one_that_always_changes_something_calms_down),
        TEST(changes_that_are_rare_do_not_wait),
        TEST(what_was_not_looked_at_keeps_its_failures),
        TEST(what_is_dropped_does_not_come),
        TEST(what_is_dropped_while_it_is_worked_on_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
