#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>

#include "base/memory.h"
#include "worker/probes.h"

enum { PATIENCE_TURNS = 20 * 1000 };

/* Nobody listens at either address. */
static const char text[] = "cdc:\n"
                           "  host: 127.0.0.1\n"
                           "  port: 1\n"
                           "  username: cdc\n"
                           "  database: shop\n"
                           "  publication: {name: pub}\n"
                           "  slot: {name: orders}\n"
                           "  metric: {port: 0, address: 127.0.0.1}\n"
                           "kafka: {brokers: ['127.0.0.1:1'], topicTemplate: t}\n";

/* A connector that a test starts or not; its status is the test's to write. */
struct fixture {
    struct config *config;
    struct log *log;
    struct connector *connector;
    struct status *status;
    struct probes probes;
    bool started;
};

static void ignore(void *self, enum log_level level, const char *message,
                   const struct log_field *fields)
{
    (void)self;
    (void)level;
    (void)message;
    (void)fields;
}

static int64_t now_ms(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock).value;
}

static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    const struct config_sources sources = { .file = "test.yaml" };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    struct error err = ERROR_INIT;
    fixture->log = log_new(&(struct log_options){ .clock = clock_system(), .sink = ignore });
    if (!config_load_text(&sources, slice_of(text), &fixture->config, &problems))
        fail_msg("%s: %s", problems.items[0].path, problems.items[0].text);
    const struct connector_options options = { .config = fixture->config,
                                               .log = fixture->log,
                                               .sink = CONNECTOR_SINK_NULL };
    if (!connector_new(&options, &fixture->connector, &err))
        fail_msg("%s", err.text);
    probes_init(&fixture->probes);
    fixture->probes.connector = fixture->connector;
    fixture->status = connector_status(fixture->connector);
    atomic_store(&fixture->status->turned_ms, now_ms());
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    if (fixture->started) {
        connector_stop(fixture->connector);
        if (!connector_join(fixture->connector, &err))
            print_error("%s\n", err.text);
    }
    connector_free(fixture->connector);
    config_free(fixture->config);
    log_free(fixture->log);
    memory_free(fixture);
    return 0;
}

/* The answer of a probe is exactly this. */
static void expect(const struct fixture *fixture, const char *path, bool verbose, unsigned status,
                   const char *body)
{
    AUTO(struct buf, buf_done) out = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .status = 200, .body = &out };
    const struct http_request request = { .path = path, .verbose = verbose };
    for (size_t i = 0; i < COUNT_OF(fixture->probes.routes); i++) {
        const struct http_route *route = &fixture->probes.routes[i];
        if (strcmp(route->path, path) == 0)
            route->handle(route->self, &request, &response);
    }
    assert_string_equal(buf_text(&out), body);
    assert_int_equal(response.status, status);
}

static void stop_turning(const struct fixture *fixture, int64_t since_ms)
{
    atomic_store(&fixture->status->turned_ms, now_ms() - since_ms);
}

/* ---- /livez ---- */

static void it_lives_while_its_loop_turns(void **state)
{
    const struct fixture *fixture = *state;
    expect(fixture, "/livez", false, 200, "ok\n");
    expect(fixture, "/livez", true, 200, "[+] loop ok\n[+] elector ok\nok\n");
    stop_turning(fixture, 8000);
    expect(fixture, "/livez", false, 200, "ok\n");
}

static void it_is_dead_when_its_loop_stands_still(void **state)
{
    const struct fixture *fixture = *state;
    AUTO(struct buf, buf_done) out = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .status = 200, .body = &out };
    const struct http_request request = { .path = "/livez" };
    stop_turning(fixture, 60 * 1000);
    fixture->probes.routes[0].handle(fixture->probes.routes[0].self, &request, &response);
    assert_int_equal(response.status, 503);
    const char *answer = buf_text(&out);
    const char prefix[] = "[-] loop failed: loop_stuck: the pipeline has not turned for 60";
    assert_memory_equal(answer, prefix, sizeof(prefix) - 1);
    assert_string_equal(strchr(answer, '\n'), "\nfailed\n");
}

/* An outage must not restart a process that would only wait again. */
static void no_outage_and_no_halt_kills_it(void **state)
{
    const struct fixture *fixture = *state;
    struct error reason = ERROR_INIT;
    (void)error_set(&reason, ERROR_HALT, "slot_lost", "the slot is gone");
    status_set_reason(fixture->status, &reason);
    atomic_store(&fixture->status->started, true);
    for (int now = 0; now < LIFE_CYCLE_STATE_COUNT; now++) {
        if (now == LIFE_CYCLE_STANDBY)
            continue;
        status_set_state(fixture->status, (enum life_cycle_state)now, 1);
        expect(fixture, "/livez", false, 200, "ok\n");
        expect(fixture, "/startupz", false, 200, "ok\n");
    }
}

/* ---- /startupz ---- */

static void it_has_started_once_the_loop_has_turned(void **state)
{
    const struct fixture *fixture = *state;
    expect(fixture, "/startupz", false, 503,
           "[-] started failed: not_started: the pipeline has not turned yet\nfailed\n");
    atomic_store(&fixture->status->started, true);
    expect(fixture, "/startupz", true, 200, "[+] started ok\nok\n");
    expect(fixture, "/startupz", false, 200, "ok\n");
}

