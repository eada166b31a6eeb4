#include "connector/connector.h"

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/thread.h"
#include "connector/config_notice.h"
#include "connector/connector_private.h"
#include "connector/connector_rest.h"
#include "connector/connector_standby.h"
#include "connector/handler_builtin.h"
#include "connector/handler_callback.h"
#include "connector/profiles.h"
#include "connector/slot_only.h"
#include "kafka/delivery_plain.h"

enum {
    CONNECTOR_RING_ENTRIES = 1 << 20, /* transactions unconfirmed at most; the ring grows to it */
    CONNECTOR_RETRY_FIRST_MS = 200,
    CONNECTOR_RETRY_MAX_MS = 10000,
    CONNECTOR_HALT_FIRST_MS = 5000,
    CONNECTOR_HALT_MAX_MS = 60000,
    CONNECTOR_SLOW_LOOK_MS = 500, /* at the slot, by who does not wait for it */
    CONNECTOR_LOOKS_IN_GRACE = 6, /* a take-over asks for five within election.takeoverGraceMs */
    CONNECTOR_LEASED_WAL_SENDER_TIMEOUT_MS = 5000, /* unless configured */
};

static void signal_fd(int fd)
{
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof(one));
    (void)written; /* a full eventfd is readable already */
}

/* What the class of an error means for the connector's life: the one place where it is decided. */
static enum life_cycle_event event_of(enum error_class class)
{
    switch (class) {
    case ERROR_RETRY:
    case ERROR_RECONNECT:
    case ERROR_NONE:
        return LIFE_CYCLE_ON_FAILED;
    case ERROR_WAIT:
    case ERROR_STEP_DOWN:
        return LIFE_CYCLE_ON_SLOT_BUSY;
    case ERROR_HALT:
    case ERROR_CONFIG:
    case ERROR_BUG:
        return LIFE_CYCLE_ON_HALT;
    case ERROR_STOPPED:
        return LIFE_CYCLE_ON_STOP;
    }
    return LIFE_CYCLE_ON_HALT;
}

/* A new stream begins with a tracker that promises nothing and a producer that holds nothing; one
 * that goes on keeps both. */
static bool clean(struct connector *connector)
{
    if (pipeline_is_cut(connector->pipeline))
        return true;
    /* What was sent was given up, maybe after a halt: no stream may go on behind it. */
    connector->memory.identity.resume_from = LSN_NONE;
    ack_tracker_restart(connector->tracker);
    if (!connector->dirty)
        return true;
    if (!delivery_rebuild(connector->delivery, &connector->error))
        return false;
    connector->dirty = connector->lost = false;
    return true;
}

static struct interrupt interrupt_of(struct connector *connector)
{
    return (struct interrupt){ connector->stop_fd, connector_rest_serve, connector };
}

/* Each state's work; what happened is the event that it returns. */

ON_PIPELINE_THREAD static enum life_cycle_event run_starting(struct connector *connector)
{
    connector->phase = GATE_IDLE;
    if (connector->pause_ms > 0 && connector_rest_pause(connector))
        return LIFE_CYCLE_ON_STOP;
    connector_rest_abandon(connector);
    pipeline_begin(connector->pipeline);
    if (clean(connector) &&
        session_open(&connector->session, &connector->memory, interrupt_of(connector),
                     &connector->stream, &connector->error)) {
        /* A stream that goes on starts where it was cut, another one never does. */
        CHECK(pipeline_is_cut(connector->pipeline) !=
              lsn_is_none(connector->memory.identity.resume_from));
        return LIFE_CYCLE_ON_STREAM_OPEN;
    }
    connector_rest_abandon(connector);
    enum life_cycle_event event = event_of(connector->error.class);
    if (event != LIFE_CYCLE_ON_FAILED)
        return event;
    if (strcmp(connector->error.code, "no_resume") == 0) {
        log_warn(connector->with.log, connector->error.text);
        return event;
    }
    measures_failed(&connector->measures, &connector->error);
    connector_rest_set_pause(connector, backoff_next_ms(&connector->setbacks.backoff));
    log_failure(connector->with.log, LOG_WARN, "cannot start streaming; trying again",
                &connector->error);
    status_set_reason(&connector->status, &connector->error);
    return event;
}

