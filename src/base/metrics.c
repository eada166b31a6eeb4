#include "base/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "base/memory.h"

enum { LABELS_LIMIT_BYTES = 64 * 1024, LABEL_ROOM = 8 };

struct family;

struct metric {
    const struct family *family;
    char *labels;              /* `a="1",b="2"`, escaped; "" = none */
    _Atomic uint64_t value;    /* a counter's count; the bits of a gauge or of a histogram's sum */
    _Atomic uint64_t *buckets; /* histograms: one a bound, and one beyond */
};

struct family {
    char *name;
    char *help;
    enum metric_kind kind;
    double *bounds;
    uint32_t bound_count;
    struct metric **series; /* in the order of their labels */
    size_t series_count;
};

struct refresher {
    void (*refresh)(void *self);
    void *self;
};

struct metrics {
    pthread_mutex_t lock;     /* of everything but the values */
    struct family **families; /* in the order of their names */
    size_t family_count;
    struct refresher *refreshers;
    size_t refresher_count;
};

static const double default_bounds[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                         0.25,   0.5,   1,      2.5,   5,    10,    30,   60 };

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct metrics *metrics_new(void)
{
    struct metrics *metrics = memory_alloc(sizeof(*metrics));
    CHECK(pthread_mutex_init(&metrics->lock, NULL) == 0);
    return metrics;
}

static void series_free(struct metric *metric)
{
    memory_free(metric->labels);
    memory_free(metric->buckets);
    memory_free(metric);
}

static void family_free(struct family *family)
{
    for (size_t i = 0; i < family->series_count; i++)
        series_free(family->series[i]);
    memory_free(family->series);
    memory_free(family->bounds);
    memory_free(family->name);
    memory_free(family->help);
    memory_free(family);
}

void metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i < metrics->family_count; i++)
        family_free(metrics->families[i]);
    memory_free(metrics->families);
    memory_free(metrics->refreshers);
    pthread_mutex_destroy(&metrics->lock);
    memory_free(metrics);
}

static bool is_name_byte(char byte, bool first)
{
    bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
    return letter || (!first && byte >= '0' && byte <= '9');
}

static bool is_name(const char *name, bool colon_allowed)
{
    for (size_t i = 0; name[i] != '\0'; i++)
        if (!is_name_byte(name[i], i == 0) && !(colon_allowed && name[i] == ':'))
            return false;
    return name[0] != '\0';
}

/* The text format's escapes: of a help text, and with the quote of a label's value. */
static void append_escaped(struct buf *out, const char *text, bool quote)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n')
            buf_append_text(out, "\\n");
        else if (*text == '\\' || (quote && *text == '"'))
            buf_append(out, (char[]){ '\\', *text }, 2);
        else
            buf_append_byte(out, *text);
    }
}

static void set_bounds(struct family *family, const double *bounds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        CHECK(isfinite(bounds[i]) && (i == 0 || bounds[i - 1] < bounds[i]));
    memory_free(family->bounds);
    family->bounds = memory_array(count, sizeof(*bounds));
    memcpy(family->bounds, bounds, count * sizeof(*bounds));
    family->bound_count = count;
}

/* Finds or makes. Under the lock. */
static struct family *family_of(struct metrics *metrics, const char *name)
{
    size_t at = 0;
    while (at < metrics->family_count && strcmp(metrics->families[at]->name, name) < 0)
        at++;
    if (at < metrics->family_count && strcmp(metrics->families[at]->name, name) == 0)
        return metrics->families[at];
    CHECK(is_name(name, true));
    struct family *family = memory_alloc(sizeof(*family));
    family->name = memory_text(name);
    set_bounds(family, default_bounds, COUNT_OF(default_bounds));
    size_t moved = metrics->family_count++ - at;
    metrics->families =
        memory_resize(metrics->families, metrics->family_count * sizeof(struct family *));
    memmove(&metrics->families[at + 1], &metrics->families[at], moved * sizeof(struct family *));
    metrics->families[at] = family;
    return family;
}

