/* Named fault points: places where a test makes the process die, stall or fail. They exist only in
 * builds with PQCDC_FAULTS (CMake option FAULTS); elsewhere FAULT() is nothing. The names are rows
 * of base/fault_points.def (one list, so that tests can walk it).
 *
 * PQCDC_FAULT="name=action[@n][,name=action...]": action = kill (SIGKILL to itself), abort, exit,
 * stop (SIGSTOP), sleep:MS, fail (FAULT returns true); n = at the n-th time it is reached (1).
 * "list" prints the names. An unknown name or action ends the process with exit 78.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

enum fault_point {
#define FAULT_POINT(name, doc) FAULT_##name,
#include "base/fault_points.def"
#undef FAULT_POINT
    FAULT_POINT_COUNT
};

#ifdef PQCDC_FAULTS
#define FAULT(name) fault_reached(FAULT_##name)
#else
#define FAULT(name) fault_never()
#endif

/* What FAULT() is where fault points are compiled out. */
static inline bool fault_never(void)
{
    return false;
}

bool fault_reached(enum fault_point point); /* true: the caller shall fail here */
const char *fault_name(enum fault_point point);

#endif