/* ---- /readyz ---- */

static void it_is_ready_while_it_streams(void **state)
{
    const struct fixture *fixture = *state;
    status_set_state(fixture->status, LIFE_CYCLE_STREAMING, 1);
    expect(fixture, "/readyz", false, 200, "ok\n");
    expect(fixture, "/readyz", true, 200,
           "[+] loop ok\n[+] elector ok\n[+] streaming-or-standby ok\nok\n");
}

static void what_keeps_it_from_being_ready_is_named(void **state)
{
    const struct fixture *fixture = *state;
    struct error reason = ERROR_INIT;
    expect(fixture, "/readyz", false, 503,
           "[-] streaming-or-standby failed: not_streaming: the connector is starting\nfailed\n");
    (void)error_set(&reason, ERROR_HALT, "slot_lost", "replication slot \"orders\" is gone");
    status_set_reason(fixture->status, &reason);
    status_set_state(fixture->status, LIFE_CYCLE_HALTED, 1);
    expect(
        fixture, "/readyz", true, 503,
        "[+] loop ok\n[+] elector ok\n[-] streaming-or-standby failed: slot_lost: replication slot "
        "\"orders\" is gone\nfailed\n");
    status_set_reason(fixture->status, NULL);
    status_set_state(fixture->status, LIFE_CYCLE_STOPPING, 1);
    expect(fixture, "/readyz", false, 503,
           "[-] streaming-or-standby failed: not_streaming: the connector is stopping\nfailed\n");
}

static void a_stream_whose_loop_stands_still_is_not_ready(void **state)
{
    const struct fixture *fixture = *state;
    AUTO(struct buf, buf_done) out = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .status = 200, .body = &out };
    const struct http_request request = { .path = "/readyz", .verbose = true };
    status_set_state(fixture->status, LIFE_CYCLE_STREAMING, 1);
    stop_turning(fixture, 60 * 1000);
    fixture->probes.routes[1].handle(fixture->probes.routes[1].self, &request, &response);
    assert_int_equal(response.status, 503);
    assert_non_null(strstr(buf_text(&out), "[-] loop failed: loop_stuck: "));
    assert_non_null(
        strstr(buf_text(&out), "\n[+] elector ok\n[+] streaming-or-standby ok\nfailed\n"));
}

/* ---- a connector that runs ---- */

static void run(struct fixture *fixture)
{
    struct error err = ERROR_INIT;
    fixture->started = connector_start(fixture->connector, &err);
    if (!fixture->started)
        fail_msg("%s", err.text);
    for (int i = 0; !atomic_load(&fixture->status->started); i++) {
        assert_true(i < PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
    }
}

/* PostgreSQL and Kafka are away: it lives, it has started, and it is not ready. */
static void an_outage_at_the_start_is_no_failed_start(void **state)
{
    struct fixture *fixture = *state;
    struct error reason;
    run(fixture);
    status_reason(fixture->status, &reason);
    for (int i = 0; reason.class == ERROR_NONE; i++) {
        assert_true(i < PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
        status_reason(fixture->status, &reason);
    }
    assert_int_equal(reason.class, ERROR_RECONNECT);
    expect(fixture, "/livez", false, 200, "ok\n");
    expect(fixture, "/startupz", false, 200, "ok\n");
    assert_true(connector_unready(fixture->connector, &reason));
    assert_int_equal(reason.class, ERROR_RECONNECT);
}

static void a_standby_that_is_blind_is_not_ready(void **state)
{
    struct fixture *fixture = *state;
    static const char text_begins[] = "the standby cannot see the slot: connect to PostgreSQL at ";
    struct error reason = ERROR_INIT;
    run(fixture);
    status_set_state(fixture->status, LIFE_CYCLE_STANDBY, 1);
    for (int i = 0; strcmp(reason.code, "connection_failed") != 0; i++) {
        assert_true(i < PATIENCE_TURNS);
        (void)poll(NULL, 0, 1);
        (void)connector_unready(fixture->connector, &reason);
    }
    assert_int_equal(reason.class, ERROR_RECONNECT);
    assert_int_equal(strncmp(reason.text, text_begins, strlen(text_begins)), 0);
    expect(fixture, "/livez", false, 200, "ok\n");
}

#define PROBES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBES_TEST(it_lives_while_its_loop_turns),
        PROBES_TEST(it_is_dead_when_its_loop_stands_still),
        PROBES_TEST(no_outage_and_no_halt_kills_it),
        PROBES_TEST(it_has_started_once_the_loop_has_turned),
        PROBES_TEST(it_is_ready_while_it_streams),
        PROBES_TEST(what_keeps_it_from_being_ready_is_named),
        PROBES_TEST(a_stream_whose_loop_stands_still_is_not_ready),
        PROBES_TEST(an_outage_at_the_start_is_no_failed_start),
        PROBES_TEST(a_standby_that_is_blind_is_not_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
