#include "operator/operator_metrics.h"

#include <stdio.h>

#include "base/check.h"
#include "base/memory.h"

enum row_name {
#define OPERATOR_METRIC(field, kind, name, labels, help) ROW_##field,
#include "operator/operator_metrics.def"
#undef OPERATOR_METRIC
};

static const struct row {
    enum metric_kind kind;
    const char *name, *labels, *help;
} rows[] = {
#define OPERATOR_METRIC(field, kind, name, labels, help) { METRIC_##kind, name, labels, help },
#include "operator/operator_metrics.def"
#undef OPERATOR_METRIC
};

struct operator_metrics {
    struct metrics *registry;
    struct metric *duration, *queue_depth, *leader, *connectors, *pods;
};

static struct metric *series(struct metrics *registry, enum row_name row,
                             const struct metric_label *labels, uint32_t count)
{
    return metrics_series(registry, rows[row].kind, rows[row].name, rows[row].help, labels, count);
}

struct operator_metrics *operator_metrics_new(void)
{
    struct operator_metrics *metrics = memory_alloc(sizeof(*metrics));
    struct metrics *registry = metrics_new();
    *metrics = (struct operator_metrics){
        .registry = registry,
        .duration = series(registry, ROW_reconcile_duration, NULL, 0),
        .queue_depth = series(registry, ROW_queue_depth, NULL, 0),
        .leader = series(registry, ROW_leader, NULL, 0),
        .connectors = series(registry, ROW_connectors, NULL, 0),
        .pods = series(registry, ROW_pods, NULL, 0),
    };
    return metrics;
}

void operator_metrics_free(struct operator_metrics *metrics)
{
    if (metrics == NULL)
        return;
    metrics_free(metrics->registry);
    memory_free(metrics);
}

static void count(struct operator_metrics *metrics, enum row_name row, const char *label,
                  const char *value)
{
    metrics_add(series(metrics->registry, row, &(struct metric_label){ label, value }, 1), 1);
}

void operator_metrics_reconciled(struct operator_metrics *metrics, const char *result,
                                 int64_t took_ms)
{
    count(metrics, ROW_reconcile_total, "result", result);
    metrics_observe(metrics->duration, (double)took_ms / 1000);
}

void operator_metrics_error(struct operator_metrics *metrics, const char *reason)
{
    count(metrics, ROW_errors_total, "reason", reason);
}

void operator_metrics_request(struct operator_metrics *metrics, enum kube_verb verb, int code)
{
    char text[16];
    (void)snprintf(text, sizeof(text), "%d", code);
    const struct metric_label labels[] = { { "verb", kube_client_verb_name(verb) },
                                           { "code", text } };
    metrics_add(series(metrics->registry, ROW_api_requests_total, labels, COUNT_OF(labels)), 1);
}

void operator_metrics_set(struct operator_metrics *metrics, const struct operator_metrics_now *now)
{
    metrics_set(metrics->leader, now->leads);
    metrics_set(metrics->queue_depth, (double)now->queue_depth);
    metrics_set(metrics->connectors, (double)now->connectors);
    metrics_set(metrics->pods, (double)now->pods);
}

void operator_metrics_get(const struct operator_metrics *metrics,
                          struct operator_metrics_now *out_now)
{
    *out_now = (struct operator_metrics_now){
        .leads = metrics_value(metrics->leader) > 0,
        .queue_depth = (size_t)metrics_value(metrics->queue_depth),
        .connectors = (size_t)metrics_value(metrics->connectors),
        .pods = (size_t)metrics_value(metrics->pods),
    };
}

void operator_metrics_write(struct operator_metrics *metrics, struct buf *out)
{
    metrics_write(metrics->registry, out);
}

void operator_metrics_write_docs(struct buf *out)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        buf_append_format(out, "| `%s` | %s | %s | %s |\n", rows[i].name, kinds[rows[i].kind],
                          rows[i].labels, rows[i].help);
}