int64_t connector_look_interval_ms(const struct config *config, bool leased)
{
    int64_t interval_ms = config->cdc_slot_slot_activity_checker_interval_ms;
    int64_t needed_ms = config->election_takeover_grace_ms / CONNECTOR_LOOKS_IN_GRACE;
    return leased && needed_ms < interval_ms ? needed_ms : interval_ms;
}

static void note_end(struct connector *connector)
{
    connector->cut_at = clock_now(&connector->clock);
    identity_note_end(&connector->memory.identity, ack_tracker_confirmed(connector->tracker),
                      pipeline_published(connector->pipeline),
                      pipeline_received(connector->pipeline), pipeline_is_cut(connector->pipeline));
}

/* What the end of a stream means, and how long to wait before the next. */
static enum life_cycle_event judge_end(struct connector *connector, mono_ms_t began)
{
    const struct setbacks_place place = { pipeline_received(connector->pipeline),
                                          pipeline_handed(connector->pipeline) };
    int64_t lived_ms = mono_ms_since(connector->cut_at, began), pause_ms;
    if (setbacks_note(&connector->setbacks, place, lived_ms, &connector->error, &pause_ms))
        backoff_reset(&connector->halt);
    measures_failed(&connector->measures, &connector->error);
    status_set_reason(&connector->status, &connector->error);
    enum life_cycle_event event = event_of(connector->error.class);
    connector_rest_set_pause(connector, event == LIFE_CYCLE_ON_FAILED ? pause_ms : 0);
    return event;
}

ON_PIPELINE_THREAD static enum life_cycle_event run_streaming(struct connector *connector)
{
    status_set_reason(&connector->status, NULL);
    status_count(&connector->status.stream_starts, 1);
    watcher_set_interval(connector->watcher, CONNECTOR_SLOW_LOOK_MS);
    connector->dirty = true;
    mono_ms_t began = clock_now(&connector->clock);
    watcher_set_beating(connector->watcher, true);
    enum pipeline_end end = pipeline_run(connector->pipeline, connector->stream, &connector->error);
    watcher_set_beating(connector->watcher, false);
    wal_stream_close(connector->stream);
    connector->stream = NULL;
    note_end(connector);
    if (end == PIPELINE_STOPPED)
        return LIFE_CYCLE_ON_STOP;
    return judge_end(connector, began);
}

ON_PIPELINE_THREAD static enum life_cycle_event run_halted(struct connector *connector)
{
    /* It may be in no slot any more: what can still be delivered is. */
    pipeline_abandon(connector->pipeline, ENDING_STREAM_FAILED);
    connector->phase = GATE_HALTED;
    connector_rest_tell_gate(connector);
    if (connector->settings->config->cdc_on_halt == CONFIG_ON_HALT_EXIT)
        return LIFE_CYCLE_ON_STOP;
    int64_t wait_ms = backoff_next_ms(&connector->halt);
    return connector_rest_for(connector, wait_ms) ? LIFE_CYCLE_ON_STOP : LIFE_CYCLE_ON_RETRY;
}

ON_PIPELINE_THREAD static enum life_cycle_event run_stopping(struct connector *connector)
{
    pipeline_abandon(connector->pipeline, ENDING_SENT_AWAY);
    connector->phase = GATE_IDLE;
    connector_rest_tell_gate(connector);
    return LIFE_CYCLE_ON_ENDED;
}

ON_PIPELINE_THREAD static enum life_cycle_event run_state(struct connector *connector,
                                                          enum life_cycle_state state)
{
    switch (state) {
    case LIFE_CYCLE_STARTING:
        return run_starting(connector);
    case LIFE_CYCLE_STANDBY:
        return connector_standby_run(connector);
    case LIFE_CYCLE_STREAMING:
        return run_streaming(connector);
    case LIFE_CYCLE_HALTED:
        return run_halted(connector);
    case LIFE_CYCLE_STOPPING:
    case LIFE_CYCLE_OVER:
    case LIFE_CYCLE_STATE_COUNT:
        break;
    }
    return run_stopping(connector);
}

