/* Any state of a connector, with any texts in it: /status and /slot answer JSON that jansson reads
 * and that says the state; /metrics answers lines that Prometheus reads.
 *
 * The input is numbers (first all of them), then texts, each up to its NUL. The watcher is played:
 * what it asks the watcher is this file's. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/reader.h"
#include "connector/endpoints.h"
#include "connector/pipeline.h"
#include "connector/slot_only.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TABLES_MAX = 4, STATES = 6 };

struct input {
    struct reader bytes;
    bool seen; /* the slot was looked at */
    struct slot_sight sight;
    int64_t ping_age_ms;
    struct error reason; /* of everything */
};

static struct input input; /* of the run in hand */

bool watcher_sight(const struct watcher *watcher UNUSED, struct slot_sight *out_sight,
                   int64_t *out_age_ms)
{
    *out_sight = input.sight;
    *out_age_ms = input.ping_age_ms;
    return input.seen;
}

bool watcher_last_error(const struct watcher *watcher UNUSED,
                        struct watcher_blindness *out_blindness)
{
    *out_blindness = (struct watcher_blindness){ input.reason, input.ping_age_ms,
                                                 input.sight.safe_wal_size_bytes };
    return !input.seen;
}

bool watcher_publication(const struct watcher *watcher UNUSED, struct watcher_publication *out_seen)
{
    *out_seen = (struct watcher_publication){ .sight.exists = input.sight.exists };
    (void)snprintf(out_seen->change, sizeof(out_seen->change), "%s", input.sight.holder);
    return input.seen;
}

void watcher_heart(const struct watcher *watcher UNUSED, struct watcher_heart *out_heart)
{
    *out_heart =
        (struct watcher_heart){ .beats = input.sight.current_lsn.value, .error = input.reason };
}

uint64_t watcher_publication_changes(const struct watcher *watcher UNUSED)
{
    return 0;
}

int64_t watcher_ping_age_ms(const struct watcher *watcher UNUSED)
{
    return input.ping_age_ms;
}

/* A Lease of the same numbers and texts as the slot. */
static void describe(void *self UNUSED, struct gate_status *out_status)
{
    const struct slot_sight *sight = &input.sight;
    *out_status = (struct gate_status){
        .leased = sight->exists,
        .leads = sight->active,
        .transitions = sight->active_pid,
        .renewed_age_ms = input.ping_age_ms,
        .failures = sight->safe_wal_size_bytes,
    };
    (void)snprintf(out_status->lease, sizeof(out_status->lease), "%s", sight->holder);
    (void)snprintf(out_status->holder, sizeof(out_status->holder), "%s", sight->plugin);
    (void)snprintf(out_status->phase, sizeof(out_status->phase), "%.15s", sight->plugin);
    (void)snprintf(out_status->error, sizeof(out_status->error), "%s", sight->holder);
}

static const char *text(void)
{
    struct slice taken = reader_text(&input.bytes);
    return taken.size > 0 ? taken.data : "";
}

static void fill(char *field, size_t size)
{
    (void)snprintf(field, size, "%s", text());
}

static uint64_t number(void)
{
    return reader_u64(&input.bytes);
}

static void read_numbers(struct status *status, struct delivery_stats *delivery)
{
    uint8_t flags = reader_u8(&input.bytes);
    status_set_state(status, (enum life_cycle_state)(reader_u8(&input.bytes) % STATES),
                     (int64_t)number());
    status->blocked = reader_u8(&input.bytes);
    status->transaction_open = (flags & 1) != 0;
    input.seen = (flags & 2) != 0;
    input.sight.exists = (flags & 4) != 0;
    input.sight.active = (flags & 8) != 0;
    input.sight.wal_status = (enum slot_wal_status)(flags >> 4) % (SLOT_WAL_LOST + 1);
    input.ping_age_ms = (int64_t)number();
    input.sight.active_pid = (int32_t)reader_u32(&input.bytes);
    input.sight.current_lsn.value = number();
    input.sight.restart_lsn.value = number();
    input.sight.confirmed_flush.value = number();
    input.sight.safe_wal_size_bytes = (int64_t)number();
    status->received_lsn = number();
    status->confirmed_lsn = number();
    status->lag_us = (int32_t)reader_u32(&input.bytes);
    for (int kind = 0; kind < CHANGE_KIND_COUNT; kind++)
        status->changes[kind] = reader_u32(&input.bytes);
    delivery->brokers_up = reader_u8(&input.bytes);
    delivery->in_flight_records = number();
    delivery->in_flight_bytes = number();
}

