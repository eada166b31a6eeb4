/* A connector that may not lead, or waits: what it says of itself. */
#include "unit/postgres/fake_sessions.h"

#include "base/memory.h"
#include "connector/connector.h"
#include "connector/slot_only.h"

enum { PATIENCE_TURNS = 20 * 1000, STEP_MS = 10 * 1000, LINES_MAX = 64 };

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int turns_ = 0;                                                                            \
        while (!(condition)) {                                                                     \
            if (++turns_ > PATIENCE_TURNS)                                                         \
                fail_msg("never came true: %s", #condition);                                       \
            (void)usleep(1000);                                                                    \
        }                                                                                          \
    } while (false)

struct line {
    char message[64];
    char code[ERROR_CODE_SIZE];
};

/* Time goes on in steps that the test makes. */
struct fixture {
    struct fake_sessions server;
    struct config *config;
    struct log *log;
    struct gate gate;
    struct clock clock;
    struct connector *connector;
    struct status *status;
    _Atomic int64_t now_ms;
    atomic_bool may_start;
    pthread_mutex_t lock; /* of the lines */
    struct line lines[LINES_MAX];
    size_t count;
};

static mono_ms_t now(void *self)
{
    return (mono_ms_t){ atomic_load(&((struct fixture *)self)->now_ms) };
}

static int64_t wall_us(void *self)
{
    return now(self).value * 1000;
}

static bool may_start(void *self)
{
    return atomic_load(&((struct fixture *)self)->may_start);
}

static void keep_line(void *self, enum log_level level UNUSED, const char *message,
                      const struct log_field *fields)
{
    struct fixture *fixture = self;
    pthread_mutex_lock(&fixture->lock);
    if (fixture->count < LINES_MAX) {
        struct line *line = &fixture->lines[fixture->count++];
        (void)snprintf(line->message, sizeof(line->message), "%s", message);
        for (; fields->type != LOG_END; fields++)
            if (strcmp(fields->key, "code") == 0)
                (void)snprintf(line->code, sizeof(line->code), "%s", fields->value.string);
    }
    pthread_mutex_unlock(&fixture->lock);
}

/* How often it was logged, with that code (NULL = whatever it is). */
static int logged(struct fixture *fixture, const char *message, const char *code)
{
    int count = 0;
    pthread_mutex_lock(&fixture->lock);
    for (size_t i = 0; i < fixture->count; i++)
        count += strcmp(fixture->lines[i].message, message) == 0 &&
                 (code == NULL || strcmp(fixture->lines[i].code, code) == 0);
    pthread_mutex_unlock(&fixture->lock);
    return count;
}

static void configure(struct fixture *fixture)
{
    char text[1024];
    const struct config_sources sources = { .file = "test.yaml" };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    (void)snprintf(
        text, sizeof(text),
        "cdc:\n"
        "  {host: 127.0.0.1, port: %s, username: cdc, database: shop, password: secret,\n"
        "   publication: {name: pub}, slot: {name: orders}, onHalt: wait,\n"
        "   sslMode: disable, metric: {port: 0, address: 127.0.0.1}}\n"
        "kafka: {brokers: ['127.0.0.1:1'], topicTemplate: t}\n",
        fixture->server.peer.port);
    if (!config_load_text(&sources, slice_of(text), &fixture->config, &problems))
        fail_msg("%s: %s", problems.items[0].path, problems.items[0].text);
}

static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    CHECK(pthread_mutex_init(&fixture->lock, NULL) == 0);
    atomic_store(&fixture->now_ms, 1000000);
    fixture->clock = (struct clock){ .now = now, .wall_us = wall_us, .self = fixture };
    fixture->log = log_new(&(struct log_options){
        .level = LOG_INFO, .clock = clock_system(), .sink = keep_line, .sink_self = fixture });
    fixture->gate = slot_only_gate();
    fixture->gate.self = fixture;
    fixture->gate.may_start = may_start;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    connector_stop(fixture->connector);
    if (!connector_join(fixture->connector, &err))
        print_error("%s\n", err.text);
    connector_free(fixture->connector);
    fake_sessions_end(&fixture->server);
    config_free(fixture->config);
    log_free(fixture->log);
    pthread_mutex_destroy(&fixture->lock);
    memory_free(fixture);
    return 0;
}

static void start(struct fixture *fixture, enum login login)
{
    struct error err = ERROR_INIT;
    fake_sessions_begin(&fixture->server, login);
    configure(fixture);
    const struct connector_options options = {
        .config = fixture->config,
        .log = fixture->log,
        .sink = CONNECTOR_SINK_NULL,
        .gate = &fixture->gate,
        .clock = &fixture->clock,
    };
    if (!connector_new(&options, &fixture->connector, &err) ||
        !connector_start(fixture->connector, &err))
        fail_msg("%s", err.text);
    fixture->status = connector_status(fixture->connector);
}

