#include "connector/endpoints.h"

#include <limits.h>
#include <unistd.h>

#include "base/memory.h"
#include "connector/measures.h"
#include "connector/outage.h"
#include "connector/pipeline.h"
#include "connector/topic_metrics.h"
#include "format/json_writer.h"
#include "postgres/sqlstate.h"

enum { ENDPOINTS_PING_LIMIT_MS = 1000 };

/* What a scrape sees: plain numbers, read once. */
struct metrics_now {
    enum life_cycle_state state;
    bool postgres_up, slot_active;
    uint32_t brokers_up, blocked, transactions_unconfirmed;
    uint64_t changes[CHANGE_KIND_COUNT];
    uint64_t skipped_changes, received_bytes, stream_starts, failures, publication_changes;
    uint64_t records_sent, records_acked, records_refused, bytes_sent;
    uint64_t in_flight_records, in_flight_bytes;
    uint64_t received_lsn, confirmed_lsn;
    uint64_t slot_confirmed_flush, current_lsn, lag_bytes, retained_bytes;
    enum slot_wal_status slot_wal_status;
    int64_t slot_safe_wal_bytes;
    uint64_t log_dropped;
    double lag_seconds;
    int64_t ack_us, change_ns;
    struct gate_status gate;
};

struct metrics_row {
    enum metric_kind kind;
    const char *name, *label, *label_value, *help;
    double (*value)(const struct metrics_now *now);
};

/* One small function a row: __COUNTER__ would do, but the line is unique as well. */
#define VALUE_NAME_(prefix, line) prefix##_value_##line
#define VALUE_NAME(prefix, line)  VALUE_NAME_(prefix, line)
#define VALUE(name_, value_)                                                                       \
    static double name_(const struct metrics_now *now)                                             \
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

struct endpoints {
    struct endpoints_options with;
    char machine[HOST_NAME_MAX + 1];
    struct metric *series[COUNT_OF(rows)];
    struct topic_metrics *topics;
    struct http_route routes[3];
};

/* Reading what others published. */

static uint64_t lsn_distance(uint64_t to, uint64_t from)
{
    return from != 0 && to > from ? to - from : 0;
}

static bool postgres_up(const struct endpoints *endpoints)
{
    return watcher_ping_age_ms(endpoints->with.watcher) <= ENDPOINTS_PING_LIMIT_MS;
}

static void read_slot(const struct endpoints *endpoints, struct metrics_now *now)
{
    struct slot_sight sight;
    int64_t age_ms;
    now->slot_safe_wal_bytes = -1;
    if (!watcher_sight(endpoints->with.watcher, &sight, &age_ms) || !sight.exists)
        return;
    now->slot_wal_status = sight.wal_status;
    now->slot_safe_wal_bytes = sight.safe_wal_size_bytes;
    now->slot_active = sight.active;
    now->slot_confirmed_flush = sight.confirmed_flush.value;
    now->current_lsn = sight.current_lsn.value;
    now->lag_bytes = lsn_distance(sight.current_lsn.value, sight.confirmed_flush.value);
    now->retained_bytes = lsn_distance(sight.current_lsn.value, sight.restart_lsn.value);
}

static void read_delivery(const struct endpoints *endpoints, struct metrics_now *now)
{
    const struct delivery_stats *stats = endpoints->with.delivery;
    now->brokers_up = atomic_load(&stats->brokers_up);
    now->records_sent = atomic_load(&stats->records_sent);
    now->records_acked = atomic_load(&stats->records_acked);
    now->records_refused = atomic_load(&stats->records_refused);
    now->bytes_sent = atomic_load(&stats->bytes_sent);
    now->in_flight_records = atomic_load(&stats->in_flight_records);
    now->in_flight_bytes = atomic_load(&stats->in_flight_bytes);
}

/* Between two machines' clocks: where ours is behind, none can be told. */
static double lag_seconds(const struct status *status)
{
    int64_t lag_us = atomic_load(&status->lag_us);
    return lag_us > 0 ? (double)lag_us / 1e6 : 0;
}

