#include "base/thread.h"

#include <signal.h>

/* What a thread does to itself: blocked, it would end the process past a program's own handler. */
static const int own_faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

/* A new thread inherits the mask. */
bool thread_start(const char *name, void *(*run)(void *self), void *self, pthread_t *out_thread)
{
    sigset_t blocked, before;
    (void)sigfillset(&blocked);
    (void)sigdelset(&blocked, SIGPROF);
    for (size_t i = 0; i < COUNT_OF(own_faults); i++)
        (void)sigdelset(&blocked, own_faults[i]);
    CHECK(pthread_sigmask(SIG_SETMASK, &blocked, &before) == 0);
    int failure = pthread_create(out_thread, NULL, run, self);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failure != 0)
        return false;
    (void)pthread_setname_np(*out_thread, name); /* it may be over already */
    return true;
}

void thread_admit_profiler(void)
{
    sigset_t profiler;
    (void)sigemptyset(&profiler);
    (void)sigaddset(&profiler, SIGPROF);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &profiler, NULL) == 0);
}
