#include "connector/topic_metrics.h"

#include "base/memory.h"

static const struct topic_metrics_row {
    const char *name, *help;
    size_t count; /* its place in struct topic_entry */
} rows[] = {
#define TOPIC_METRIC(name, help, count) { name, help, offsetof(struct topic_entry, count) },
#include "connector/topic_metrics.def"
#undef TOPIC_METRIC
};

struct topic_series {
    const struct topic_entry *topic;
    struct metric *of[COUNT_OF(rows)]; /* NULL while there is nothing to count */
};

struct topic_metrics {
    struct topic_metrics_options with;
    struct topic_series *series; /* by topic */
    uint32_t count;
};

struct topic_metrics *topic_metrics_new(const struct topic_metrics_options *options)
{
    struct topic_metrics *self = memory_alloc(sizeof(*self));
    self->with = *options;
    return self;
}

void topic_metrics_free(struct topic_metrics *self)
{
    if (self == NULL)
        return;
    memory_free(self->series);
    memory_free(self);
}

static void find_topics(struct topic_metrics *self)
{
    const struct topic_entry *newest = topic_table_newest(self->with.topics);
    uint32_t known = self->count;
    if (newest == NULL || newest->topic < known)
        return;
    self->count = newest->topic + 1;
    self->series = memory_resize(self->series, self->count * sizeof(*self->series));
    for (const struct topic_entry *topic = newest; topic != NULL && topic->topic >= known;
         topic = topic->older)
        self->series[topic->topic] = (struct topic_series){ .topic = topic };
}

static struct metric *make(const struct topic_metrics *self, const struct topic_metrics_row *row,
                           const char *topic)
{
    const struct metric_label labels[] = {
        { "slot_name", self->with.slot },
        { "host", self->with.machine },
        { "topic_name", topic },
    };
    return metrics_series(self->with.metrics, METRIC_COUNTER, row->name, row->help, labels,
                          COUNT_OF(labels));
}

static uint64_t count_of(const struct topic_entry *topic, const struct topic_metrics_row *row)
{
    const void *count = (const char *)topic + row->count;
    return atomic_load_explicit((const _Atomic uint64_t *)count, memory_order_relaxed);
}

static void follow(const struct topic_metrics *self, struct topic_series *series, size_t row)
{
    uint64_t count = count_of(series->topic, &rows[row]);
    if (count == 0)
        return;
    if (series->of[row] == NULL)
        series->of[row] = make(self, &rows[row], series->topic->name);
    metrics_add(series->of[row], count - (uint64_t)metrics_value(series->of[row]));
}

void topic_metrics_refresh(struct topic_metrics *self)
{
    find_topics(self);
    for (uint32_t i = 0; i < self->count; i++)
        for (size_t row = 0; row < COUNT_OF(rows); row++)
            follow(self, &self->series[i], row);
}

void topic_metrics_write_docs(struct buf *out)
{
    for (size_t row = 0; row < COUNT_OF(rows); row++)
        buf_append_format(out, "| `%s` | counter | slot_name, host, topic_name | %s |\n",
                          rows[row].name, rows[row].help);
}
