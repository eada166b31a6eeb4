#include "unit/postgres/fake_postgres.h"

#include <jansson.h>
#include <math.h>
#include <stdatomic.h>

#include "base/text.h"
#include "connector/endpoints.h"
#include "connector/outage.h"
#include "connector/pipeline.h"
#include "connector/scrape.h"
#include "connector/slot_only.h"

enum { PATIENCE_TURNS = 20 * 1000 };

#define LOOK(name, row)                                                                            \
    static const struct fake_step name[] = {                                                       \
        { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "pg_replication_slots" },                           \
        { FAKE_ROWS, row },     { FAKE_SILENCE, NULL },                                            \
        { FAKE_END, NULL },                                                                        \
    }
#define READ_BY_ONE "logical|t|4711|pgoutput|d b|pqcdc:\"one\"|"
#define AT_184      "|16/B374D800|16/B374D848|16/B374D900|" /* so many bytes behind */
LOOK(one_look, READ_BY_ONE "extended" AT_184 "1073741824|~");
LOOK(without_limit, READ_BY_ONE "reserved" AT_184 "~|~");
LOOK(over_the_limit, READ_BY_ONE "unreserved" AT_184 "-4096|~");
LOOK(lost, READ_BY_ONE "lost" AT_184 "~|~");
LOOK(no_slot, "~|~|~|~|~|~|~|~|~|16/B374D900|~|~");

/* Time stands still for the watcher but for what a test adds. */
struct fixture {
    struct fake_postgres fake;
    bool faked;
    _Atomic int64_t now_ms;
    struct status status;
    struct delivery_stats delivery;
    struct topic_table topics;
    struct metrics *metrics;
    struct watcher *watcher;
    struct log *log;
    struct gate gate;
    struct endpoints *endpoints;
};

static mono_ms_t fixture_now(void *self)
{
    struct fixture *fixture = self;
    return (mono_ms_t){ atomic_load(&fixture->now_ms) };
}

static int64_t fixture_wall_us(void *self UNUSED)
{
    return 1700000000000000;
}

static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    status_init(&fixture->status);
    fixture->metrics = metrics_new();
    fixture->gate = slot_only_gate();
    fixture->log = log_new(&(struct log_options){ .fd = -1, .clock = clock_system() });
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    endpoints_free(fixture->endpoints);
    watcher_stop(fixture->watcher);
    if (fixture->faked)
        fake_postgres_end(&fixture->fake);
    topic_table_done(&fixture->topics);
    log_free(fixture->log);
    metrics_free(fixture->metrics);
    status_done(&fixture->status);
    memory_free(fixture);
    return 0;
}

/* With a script the watcher has had one look when this returns; without, it never connects. */
static void begin(struct fixture *fixture, const struct fake_step *script)
{
    const struct clock clock = { .now = fixture_now, .wall_us = fixture_wall_us, .self = fixture };
    struct watcher_options options = {
        .conn = { .host = "127.0.0.1", .port = "1", .user = "cdc", .database = "d b" },
        .slot = "orders",
        .interval_ms = 60 * 1000,
        .clock = clock,
    };
    fixture->faked = script != NULL;
    if (script != NULL) {
        fake_postgres_begin(&fixture->fake, script);
        options.conn.port = fixture->fake.port;
    }
    fixture->watcher = watcher_start(&options);
    for (int i = 0; script != NULL && !watcher_connected(fixture->watcher); i++) {
        assert_true(i < PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
    }
    fixture->endpoints = endpoints_new(&(struct endpoints_options){
        .status = &fixture->status,
        .metrics = fixture->metrics,
        .delivery = &fixture->delivery,
        .topics = &fixture->topics,
        .watcher = fixture->watcher,
        .log = fixture->log,
        .gate = fixture->gate,
        .clock = clock,
        .slot = "orders",
        .host = "db.example",
    });
}

struct answer {
    unsigned status;
    const char *content_type;
    char *body;
};

static struct answer get(struct fixture *fixture, const char *path)
{
    uint32_t count = 0;
    const struct http_route *routes = endpoints_routes(fixture->endpoints, &count);
    AUTO(struct buf, buf_done) body = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .status = 200, .content_type = "none", .body = &body };
    for (uint32_t i = 0; i < count; i++) {
        const struct http_request request = { .path = path };
        if (strcmp(routes[i].path, path) == 0)
            routes[i].handle(routes[i].self, &request, &response);
    }
    assert_false(body.failed);
    return (struct answer){ response.status, response.content_type, memory_text(buf_text(&body)) };
}

