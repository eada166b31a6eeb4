#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <unistd.h>

static void *what_is_blocked(void *self)
{
    sigset_t *mask = self;
    return pthread_sigmask(SIG_SETMASK, NULL, mask) == 0 ? mask : NULL;
}

static void no_signal_but_a_profilers_is_delivered_to_it(void **state)
{
    (void)state;
    sigset_t of_thread, before, after;
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    pthread_t thread;
    assert_true(thread_start("test", what_is_blocked, &of_thread, &thread));
    void *answer;
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_ptr_equal(answer, &of_thread);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE, SIGALRM };
    for (size_t i = 0; i < COUNT_OF(signals); i++) {
        assert_int_equal(sigismember(&of_thread, signals[i]), 1);
        assert_int_equal(sigismember(&after, signals[i]), sigismember(&before, signals[i]));
    }
    assert_int_equal(sigismember(&of_thread, SIGPROF), 0);
}

/* Blocked, they would end the process past a program's own handler. */
static void its_own_faults_are_not_blocked(void **state)
{
    (void)state;
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };
    sigset_t of_thread;
    pthread_t thread;
    void *answer;
    assert_true(thread_start("test", what_is_blocked, &of_thread, &thread));
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_ptr_equal(answer, &of_thread);
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        assert_int_equal(sigismember(&of_thread, signals[i]), 0);
}

static void *until_told(void *self)
{
    char byte;
    return read(*(int *)self, &byte, 1) == 1 ? self : NULL;
}

static void it_has_its_name(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pthread_t thread;
    assert_true(thread_start("fifteen letters", until_told, &ends[0], &thread));
    char name[16] = "";
    assert_int_equal(pthread_getname_np(thread, name, sizeof(name)), 0);
    assert_string_equal(name, "fifteen letters");
    assert_int_equal(write(ends[1], "x", 1), 1);
    void *answer;
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_ptr_equal(answer, &ends[0]);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_signal_but_a_profilers_is_delivered_to_it),
        cmocka_unit_test(its_own_faults_are_not_blocked),
        cmocka_unit_test(it_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
