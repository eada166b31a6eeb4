/* A thread of ours: with a name, and no signal is ever delivered to it (signals are the main
 * thread's) but what it does to itself (SIGSEGV, SIGABRT ...) and SIGPROF, by which a profiler
 * takes its samples: whatever waits goes on when it is interrupted. Joined or detached by who
 * started it. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "base/check.h"

/* The name has at most 15 bytes. False: the system gives no thread. */
MUST_CHECK bool thread_start(const char *name, void *(*run)(void *self), void *self,
                             pthread_t *out_thread);

/* On a thread that a library has started with every signal blocked. */
void thread_admit_profiler(void);

#endif