static void read_texts(struct status *status)
{
    struct error *reason = &input.reason;
    reason->class = (enum error_class)(reader_u8(&input.bytes) % (ERROR_STOPPED + 1));
    fill(reason->code, sizeof(reason->code));
    fill(reason->text, sizeof(reason->text));
    fill(reason->advice, sizeof(reason->advice));
    fill(input.sight.holder, sizeof(input.sight.holder));
    status_set_reason(status, reason);
    status_set_kafka(status, &(struct outage){ *reason, input.sight.safe_wal_size_bytes });
    for (uint32_t i = 0; i < TABLES_MAX && reader_left(&input.bytes) > 0; i++) {
        const char *name = text();
        const char *topic = text();
        (void)status_table_find(status, name, topic[0] != '\0' ? topic : NULL, i);
    }
}

/* Answers. */

static struct buf get(struct endpoints *endpoints, const char *path, unsigned *out_status)
{
    uint32_t count = 0;
    const struct http_route *routes = endpoints_routes(endpoints, &count);
    const struct http_request request = { .path = path };
    struct buf body = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .status = 200, .body = &body };
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(routes[i].path, path) == 0)
            routes[i].handle(routes[i].self, &request, &response);
    CHECK(!body.failed && body.size > 0 && body.data[body.size - 1] == '\n');
    *out_status = response.status;
    return body;
}

static json_t *get_json(struct endpoints *endpoints, const char *path, unsigned *out_status)
{
    AUTO(struct buf, buf_done) body = get(endpoints, path, out_status);
    json_error_t error;
    json_t *object =
        json_loadb(body.data, body.size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    CHECK(json_is_object(object));
    return object;
}

static void check_slot(const json_t *slot)
{
    bool exists = json_boolean_value(json_object_get(slot, "exists"));
    CHECK(exists == (input.seen && input.sight.exists));
    CHECK(json_is_string(json_object_get(slot, "name")));
    CHECK(!exists || json_is_string(json_object_get(slot, "holder")));
    CHECK(!exists || json_is_number(json_object_get(slot, "lag")));
}

static void check_status(struct endpoints *endpoints, const struct status *status)
{
    unsigned code;
    json_t *object = get_json(endpoints, "/status", &code);
    uint32_t table_count = 0;
    for (const struct status_table *at = status->tables; at != NULL; at = at->next)
        table_count++;
    CHECK(code == (input.ping_age_ms <= 1000 ? 200 : 503));
    CHECK(strcmp(json_string_value(json_object_get(object, "state")),
                 life_cycle_state_name(status_state(status))) == 0);
    CHECK(json_is_null(json_object_get(object, "reason")) == (status->reason.class == ERROR_NONE));
    bool is_reached = json_is_true(json_object_get(json_object_get(object, "brokers"), "reached"));
    CHECK(is_reached == (input.reason.class == ERROR_NONE));
    CHECK(json_array_size(json_object_get(object, "tables")) == table_count);
    CHECK(json_is_object(json_object_get(object, "lease")) == input.sight.exists);
    CHECK((json_array_size(json_object_get(object, "blocked")) > 0) ==
          ((status->blocked & 127) != 0));
    check_slot(json_object_get(object, "slot"));
    json_decref(object);
    object = get_json(endpoints, "/slot", &code);
    CHECK(code == 200);
    check_slot(object);
    json_decref(object);
}

/* Comment, or name with labels, a space and a number. */
static void check_metrics(struct endpoints *endpoints)
{
    unsigned code;
    AUTO(struct buf, buf_done) body = get(endpoints, "/metrics", &code);
    CHECK(code == 200);
    char *rest = body.data;
    body.data[body.size - 1] = '\0';
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *end, *space = strrchr(line, ' ');
        if (line[0] == '#')
            continue;
        CHECK(space != NULL && strspn(line, "abcdefghijklmnopqrstuvwxyz_") > 0);
        (void)strtod(space + 1, &end);
        CHECK(end > space + 1 && *end == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct status status;
    struct delivery_stats delivery = { 0 };
    struct topic_table topics = { .count = 0 };
    AUTO(struct metrics *, metrics_free_p) metrics = metrics_new();
    struct log *log = log_new(&(struct log_options){ .fd = -1, .clock = clock_system() });
    status_init(&status);
    input = (struct input){ .bytes = reader_init((struct slice){ (const char *)data, size }) };
    read_numbers(&status, &delivery);
    read_texts(&status);
    struct gate gate = slot_only_gate();
    gate.describe = describe;
    struct endpoints *endpoints = endpoints_new(&(struct endpoints_options){
        .status = &status,
        .metrics = metrics,
        .delivery = &delivery,
        .topics = &topics,
        .log = log,
        .gate = gate,
        .clock = clock_system(),
        .slot = text(),
        .host = text(),
    });
    check_status(endpoints, &status);
    check_metrics(endpoints);
    check_metrics(endpoints); /* again: counters that stand */
    endpoints_free(endpoints);
    status_done(&status);
    log_free(log);
    return 0;
}
