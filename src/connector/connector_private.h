/* What connector.c, connector_rest.c and connector_standby.c share: nobody else includes it. */
#ifndef CONNECTOR_CONNECTOR_PRIVATE_H
#define CONNECTOR_CONNECTOR_PRIVATE_H

#include <pthread.h>

#include "base/loop.h"
#include "connector/connector.h"
#include "connector/endpoints.h"
#include "connector/gate_teller.h"
#include "connector/handler_host.h"
#include "connector/handler_plugin.h"
#include "connector/handler_response.h"
#include "connector/pipeline.h"
#include "connector/session.h"
#include "connector/setbacks.h"
#include "connector/settings.h"

struct connector {
    struct connector_options with;
    struct settings *settings;
    struct session_options session;
    struct session_memory memory;
    struct clock clock;
    struct gate gate;
    struct gate_teller teller;
    struct broker_notice brokers;
    enum gate_phase phase; /* between two streams */
    struct status status;
    struct metrics *metrics;
    struct measures measures;
    struct endpoints *endpoints;
    struct http_server *http;
    _Atomic uint16_t port; /* of it; 0 = none */

    struct loop *loop;
    struct delivery *delivery;
    struct ack_tracker *tracker;
    struct watcher *watcher;
    struct handler handler;
    struct pqcdc_host host;
    struct handler_plugin *plugin; /* NULL: none */
    struct connector_program program;
    struct handler_response response;
    struct pipeline *pipeline;

    struct wal_stream *stream; /* while streaming */
    struct setbacks setbacks;
    struct backoff halt;
    struct error error;  /* why the last state ended */
    struct error fatal;  /* why it halted, while it is halted and after it left because of that */
    int64_t pause_ms;    /* before the next attempt to start */
    bool pause_is_blind; /* PostgreSQL was away: the pause ends when the watcher sees it */
    mono_ms_t cut_at;    /* when the last stream ended */
    bool dirty;          /* the producer may hold records of a stream that ended */
    bool lost;           /* and was lost while nothing streamed: a new one may be of use */
    char outage_said[ERROR_CODE_SIZE]; /* code of the last one that was logged; "" = it is over */

    int stop_fd, over_fd;
    bool running;
    pthread_t thread;
};

#endif
