#include "base/thread_role.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct counter {
    int count;
};

static void pipeline_step(struct counter *counter) ON_PIPELINE_THREAD;
static void pipeline_step(struct counter *counter)
{
    counter->count++;
}

static void watcher_step(struct counter *counter) ON_WATCHER_THREAD;
static void watcher_step(struct counter *counter)
{
    counter->count += 10;
}

/* That it compiles under clang's analysis is half of the test. */
static void a_thread_enters_its_role_and_leaves_it(void **state)
{
    (void)state;
    struct counter counter = { 0 };
    thread_role_enter_pipeline();
    pipeline_step(&counter);
    thread_role_leave_pipeline();
    thread_role_enter_watcher();
    watcher_step(&counter);
    thread_role_leave_watcher();
    assert_int_equal(counter.count, 11);
}

static void roles_have_names(void **state)
{
    (void)state;
    assert_string_equal(thread_role_pipeline.name, "pipeline");
    assert_string_equal(thread_role_watcher.name, "watcher");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_enters_its_role_and_leaves_it),
        cmocka_unit_test(roles_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
