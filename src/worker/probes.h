/* /livez, /readyz and /startupz of the worker. Handlers run on the HTTP thread, read atomics.
 *
 * /livez: the loops of pipeline and elector turned within 10 s, nothing else. /startupz: the
 * configuration is read and the loop runs; never PostgreSQL or Kafka, so that an outage at start
 * cannot restart-loop. /readyz: it streams or is a healthy standby; names the failing check.
 * ?verbose lists each check. */
#ifndef WORKER_PROBES_H
#define WORKER_PROBES_H

#include <stdint.h>

#include "connector/connector.h"
#include "worker/leadership.h"

struct probes {
    struct connector *connector;         /* set before the connector starts */
    const struct leadership *leadership; /* likewise; NULL = the slot alone decides */
    struct http_route routes[3];
};

void probes_init(struct probes *probes);

#endif
