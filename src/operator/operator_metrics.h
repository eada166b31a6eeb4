/* The operator's metrics, one row each in operator_metrics.def. Any thread. */
#ifndef OPERATOR_OPERATOR_METRICS_H
#define OPERATOR_OPERATOR_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/metrics.h"
#include "kube/kube_client.h"

struct operator_metrics;

struct operator_metrics *operator_metrics_new(void);
void operator_metrics_free(struct operator_metrics *metrics); /* NULL allowed */
CLEANUP_POINTER(struct operator_metrics, operator_metrics_free)

void operator_metrics_reconciled(struct operator_metrics *metrics, const char *result,
                                 int64_t took_ms);
void operator_metrics_error(struct operator_metrics *metrics, const char *reason);
void operator_metrics_request(struct operator_metrics *metrics, enum kube_verb verb, int code);

struct operator_metrics_now {
    bool leads;
    size_t queue_depth, connectors, pods;
};
void operator_metrics_set(struct operator_metrics *metrics, const struct operator_metrics_now *now);
void operator_metrics_get(const struct operator_metrics *metrics,
                          struct operator_metrics_now *out_now);

void operator_metrics_write(struct operator_metrics *metrics, struct buf *out); /* Prometheus */
void operator_metrics_write_docs(struct buf *out); /* the rows of docs/metrics.md */

#endif
