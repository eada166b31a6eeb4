/* The functions of pqcdc.h that programs call. */
#include "pqcdc/pqcdc.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "connector/connector.h"
#include "connector/settings.h"

enum {
    READY_POLL_MS = 20,
    PROBLEM_LIMIT_BYTES = 1024 * 1024,
    LOG_FIELDS_MAX = 32,
    LOG_NUMBER_SIZE = 32,
};

struct pqcdc_connector {
    struct config *config;
    struct log *log;
    struct connector *connector;
    pqcdc_logger *logger;
    void *logger_self;
    bool started; /* once, whatever became of it */
    bool running;
};

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
    AUTO(struct buf, buf_done) text = buf_init(PROBLEM_LIMIT_BYTES);
    buf_append_text(&text, err->text);
    if (err->advice[0] != '\0')
        buf_append_format(&text, "; what to do: %s", err->advice);
    hand_out(&text, problem, problem_size);
}

/* The program's logger. */

static struct pqcdc_field field_of(const struct log_field *field, char number[LOG_NUMBER_SIZE])
{
    struct pqcdc_field made = { field->key, number, PQCDC_FIELD_NUMBER };
    switch (field->type) {
    case LOG_INTEGER:
        (void)snprintf(number, LOG_NUMBER_SIZE, "%" PRId64, field->value.integer);
        break;
    case LOG_UNSIGNED:
        (void)snprintf(number, LOG_NUMBER_SIZE, "%" PRIu64, field->value.unsigned_integer);
        break;
    case LOG_REAL: {
        AUTO(struct buf, buf_done) text = buf_init(LOG_NUMBER_SIZE);
        buf_append_real(&text, field->value.real);
        (void)snprintf(number, LOG_NUMBER_SIZE, "%s", buf_text(&text));
        break;
    }
    case LOG_BOOLEAN:
        made.text = field->value.boolean ? "true" : "false";
        made.kind = PQCDC_FIELD_BOOL;
        break;
    case LOG_STRING:
    case LOG_END:
        made.text = field->value.string;
        made.kind = PQCDC_FIELD_TEXT;
        break;
    }
    return made;
}

static void log_to_program(void *self, enum log_level level, const char *message,
                           const struct log_field *fields)
{
    static const enum pqcdc_level levels[] = { [LOG_DEBUG] = PQCDC_LEVEL_DEBUG,
                                               [LOG_INFO] = PQCDC_LEVEL_INFO,
                                               [LOG_WARN] = PQCDC_LEVEL_WARN,
                                               [LOG_ERROR] = PQCDC_LEVEL_ERROR };
    const pqcdc_connector *connector = self;
    struct pqcdc_field made[LOG_FIELDS_MAX];
    char numbers[LOG_FIELDS_MAX][LOG_NUMBER_SIZE];
    size_t count = 0;
    for (; count < LOG_FIELDS_MAX && fields[count].type != LOG_END; count++)
        made[count] = field_of(&fields[count], numbers[count]);
    connector->logger(connector->logger_self, levels[level], message, made, count);
}

/* Making one. */

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
        AUTO(struct buf, buf_done) text = buf_init(PROBLEM_LIMIT_BYTES);
        config_problems_write(&problems, &text);
        hand_out(&text, problem, problem_size);
    }
    return loaded;
}

static bool check_reserved(const struct pqcdc_options *options, char *problem, size_t problem_size)
{
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < COUNT_OF(options->reserved); i++) {
        if (options->reserved[i] == NULL)
            continue;
        (void)error_set(&err, ERROR_CONFIG, "reserved",
                        "reserved members of struct pqcdc_options are not zero");
        (void)error_advise(&err, "fill the struct by designated initialisers");
        say(problem, problem_size, &err);
        return false;
    }
    return true;
}

static void release(pqcdc_connector *connector)
{
    if (connector->connector != NULL)
        connector_free(connector->connector);
    log_free(connector->log);
    config_free(connector->config);
    memory_free(connector);
}

pqcdc_connector *pqcdc_connector_new(const struct pqcdc_options *options, char *problem,
                                     size_t problem_size)
{
    struct config *config = NULL;
    if (!check_reserved(options, problem, problem_size) ||
        !load(options, &config, problem, problem_size))
        return NULL;
    pqcdc_connector *connector = memory_alloc(sizeof(*connector));
    connector->config = config;
    connector->logger = options->logger;
    connector->logger_self = options->logger_self;
    connector->log =
        settings_log_sink(config, options->logger != NULL ? log_to_program : NULL, connector);
    const struct connector_options with = {
        .config = config,
        .log = connector->log,
        .sink = CONNECTOR_SINK_KAFKA,
        .program = {
            .handle = options->handler,
            .handle_self = options->handler_self,
            .respond = options->responder,
            .respond_self = options->responder_self,
        },
    };
    struct error err = ERROR_INIT;
    if (!connector_new(&with, &connector->connector, &err)) {
        say(problem, problem_size, &err);
        release(connector);
        return NULL;
    }
    return connector;
}

struct pqcdc_host *pqcdc_connector_host(pqcdc_connector *connector)
{
    return connector_host(connector->connector);
}

/* Its life. */

bool pqcdc_connector_start(pqcdc_connector *connector, char *problem, size_t problem_size)
{
    struct error err = ERROR_INIT;
    if (connector->started) {
        (void)error_set(&err, ERROR_BUG, "started_already", "the connector was started already");
        say(problem, problem_size, &err);
        return false;
    }
    connector->started = true;
    connector->running = connector_start(connector->connector, &err);
    if (!connector->running)
        say(problem, problem_size, &err);
    return connector->running;
}

bool pqcdc_connector_wait_until_ready(pqcdc_connector *connector, int64_t timeout_ms)
{
    struct clock clock = clock_system();
    mono_ms_t until = mono_ms_add(clock_now(&clock), timeout_ms);
    struct error reason;
    while (connector_unready(connector->connector, &reason)) {
        if (timeout_ms >= 0 && !mono_ms_before(clock_now(&clock), until))
            return false;
        struct pollfd over = { .fd = connector_over_fd(connector->connector), .events = POLLIN };
        if (poll(&over, 1, READY_POLL_MS) > 0)
            return false;
    }
    return true;
}

uint16_t pqcdc_connector_port(const pqcdc_connector *connector)
{
    return connector_port(connector->connector);
}

void pqcdc_connector_stop(pqcdc_connector *connector)
{
    connector_stop(connector->connector);
}

bool pqcdc_connector_close(pqcdc_connector *connector, char *problem, size_t problem_size)
{
    struct error err = ERROR_INIT;
    if (!connector->running)
        return true;
    connector->running = false;
    connector_stop(connector->connector);
    if (connector_join(connector->connector, &err))
        return true;
    say(problem, problem_size, &err);
    return false;
}

void pqcdc_connector_free(pqcdc_connector *connector)
{
    if (connector == NULL)
        return;
    (void)pqcdc_connector_close(connector, NULL, 0);
    release(connector);
}