static void log_transition(struct connector *connector, const struct life_cycle_row *row)
{
    const struct error *error = &connector->error;
    const char *next = life_cycle_state_name(row->next);
    const char *before = life_cycle_state_name(row->state);
    if (error->class == ERROR_NONE || error->class == ERROR_STOPPED) {
        log_info(connector->with.log, next, LOG_STR("before", before),
                 LOG_STR("meaning", row->meaning), LOG_STR("slot", connector->session.slot));
        return;
    }
    enum log_level level = row->next == LIFE_CYCLE_HALTED    ? LOG_ERROR
                           : row->next == LIFE_CYCLE_STANDBY ? LOG_INFO
                                                             : LOG_WARN;
    log_event(connector->with.log, level, next, LOG_STR("before", before),
              LOG_STR("meaning", row->meaning), LOG_STR("slot", connector->session.slot),
              LOG_STR("class", error_class_name(error->class)), LOG_STR("code", error->code),
              LOG_STR("error", error->text),
              LOG_STR("advice", error->advice[0] != '\0' ? error->advice : NULL));
}

static void enter(struct connector *connector, const struct life_cycle_row *row)
{
    if (row->next != row->state) {
        log_transition(connector, row);
        status_set_state(&connector->status, row->next, clock_wall_us(&connector->clock));
    }
    if (row->next == LIFE_CYCLE_STANDBY) {
        connector_standby_enter(connector);
    } else if (row->next == LIFE_CYCLE_HALTED) {
        status_set_reason(&connector->status, &connector->error);
        connector->fatal = connector->error;
    } else if (row->next == LIFE_CYCLE_STARTING) {
        connector->fatal = ERROR_INIT;
    }
}

static void *run(void *self)
{
    struct connector *connector = self;
    thread_role_enter_pipeline();
    enum life_cycle_state state = LIFE_CYCLE_STARTING;
    status_set_state(&connector->status, state, clock_wall_us(&connector->clock));
    while (state != LIFE_CYCLE_OVER) {
        connector_rest_mark_turn(connector);
        connector->error = ERROR_INIT;
        enum life_cycle_event event = run_state(connector, state);
        const struct life_cycle_row *row = life_cycle_find(state, event);
        CHECK(row != NULL);
        enter(connector, row);
        state = row->next;
    }
    if (connector->settings->config->cdc_on_halt == CONFIG_ON_HALT_WAIT)
        connector->fatal = ERROR_INIT; /* a person stopped it */
    thread_role_leave_pipeline();
    signal_fd(connector->over_fd);
    return NULL;
}

/* Making and releasing. */

static bool make_plugin(struct connector *connector, struct error *err)
{
    const char *path = connector->with.config->handler_path;
    if (path == NULL)
        return true;
    if (connector->program.handle != NULL)
        return error_set(err, ERROR_CONFIG, "two_handlers",
                         "handler.path: the program has a handler of its own");
    if (!handler_plugin_load(path, &connector->plugin, err) ||
        !handler_plugin_open(connector->plugin, &connector->host, err))
        return false;
    const struct pqcdc_plugin *functions = handler_plugin_functions(connector->plugin);
    connector->program.handle = functions->handle;
    connector->program.handle_self = handler_plugin_self(connector->plugin);
    if (functions->respond != NULL && connector->program.respond != NULL)
        return error_set(err, ERROR_CONFIG, "two_handlers",
                         "handler.path: it has a responder, and so has the program");
    if (functions->respond != NULL) {
        connector->program.respond = functions->respond;
        connector->program.respond_self = handler_plugin_self(connector->plugin);
    }
    log_info(connector->with.log, "handler loaded", LOG_STR("path", path),
             LOG_STR("name", functions->name));
    return true;
}

/* What a program or a plug-in brings; who asks what became of records is told by the producer. */
static bool make_program(struct connector *connector, struct error *err)
{
    connector->program = connector->with.program;
    if (!handler_host_init(&connector->host, connector->with.config, connector->with.log,
                           connector->metrics, err) ||
        !make_plugin(connector, err))
        return false;
    if (connector->program.respond == NULL)
        return true;
    connector->response = (struct handler_response){
        .respond = connector->program.respond,
        .respond_self = connector->program.respond_self,
        .slow = { .clock = connector->clock,
                  .log = connector->with.log,
                  .status = &connector->status,
                  .what = "responder" },
    };
    connector->settings->producer.respond = handler_response_tell;
    connector->settings->producer.respond_self = &connector->response;
    return true;
}

