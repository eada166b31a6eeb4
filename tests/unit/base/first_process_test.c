#include "base/first_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <sys/signalfd.h>

#include "unit/base/child.h"

static void be_ready(void)
{
    (void)!write(STDOUT_FILENO, "ready", 5);
    close(STDOUT_FILENO);
}

/* One process of a PID namespace of its own; its standard output ends when it is ready. */
static pid_t start_first(void (*body)(void))
{
    int ends[2];
    char text[8];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], text, sizeof(text)) > 0)
        continue;
    close(ends[0]);
    return pid;
}

/* In a process whose first child is PID 1 of a namespace. */
static void in_namespace(void (*test)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
            _exit(77);
        test();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip();
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void expect(bool well)
{
    if (!well)
        _exit(1);
}

static int end_of(pid_t pid)
{
    int status = 0;
    expect(waitpid(pid, &status, 0) == pid);
    return status;
}

/* Gets an orphan, lets it die, and ends with what it can wait for then: 0 = the orphan, 2 = nobody.
 */
static void adopt(void)
{
    int go[2];
    char byte;
    expect(getpid() == 1 && pipe(go) == 0);
    pid_t parent = fork();
    if (parent == 0) {
        if (fork() == 0) {
            close(go[1]);
            (void)!read(go[0], &byte, 1);
        }
        _exit(0);
    }
    (void)waitpid(parent, NULL, 0); /* returns when it is gone, reaped already or now */
    close(go[1]);
    _exit(waitpid(-1, NULL, 0) < 0 && errno == ECHILD ? 2 : 0);
}

static void adopt_prepared(void)
{
    first_process_begin();
    adopt();
}

static void check_orphans(void)
{
    expect(WEXITSTATUS(end_of(start_first(adopt))) == 0);
}

static void check_orphans_prepared(void)
{
    expect(WEXITSTATUS(end_of(start_first(adopt_prepared))) == 2);
}

static void orphans_are_reaped(void **state)
{
    (void)state;
    in_namespace(check_orphans); /* what it is without */
    in_namespace(check_orphans_prepared);
}

static void wait_for_signals(void)
{
    be_ready();
    for (;;)
        pause();
}

static void wait_prepared(void)
{
    first_process_begin();
    wait_for_signals();
}

static void read_prepared(void)
{
    first_process_begin();
    sigset_t stops;
    struct signalfd_siginfo info;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    int fd = signalfd(-1, &stops, 0);
    be_ready();
    _exit(read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? 5 : 6);
}

static void check_signal_spared(void)
{
    pid_t pid = start_first(wait_for_signals);
    kill(pid, SIGTERM);
    kill(pid, SIGKILL);
    expect(WTERMSIG(end_of(pid)) == SIGKILL);
}

static void check_signal(int number)
{
    pid_t pid = start_first(wait_prepared);
    kill(pid, number);
    int status = end_of(pid);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 128 + number);
}

static void check_sigterm(void)
{
    check_signal(SIGTERM);
}

static void check_sigint(void)
{
    check_signal(SIGINT);
}

static void check_signal_read(void)
{
    pid_t pid = start_first(read_prepared);
    kill(pid, SIGTERM);
    expect(WEXITSTATUS(end_of(pid)) == 5);
}

static void signals_end_it_until_somebody_reads_them(void **state)
{
    (void)state;
    in_namespace(check_signal_spared); /* what it is without */
    in_namespace(check_sigterm);
    in_namespace(check_sigint);
    in_namespace(check_signal_read);
}

static void nothing_changes_elsewhere(void **state)
{
    (void)state;
    static const int numbers[] = { SIGCHLD, SIGTERM, SIGINT };
    first_process_begin();
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction action;
        assert_int_equal(sigaction(numbers[i], NULL, &action), 0);
        assert_true(action.sa_handler == SIG_DFL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orphans_are_reaped),
        cmocka_unit_test(signals_end_it_until_somebody_reads_them),
        cmocka_unit_test(nothing_changes_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