/* The answer as JSON; it must be nothing else. */
static json_t *get_json(struct fixture *fixture, const char *path, unsigned status)
{
    json_error_t problem;
    const struct answer answer = get(fixture, path);
    json_t *json = json_loads(answer.body, JSON_REJECT_DUPLICATES, &problem);
    if (json == NULL)
        fail_msg("%s: %s", problem.text, answer.body);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.content_type, "application/json");
    memory_free(answer.body);
    return json;
}

static void expect_json(json_t *json, const char *expected)
{
    json_error_t problem;
    json_t *wanted = json_loads(expected, JSON_DECODE_ANY, &problem);
    if (wanted == NULL)
        fail_msg("%s: %s", problem.text, expected);
    if (!json_equal(json, wanted)) {
        char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_SORT_KEYS);
        fail_msg("%s\nis not\n%s", text, expected);
    }
    json_decref(wanted);
}

static void expect_field(const json_t *json, const char *name, const char *expected)
{
    json_t *value = json_object_get(json, name);
    if (value == NULL)
        fail_msg("there is no \"%s\"", name);
    expect_json(value, expected);
}

/* ---- /slot ---- */

static const char seen_slot[] =
    "{\"name\":\"orders\",\"type\":\"logical\",\"exists\":true,\"active\":true,"
    "\"activePID\":4711,\"holder\":\"pqcdc:\\\"one\\\"\",\"currentLSN\":\"16/B374D900\","
    "\"confirmedFlushLSN\":\"16/B374D848\",\"restartLSN\":\"16/B374D800\",\"lag\":184,"
    "\"retainedWALSize\":256,\"walStatus\":\"extended\",\"safeWALSize\":1073741824,\"ageMs\":30}";

static void the_slot_is_what_the_watcher_saw(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, one_look);
    atomic_store(&fixture->now_ms, 30);
    json_t *json = get_json(fixture, "/slot", 200);
    expect_json(json, seen_slot);
    json_decref(json);
}

static void a_slot_that_nobody_saw_does_not_exist(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    json_t *json = get_json(fixture, "/slot", 200);
    expect_json(json, "{\"name\":\"orders\",\"type\":\"logical\",\"exists\":false}");
    json_decref(json);
}

static void a_slot_that_is_missing_does_not_exist(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, no_slot);
    json_t *json = get_json(fixture, "/slot", 200);
    expect_json(json, "{\"name\":\"orders\",\"type\":\"logical\",\"exists\":false,\"ageMs\":0}");
    json_decref(json);
}

/* ---- /status ---- */

static void the_status_before_anything_happened(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    json_t *json = get_json(fixture, "/status", 503);
    expect_json(json,
                "{\"status\":\"PostgreSQL does not answer\",\"role\":\"passive\","
                "\"state\":\"starting\",\"state_since_unix_ms\":0,\"reason\":null,"
                "\"host\":\"db.example\",\"database\":{\"seen\":true,\"error\":null},"
                "\"brokers\":{\"reached\":true,\"error\":null},\"transaction_open\":false,\"kafka_"
                "connected\":false,"
                "\"received_lsn\":null,\"confirmed_lsn\":null,\"current_lsn\":null,"
                "\"lag_bytes\":0,\"lag_ms\":0,\"transactions\":0,\"transactions_unconfirmed\":0,"
                "\"records_sent\":0,\"records_acked\":0,\"in_flight_records\":0,"
                "\"in_flight_bytes\":0,\"blocked\":[],\"lease\":null,"
                "\"slot\":{\"name\":\"orders\",\"type\":\"logical\",\"exists\":false},"
                "\"publication\":null,\"heartbeat\":{\"beats\":0,\"failures\":0,\"error\":null},"
                "\"tables\":[]}");
    json_decref(json);
}