static bool is(const struct fixture *fixture, enum life_cycle_state state)
{
    return status_state(fixture->status) == state;
}

/* Until the pipeline has turned at the new time. */
static void let_time_pass(struct fixture *fixture, int64_t total_ms)
{
    for (int64_t passed_ms = 0; passed_ms < total_ms; passed_ms += STEP_MS) {
        int64_t now_ms = atomic_fetch_add(&fixture->now_ms, STEP_MS) + STEP_MS;
        WAIT_UNTIL(atomic_load(&fixture->status->turned_ms) == now_ms);
    }
}

static bool is_unready(const struct fixture *fixture, const char *code)
{
    struct error reason = ERROR_INIT;
    return connector_unready(fixture->connector, &reason) && strcmp(reason.code, code) == 0;
}

static bool reason_is(const struct fixture *fixture, const char *code)
{
    struct error reason;
    status_reason(fixture->status, &reason);
    return strcmp(reason.code, code) == 0;
}

static void a_standby_that_sees_nothing_stays_one(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, LOGIN_BAD_PASSWORD);
    WAIT_UNTIL(is(fixture, LIFE_CYCLE_STANDBY) && is_unready(fixture, "28P01"));
    int64_t since_us = atomic_load(&fixture->status->state_since_us);
    for (int minute = 0; minute < 3; minute++) {
        let_time_pass(fixture, 60 * 1000);
        assert_true(is(fixture, LIFE_CYCLE_STANDBY) && is_unready(fixture, "28P01"));
        assert_int_equal(atomic_load(&fixture->status->state_since_us), since_us);
    }
    assert_int_equal(logged(fixture, "standby", NULL), 1);
    assert_int_equal(logged(fixture, "starting", NULL), 0);
    assert_int_equal(logged(fixture, "the slot cannot be seen; trying again", "28P01"), 1);
    atomic_store(&fixture->server.login, LOGIN_SERVED);
    WAIT_UNTIL(logged(fixture, "the slot is seen again", NULL) == 1);
    assert_false(is_unready(fixture, "28P01"));
    assert_int_equal(atomic_load(&fixture->status->state_since_us), since_us);
}

/* That the password is wrong is no news once it is known; that another thing is wrong is. */
static void each_cause_is_logged_once(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, LOGIN_BAD_PASSWORD);
    WAIT_UNTIL(is(fixture, LIFE_CYCLE_STANDBY) && is_unready(fixture, "28P01"));
    let_time_pass(fixture, 30 * 1000);
    atomic_store(&fixture->server.login, LOGIN_SHUTTING_DOWN);
    WAIT_UNTIL(is_unready(fixture, "57P03"));
    let_time_pass(fixture, 30 * 1000);
    assert_int_equal(logged(fixture, "the slot cannot be seen; trying again", "28P01"), 1);
    assert_int_equal(logged(fixture, "the slot cannot be seen; trying again", "57P03"), 1);
}

static void who_may_lead_finds_out_itself(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, LOGIN_BAD_PASSWORD);
    WAIT_UNTIL(is(fixture, LIFE_CYCLE_STANDBY) && is_unready(fixture, "28P01"));
    let_time_pass(fixture, 30 * 1000);
    atomic_store(&fixture->may_start, true);
    let_time_pass(fixture, STEP_MS);
    WAIT_UNTIL(is(fixture, LIFE_CYCLE_HALTED) && reason_is(fixture, "28P01"));
}

/* Its turn is over, but what a person must do is not done. */
static void what_halted_it_is_said_until_somebody_streams(void **state)
{
    struct fixture *fixture = *state;
    atomic_store(&fixture->may_start, true);
    start(fixture, LOGIN_BAD_PASSWORD);
    WAIT_UNTIL(is(fixture, LIFE_CYCLE_HALTED));
    atomic_store(&fixture->may_start, false);
    atomic_store(&fixture->server.sight, no_sight);
    atomic_store(&fixture->server.login, LOGIN_SERVED);
    let_time_pass(fixture, 60 * 1000);
    WAIT_UNTIL(is(fixture, LIFE_CYCLE_STANDBY));
    let_time_pass(fixture, 60 * 1000);
    assert_true(reason_is(fixture, "28P01"));
    atomic_store(&fixture->server.sight, orders_sight);
    WAIT_UNTIL(reason_is(fixture, "not_leader"));
}

#define STANDBY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STANDBY_TEST(a_standby_that_sees_nothing_stays_one),
        STANDBY_TEST(each_cause_is_logged_once),
        STANDBY_TEST(who_may_lead_finds_out_itself),
        STANDBY_TEST(what_halted_it_is_said_until_somebody_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
