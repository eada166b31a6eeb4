#include "operator/operator.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/check.h"
#include "operator/controller.h"
#include "operator/operator_elector.h"
#include "operator/operator_probes.h"

enum {
    ANSWER_LIMIT_BYTES = 256 * 1024 * 1024, /* a list of thousands of Connectors */
    KEPT_CONNECTIONS = 5,                   /* as many as work at a time, and one for events */
    TURN_MS = 1000,                         /* shows that the loop lives */
};

struct operator
{
    const struct operator_options *options;
    struct log *log;
    struct loop *loop;
    struct clock clock;
    struct kube_config *kube;
    struct kube_client *client;
    struct operator_metrics *metrics;
    struct operator_settings settings;
    struct controller *controller;
    struct operator_elector *elector; /* NULL = --leader-elect false */
    struct operator_probes probes;
    struct http_server *http;
    int signals;
    char identity[256];
};

/* Signals. */

static void open_signals(struct operator* operator)
{
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    CHECK(sigprocmask(SIG_BLOCK, &stops, NULL) == 0);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    operator->signals = signalfd(-1, &stops, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(operator->signals >= 0);
}

static void on_signal(void *self, short revents UNUSED)
{
    struct operator* operator= self;
    struct signalfd_siginfo info;
    if (read(operator->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    log_info(operator->log, "asked to stop",
             LOG_STR("signal", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM"));
    loop_stop(operator->loop);
}

/* What the parts tell each other. */

static void on_ended(void *self, enum kube_verb verb, int status)
{
    const struct operator* operator= self;
    operator_metrics_request(operator->metrics, verb, status);
}

static bool may_write(void *self)
{
    const struct operator* operator= self;
    return operator->elector == NULL || operator_elector_may_write(operator->elector);
}

static void on_lead(void *self, bool leads)
{
    struct operator* operator= self;
    controller_lead(operator->controller, leads);
}

/* Start. */

static bool find_server(struct operator* operator, struct error * err)
{
    const char *path = operator->options->kubeconfig;
    return path != NULL && path[0] != '\0' ? kube_config_load(path, NULL, &operator->kube, err)
                                           : kube_config_in_cluster(NULL, &operator->kube, err);
}

static void name_itself(struct operator* operator)
{
    const char *identity = operator->options->identity;
    if (identity != NULL && identity[0] != '\0')
        (void)snprintf(operator->identity, sizeof(operator->identity), "%s", identity);
    else if (gethostname(operator->identity, sizeof(operator->identity) - 1) != 0)
        (void)snprintf(operator->identity, sizeof(operator->identity), "pqcdc-operator");
}

static uint64_t seed_of(const struct operator* operator)
{
    return (uint64_t)clock_wall_us(&operator->clock) ^ (uint64_t)getpid() << 40;
}

static bool open_client(struct operator* operator, struct error * err)
{
    return kube_client_new(&(struct kube_client_options){ .config = operator->kube,
                                                          .loop = operator->loop,
                                                          .clock = operator->clock,
                                                          .seed = seed_of(operator),
                                                          .user_agent =
                                                              "pqcdc-operator/" PQCDC_VERSION,
                                                          .answer_limit_bytes = ANSWER_LIMIT_BYTES,
                                                          .kept_connections = KEPT_CONNECTIONS,
                                                          .on_ended = on_ended,
                                                          .self = operator },
                           &operator->client, err);
}

static void start_controller(struct operator* operator)
{
    const struct operator_options *options = operator->options;
    operator->settings =(struct operator_settings){
        .worker_image = options->worker_image,
        .image_pull_policy = options->image_pull_policy,
        .worker_port = (int32_t)options->worker_port,
        .resync_ms = options->resync_ms,
        .status_interval_ms = options->status_interval_ms,
    };
    operator->controller = controller_start(&(struct controller_options){
        .client = operator->client,
        .clock = operator->clock,
        .log = operator->log,
        .metrics = operator->metrics,
        .settings = &operator->settings,
        .namespaces = (const char *const *)options->namespaces,
        .namespace_count = options->namespace_count,
        .identity = operator->identity,
        .seed = seed_of(operator),
        .may_write = may_write,
        .self = operator,
    });
}

static bool start_elector(struct operator* operator, struct error * err)
{
    const char *space = operator->options->namespace_name;
    if (!operator->options->leader_elect) {
        controller_lead(operator->controller, true);
        return true;
    }
    if (space == NULL || space[0] == '\0')
        space = operator->kube->namespace_name;
    return operator_elector_start(&(struct operator_elector_options){ .kube = operator->kube,
                                                                      .loop = operator->loop,
                                                                      .log = operator->log,
                                                                      .clock = operator->clock,
                                                                      .namespace_name = space,
                                                                      .identity =
                                                                          operator->identity,
                                                                      .on_lead = on_lead,
                                                                      .self = operator },
                                  &operator->elector, err);
}

static bool start_http(struct operator* operator, struct error * err)
{
    operator_probes_init(&operator->probes, &operator->clock, operator->metrics);
    operator->probes.identity = operator->identity;
    operator->probes.watched = operator->options->watch_namespaces;
    return http_server_start(
        &(struct http_server_options){ .port = (uint16_t) operator->options->http_port,
                                       .routes = operator->probes.routes,
                                       .route_count = COUNT_OF(operator->probes.routes) },
        &operator->http, err);
}

static bool start(struct operator* operator, struct error * err)
{
    name_itself(operator);
    if (!find_server(operator, err) || !open_client(operator, err) || !start_http(operator, err))
        return false;
    (void)loop_watch_add(operator->loop, operator->signals, POLLIN, on_signal, operator);
    start_controller(operator);
    if (!start_elector(operator, err))
        return false;
    atomic_store(&operator->probes.elector, operator->elector);
    log_info(operator->log, "pqcdc-operator starts", LOG_STR("version", PQCDC_VERSION),
             LOG_STR("identity", operator->identity), LOG_STR("server", operator->kube->server),
             LOG_STR("watch_namespaces", operator->options->watch_namespaces),
             LOG_INT("http_port", http_server_port(operator->http)));
    return true;
}

/* Life. */

static void tell_how_it_is(struct operator* operator)
{
    struct operator_metrics_now now;
    controller_measure(operator->controller, &now);
    operator_metrics_set(operator->metrics, &now);
    operator_probes_turn(&operator->probes, controller_is_complete(operator->controller));
}

static void stop(struct operator* operator)
{
    if (operator->elector != NULL)
        operator_elector_leave(operator->elector);
    http_server_stop(operator->http); /* its thread looks at the elector */
    operator_elector_stop(operator->elector);
    controller_stop(operator->controller);
    kube_client_free(operator->client);
    kube_config_free(operator->kube);
    operator_metrics_free(operator->metrics);
    loop_free(operator->loop);
    (void)close(operator->signals);
}

int operator_run(const struct operator_options *options)
{
    struct operator operator= { .options = options, .clock = clock_system() };
    struct error err = ERROR_INIT;
    operator.log = log_new(&(struct log_options){ .fd = STDERR_FILENO,
                                                  .level = options->level,
                                                  .format = options->format,
                                                  .clock = operator.clock });
    operator.loop = loop_new(&operator.clock);
    operator.metrics = operator_metrics_new();
    open_signals(&operator);
    bool started = start(&operator, & err);
    if (!started)
        log_failure(operator.log, LOG_ERROR, "cannot start", &err);
    while (started && loop_turn(operator.loop, TURN_MS))
        tell_how_it_is(&operator);
    stop(&operator);
    log_info(operator.log, "stopped");
    log_free(operator.log);
    if (started)
        return EX_OK;
    return err.class == ERROR_CONFIG ? EX_CONFIG : EX_UNAVAILABLE;
}