static void read_now(const struct endpoints *endpoints, struct metrics_now *now)
{
    const struct status *status = endpoints->with.status;
    *now = (struct metrics_now){
        .state = status_state(status),
        .postgres_up = postgres_up(endpoints),
        .blocked = atomic_load(&status->blocked),
        .transactions_unconfirmed = atomic_load(&status->transactions_unconfirmed),
        .skipped_changes = atomic_load(&status->skipped_changes),
        .received_bytes = atomic_load(&status->received_bytes),
        .publication_changes = watcher_publication_changes(endpoints->with.watcher),
        .stream_starts = atomic_load(&status->stream_starts),
        .failures = atomic_load(&status->failures),
        .received_lsn = atomic_load(&status->received_lsn),
        .confirmed_lsn = atomic_load(&status->confirmed_lsn),
        .lag_seconds = lag_seconds(status),
        .ack_us = atomic_load(&status->ack_us),
        .change_ns = atomic_load(&status->change_ns),
        .log_dropped = log_dropped_count(endpoints->with.log),
    };
    for (int kind = 0; kind < CHANGE_KIND_COUNT; kind++)
        now->changes[kind] = atomic_load(&status->changes[kind]);
    read_delivery(endpoints, now);
    read_slot(endpoints, now);
    endpoints->with.gate.describe(endpoints->with.gate.self, &now->gate);
}

/* /metrics */

static void refresh(void *self)
{
    const struct endpoints *endpoints = self;
    struct metrics_now now;
    read_now(endpoints, &now);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        double value = rows[i].value(&now);
        double before = metrics_value(endpoints->series[i]);
        if (rows[i].kind == METRIC_GAUGE)
            metrics_set(endpoints->series[i], value);
        else if (value > before)
            metrics_add(endpoints->series[i], (uint64_t)(value - before));
    }
}

static void on_metrics(void *self, const struct http_request *request UNUSED,
                       struct http_response *response)
{
    const struct endpoints *endpoints = self;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    topic_metrics_refresh(endpoints->topics);
    metrics_write(endpoints->with.metrics, response->body);
}

/* JSON, a field a call; the first of an object has no comma before it. */

static void field(struct buf *out, const char *name)
{
    char before = out->size > 0 ? out->data[out->size - 1] : '{';
    if (before != '{' && before != '[')
        buf_append_byte(out, ',');
    json_writer_string(out, slice_of(name));
    buf_append_byte(out, ':');
}

static void field_text(struct buf *out, const char *name, const char *value)
{
    field(out, name);
    if (value != NULL)
        json_writer_string(out, slice_of(value));
    else
        buf_append_text(out, "null");
}

static void field_number(struct buf *out, const char *name, uint64_t value)
{
    field(out, name);
    buf_append_u64(out, value);
}

static void field_signed(struct buf *out, const char *name, int64_t value)
{
    field(out, name);
    buf_append_format(out, "%lld", (long long)value);
}

static void field_bool(struct buf *out, const char *name, bool value)
{
    field(out, name);
    buf_append_text(out, value ? "true" : "false");
}

static void field_lsn(struct buf *out, const char *name, uint64_t value)
{
    field_text(out, name, value == 0 ? NULL : lsn_text((lsn_t){ value }).text);
}

/* /slot */

static void write_slot(const struct endpoints *endpoints, struct buf *out)
{
    struct slot_sight sight;
    int64_t age_ms = 0;
    bool seen = watcher_sight(endpoints->with.watcher, &sight, &age_ms);
    buf_append_byte(out, '{');
    field_text(out, "name", endpoints->with.slot);
    field_text(out, "type", "logical");
    field_bool(out, "exists", seen && sight.exists);
    if (seen && sight.exists) {
        field_bool(out, "active", sight.active);
        field_signed(out, "activePID", sight.active_pid);
        field_text(out, "holder", sight.holder);
        field_lsn(out, "currentLSN", sight.current_lsn.value);
        field_lsn(out, "confirmedFlushLSN", sight.confirmed_flush.value);
        field_lsn(out, "restartLSN", sight.restart_lsn.value);
        field_number(out, "lag",
                     lsn_distance(sight.current_lsn.value, sight.confirmed_flush.value));
        field_number(out, "retainedWALSize",
                     lsn_distance(sight.current_lsn.value, sight.restart_lsn.value));
        field_text(out, "walStatus", slot_wal_status_name(sight.wal_status));
        field_signed(out, "safeWALSize", sight.safe_wal_size_bytes);
    }
    if (seen)
        field_signed(out, "ageMs", age_ms);
    buf_append_byte(out, '}');
}

