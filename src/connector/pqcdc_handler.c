/* The functions of pqcdc.h that handlers call. The worker exports them to plug-ins, too. */
#include "pqcdc/pqcdc.h"

#include <string.h>

#include "connector/handler_callback.h"
#include "connector/handler_host.h"
#include "connector/handler_view.h"

enum { PROBLEM_LIMIT_BYTES = 64 * 1024 };

const char *pqcdc_version(void)
{
    return PQCDC_VERSION;
}

uint32_t pqcdc_api_version(void)
{
    return PQCDC_API_VERSION;
}

int pqcdc_column_find(const struct pqcdc_message *message, const char *name)
{
    return handler_view_column(message->table, slice_of(name));
}

const struct pqcdc_value *pqcdc_value_find(const struct pqcdc_message *message, enum pqcdc_row row,
                                           const char *name)
{
    static const struct pqcdc_value absent = { .kind = PQCDC_ABSENT };
    bool is_new = row == PQCDC_ROW_NEW || (row == PQCDC_ROW_LAST && message->new_values != NULL);
    const struct pqcdc_value *values = is_new ? message->new_values : message->old_values;
    int at = values != NULL ? pqcdc_column_find(message, name) : -1;
    return at >= 0 ? &values[at] : &absent;
}

bool pqcdc_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record)
{
    return handler_callback_emit(emitter, record);
}

bool pqcdc_emit_default(struct pqcdc_emitter *emitter)
{
    return handler_callback_emit_default(emitter);
}

bool pqcdc_fail(struct pqcdc_emitter *emitter, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    bool failed = handler_callback_fail(emitter, format, values);
    va_end(values);
    return failed;
}

void *pqcdc_alloc(struct pqcdc_emitter *emitter, size_t size)
{
    return handler_callback_alloc(emitter, size);
}

bool pqcdc_row_json(struct pqcdc_emitter *emitter, enum pqcdc_row row,
                    const struct pqcdc_member *members, size_t member_count,
                    struct pqcdc_text *out_json)
{
    return handler_callback_row_json(emitter, row, members, member_count, out_json);
}

size_t pqcdc_row_json_into(struct pqcdc_emitter *emitter, enum pqcdc_row row,
                           const struct pqcdc_member *members, size_t member_count, char *buffer,
                           size_t capacity)
{
    struct pqcdc_text json;
    if (!handler_callback_row_json(emitter, row, members, member_count, &json))
        return 0;
    if (json.size < capacity)
        memcpy(buffer, json.data, json.size + 1);
    return json.size;
}

const char *pqcdc_option(const struct pqcdc_host *host, const char *name)
{
    return handler_host_option(host, name);
}

const char *pqcdc_option_name(const struct pqcdc_host *host, size_t index)
{
    return index < host->option_count ? host->options[index].name : NULL;
}

void pqcdc_log(struct pqcdc_host *host, enum pqcdc_level level, const char *text,
               const struct pqcdc_field *fields, size_t field_count)
{
    handler_host_log(host, level, text, fields, field_count);
}

struct pqcdc_metric *pqcdc_metric_get(struct pqcdc_host *host, enum pqcdc_metric_kind kind,
                                      const char *name, const char *help,
                                      const struct pqcdc_label *labels, size_t label_count,
                                      char *problem, size_t problem_size)
{
    const char *why = NULL;
    struct metric *metric = handler_host_metric(host, kind, name, help, labels, label_count, &why);
    if (metric == NULL && problem_size > 0) {
        AUTO(struct buf, buf_done) text = buf_init(PROBLEM_LIMIT_BYTES);
        buf_append_format(&text, "%s: %s", name, why);
        size_t size = text.size < problem_size ? text.size : problem_size - 1;
        memcpy(problem, buf_text(&text), size);
        problem[size] = '\0';
    }
    return (struct pqcdc_metric *)metric;
}

void pqcdc_metric_add(struct pqcdc_metric *metric, uint64_t count)
{
    metrics_add((struct metric *)metric, count);
}

void pqcdc_metric_set(struct pqcdc_metric *metric, double value)
{
    metrics_set((struct metric *)metric, value);
}

void pqcdc_metric_observe(struct pqcdc_metric *metric, double value)
{
    metrics_observe((struct metric *)metric, value);
}
