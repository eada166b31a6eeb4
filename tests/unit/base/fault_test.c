/* The room may have been built without fault points, so this test compiles its own copy with them;
 * the linker then has no need of the room's. */
#ifndef PQCDC_FAULTS
#define PQCDC_FAULTS
#endif
#include "base/fault.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/base/child.h"

struct run {
    const char *rows; /* PQCDC_FAULT */
    enum fault_point point;
    int times;
};

static void reach(void *self)
{
    const struct run *run = self;
    if (run->rows == NULL)
        unsetenv("PQCDC_FAULT");
    else
        setenv("PQCDC_FAULT", run->rows, 1);
    for (int i = 1; i <= run->times; i++)
        if (fault_reached(run->point))
            printf("failed at %d\n", i);
    printf("end\n");
    fflush(stdout);
}

static struct child_end run_with(const char *rows, enum fault_point point, int times)
{
    return child_run(reach, &(struct run){ rows, point, times });
}

static void without_rows_nothing_happens(void **state)
{
    (void)state;
    static const char *const rows[] = { NULL, "", "after_send=kill" };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct child_end end = run_with(rows[i], FAULT_in_stop, 10);
        assert_int_equal(end.status, 0);
        assert_string_equal(end.output, "end\n");
    }
}

static void fail_acts_at_its_time_only(void **state)
{
    (void)state;
    struct child_end end = run_with("before_confirm=fail@3", FAULT_before_confirm, 5);
    assert_string_equal(end.output, "pqcdc: fault point before_confirm\nfailed at 3\nend\n");
    end = run_with("before_confirm=fail", FAULT_before_confirm, 5);
    assert_non_null(strstr(end.output, "failed at 1\nend\n"));
}

static void each_point_counts_for_itself(void **state)
{
    (void)state;
    struct child_end end =
        run_with("after_send=kill,in_stop=fail@2,before_track=abort", FAULT_in_stop, 2);
    assert_non_null(strstr(end.output, "failed at 2\nend\n"));
}

static void deadly_actions_end_the_process(void **state)
{
    (void)state;
    struct child_end end = run_with("after_send=kill@2", FAULT_after_send, 5);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
    assert_string_equal(end.output, "pqcdc: fault point after_send\n");
    end = run_with("after_send=abort", FAULT_after_send, 1);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGABRT);
    end = run_with("after_send=exit", FAULT_after_send, 1);
    assert_true(WIFEXITED(end.status) && WEXITSTATUS(end.status) == 1);
    assert_string_equal(end.output, "pqcdc: fault point after_send\n");
}

static int64_t now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void sleep_takes_its_time_and_goes_on(void **state)
{
    (void)state;
    int64_t start = now_ms();
    struct child_end end = run_with("after_send=sleep:60", FAULT_after_send, 3);
    assert_true(now_ms() - start >= 60);
    assert_int_equal(end.status, 0);
    assert_non_null(strstr(end.output, "end\n"));
}

static void stop_freezes_until_continued(void **state)
{
    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        setenv("PQCDC_FAULT", "after_send=stop", 1);
        close(STDERR_FILENO); /* the announcement is not what is looked at */
        fault_reached(FAULT_after_send);
        _exit(7);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(WSTOPSIG(status), SIGSTOP);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void what_cannot_be_read_exits_78(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "nonsense=kill",
        "after_send",
        "after_send=explode",
        "after_send=",
        "after_send=kill@0",
        "after_send=kill@x",
        "after_send=sleep:",
        "after_send=sleep:-1",
        "after_send=killed",
        "after_send=sleep:x",
        "=kill",
        ",",
        "in_stop=kill,x=abort",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct child_end end = run_with(rows[i], FAULT_after_send, 1);
        if (!WIFEXITED(end.status) || WEXITSTATUS(end.status) != 78)
            fail_msg("\"%s\": status %d", rows[i], end.status);
        assert_non_null(strstr(end.output, "pqcdc: PQCDC_FAULT: cannot read"));
    }
    struct child_end end = run_with("in_stop=kill,after_send=boom", FAULT_in_stop, 1);
    assert_non_null(strstr(end.output, "\"after_send=boom\""));
}

static void list_prints_every_name(void **state)
{
    (void)state;
    struct child_end end = run_with("list", FAULT_after_send, 1);
    assert_true(WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0);
    const char *at = end.output;
    for (unsigned point = 0; point < FAULT_POINT_COUNT; point++) {
        const char *name = fault_name((enum fault_point)point);
        assert_int_equal(strncmp(at, name, strlen(name)), 0);
        at += strlen(name);
        assert_int_equal(*at++, '\n');
    }
    assert_string_equal(at, "");
}

static void the_macro_names_the_point(void **state)
{
    (void)state;
    assert_string_equal(fault_name(FAULT_before_start), "before_start");
    assert_false(FAULT(before_start));
}

int main(void)
{
    unsetenv("PQCDC_FAULT");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_rows_nothing_happens),
        cmocka_unit_test(fail_acts_at_its_time_only),
        cmocka_unit_test(each_point_counts_for_itself),
        cmocka_unit_test(deadly_actions_end_the_process),
        cmocka_unit_test(sleep_takes_its_time_and_goes_on),
        cmocka_unit_test(stop_freezes_until_continued),
        cmocka_unit_test(what_cannot_be_read_exits_78),
        cmocka_unit_test(list_prints_every_name),
        cmocka_unit_test(the_macro_names_the_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