static void on_slot(void *self, const struct http_request *request UNUSED,
                    struct http_response *response)
{
    response->content_type = "application/json";
    write_slot(self, response->body);
    buf_append_byte(response->body, '\n');
}

/* /status */

/* The code's own name; of a SQLSTATE that of PostgreSQL ("invalid_password"), where it is known. */
static const char *name_of_code(const char *code)
{
    const struct sqlstate_rule *rule = sqlstate_is(code) ? sqlstate_find(code) : NULL;
    return rule != NULL && rule->sqlstate[0] != '\0' ? rule->name : code;
}

static void field_error(struct buf *out, const char *name, const struct error *error)
{
    field(out, name);
    if (error->class == ERROR_NONE) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '{');
    field_text(out, "class", error_class_name(error->class));
    field_text(out, "code", error->code);
    field_text(out, "name", name_of_code(error->code));
    field_text(out, "sqlstate", sqlstate_is(error->code) ? error->code : NULL);
    field_text(out, "text", error->text);
    field_text(out, "advice", error->advice);
    buf_append_byte(out, '}');
}

static void write_reason(const struct endpoints *endpoints, struct buf *out)
{
    struct error reason;
    outage_reason(endpoints->with.status, endpoints->with.watcher, &reason);
    field_error(out, "reason", &reason);
}

static void write_outage(const char *name, const char *there, const struct outage *outage,
                         struct buf *out)
{
    bool is_there = outage->error.class == ERROR_NONE;
    field(out, name);
    buf_append_byte(out, '{');
    field_bool(out, there, is_there);
    if (!is_there)
        field_signed(out, "since_unix_ms", outage->since_unix_us / 1000);
    field_error(out, "error", &outage->error);
    buf_append_byte(out, '}');
}

static void write_outages(const struct endpoints *endpoints, struct buf *out)
{
    struct outage outage;
    if (!outage_of_database(endpoints->with.watcher, &outage))
        outage = (struct outage){ .error = ERROR_INIT };
    write_outage("database", "seen", &outage, out);
    status_kafka(endpoints->with.status, &outage);
    write_outage("brokers", "reached", &outage, out);
}

static void write_blocked(uint32_t blocked, struct buf *out)
{
    field(out, "blocked");
    buf_append_byte(out, '[');
#define X(name, bit, text)                                                                         \
    if ((blocked & (uint32_t)(bit)) != 0) {                                                        \
        if (out->data[out->size - 1] != '[')                                                       \
            buf_append_byte(out, ',');                                                             \
        json_writer_string(out, SLICE_TEXT(text));                                                 \
    }
    PIPELINE_BLOCKED(X)
#undef X
    buf_append_byte(out, ']');
}

