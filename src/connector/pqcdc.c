#include "pqcdc/pqcdc.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "connector/connector.h"
#include "connector/handler_callback.h"
#include "connector/settings.h"

enum { PQCDC_READY_POLL_MS = 20, PQCDC_PROBLEM_LIMIT_BYTES = 1024 * 1024 };

struct pqcdc_connector {
    struct config *config;
    struct log *log;
    struct connector *connector;
    pqcdc_handler *handler;
    void *handler_self;
    bool started;
};

const char *pqcdc_version(void)
{
    return PQCDC_VERSION;
}

bool pqcdc_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record)
{
    return handler_callback_emit(emitter, record);
}

bool pqcdc_emit_default(struct pqcdc_emitter *emitter)
{
    return handler_callback_emit_default(emitter);
}

/* As much as fits, always with a NUL. */
static void hand_out(struct buf *text, char *problem, size_t problem_size)
{
    if (problem == NULL || problem_size == 0)
        return;
    size_t size = text->size < problem_size ? text->size : problem_size - 1;
    memcpy(problem, buf_text(text), size);
    problem[size] = '\0';
}

static void say(char *problem, size_t problem_size, const struct error *err)
{
    AUTO(struct buf, buf_done) text = buf_init(PQCDC_PROBLEM_LIMIT_BYTES);
    buf_append_text(&text, err->text);
    if (err->advice[0] != '\0')
        buf_append_format(&text, "; what to do: %s", err->advice);
    hand_out(&text, problem, problem_size);
}

static bool load(const struct pqcdc_options *options, struct config **out_config, char *problem,
                 size_t problem_size)
{
    const struct config_sources sources = {
        .file = options->config_text != NULL ? "config_text" : options->config_file,
        .environment = options->ignore_environment ? NULL : (const char *const *)environ,
        .sets = options->sets,
        .set_count = (uint32_t)options->set_count,
    };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    bool loaded =
        options->config_text != NULL
            ? config_load_text(&sources, slice_of(options->config_text), out_config, &problems)
            : config_load(&sources, out_config, &problems);
    if (loaded && !settings_check(*out_config, &problems)) {
        config_free(TAKE(*out_config));
        loaded = false;
    }
    if (!loaded) {
        AUTO(struct buf, buf_done) text = buf_init(PQCDC_PROBLEM_LIMIT_BYTES);
        config_problems_write(&problems, &text);
        hand_out(&text, problem, problem_size);
    }
    return loaded;
}

static struct handler wrap(void *self, struct handler builtin, struct delivery *delivery)
{
    const pqcdc_connector *connector = self;
    return handler_callback_new(connector->handler, connector->handler_self, builtin, delivery);
}

static void release(pqcdc_connector *connector)
{
    if (connector->connector != NULL)
        connector_free(connector->connector);
    log_free(connector->log);
    config_free(connector->config);
    memory_free(connector);
}

pqcdc_connector *pqcdc_new(const struct pqcdc_options *options, char *problem, size_t problem_size)
{
    struct config *config = NULL;
    if (!load(options, &config, problem, problem_size))
        return NULL;
    pqcdc_connector *connector = memory_alloc(sizeof(*connector));
    connector->config = config;
    connector->log = settings_log(config);
    connector->handler = options->handler;
    connector->handler_self = options->handler_self;
    const struct connector_options with = {
        .config = config,
        .log = connector->log,
        .sink = CONNECTOR_SINK_KAFKA,
        .wrap = options->handler != NULL ? wrap : NULL,
        .wrap_self = connector,
    };
    struct error err = ERROR_INIT;
    if (!connector_new(&with, &connector->connector, &err)) {
        say(problem, problem_size, &err);
        release(connector);
        return NULL;
    }
    return connector;
}

bool pqcdc_start(pqcdc_connector *connector, char *problem, size_t problem_size)
{
    struct error err = ERROR_INIT;
    connector->started = connector_start(connector->connector, &err);
    if (!connector->started)
        say(problem, problem_size, &err);
    return connector->started;
}

bool pqcdc_wait_until_ready(pqcdc_connector *connector, int64_t timeout_ms)
{
    struct clock clock = clock_system();
    mono_ms_t until = mono_ms_add(clock_now(&clock), timeout_ms);
    struct error reason;
    while (connector_unready(connector->connector, &reason)) {
        if (timeout_ms >= 0 && !mono_ms_before(clock_now(&clock), until))
            return false;
        struct pollfd over = { .fd = connector_over_fd(connector->connector), .events = POLLIN };
        if (poll(&over, 1, PQCDC_READY_POLL_MS) > 0)
            return false;
    }
    return true;
}

uint16_t pqcdc_port(const pqcdc_connector *connector)
{
    return connector_port(connector->connector);
}

void pqcdc_stop(pqcdc_connector *connector)
{
    connector_stop(connector->connector);
}

bool pqcdc_close(pqcdc_connector *connector, char *problem, size_t problem_size)
{
    if (connector == NULL)
        return true;
    struct error err = ERROR_INIT;
    bool fine = true;
    if (connector->started) {
        connector_stop(connector->connector);
        fine = connector_join(connector->connector, &err);
    }
    if (!fine)
        say(problem, problem_size, &err);
    release(connector);
    return fine;
}
