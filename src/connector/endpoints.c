#include "connector/endpoints.h"

#include "base/memory.h"
#include "connector/outage.h"
#include "connector/pipeline.h"
#include "connector/reading.h"
#include "connector/scrape.h"
#include "format/json_writer.h"
#include "postgres/sqlstate.h"

struct endpoints {
    struct endpoints_options with;
    struct scrape *scrape;
    struct http_route routes[3];
};

static void on_metrics(void *self, const struct http_request *request UNUSED,
                       struct http_response *response)
{
    const struct endpoints *endpoints = self;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    scrape_write(endpoints->scrape, response->body);
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
                     reading_lsn_distance(sight.current_lsn.value, sight.confirmed_flush.value));
        field_number(out, "retainedWALSize",
                     reading_lsn_distance(sight.current_lsn.value, sight.restart_lsn.value));
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

static void write_progress(const struct reading *now, struct buf *out)
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

static void write_heartbeat(const struct endpoints *endpoints, struct buf *out)
{
    struct watcher_heart heart;
    watcher_heart(endpoints->with.watcher, &heart);
    field(out, "heartbeat");
    buf_append_byte(out, '{');
    field_number(out, "beats", heart.beats);
    field_number(out, "failures", heart.failures);
    field_error(out, "error", &heart.error);
    buf_append_byte(out, '}');
}

static void on_status(void *self, const struct http_request *request UNUSED,
                      struct http_response *response)
{
    const struct endpoints *endpoints = self;
    struct buf *out = response->body;
    struct reading now;
    reading_take(&endpoints->with, &now);
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
    write_heartbeat(endpoints, out);
    write_tables(endpoints, out);
    buf_append_text(out, "}\n");
}

struct endpoints *endpoints_new(const struct endpoints_options *options)
{
    struct endpoints *endpoints = memory_alloc(sizeof(*endpoints));
    endpoints->with = *options;
    endpoints->scrape = scrape_new(&endpoints->with);
    endpoints->routes[0] = (struct http_route){ "/status", on_status, endpoints, HTTP_QUICK };
    endpoints->routes[1] = (struct http_route){ "/slot", on_slot, endpoints, HTTP_QUICK };
    endpoints->routes[2] = (struct http_route){ "/metrics", on_metrics, endpoints, HTTP_QUICK };
    return endpoints;
}

void endpoints_free(struct endpoints *endpoints)
{
    if (endpoints == NULL)
        return;
    scrape_free(endpoints->scrape);
    memory_free(endpoints);
}

const struct http_route *endpoints_routes(struct endpoints *endpoints, uint32_t *out_count)
{
    *out_count = COUNT_OF(endpoints->routes);
    return endpoints->routes;
}