static void fill(struct fixture *fixture)
{
    struct status *status = &fixture->status;
    struct error reason = ERROR_INIT;
    (void)error_set(&reason, ERROR_RECONNECT, "57P01", "it said \"bye\"\n");
    (void)error_advise(&reason, "wait");
    status_set_state(status, LIFE_CYCLE_STREAMING, 1700000000123456);
    status_set_reason(status, &reason);
    status_store(&status->received_lsn, 0x16B374D850);
    status_store(&status->confirmed_lsn, 0x16B374D848);
    status_store(&status->changes[CHANGE_INSERT], 3);
    status_store(&status->changes[CHANGE_COMMIT], 2);
    atomic_store(&status->lag_us, 1500999);
    atomic_store(&status->transaction_open, true);
    atomic_store(&status->transactions_unconfirmed, 9);
    atomic_store(&status->blocked, BLOCKED_OUTBOX | BLOCKED_STOP);
    status_store(&status_table_find(status, "public.\"odd\"", "odd", 0)->changes, 3);
    (void)status_table_find(status, "public.logs", NULL, 0);
    atomic_store(&fixture->delivery.brokers_up, 3);
    atomic_store(&fixture->delivery.records_sent, 12);
    atomic_store(&fixture->delivery.records_acked, 11);
    atomic_store(&fixture->delivery.in_flight_records, 1);
    atomic_store(&fixture->delivery.in_flight_bytes, 300);
}

static void the_status_of_a_stream(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, one_look);
    fill(fixture);
    atomic_store(&fixture->now_ms, 30);
    json_t *json = get_json(fixture, "/status", 200);
    expect_field(json, "slot", seen_slot);
    assert_int_equal(json_object_del(json, "slot"), 0);
    expect_json(json,
                "{\"status\":\"OK\",\"role\":\"active\",\"state\":\"streaming\","
                "\"state_since_unix_ms\":1700000000123,\"reason\":{\"class\":\"reconnect\","
                "\"code\":\"57P01\",\"name\":\"admin_shutdown\",\"sqlstate\":\"57P01\",\"text\":"
                "\"it said \\\"bye\\\"\\n\",\"advice\":\"wait\"},"
                "\"host\":\"db.example\",\"database\":{\"seen\":true,\"error\":null},"
                "\"brokers\":{\"reached\":true,\"error\":null},\"transaction_open\":true,\"kafka_"
                "connected\":true,"
                "\"received_lsn\":\"16/B374D850\",\"confirmed_lsn\":\"16/B374D848\","
                "\"current_lsn\":\"16/B374D900\",\"lag_bytes\":184,\"lag_ms\":1500,"
                "\"transactions\":2,\"transactions_unconfirmed\":9,\"records_sent\":12,"
                "\"records_acked\":11,\"in_flight_records\":1,\"in_flight_bytes\":300,"
                "\"blocked\":[\"outbox\",\"stop\"],\"lease\":null,\"publication\":null,"
                "\"heartbeat\":{\"beats\":0,\"failures\":0,\"error\":null},\"tables\":["
                "{\"table\":\"public.logs\",\"topic\":null,\"changes\":0},"
                "{\"table\":\"public.\\\"odd\\\"\",\"topic\":\"odd\",\"changes\":3}]}");
    json_decref(json);
}

/* Our clock is behind the server's. */
static void a_lag_is_never_below_zero(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    atomic_store(&fixture->status.lag_us, -3600000000);
    const struct answer answer = get(fixture, "/metrics");
    fake_assert_contains(answer.body, "\npqcdc_lag_seconds 0\n");
    memory_free(answer.body);
    json_t *json = get_json(fixture, "/status", 503);
    expect_field(json, "lag_ms", "0");
    json_decref(json);
}

/* 200 exactly while a ping was answered within the last second. */
static void the_status_is_ok_while_postgres_answers(void **state)
{
    static const struct {
        int64_t now_ms;
        unsigned status;
        const char *text;
    } rows[] = {
        { 0, 200, "\"OK\"" },
        { 1000, 200, "\"OK\"" },
        { 1001, 503, "\"PostgreSQL does not answer\"" },
    };
    struct fixture *fixture = *state;
    begin(fixture, one_look);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        atomic_store(&fixture->now_ms, rows[i].now_ms);
        json_t *json = get_json(fixture, "/status", rows[i].status);
        expect_field(json, "status", rows[i].text);
        json_decref(json);
    }
}