static struct metric *series_of(struct family *family, const char *labels)
{
    size_t at = 0;
    while (at < family->series_count && strcmp(family->series[at]->labels, labels) < 0)
        at++;
    if (at < family->series_count && strcmp(family->series[at]->labels, labels) == 0)
        return family->series[at];
    struct metric *metric = memory_alloc(sizeof(*metric));
    metric->family = family;
    metric->labels = memory_text(labels);
    if (family->kind == METRIC_HISTOGRAM)
        metric->buckets = memory_array(family->bound_count + 1U, sizeof(*metric->buckets));
    size_t moved = family->series_count++ - at;
    family->series = memory_resize(family->series, family->series_count * sizeof(struct metric *));
    memmove(&family->series[at + 1], &family->series[at], moved * sizeof(struct metric *));
    family->series[at] = metric;
    return metric;
}

static void append_labels(struct buf *out, const struct metric_label *labels, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        CHECK(is_name(labels[i].name, false));
        buf_append_format(out, "%s%s=\"", i > 0 ? "," : "", labels[i].name);
        append_escaped(out, labels[i].value, true);
        buf_append_byte(out, '"');
    }
}

struct metric *metrics_series(struct metrics *metrics, enum metric_kind kind, const char *name,
                              const char *help, const struct metric_label *labels,
                              uint32_t label_count)
{
    AUTO(struct buf, buf_done) text = buf_init(LABELS_LIMIT_BYTES);
    append_labels(&text, labels, label_count);
    CHECK(!text.failed);
    pthread_mutex_lock(&metrics->lock);
    struct family *family = family_of(metrics, name);
    if (family->help == NULL) {
        family->help = memory_text(help);
        family->kind = kind;
    }
    CHECK(family->kind == kind && strcmp(family->help, help) == 0);
    struct metric *metric = series_of(family, buf_text(&text));
    pthread_mutex_unlock(&metrics->lock);
    return metric;
}

static const char *refuse_labels(const struct metric_label *labels, uint32_t count)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_name(labels[i].name, false) || strncmp(labels[i].name, "__", 2) == 0 ||
            strcmp(labels[i].name, "le") == 0)
            return "the name of a label is not allowed";
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(labels[i].name, labels[j].name) == 0)
                return "a label is given twice";
        }
        bytes += strlen(labels[i].name) + 2 * strlen(labels[i].value) + LABEL_ROOM;
    }
    return bytes < LABELS_LIMIT_BYTES ? NULL : "the labels are too long";
}

const char *metrics_refuse(struct metrics *metrics, enum metric_kind kind, const char *name,
                           const char *help, const struct metric_label *labels,
                           uint32_t label_count)
{
    const char *why = is_name(name, true) ? refuse_labels(labels, label_count)
                                          : "the name is not one of a metric";
    if (why != NULL)
        return why;
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->family_count; i++) {
        const struct family *family = metrics->families[i];
        if (strcmp(family->name, name) == 0 && family->help != NULL &&
            (family->kind != kind || strcmp(family->help, help) != 0))
            why = "the name is taken with another type or help text";
    }
    pthread_mutex_unlock(&metrics->lock);
    return why;
}

