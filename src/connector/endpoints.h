/* GET /status, /slot and /metrics of one connector. Handlers run on the HTTP thread and read
 * atomics.
 *
 * /status: 200 when PostgreSQL answered a ping at most a second ago, else 503; JSON either way.
 * /slot: the ancestor's slot facts as JSON. /metrics: Prometheus text (scrape.h). */
#ifndef CONNECTOR_ENDPOINTS_H
#define CONNECTOR_ENDPOINTS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "connector/gate.h"
#include "connector/status.h"
#include "http/http_server.h"
#include "kafka/delivery.h"
#include "postgres/watcher.h"

struct endpoints_options { /* not owned */
    struct status *status;
    struct metrics *metrics;
    const struct delivery_stats *delivery;
    const struct topic_table *topics;
    const struct watcher *watcher;
    const struct log *log;
    struct gate gate;
    struct clock clock;
    const char *slot;
    const char *host;
};

struct endpoints;
struct endpoints *endpoints_new(const struct endpoints_options *options);
void endpoints_free(struct endpoints *endpoints); /* NULL allowed */
const struct http_route *endpoints_routes(struct endpoints *endpoints, uint32_t *out_count);

#endif
