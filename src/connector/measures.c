#include "connector/measures.h"

static const struct measures_row {
    enum metric_kind kind;
    const char *type, *name, *label, *help;
} rows[] = {
#define HISTOGRAM "histogram"
#define COUNTER   "counter"
#define MEASURE(kind, id, name, label, help)                                                       \
    [MEASURE_##id] = { METRIC_##kind, kind, name, label, help },
#include "connector/measures.def"
#undef MEASURE
#undef COUNTER
#undef HISTOGRAM
};

struct measures measures_init(struct metrics *metrics, struct status *status)
{
    struct measures measures = { .metrics = metrics, .status = status };
    for (int i = 0; i < MEASURE_COUNT; i++)
        if (rows[i].label[0] == '\0')
            measures.series[i] =
                metrics_series(metrics, rows[i].kind, rows[i].name, rows[i].help, NULL, 0);
    return measures;
}

static int64_t between(int64_t from_us, int64_t to_us)
{
    return to_us > from_us ? to_us - from_us : 0;
}

static void observe(const struct measures *measures, enum measure measure, int64_t from_us,
                    int64_t to_us)
{
    metrics_observe(measures->series[measure], (double)between(from_us, to_us) / 1e6);
}

void measures_close(const struct measures *measures, struct ack_tracker *tracker, ticket_t ticket,
                    const struct change *commit, int64_t now_us, bool written)
{
    const struct ack_times times = { server_time_unix_us(commit->as.commit.commit_time), now_us };
    ack_tracker_note(tracker, ticket, times);
    bool complete = ack_tracker_close(tracker, ticket, commit->as.commit.end_lsn);
    status_note_commit(measures->status, times.commit_us, times.received_us);
    observe(measures, MEASURE_COMMIT_TO_RECEIVE, times.commit_us, times.received_us);
    if (complete && written)
        measures_acked(measures, times, times.received_us);
}

void measures_acked(const struct measures *measures, struct ack_times times, int64_t now_us)
{
    observe(measures, MEASURE_RECEIVE_TO_ACK, times.received_us, now_us);
    observe(measures, MEASURE_END_TO_END, times.commit_us, now_us);
    atomic_store_explicit(&measures->status->ack_us, between(times.received_us, now_us),
                          memory_order_relaxed);
}

void measures_turn(const struct measures *measures, uint32_t changes, int64_t took_us)
{
    atomic_store_explicit(&measures->status->change_ns, between(0, took_us) * 1000 / changes,
                          memory_order_relaxed);
}

void measures_failed(const struct measures *measures, const struct error *err)
{
    const struct measures_row *row = &rows[MEASURE_RECONNECTS];
    const struct metric_label cause = { row->label, err->code };
    status_count(&measures->status->failures, 1);
    metrics_add(metrics_series(measures->metrics, row->kind, row->name, row->help, &cause, 1), 1);
}

void measures_write_docs(struct buf *out)
{
    for (int i = 0; i < MEASURE_COUNT; i++)
        buf_append_format(out, "| `%s` | %s | %s | %s |\n", rows[i].name, rows[i].type,
                          rows[i].label, rows[i].help);
}
