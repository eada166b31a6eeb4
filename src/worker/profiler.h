/* cdc.debugMode: gperftools takes the place of the C library's malloc, which a process can have
 * from its beginning only. So `pqcdc run` begins anew, once: the same program with the same words
 * in the same process (execve(2), LD_PRELOAD of ld.so(8)), before it has threads or has spoken to
 * anybody. What was blotted out of the command line is there again for the moment that this takes.
 *
 * A variable of the environment tells the second beginning that it is one. */
#ifndef WORKER_PROFILER_H
#define WORKER_PROFILER_H

#include <stdbool.h>

#include "base/error.h"
#include "worker/arguments.h"

/* At the start of main(), while there is one thread: is this the second beginning? The environment
 * is then as the first one found it, but for gperftools' own settings. */
bool profiler_begun(void);

/* Begins anew and does not return; or says why not, an ERROR_CONFIG "no_profiles", and the process
 * is as it was. Signals that are blocked stay so, and those that wait are kept. */
void profiler_begin(const struct arguments *arguments, struct error *err);

#endif
