/* The operator's /livez, /readyz, /metrics and /status. The loop tells what is so; the HTTP thread
 * reads it.
 *
 * /livez: the loop and the elector turned within 10 s, nothing else: an API server that is away
 * restarts nobody. /readyz: everything was listed once; who stands by is ready too. */
#ifndef OPERATOR_OPERATOR_PROBES_H
#define OPERATOR_OPERATOR_PROBES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "http/http_server.h"
#include "operator/operator_elector.h"
#include "operator/operator_metrics.h"

struct operator_probes {
    struct clock clock;
    struct operator_metrics *metrics;
    const char *identity, *watched;           /* constant */
    struct operator_elector *_Atomic elector; /* NULL = there is no election */
    _Atomic int64_t turned_ms;                /* of the loop */
    atomic_bool complete;                     /* everything was listed once */
    struct http_route routes[4];
};

void operator_probes_init(struct operator_probes *probes, const struct clock *clock,
                          struct operator_metrics *metrics);
void operator_probes_turn(struct operator_probes *probes, bool complete); /* on the loop */

#endif