static bool make_delivery(struct connector *connector, struct error *err)
{
    switch (connector->with.sink) {
    case CONNECTOR_SINK_KAFKA:
        return delivery_plain_new(&connector->settings->producer, &connector->delivery, err);
    case CONNECTOR_SINK_NULL:
        connector->delivery = delivery_null_new();
        return true;
    case CONNECTOR_SINK_STDOUT:
        connector->delivery = delivery_stdout_new(STDOUT_FILENO);
        return true;
    }
    return false;
}

/* The Kafka client asks for the metadata of topics that it is told. */
static bool add_metadata_topics(struct connector *connector, struct error *err)
{
    const struct config_list *topics = &connector->with.config->kafka_metadata_topics;
    uint32_t ignored;
    for (uint32_t i = 0; i < topics->count; i++)
        if (!delivery_topic(connector->delivery, topics->items[i], &ignored, err))
            return false;
    return true;
}

/* With a Lease a frozen leader's slot shall be free long before the Lease is over. */
static int64_t wal_sender_timeout_ms(const struct connector *connector)
{
    const struct config *config = connector->settings->config;
    bool given = config_origin(config, "cdc.walSenderTimeout") != NULL;
    return connector->with.gate == NULL || given ? config->cdc_wal_sender_timeout_ms
                                                 : CONNECTOR_LEASED_WAL_SENDER_TIMEOUT_MS;
}

/* Who stood still for longer may have lost the slot, or the Lease. */
static int64_t freeze_limit_ms(const struct connector *connector)
{
    int64_t slot_ms = connector->session.wal_sender_timeout_ms;
    int64_t lease_ms = connector->settings->config->election_renew_deadline_ms;
    return connector->with.gate != NULL && lease_ms < slot_ms ? lease_ms : slot_ms;
}

static void make_session(struct connector *connector)
{
    const struct settings *settings = connector->settings;
    const struct config *config = settings->config;
    connector->session = (struct session_options){
        .conn = settings->conn,
        .publication = settings->publication,
        .heartbeat = settings->heartbeat,
        .timescaledb = config->cdc_extension_support_enable_timescale_db,
        .slot = config->cdc_slot_name,
        .create_slot = config->cdc_slot_create_if_not_exists,
        .failover = config->cdc_slot_failover,
        .wal_sender_timeout_ms = wal_sender_timeout_ms(connector),
        .decoding_work_mem = config->cdc_decoding_work_mem,
        .route = settings->route,
        .clock = connector->clock,
        .gate = connector->gate,
        .log = connector->with.log,
    };
}

static void make_watcher(struct connector *connector)
{
    const struct watcher_options options = {
        .conn = connector->settings->conn,
        .slot = connector->session.slot,
        .publication = connector->session.publication.name,
        .timescaledb = connector->session.timescaledb,
        .heartbeat = connector->settings->heartbeat,
        .interval_ms = connector->settings->config->cdc_slot_slot_activity_checker_interval_ms,
        .clock = connector->clock,
    };
    connector->watcher = watcher_start(&options);
}

static void make_teller(struct connector *connector)
{
    connector->teller = (struct gate_teller){
        .gate = connector->gate,
        .clock = connector->clock,
        .watcher = connector->watcher,
        .delivery = connector->delivery,
        .brokers = &connector->brokers,
    };
}

static void make_handler(struct connector *connector)
{
    const struct settings *settings = connector->settings;
    connector->handler = handler_builtin_new(&(struct handler_builtin_options){
        .encoder = settings->encoder,
        .encoding = settings->encoding,
        .route = settings->route,
        .keys = settings->keys,
        .key_count = settings->key_count,
        .delivery = connector->delivery,
        .watcher = connector->watcher,
        .status = &connector->status,
        .log = connector->with.log,
        .decides = connector->program.handle == NULL,
    });
    const struct connector_program *program = &connector->program;
    if (program->handle == NULL && program->respond == NULL)
        return;
    connector->handler = handler_callback_new(&(struct handler_callback_options){
        .handle = program->handle,
        .handle_self = program->handle_self,
        .answered = program->respond != NULL,
        .max_record_bytes = settings->encoding.max_record_bytes,
        .builtin = connector->handler,
        .delivery = connector->delivery,
        .status = &connector->status,
        .log = connector->with.log,
        .clock = connector->clock,
    });
}

