#include "connector/handler_host.h"

#include <string.h>

#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"

enum { LOG_FIELDS_MAX = 16, LABELS_MAX = 16 };

/* Options. */

static struct config_pair *find(const struct pqcdc_host *host, const char *name)
{
    for (uint32_t i = 0; i < host->option_count; i++) {
        if (strcmp(host->options[i].name, name) == 0)
            return &host->options[i];
    }
    return NULL;
}

const char *handler_host_option(const struct pqcdc_host *host, const char *name)
{
    const struct config_pair *option = find(host, name);
    return option != NULL ? option->value : NULL;
}

static void put(struct pqcdc_host *host, char *name, char *value)
{
    struct config_pair *option = find(host, name);
    if (option == NULL)
        host->options[host->option_count++] = (struct config_pair){ name, value };
    else
        secret_free(option->value);
    if (option != NULL)
        option->value = value;
}

bool handler_host_init(struct pqcdc_host *host, const struct config *config, struct log *log,
                       struct metrics *metrics, struct error *err)
{
    const struct config_map *plain = &config->handler_options;
    const struct config_map *files = &config->handler_option_files;
    *host = (struct pqcdc_host){ .log = log, .metrics = metrics };
    CHECK(pthread_mutex_init(&host->lock, NULL) == 0);
    host->options = memory_array(plain->count + files->count + 1U, sizeof(*host->options));
    for (uint32_t i = 0; i < plain->count; i++)
        put(host, plain->pairs[i].name, memory_text(plain->pairs[i].value));
    for (uint32_t i = 0; i < files->count; i++) {
        char *value;
        if (!secret_read(files->pairs[i].value, &value, err))
            return error_prefix(err, "handler.optionFiles.%s", files->pairs[i].name);
        put(host, files->pairs[i].name, value);
    }
    return true;
}

void handler_host_done(struct pqcdc_host *host)
{
    for (uint32_t i = 0; i < host->option_count; i++)
        secret_free(host->options[i].value);
    memory_free(host->options);
    if (host->log != NULL)
        pthread_mutex_destroy(&host->lock);
    *host = (struct pqcdc_host){ 0 };
}

/* The log. */

static struct log_field field_of(const struct pqcdc_field *field)
{
    int64_t number;
    if (field->text != NULL && field->kind == PQCDC_FIELD_BOOL)
        return (struct log_field)LOG_BOOL(field->name, strcmp(field->text, "true") == 0);
    if (field->text != NULL && field->kind == PQCDC_FIELD_NUMBER &&
        text_parse_i64(field->text, &number))
        return (struct log_field)LOG_INT(field->name, number);
    return (struct log_field)LOG_STR(field->name, field->text);
}

void handler_host_log(struct pqcdc_host *host, enum pqcdc_level level, const char *text,
                      const struct pqcdc_field *fields, size_t field_count)
{
    static const enum log_level levels[] = { [PQCDC_LEVEL_DEBUG] = LOG_DEBUG,
                                             [PQCDC_LEVEL_INFO] = LOG_INFO,
                                             [PQCDC_LEVEL_WARN] = LOG_WARN,
                                             [PQCDC_LEVEL_ERROR] = LOG_ERROR };
    struct log_field ours[LOG_FIELDS_MAX + 1];
    size_t count = field_count < LOG_FIELDS_MAX ? field_count : LOG_FIELDS_MAX;
    bool known = level >= PQCDC_LEVEL_DEBUG && level <= PQCDC_LEVEL_ERROR;
    for (size_t i = 0; i < count; i++)
        ours[i] = field_of(&fields[i]);
    ours[count] = (struct log_field){ .type = LOG_END };
    log_write(host->log, known ? levels[level] : LOG_ERROR, text, ours);
}

/* Metrics. */

static bool is_reserved(const char *name)
{
    static const char *const prefixes[] = { "pqcdc_", "go_pq_cdc_" };
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

/* What is refused of one thread may have come of another just before. */
static struct metric *make_metric(struct pqcdc_host *host, enum metric_kind kind, const char *name,
                                  const char *help, const struct metric_label *labels,
                                  uint32_t label_count, const char **out_why)
{
    struct metric *made = NULL;
    pthread_mutex_lock(&host->lock);
    *out_why = metrics_refuse(host->metrics, kind, name, help, labels, label_count);
    if (*out_why == NULL)
        made = metrics_series(host->metrics, kind, name, help, labels, label_count);
    pthread_mutex_unlock(&host->lock);
    return made;
}

struct metric *handler_host_metric(struct pqcdc_host *host, enum pqcdc_metric_kind kind,
                                   const char *name, const char *help,
                                   const struct pqcdc_label *labels, size_t label_count,
                                   const char **out_why)
{
    static const enum metric_kind kinds[] = { [PQCDC_COUNTER] = METRIC_COUNTER,
                                              [PQCDC_GAUGE] = METRIC_GAUGE,
                                              [PQCDC_HISTOGRAM] = METRIC_HISTOGRAM };
    struct metric_label ours[LABELS_MAX];
    bool known = kind >= PQCDC_COUNTER && kind <= PQCDC_HISTOGRAM;
    *out_why = !known                     ? "there is no such kind of metric"
               : label_count > LABELS_MAX ? "there are more than 16 labels"
               : is_reserved(name)
                   ? "names that begin with pqcdc_ or go_pq_cdc_ are the connector's"
                   : NULL;
    if (*out_why != NULL)
        return NULL;
    for (size_t i = 0; i < label_count; i++)
        ours[i] = (struct metric_label){ labels[i].name, labels[i].value };
    return make_metric(host, kinds[kind], name, help, ours, (uint32_t)label_count, out_why);
}
