/* Metrics that are taken when something happens; rows in measures.def. Those that are read when
 * they are scraped: metrics.def. Pipeline's thread; per transaction, never per row.
 *
 * Between two machines' clocks, and when ours is set back, a time below zero counts as none. */
#ifndef CONNECTOR_MEASURES_H
#define CONNECTOR_MEASURES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/metrics.h"
#include "connector/status.h"
#include "progress/ack_tracker.h"

enum measure {
#define MEASURE(kind, id, name, label, help) MEASURE_##id,
#include "connector/measures.def"
#undef MEASURE
    MEASURE_COUNT
};

struct measures { /* not owned */
    struct metrics *metrics;
    struct status *status;
    struct metric *series[MEASURE_COUNT]; /* NULL for those with a label */
};

struct measures measures_init(struct metrics *metrics, struct status *status);

/* The transaction's Commit was read, and all of it is handed over: closes it in the tracker.
 * written: it became records. */
void measures_close(const struct measures *measures, struct ack_tracker *tracker, ticket_t ticket,
                    const struct change *commit, int64_t now_us, bool written);
/* All its records are acknowledged. */
void measures_acked(const struct measures *measures, struct ack_times times, int64_t now_us);
/* In a turn of that length so many changes (not 0) were read, handled and handed over. */
void measures_turn(const struct measures *measures, uint32_t changes, int64_t took_us);
/* A stream, or an attempt to start one, ended. */
void measures_failed(const struct measures *measures, const struct error *err);

void measures_write_docs(struct buf *out); /* their rows of docs/metrics.md */

#endif
