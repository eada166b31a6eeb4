/* What became of the records of each topic, under the ancestor's names; rows in topic_metrics.def.
 * The series are made when a scrape finds a new topic. */
#ifndef CONNECTOR_TOPIC_METRICS_H
#define CONNECTOR_TOPIC_METRICS_H

#include "base/buf.h"
#include "base/metrics.h"
#include "kafka/topic_table.h"

struct topic_metrics_options { /* not owned */
    struct metrics *metrics;
    const struct topic_table *topics;
    const char *slot;
    const char *machine;
};

struct topic_metrics;
struct topic_metrics *topic_metrics_new(const struct topic_metrics_options *options);
void topic_metrics_free(struct topic_metrics *self); /* NULL allowed */

/* Before a scrape; the thread that scrapes. */
void topic_metrics_refresh(struct topic_metrics *self);

void topic_metrics_write_docs(struct buf *out); /* their rows of docs/metrics.md */

#endif