static void only_who_streams_is_active(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    for (int i = 0; i < LIFE_CYCLE_STATE_COUNT; i++) {
        char expected[32];
        enum life_cycle_state now = (enum life_cycle_state)i;
        status_set_state(&fixture->status, now, 1);
        json_t *json = get_json(fixture, "/status", 503);
        expect_field(json, "role", now == LIFE_CYCLE_STREAMING ? "\"active\"" : "\"passive\"");
        (void)snprintf(expected, sizeof(expected), "\"%s\"", life_cycle_state_name(now));
        expect_field(json, "state", expected);
        json_decref(json);
    }
}

static void a_reason_without_a_sqlstate_keeps_its_name(void **state)
{
    struct fixture *fixture = *state;
    struct error reason = ERROR_INIT;
    begin(fixture, NULL);
    (void)error_set(&reason, ERROR_HALT, "slot_lost", "it is lost");
    status_set_reason(&fixture->status, &reason);
    json_t *json = get_json(fixture, "/status", 503);
    expect_field(json, "reason",
                 "{\"class\":\"halt\",\"code\":\"slot_lost\",\"name\":\"slot_lost\","
                 "\"sqlstate\":null,\"text\":\"it is lost\",\"advice\":\"\"}");
    json_decref(json);
}

static void wait_until_refused(const struct fixture *fixture)
{
    struct watcher_blindness blindness = { .error = ERROR_INIT };
    for (int i = 0; blindness.error.class == ERROR_NONE; i++) {
        assert_true(i < PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
        (void)watcher_last_error(fixture->watcher, &blindness);
    }
}

static void expect_code(const json_t *error, const char *code)
{
    const char *said = json_string_value(json_object_get(error, "code"));
    assert_string_equal(said != NULL ? said : "", code);
}

/* As long as it sees nothing; brief moments apart. */
static void a_standby_that_sees_nothing_says_why(void **state)
{
    static const struct {
        enum life_cycle_state state;
        int64_t now_ms;
        const char *reason, *database;
    } rows[] = {
        { LIFE_CYCLE_STANDBY, 0, "not_leader", "" },
        { LIFE_CYCLE_STANDBY, OUTAGE_DATABASE_MS - 1, "not_leader", "" },
        { LIFE_CYCLE_STANDBY, OUTAGE_DATABASE_MS, "connection_failed", "connection_failed" },
        { LIFE_CYCLE_STANDBY, 3600000, "connection_failed", "connection_failed" },
        { LIFE_CYCLE_STREAMING, 3600000, "not_leader", "connection_failed" },
    };
    struct fixture *fixture = *state;
    struct error reason = ERROR_INIT;
    (void)error_set(&reason, ERROR_STEP_DOWN, "not_leader", "another leads");
    begin(fixture, NULL);
    wait_until_refused(fixture);
    status_set_reason(&fixture->status, &reason);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        status_set_state(&fixture->status, rows[i].state, 1);
        atomic_store(&fixture->now_ms, rows[i].now_ms);
        json_t *json = get_json(fixture, "/status", 503);
        const json_t *database = json_object_get(json, "database");
        bool is_told = rows[i].database[0] != '\0';
        expect_code(json_object_get(json, "reason"), rows[i].reason);
        expect_code(json_object_get(database, "error"), rows[i].database);
        expect_field(database, "seen", is_told ? "false" : "true");
        if (is_told)
            expect_field(database, "since_unix_ms", "1700000000000");
        json_decref(json);
    }
}