void metrics_buckets(struct metrics *metrics, const char *name, const double *bounds,
                     uint32_t bound_count)
{
    pthread_mutex_lock(&metrics->lock);
    struct family *family = family_of(metrics, name);
    CHECK(family->series_count == 0);
    set_bounds(family, bounds, bound_count);
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_add(struct metric *metric, uint64_t count)
{
    CHECK(metric->family->kind == METRIC_COUNTER);
    atomic_fetch_add_explicit(&metric->value, count, memory_order_relaxed);
}

void metrics_set(struct metric *metric, double value)
{
    CHECK(metric->family->kind == METRIC_GAUGE);
    atomic_store_explicit(&metric->value, bits_of(value), memory_order_relaxed);
}

double metrics_value(const struct metric *metric)
{
    CHECK(metric->family->kind != METRIC_HISTOGRAM);
    uint64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
    return metric->family->kind == METRIC_COUNTER ? (double)value : real_of(value);
}

void metrics_observe(struct metric *metric, double value)
{
    const struct family *family = metric->family;
    CHECK(family->kind == METRIC_HISTOGRAM);
    uint32_t at = 0;
    while (at < family->bound_count && !(value <= family->bounds[at]))
        at++;
    atomic_fetch_add_explicit(&metric->buckets[at], 1, memory_order_relaxed);
    uint64_t old = atomic_load_explicit(&metric->value, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&metric->value, &old,
                                                  bits_of(real_of(old) + value),
                                                  memory_order_relaxed, memory_order_relaxed))
        continue;
}

void metrics_on_scrape(struct metrics *metrics, void (*refresh)(void *self), void *self)
{
    pthread_mutex_lock(&metrics->lock);
    metrics->refreshers = memory_resize(metrics->refreshers, (metrics->refresher_count + 1) *
                                                                 sizeof(*metrics->refreshers));
    metrics->refreshers[metrics->refresher_count++] = (struct refresher){ refresh, self };
    pthread_mutex_unlock(&metrics->lock);
}

static void write_name(struct buf *out, const struct metric *metric, const char *suffix)
{
    buf_append_format(out, "%s%s", metric->family->name, suffix);
    if (metric->labels[0] != '\0')
        buf_append_format(out, "{%s}", metric->labels);
    buf_append_byte(out, ' ');
}

static void write_bucket(struct buf *out, const struct metric *metric, uint32_t at, uint64_t count)
{
    const struct family *family = metric->family;
    buf_append_format(out, "%s_bucket{%s%sle=\"", family->name, metric->labels,
                      metric->labels[0] != '\0' ? "," : "");
    if (at < family->bound_count)
        buf_append_real(out, family->bounds[at]);
    else
        buf_append_text(out, "+Inf");
    buf_append_format(out, "\"} %" PRIu64 "\n", count);
}

static void write_histogram(struct buf *out, const struct metric *metric)
{
    uint64_t count = 0;
    double sum = real_of(atomic_load_explicit(&metric->value, memory_order_relaxed));
    for (uint32_t i = 0; i <= metric->family->bound_count; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        write_bucket(out, metric, i, count);
    }
    write_name(out, metric, "_sum");
    buf_append_real(out, sum);
    buf_append_byte(out, '\n');
    write_name(out, metric, "_count");
    buf_append_u64(out, count);
    buf_append_byte(out, '\n');
}

static void write_series(struct buf *out, const struct metric *metric)
{
    uint64_t value = atomic_load_explicit(&metric->value, memory_order_relaxed);
    switch (metric->family->kind) {
    case METRIC_COUNTER:
        write_name(out, metric, "");
        buf_append_u64(out, value);
        buf_append_byte(out, '\n');
        return;
    case METRIC_GAUGE:
        write_name(out, metric, "");
        buf_append_real(out, real_of(value));
        buf_append_byte(out, '\n');
        return;
    case METRIC_HISTOGRAM:
        write_histogram(out, metric);
        return;
    }
}

static void write_family(struct buf *out, const struct family *family)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"
    };
    if (family->series_count == 0)
        return;
    buf_append_format(out, "# HELP %s ", family->name);
    append_escaped(out, family->help, false);
    buf_append_format(out, "\n# TYPE %s %s\n", family->name, kinds[family->kind]);
    for (size_t i = 0; i < family->series_count; i++)
        write_series(out, family->series[i]);
}

void metrics_write(struct metrics *metrics, struct buf *out)
{
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < metrics->refresher_count; i++)
        metrics->refreshers[i].refresh(metrics->refreshers[i].self);
    for (size_t i = 0; i < metrics->family_count; i++)
        write_family(out, metrics->families[i]);
    pthread_mutex_unlock(&metrics->lock);
}
