/* Runs a function in a child process, for what must end the process: a broken invariant, a fault.
 */
#ifndef UNIT_BASE_CHILD_H
#define UNIT_BASE_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHILD_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHILD_SANITIZED true
#endif
#endif
#ifndef CHILD_SANITIZED
#define CHILD_SANITIZED false
#endif

struct child_end {
    int status;        /* as waitpid() gives it */
    char output[4096]; /* standard output and standard error */
};

static inline struct child_end child_run(void (*body)(void *self), void *self)
{
    struct child_end end = { 0 };
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit no_core = { 0, 0 };
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body(self);
        _exit(0);
    }
    close(ends[1]);
    size_t size = 0;
    char rest[512];
    for (;;) {
        size_t room = size < sizeof(end.output) ? sizeof(end.output) - 1 - size : 0;
        ssize_t got =
            room > 0 ? read(ends[0], end.output + size, room) : read(ends[0], rest, sizeof(rest));
        if (got <= 0)
            break;
        size += room > 0 ? (size_t)got : 0;
    }
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &end.status, 0) != pid)
        abort();
    return end;
}

static inline bool child_aborted(struct child_end end, const char *text)
{
    return WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGABRT &&
           strstr(end.output, text) != NULL;
}

#endif