static void a_kafka_that_is_away_is_said_with_its_error(void **state)
{
    struct fixture *fixture = *state;
    struct outage outage = { .since_unix_us = 1700000000123456 };
    begin(fixture, NULL);
    (void)error_set(&outage.error, ERROR_RETRY, "brokers_lost", "no broker");
    (void)error_advise(&outage.error, "wait");
    status_set_kafka(&fixture->status, &outage);
    json_t *json = get_json(fixture, "/status", 503);
    expect_field(json, "brokers",
                 "{\"reached\":false,\"since_unix_ms\":1700000000123,\"error\":{"
                 "\"class\":\"retry\",\"code\":\"brokers_lost\",\"name\":\"brokers_lost\","
                 "\"sqlstate\":null,\"text\":\"no broker\",\"advice\":\"wait\"}}");
    json_decref(json);
    status_set_kafka(&fixture->status, NULL);
    json = get_json(fixture, "/status", 503);
    expect_field(json, "brokers", "{\"reached\":true,\"error\":null}");
    json_decref(json);
}

static void every_reason_to_block_has_its_word(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    atomic_store(&fixture->status.blocked, 127);
    json_t *json = get_json(fixture, "/status", 503);
    expect_field(json, "blocked",
                 "[\"outbox\",\"in_flight\",\"wait\",\"commit\",\"copy\",\"gate\",\"stop\"]");
    json_decref(json);
}

static void describe(void *self UNUSED, struct gate_status *out_status)
{
    *out_status = (struct gate_status){
        .leased = true,
        .leads = true,
        .lease = "shop/orders",
        .identity = "pod-1_a",
        .holder = "pod-1_a",
        .state = "leading",
        .phase = "streaming",
        .transitions = 7,
        .terms = 2,
        .renewed_age_ms = 1500,
        .failures = 3,
        .error = "PUT: \"no\"",
    };
}

static void the_status_says_who_holds_the_lease(void **state)
{
    struct fixture *fixture = *state;
    fixture->gate.describe = describe;
    begin(fixture, NULL);
    json_t *json = get_json(fixture, "/status", 503);
    expect_field(json, "lease",
                 "{\"name\":\"shop/orders\",\"identity\":\"pod-1_a\",\"leads\":true,"
                 "\"state\":\"leading\",\"holder\":\"pod-1_a\",\"phase\":\"streaming\","
                 "\"transitions\":7,\"terms\":2,\"renewed_age_ms\":1500,\"failures\":3,"
                 "\"error\":\"PUT: \\\"no\\\"\"}");
    json_decref(json);
}

/* ---- /metrics ---- */

/* The value of a series, "name{label=\"value\"}". */
static double series(const char *text, const char *name)
{
    AUTO(char *, memory_free_p) line = text_format("\n%s ", name);
    const char *found = strstr(text, line);
    if (found == NULL)
        fail_msg("%s is not in %s", name, text);
    assert_null(strstr(found + 1, line));
    return strtod(found + strlen(line), NULL);
}

static void expect_series(const char *text, const char *name, double expected)
{
    if (series(text, name) < expected || series(text, name) > expected)
        fail_msg("%s is %f, not %f", name, series(text, name), expected);
}

static void metrics_say_who_holds_the_lease(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    struct answer answer = get(fixture, "/metrics");
    expect_series(answer.body, "pqcdc_leader", 0);
    expect_series(answer.body, "pqcdc_lease_terms_total", 0);
    memory_free(answer.body);
    endpoints_free(fixture->endpoints);
    metrics_free(fixture->metrics);
    fixture->metrics = metrics_new();
    fixture->gate.describe = describe;
    watcher_stop(fixture->watcher);
    begin(fixture, NULL);
    answer = get(fixture, "/metrics");
    expect_series(answer.body, "pqcdc_leader", 1);
    expect_series(answer.body, "pqcdc_lease_terms_total", 2);
    expect_series(answer.body, "pqcdc_lease_transitions", 7);
    expect_series(answer.body, "pqcdc_lease_renewed_age_seconds", 1.5);
    expect_series(answer.body, "pqcdc_lease_failures_total", 3);
    memory_free(answer.body);
}

