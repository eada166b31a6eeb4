#include "base/thread.h"

#include <signal.h>

/* A new thread inherits the mask. */
bool thread_start(const char *name, void *(*run)(void *self), void *self, pthread_t *out_thread)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int failure = pthread_create(out_thread, NULL, run, self);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (failure != 0)
        return false;
    (void)pthread_setname_np(*out_thread, name); /* it may be over already */
    return true;
}
