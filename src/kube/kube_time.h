/* Kubernetes' MicroTime: RFC 3339 in UTC with exactly six digits of a second, which is all that an
 * API server reads in a Lease or an Event. Any thread. */
#ifndef KUBE_KUBE_TIME_H
#define KUBE_KUBE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum { KUBE_TIME_SIZE = sizeof("2006-01-02T15:04:05.000000Z") };

/* Microseconds since 1970-01-01 UTC; what lies outside of the years 0 to 9999 becomes the nearest
 * time that can be written. */
void kube_time_format(int64_t wall_us, char out[KUBE_TIME_SIZE]);

/* Takes what kube_time_format() writes and nothing else; false leaves *out_wall_us as it was. */
MUST_CHECK bool kube_time_parse(const char *text, int64_t *out_wall_us);

#endif