static void make_pipeline(struct connector *connector)
{
    connector->pipeline = pipeline_new(&(struct pipeline_options){
        .clock = connector->clock,
        .loop = connector->loop,
        .stop_fd = connector->stop_fd,
        .stop_timeout_ms = connector->settings->config->cdc_shutdown_timeout_ms,
        .freeze_limit_ms = freeze_limit_ms(connector),
        .foreign = connector->program.handle != NULL || connector->program.respond != NULL,
        .log = connector->with.log,
        .status = &connector->status,
        .measures = &connector->measures,
        .handler = connector->handler,
        .delivery = connector->delivery,
        .tracker = connector->tracker,
        .watcher = connector->watcher,
        .publication = connector->session.publication.name,
        .publication_left = &connector->memory.publication,
        .gate = connector->gate,
        .teller = &connector->teller,
    });
}

bool connector_new(const struct connector_options *options, struct connector **out_connector,
                   struct error *err)
{
    AUTO(struct connector *, connector_free_p) connector = memory_alloc(sizeof(*connector));
    connector->with = *options;
    connector->clock = options->clock != NULL ? *options->clock : clock_system();
    connector->gate = options->gate != NULL ? *options->gate : slot_only_gate();
    status_init(&connector->status);
    connector->brokers.status = &connector->status;
    connector->metrics = metrics_new();
    connector->measures = measures_init(connector->metrics, &connector->status);
    connector->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    connector->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(connector->stop_fd >= 0 && connector->over_fd >= 0);
    uint64_t seed = (uint64_t)clock_wall_us(&connector->clock) ^ (uint64_t)getpid();
    connector->setbacks = setbacks_init(CONNECTOR_RETRY_FIRST_MS, CONNECTOR_RETRY_MAX_MS, seed);
    connector->halt = backoff_init(CONNECTOR_HALT_FIRST_MS, CONNECTOR_HALT_MAX_MS, seed + 1);
    if (!settings_new(options->config, &connector->settings, err) ||
        !make_program(connector, err) || !make_delivery(connector, err) ||
        !add_metadata_topics(connector, err))
        return false;
    if (options->instance != NULL)
        settings_set_instance(connector->settings, options->instance);
    make_session(connector);
    connector->memory.identity.own_name = connector->settings->application_name;
    connector->tracker = ack_tracker_new(CONNECTOR_RING_ENTRIES);
    connector->loop = loop_new(&connector->clock);
    *out_connector = TAKE(connector);
    return true;
}

static void add_routes(const struct http_route *more, uint32_t more_count,
                       struct http_route *routes, uint32_t *count)
{
    for (uint32_t i = 0; i < more_count; i++)
        routes[(*count)++] = more[i];
}

static bool start_http(struct connector *connector, struct error *err)
{
    const struct config *config = connector->settings->config;
    connector->endpoints = endpoints_new(&(struct endpoints_options){
        .status = &connector->status,
        .metrics = connector->metrics,
        .delivery = delivery_stats(connector->delivery),
        .topics = delivery_topics(connector->delivery),
        .watcher = connector->watcher,
        .log = connector->with.log,
        .gate = connector->gate,
        .clock = connector->clock,
        .slot = connector->session.slot,
        .host = config->cdc_host,
    });
    uint32_t own_count = 0, profile_count = 0;
    const struct http_route *own = endpoints_routes(connector->endpoints, &own_count);
    const struct http_route *profiles = profiles_routes(&profile_count);
    if (config->cdc_metric_port == 0)
        return true;
    if (!config->cdc_debug_mode)
        profile_count = 0;
    uint32_t more_count = connector->with.route_count, count = 0;
    struct http_route *routes =
        memory_array(own_count + more_count + profile_count, sizeof(*routes));
    add_routes(own, own_count, routes, &count);
    add_routes(connector->with.routes, more_count, routes, &count);
    add_routes(profiles, profile_count, routes, &count);
    bool started = http_server_start(
        &(struct http_server_options){
            .address = config->cdc_metric_address,
            .port = (uint16_t)config->cdc_metric_port,
            .routes = routes,
            .route_count = count,
        },
        &connector->http, err);
    memory_free(routes);
    if (started)
        atomic_store(&connector->port, http_server_port(connector->http));
    return started;
}