static void metrics_say_what_the_status_says(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, one_look);
    fill(fixture);
    const struct answer answer = get(fixture, "/metrics");
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    const struct {
        const char *name;
        double value;
    } rows[] = {
        { "pqcdc_state{state=\"streaming\"}", 1 },
        { "pqcdc_state{state=\"standby\"}", 0 },
        { "pqcdc_postgres_up", 1 },
        { "pqcdc_kafka_brokers_up", 3 },
        { "pqcdc_changes_total{operation=\"insert\"}", 3 },
        { "pqcdc_changes_total{operation=\"delete\"}", 0 },
        { "pqcdc_transactions_total", 2 },
        { "pqcdc_records_sent_total", 12 },
        { "pqcdc_records_acked_total", 11 },
        { "pqcdc_in_flight_records", 1 },
        { "pqcdc_in_flight_bytes", 300 },
        { "pqcdc_transactions_unconfirmed", 9 },
        { "pqcdc_blocked{reason=\"outbox\"}", 1 },
        { "pqcdc_blocked{reason=\"wait\"}", 0 },
        { "pqcdc_blocked{reason=\"stop\"}", 1 },
        { "pqcdc_received_lsn", 0x16B374D850 },
        { "pqcdc_confirmed_lsn", 0x16B374D848 },
        { "pqcdc_slot_active", 1 },
        { "pqcdc_slot_confirmed_flush_lsn", 0x16B374D848 },
        { "pqcdc_current_wal_lsn", 0x16B374D900 },
        { "pqcdc_lag_bytes", 184 },
        { "pqcdc_slot_retained_bytes", 256 },
        { "pqcdc_lag_seconds", 1.500999 },
        { "pqcdc_slot_wal_status{wal_status=\"extended\"}", 1 },
        { "pqcdc_slot_wal_status{wal_status=\"reserved\"}", 0 },
        { "pqcdc_slot_safe_wal_bytes", 1073741824 },
        { "pqcdc_role{role=\"active\"}", 1 },
        { "pqcdc_role{role=\"passive\"}", 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_series(answer.body, rows[i].name, rows[i].value);
    memory_free(answer.body);
}

static void expect_safe_wal(struct fixture *fixture, const struct fake_step *look, double expected)
{
    begin(fixture, look);
    const struct answer answer = get(fixture, "/metrics");
    expect_series(answer.body, "pqcdc_slot_safe_wal_bytes", expected);
    memory_free(answer.body);
}

#define SAFE_WAL_TEST(name, look, expected)                                                        \
    static void name(void **state)                                                                 \
    {                                                                                              \
        expect_safe_wal(*state, look, expected);                                                   \
    }
SAFE_WAL_TEST(wal_without_a_limit_is_safe_without_end, without_limit, (double)INFINITY)
SAFE_WAL_TEST(wal_over_the_limit_is_not_safe, over_the_limit, 0)
SAFE_WAL_TEST(wal_that_is_lost_is_not_safe, lost, 0)

static void expect_ancestor(const char *text, const char *name, double expected)
{
    char machine[256] = "";
    assert_int_equal(gethostname(machine, sizeof(machine) - 1), 0);
    AUTO(char *, memory_free_p)
    series = text_format("%s{slot_name=\"orders\",host=\"%s\"}", name, machine);
    expect_series(text, series, expected);
}

static void the_ancestors_names_say_the_same(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, one_look);
    fill(fixture);
    status_store(&fixture->status.changes[CHANGE_UPDATE], 5);
    status_store(&fixture->status.changes[CHANGE_DELETE], 7);
    atomic_store(&fixture->status.lag_us, 1500000);
    atomic_store(&fixture->status.ack_us, 2500);
    atomic_store(&fixture->status.change_ns, 700);
    const struct answer answer = get(fixture, "/metrics");
    const struct {
        const char *name;
        double value;
    } rows[] = {
        { "go_pq_cdc_insert_total", 3 },
        { "go_pq_cdc_update_total", 5 },
        { "go_pq_cdc_delete_total", 7 },
        { "go_pq_cdc_cdc_latency_current", 1.5e9 },
        { "go_pq_cdc_cdc_latency_current_milliseconds", 1500 },
        { "go_pq_cdc_process_latency_current", 700 },
        { "go_pq_cdc_process_latency_current_milliseconds", 0.0007 },
        { "go_pq_cdc_replication_slot_slot_is_active", 1 },
        { "go_pq_cdc_replication_slot_slot_confirmed_flush_lsn", 0x16B374D848 },
        { "go_pq_cdc_replication_slot_slot_current_lsn", 0x16B374D900 },
        { "go_pq_cdc_replication_slot_slot_retained_wal_size", 256 },
        { "go_pq_cdc_replication_slot_slot_lag", 184 },
        { "go_pq_cdc_kafka_process_latency_current", 1.5e9 },
        { "go_pq_cdc_kafka_bulk_request_process_latency_current", 2.5e6 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_ancestor(answer.body, rows[i].name, rows[i].value);
    memory_free(answer.body);
}

static void counters_follow_from_scrape_to_scrape(void **state)
{
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    for (uint64_t total = 0; total <= 20; total += 10) {
        status_store(&fixture->status.changes[CHANGE_UPDATE], total);
        atomic_store(&fixture->status.transactions_unconfirmed, (uint32_t)(20 - total));
        const struct answer answer = get(fixture, "/metrics");
        expect_series(answer.body, "pqcdc_changes_total{operation=\"update\"}", (double)total);
        expect_series(answer.body, "pqcdc_transactions_unconfirmed", 20 - (double)total);
        expect_series(answer.body, "pqcdc_postgres_up", 0);
        memory_free(answer.body);
    }
    /* Whatever is read, a counter does not fall. */
    status_store(&fixture->status.changes[CHANGE_UPDATE], 5);
    const struct answer answer = get(fixture, "/metrics");
    expect_series(answer.body, "pqcdc_changes_total{operation=\"update\"}", 20);
    memory_free(answer.body);
}

static void every_metric_is_served_and_documented(void **state)
{
    static const struct {
        const char *name, *label, *label_value, *help;
    } rows[] = {
#define METRIC(kind, name, label, label_value, help, value) { name, label, label_value, help },
#include "connector/metrics.def"
#undef METRIC
    };
    struct fixture *fixture = *state;
    begin(fixture, NULL);
    const struct answer answer = get(fixture, "/metrics");
    AUTO(struct buf, buf_done) docs = buf_init(HTTP_BODY_LIMIT_BYTES);
    scrape_write_docs(&docs);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char name[128];
        (void)snprintf(name, sizeof(name), rows[i].label[0] != '\0' ? "%s{%s=\"%s\"}" : "%s",
                       rows[i].name, rows[i].label, rows[i].label_value);
        (void)series(answer.body, name);
        (void)snprintf(name, sizeof(name), "| `%s` |", rows[i].name);
        fake_assert_contains(buf_text(&docs), name);
        fake_assert_contains(buf_text(&docs), rows[i].help);
        fake_assert_contains(answer.body, rows[i].help);
    }
    memory_free(answer.body);
}

#define ENDPOINTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENDPOINTS_TEST(the_slot_is_what_the_watcher_saw),
        ENDPOINTS_TEST(a_slot_that_nobody_saw_does_not_exist),
        ENDPOINTS_TEST(a_slot_that_is_missing_does_not_exist),
        ENDPOINTS_TEST(the_status_before_anything_happened),
        ENDPOINTS_TEST(the_status_of_a_stream),
        ENDPOINTS_TEST(a_lag_is_never_below_zero),
        ENDPOINTS_TEST(the_status_is_ok_while_postgres_answers),
        ENDPOINTS_TEST(only_who_streams_is_active),
        ENDPOINTS_TEST(a_reason_without_a_sqlstate_keeps_its_name),
        ENDPOINTS_TEST(a_standby_that_sees_nothing_says_why),
        ENDPOINTS_TEST(a_kafka_that_is_away_is_said_with_its_error),
        ENDPOINTS_TEST(every_reason_to_block_has_its_word),
        ENDPOINTS_TEST(the_status_says_who_holds_the_lease),
        ENDPOINTS_TEST(metrics_say_who_holds_the_lease),
        ENDPOINTS_TEST(metrics_say_what_the_status_says),
        ENDPOINTS_TEST(wal_without_a_limit_is_safe_without_end),
        ENDPOINTS_TEST(wal_over_the_limit_is_not_safe),
        ENDPOINTS_TEST(wal_that_is_lost_is_not_safe),
        ENDPOINTS_TEST(the_ancestors_names_say_the_same),
        ENDPOINTS_TEST(counters_follow_from_scrape_to_scrape),
        ENDPOINTS_TEST(every_metric_is_served_and_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
