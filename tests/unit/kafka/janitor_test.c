#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "kafka/janitor.h"

struct grave {
    sem_t may_end;
    atomic_int destroyed;
    pthread_t thread;
    sigset_t blocked;
};

static void destroy_when_told(void *object)
{
    struct grave *grave = object;
    grave->thread = pthread_self();
    pthread_sigmask(SIG_SETMASK, NULL, &grave->blocked);
    while (sem_wait(&grave->may_end) != 0) {
    }
    atomic_fetch_add(&grave->destroyed, 1);
}

static int64_t now_ms(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock).value;
}

static void burying_does_not_wait_and_freeing_does(void **state)
{
    (void)state;
    struct grave grave = { 0 };
    sem_init(&grave.may_end, 0, 0);
    struct janitor *janitor = janitor_new();
    janitor_bury(janitor, destroy_when_told, &grave);
    assert_int_equal(atomic_load(&grave.destroyed), 0);
    sem_post(&grave.may_end);
    janitor_free(janitor, 30000);
    assert_int_equal(atomic_load(&grave.destroyed), 1);
    assert_false(pthread_equal(grave.thread, pthread_self()));
    assert_int_equal(sigismember(&grave.blocked, SIGTERM), 1);
    sem_destroy(&grave.may_end);
}

static void freeing_waits_only_so_long(void **state)
{
    (void)state;
    struct grave grave = { 0 };
    sem_init(&grave.may_end, 0, 0);
    struct janitor *janitor = janitor_new();
    janitor_bury(janitor, destroy_when_told, &grave);
    int64_t start = now_ms();
    janitor_free(janitor, 50);
    int64_t took = now_ms() - start;
    /* That it returned before the grave may end is the limit's doing. */
    assert_int_equal(atomic_load(&grave.destroyed), 0);
    assert_true(took >= 40);
    sem_post(&grave.may_end);
    while (atomic_load(&grave.destroyed) == 0)
        sched_yield();
    sem_destroy(&grave.may_end);
}

static void several_are_destroyed_side_by_side(void **state)
{
    (void)state;
    enum { GRAVES = 8 };
    static struct grave graves[GRAVES];
    struct janitor *janitor = janitor_new();
    for (int i = 0; i < GRAVES; i++) {
        sem_init(&graves[i].may_end, 0, 0);
        janitor_bury(janitor, destroy_when_told, &graves[i]);
    }
    for (int i = GRAVES - 1; i >= 0; i--) /* the last one first: none waits for another */
        sem_post(&graves[i].may_end);
    janitor_free(janitor, 30000);
    for (int i = 0; i < GRAVES; i++) {
        assert_int_equal(atomic_load(&graves[i].destroyed), 1);
        sem_destroy(&graves[i].may_end);
    }
}

static void an_idle_one_and_none_are_freed_at_once(void **state)
{
    (void)state;
    janitor_free(janitor_new(), 30000);
    janitor_free(NULL, 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burying_does_not_wait_and_freeing_does),
        cmocka_unit_test(freeing_waits_only_so_long),
        cmocka_unit_test(several_are_destroyed_side_by_side),
        cmocka_unit_test(an_idle_one_and_none_are_freed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