bool connector_start(struct connector *connector, struct error *err)
{
    make_watcher(connector);
    make_teller(connector);
    make_handler(connector);
    make_pipeline(connector);
    connector_rest_mark_turn(connector);
    atomic_store(&connector->status.started, false);
    if (!start_http(connector, err))
        return false;
    config_notice_log(connector->with.config, connector->with.log);
    CHECK(thread_start("pipeline", run, connector, &connector->thread));
    connector->running = true;
    return true;
}

void connector_stop(struct connector *connector)
{
    signal_fd(connector->stop_fd);
}

int connector_over_fd(const struct connector *connector)
{
    return connector->over_fd;
}

bool connector_join(struct connector *connector, struct error *err)
{
    CHECK(connector->running);
    CHECK(pthread_join(connector->thread, NULL) == 0);
    connector->running = false;
    if (connector->fatal.class == ERROR_NONE)
        return true;
    *err = connector->fatal;
    return false;
}

void connector_free(struct connector *connector)
{
    CHECK(!connector->running);
    http_server_stop(connector->http);
    endpoints_free(connector->endpoints);
    pipeline_free(connector->pipeline);
    if (connector->handler.ops != NULL)
        connector->handler.ops->free(connector->handler.self);
    watcher_stop(connector->watcher);
    if (connector->delivery != NULL)
        delivery_free(connector->delivery);
    if (connector->tracker != NULL)
        ack_tracker_free(connector->tracker);
    if (connector->loop != NULL)
        loop_free(connector->loop);
    handler_plugin_free(connector->plugin);
    handler_response_done(&connector->response);
    handler_host_done(&connector->host);
    settings_free(connector->settings);
    metrics_free(connector->metrics);
    status_done(&connector->status);
    close(connector->stop_fd);
    close(connector->over_fd);
    memory_free(connector);
}

struct status *connector_status(struct connector *connector)
{
    return &connector->status;
}

struct pqcdc_host *connector_host(struct connector *connector)
{
    return &connector->host;
}

uint16_t connector_port(const struct connector *connector)
{
    return atomic_load(&connector->port);
}

int64_t connector_alive_age_ms(const struct connector *connector)
{
    return clock_now(&connector->clock).value - atomic_load(&connector->status.turned_ms);
}

static bool is_blind(const struct connector *connector, struct error *out_reason)
{
    struct watcher_blindness blindness = { .error = ERROR_INIT };
    if (watcher_connected(connector->watcher))
        return false;
    *out_reason = watcher_last_error(connector->watcher, &blindness) ? blindness.error : ERROR_INIT;
    if (out_reason->class == ERROR_NONE)
        (void)error_set(out_reason, ERROR_RECONNECT, "postgres_unreachable", "it was not seen yet");
    (void)error_prefix(out_reason, "the standby cannot see the slot");
    return true;
}

bool connector_unready(struct connector *connector, struct error *out_reason)
{
    switch (status_state(&connector->status)) {
    case LIFE_CYCLE_STREAMING:
        return false;
    case LIFE_CYCLE_STANDBY:
        return is_blind(connector, out_reason);
    case LIFE_CYCLE_STARTING:
    case LIFE_CYCLE_STOPPING:
    case LIFE_CYCLE_HALTED:
    case LIFE_CYCLE_OVER:
    case LIFE_CYCLE_STATE_COUNT:
        break;
    }
    status_reason(&connector->status, out_reason);
    if (out_reason->class == ERROR_NONE)
        (void)error_set(out_reason, ERROR_WAIT, "not_streaming", "the connector is %s",
                        life_cycle_state_name(status_state(&connector->status)));
    return true;
}
