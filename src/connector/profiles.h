/* GET /debug/pprof/...: profiles of this process as gperftools writes them, and what pprof asks
 * beside them. Served with cdc.debugMode only.
 *
 * gperftools is looked for among what the process has loaded (dlsym): this program links none of
 * it. The worker loads it by beginning anew (worker/profiler.h); a program that embeds the
 * connector links it. What is missing is answered by 501 and what to do.
 *
 * /debug/pprof/         what there is
 * .../profile           samples of the CPU time of ?seconds=N (30; at most PROFILES_SECONDS_MAX),
 *                       100 a second of CPU time; a slow route. A client that goes ends it
 * .../heap              what is allocated: a sample for each 32 KiB or so (worker/profiler.c)
 * .../cmdline           the words of the command line, a NUL between them
 * .../symbol            POST of addresses ("0x4005a0+0x4005b0"): their names, a line each. GET
 *                       says that there are names
 *
 * Sources: pprof_remote_servers.html, cpuprofile-fileformat.html and gperftools' headers
 * profiler.h, malloc_extension.h. */
#ifndef CONNECTOR_PROFILES_H
#define CONNECTOR_PROFILES_H

#include <stdint.h>

#include "http/http_server.h"

enum { PROFILES_SECONDS = 30, PROFILES_SECONDS_MAX = 300 };

/* Static: they keep nothing. */
const struct http_route *profiles_routes(uint32_t *out_count);

#endif
