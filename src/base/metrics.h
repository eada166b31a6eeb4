/* Counters, gauges and histograms, and their Prometheus text format (version 0.0.4).
 *
 * A registry belongs to one connector (no globals). Rows of metrics live in their rooms' .def files
 * as METRIC(field, kind, name, help). A series is made once, at start or when a label value first
 * appears; updating it is one relaxed atomic operation, from any thread. A series may also be read
 * by a callback when it is scraped. Names follow Prometheus: base units, `_total` for counters.
 */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;
struct metric; /* one series: a name with its label values */

struct metric_label {
    const char *name;
    const char *value;
};

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);
CLEANUP_POINTER(struct metrics, metrics_free)

/* The series with these labels (copied); made at the first call, found again later. Takes a lock.
 * name, kind and help of one family must not differ between calls (a broken invariant aborts).
 * labels may be NULL when label_count is 0. */
struct metric *metrics_series(struct metrics *metrics, enum metric_kind kind, const char *name,
                              const char *help, const struct metric_label *labels,
                              uint32_t label_count);

/* For names that a program gives: NULL = metrics_series() takes them, else why it would not. */
const char *metrics_refuse(struct metrics *metrics, enum metric_kind kind, const char *name,
                           const char *help, const struct metric_label *labels,
                           uint32_t label_count);

/* A histogram's upper bounds, ascending; call before the first series of that name is made. Default
 * bounds: 0.0005 to 60 seconds, for durations. The bounds are copied. */
void metrics_buckets(struct metrics *metrics, const char *name, const double *bounds,
                     uint32_t bound_count);

void metrics_add(struct metric *metric, uint64_t count);   /* counters */
void metrics_set(struct metric *metric, double value);     /* gauges */
double metrics_value(const struct metric *metric);         /* counters and gauges */
void metrics_observe(struct metric *metric, double value); /* histograms */

/* Called on each scrape before the text is written, to refresh gauges that cost something. Runs
 * under the registry's lock: it may metrics_set(), not metrics_series(). */
void metrics_on_scrape(struct metrics *metrics, void (*refresh)(void *self), void *self);

void metrics_write(struct metrics *metrics, struct buf *out);

#endif
