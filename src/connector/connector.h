/* A connector: one slot, one pipeline, from start to stop. It configures the rooms, runs the life
 * cycle (life_cycle.def) on its own thread, and serves /status, /slot and /metrics.
 *
 * Threads: connector_new() to connector_free() are called by one owner; connector_stop(),
 * connector_alive_age_ms() and connector_status() by any thread. Two connectors in one process
 * work.
 */
#ifndef CONNECTOR_CONNECTOR_H
#define CONNECTOR_CONNECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/metrics.h"
#include "config/config.h"
#include "connector/gate.h"
#include "connector/handler.h"
#include "connector/status.h"
#include "http/http_server.h"
#include "kafka/delivery.h"
#include "pqcdc/pqcdc.h"

enum connector_sink { CONNECTOR_SINK_KAFKA, CONNECTOR_SINK_NULL, CONNECTOR_SINK_STDOUT };

/* What a program brings of its own; all NULL: nothing. */
struct connector_program {
    pqcdc_handler *handle; /* excludes handler.path */
    void *handle_self;
    pqcdc_responder *respond;
    void *respond_self;
};

struct connector_options {
    const struct config *config; /* must outlive the connector, as all below */
    struct log *log;
    enum connector_sink sink;
    const struct gate *gate;   /* NULL: the slot alone decides */
    const struct clock *clock; /* NULL: the system's */
    const char *instance;      /* a UUID by which the slot's holder is known; NULL: a new one */
    struct connector_program program;
    const struct http_route *routes; /* served beside its own */
    uint32_t route_count;
};

struct connector;

/* How often a standby looks at the slot; leased: a Lease decides beside it. */
int64_t connector_look_interval_ms(const struct config *config, bool leased);

/* Errors are ERROR_CONFIG: what the configuration asks for cannot be. Connects to nothing yet, but
 * loads and opens the plug-in of handler.path. */
MUST_CHECK bool connector_new(const struct connector_options *options,
                              struct connector **out_connector, struct error *err);
/* Opens the HTTP port and starts the thread. */
MUST_CHECK bool connector_start(struct connector *connector, struct error *err);
/* Asks for a graceful stop and returns at once. Async-signal-safe. */
void connector_stop(struct connector *connector);
/* Readable once the connector is over. */
int connector_over_fd(const struct connector *connector);
/* Waits until it is over. True: it was stopped, and everything was released. False: it halted; *err
 * says why. */
MUST_CHECK bool connector_join(struct connector *connector, struct error *err);
void connector_free(struct connector *connector); /* after join, or before start */
CLEANUP_POINTER(struct connector, connector_free)

struct status *connector_status(struct connector *connector);
struct pqcdc_host *connector_host(struct connector *connector);
uint16_t connector_port(const struct connector *connector);        /* of HTTP; 0 = none */
int64_t connector_alive_age_ms(const struct connector *connector); /* since the loop's last turn */
/* What keeps it from being ready, or false: it streams, or is a healthy standby. */
bool connector_unready(struct connector *connector, struct error *out_reason);

#endif
