#include "connector/scrape.h"

#include <limits.h>
#include <unistd.h>

#include "base/memory.h"
#include "connector/measures.h"
#include "connector/pipeline.h"
#include "connector/reading.h"
#include "connector/topic_metrics.h"

struct metrics_row {
    enum metric_kind kind;
    const char *name, *label, *label_value, *help;
    double (*value)(const struct reading *now);
};

/* One small function a row: __COUNTER__ would do, but the line is unique as well. */
#define VALUE_NAME_(prefix, line) prefix##_value_##line
#define VALUE_NAME(prefix, line)  VALUE_NAME_(prefix, line)
#define VALUE(name_, value_)                                                                       \
    static double name_(const struct reading *now)                                                 \
    {                                                                                              \
        return (double)(value_);                                                                   \
    }
#define METRIC(kind_, name_, label_, label_value_, help_, value_)                                  \
    VALUE(VALUE_NAME(metric, __LINE__), value_)
#define ANCESTOR(kind_, name_, help_, value_) VALUE(VALUE_NAME(ancestor, __LINE__), value_)
#include "connector/metrics.def"

#include "connector/ancestor.def"
#undef METRIC
#undef ANCESTOR

/* All of the ancestor's rows have these; their values are no row's. */
static const char ancestor_labels[] = "slot_name, host";

static const struct metrics_row rows[] = {
#define METRIC(kind_, name_, label_, label_value_, help_, value_)                                  \
    { METRIC_##kind_, name_, label_, label_value_, help_, VALUE_NAME(metric, __LINE__) },
#define ANCESTOR(kind_, name_, help_, value_)                                                      \
    { METRIC_##kind_, name_, ancestor_labels, "", help_, VALUE_NAME(ancestor, __LINE__) },
#include "connector/metrics.def"

#include "connector/ancestor.def"
#undef METRIC
#undef ANCESTOR
};

struct scrape {
    const struct endpoints_options *from;
    char machine[HOST_NAME_MAX + 1];
    struct metric *series[COUNT_OF(rows)];
    struct topic_metrics *topics;
};

/* 2^64 as a double is the first that is too large. */
static uint64_t whole(double value)
{
    return value < 0x1p64 ? (uint64_t)value : UINT64_MAX;
}

static void refresh(void *self)
{
    const struct scrape *scrape = self;
    struct reading now;
    reading_take(scrape->from, &now);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double value = rows[i].value(&now);
        double before = metrics_value(scrape->series[i]);
        if (rows[i].kind == METRIC_GAUGE)
            metrics_set(scrape->series[i], value);
        else if (value > before)
            metrics_add(scrape->series[i], whole(value - before));
    }
}

static const char *help_of(size_t row)
{
    while (rows[row].help[0] == '\0')
        row--;
    return rows[row].help;
}

static struct metric *make_series(const struct scrape *scrape, size_t row)
{
    const struct metric_label own[] = { { rows[row].label, rows[row].label_value } };
    const struct metric_label ancestors[] = { { "slot_name", scrape->from->slot },
                                              { "host", scrape->machine } };
    bool is_own = rows[row].label != ancestor_labels;
    uint32_t own_count = rows[row].label[0] != '\0' ? COUNT_OF(own) : 0;
    return metrics_series(scrape->from->metrics, rows[row].kind, rows[row].name, help_of(row),
                          is_own ? own : ancestors, is_own ? own_count : COUNT_OF(ancestors));
}

struct scrape *scrape_new(const struct endpoints_options *from)
{
    struct scrape *scrape = memory_alloc(sizeof(*scrape));
    scrape->from = from;
    (void)gethostname(scrape->machine, sizeof(scrape->machine) - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        scrape->series[i] = make_series(scrape, i);
    scrape->topics = topic_metrics_new(&(struct topic_metrics_options){
        .metrics = from->metrics,
        .topics = from->topics,
        .slot = from->slot,
        .machine = scrape->machine,
    });
    metrics_on_scrape(from->metrics, refresh, scrape);
    return scrape;
}

void scrape_free(struct scrape *scrape)
{
    if (scrape == NULL)
        return;
    topic_metrics_free(scrape->topics);
    memory_free(scrape);
}

void scrape_write(const struct scrape *scrape, struct buf *out)
{
    topic_metrics_refresh(scrape->topics);
    metrics_write(scrape->from->metrics, out);
}

static void write_docs_rows(bool ancestors, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].help[0] == '\0' || (rows[i].label == ancestor_labels) != ancestors)
            continue;
        buf_append_format(out, "| `%s` | %s | %s | %s |\n", rows[i].name,
                          rows[i].kind == METRIC_COUNTER ? "counter" : "gauge", rows[i].label,
                          rows[i].help);
    }
}

void scrape_write_docs(struct buf *out)
{
    static const char head[] = "| name | type | labels | meaning |\n| --- | --- | --- | --- |\n";
    buf_append_text(out,
                    "# Metrics\n\nMade from `src/connector/*.def`. `GET /metrics` gives them in "
                    "Prometheus' text format.\n\n");
    buf_append_text(out, head);
    write_docs_rows(false, out);
    measures_write_docs(out);
    buf_append_text(
        out, "\n## The ancestor's names\n\nThe same figures under the names, units and labels "
             "of go-pq-cdc and go-pq-cdc-kafka: `host` is the name of this machine, "
             "`go_pq_cdc_kafka_*` of a topic appears with its first record. "
             "`go_pq_cdc_snapshot_*` is not there.\n\n");
    buf_append_text(out, head);
    write_docs_rows(true, out);
    topic_metrics_write_docs(out);
}