static void write_tables(const struct endpoints *endpoints, struct buf *out)
{
    field(out, "tables");
    buf_append_byte(out, '[');
    for (const struct status_table *table = atomic_load(&endpoints->with.status->tables);
         table != NULL; table = table->next) {
        if (out->data[out->size - 1] != '[')
            buf_append_byte(out, ',');
        buf_append_byte(out, '{');
        field_text(out, "table", table->name);
        field_text(out, "topic", table->topic);
        field_number(out, "changes", atomic_load(&table->changes));
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

static void write_progress(const struct metrics_now *now, struct buf *out)
{
    field_bool(out, "kafka_connected", now->brokers_up > 0);
    field_lsn(out, "received_lsn", now->received_lsn);
    field_lsn(out, "confirmed_lsn", now->confirmed_lsn);
    field_lsn(out, "current_lsn", now->current_lsn);
    field_number(out, "lag_bytes", now->lag_bytes);
    field_signed(out, "lag_ms", (int64_t)(now->lag_seconds * 1000));
    field_number(out, "transactions", now->changes[CHANGE_COMMIT]);
    field_number(out, "transactions_unconfirmed", now->transactions_unconfirmed);
    field_number(out, "records_sent", now->records_sent);
    field_number(out, "records_acked", now->records_acked);
    field_number(out, "in_flight_records", now->in_flight_records);
    field_number(out, "in_flight_bytes", now->in_flight_bytes);
}

static void write_lease(const struct gate_status *gate, struct buf *out)
{
    field(out, "lease");
    if (!gate->leased) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '{');
    field_text(out, "name", gate->lease);
    field_text(out, "identity", gate->identity);
    field_bool(out, "leads", gate->leads);
    field_text(out, "state", gate->state);
    field_text(out, "holder", gate->holder[0] != '\0' ? gate->holder : NULL);
    field_text(out, "phase", gate->phase[0] != '\0' ? gate->phase : NULL);
    field_signed(out, "transitions", gate->transitions);
    field_signed(out, "terms", gate->terms);
    field_signed(out, "renewed_age_ms", gate->renewed_age_ms);
    field_signed(out, "failures", gate->failures);
    field_text(out, "error", gate->error[0] != '\0' ? gate->error : NULL);
    buf_append_byte(out, '}');
}

static void write_publication(const struct endpoints *endpoints, struct buf *out)
{
    struct watcher_publication seen;
    field(out, "publication");
    if (!watcher_publication(endpoints->with.watcher, &seen)) {
        buf_append_text(out, "null");
        return;
    }
    buf_append_byte(out, '{');
    field_bool(out, "exists", seen.sight.exists);
    field_text(out, "last_change", seen.change[0] != '\0' ? seen.change : NULL);
    buf_append_byte(out, '}');
}

static void on_status(void *self, const struct http_request *request UNUSED,
                      struct http_response *response)
{
    const struct endpoints *endpoints = self;
    struct buf *out = response->body;
    struct metrics_now now;
    read_now(endpoints, &now);
    response->status = now.postgres_up ? 200 : 503;
    response->content_type = "application/json";
    buf_append_byte(out, '{');
    field_text(out, "status", now.postgres_up ? "OK" : "PostgreSQL does not answer");
    field_text(out, "role", now.state == LIFE_CYCLE_STREAMING ? "active" : "passive");
    field_text(out, "state", life_cycle_state_name(now.state));
    field_signed(out, "state_since_unix_ms",
                 atomic_load(&endpoints->with.status->state_since_us) / 1000);
    write_reason(endpoints, out);
    field_text(out, "host", endpoints->with.host);
    write_outages(endpoints, out);
    field_bool(out, "transaction_open", atomic_load(&endpoints->with.status->transaction_open));
    write_progress(&now, out);
    write_blocked(now.blocked, out);
    write_lease(&now.gate, out);
    field(out, "slot");
    write_slot(endpoints, out);
    write_publication(endpoints, out);
    write_tables(endpoints, out);
    buf_append_text(out, "}\n");
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

void endpoints_write_metrics_docs(struct buf *out)
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

static const char *help_of(size_t row)
{
    while (rows[row].help[0] == '\0')
        row--;
    return rows[row].help;
}

static struct metric *make_series(const struct endpoints *endpoints, size_t row)
{
    const struct metric_label own[] = { { rows[row].label, rows[row].label_value } };
    const struct metric_label ancestors[] = { { "slot_name", endpoints->with.slot },
                                              { "host", endpoints->machine } };
    bool is_own = rows[row].label != ancestor_labels;
    uint32_t own_count = rows[row].label[0] != '\0' ? COUNT_OF(own) : 0;
    return metrics_series(endpoints->with.metrics, rows[row].kind, rows[row].name, help_of(row),
                          is_own ? own : ancestors, is_own ? own_count : COUNT_OF(ancestors));
}

struct endpoints *endpoints_new(const struct endpoints_options *options)
{
    struct endpoints *endpoints = memory_alloc(sizeof(*endpoints));
    endpoints->with = *options;
    (void)gethostname(endpoints->machine, sizeof(endpoints->machine) - 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        endpoints->series[i] = make_series(endpoints, i);
    endpoints->topics = topic_metrics_new(&(struct topic_metrics_options){
        .metrics = options->metrics,
        .topics = options->topics,
        .slot = options->slot,
        .machine = endpoints->machine,
    });
    metrics_on_scrape(options->metrics, refresh, endpoints);
    endpoints->routes[0] = (struct http_route){ "/status", on_status, endpoints };
    endpoints->routes[1] = (struct http_route){ "/slot", on_slot, endpoints };
    endpoints->routes[2] = (struct http_route){ "/metrics", on_metrics, endpoints };
    return endpoints;
}

void endpoints_free(struct endpoints *endpoints)
{
    if (endpoints == NULL)
        return;
    topic_metrics_free(endpoints->topics);
    memory_free(endpoints);
}

const struct http_route *endpoints_routes(struct endpoints *endpoints, uint32_t *out_count)
{
    *out_count = COUNT_OF(endpoints->routes);
    return endpoints->routes;
}
