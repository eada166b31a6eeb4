#include "unit/postgres/fake_sessions.h"

#include "postgres/watcher.h"

enum { PATIENCE_TURNS = 10 * 1000, INTERVAL_MS = 10, LONG_MS = 60 * 1000 };

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int turns_ = 0;                                                                            \
        while (!(condition)) {                                                                     \
            if (++turns_ > PATIENCE_TURNS)                                                         \
                fail_msg("never came true: %s", #condition);                                       \
            (void)usleep(1000);                                                                    \
        }                                                                                          \
    } while (false)

static struct watcher *watch(const struct fake_sessions *server,
                             const struct heartbeat_options *heartbeat)
{
    const struct watcher_options options = { .conn = fake_options(&server->peer),
                                             .slot = "orders",
                                             .interval_ms = INTERVAL_MS,
                                             .heartbeat = *heartbeat,
                                             .clock = clock_system() };
    struct watcher *watcher = watcher_start(&options);
    WAIT_UNTIL(watcher_connected(watcher));
    return watcher;
}

/* Until the next call. */
static const struct watcher_heart *heart_of(const struct watcher *watcher)
{
    static struct watcher_heart heart;
    watcher_heart(watcher, &heart);
    return &heart;
}

static void assert_beat_was(struct fake_sessions *server, const char *part)
{
    pthread_mutex_lock(&server->lock);
    fake_assert_contains(server->last_beat, part);
    pthread_mutex_unlock(&server->lock);
}

static void wait_looks(const struct fake_sessions *server, int more)
{
    int seen = atomic_load(&server->looks);
    WAIT_UNTIL(atomic_load(&server->looks) >= seen + more);
}

static void test_beats_only_while_told_to(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, &(struct heartbeat_options){ .interval_ms = 10 });
    wait_looks(&server, 10);
    assert_int_equal(atomic_load(&server.beats), 0);
    watcher_set_beating(watcher, true);
    WAIT_UNTIL(heart_of(watcher)->beats >= 3);
    assert_beat_was(&server, "pg_logical_emit_message(false, ");
    assert_beat_was(&server, "SET LOCAL statement_timeout = 500;");
    assert_int_equal(heart_of(watcher)->failures, 0);
    assert_int_equal(watcher_heart_turns(watcher), 0);
    watcher_set_beating(watcher, false);
    wait_looks(&server, 2); /* the one that is under way */
    int beats = atomic_load(&server.beats);
    wait_looks(&server, 10);
    assert_int_equal(atomic_load(&server.beats), beats);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static void test_interval(void **state UNUSED)
{
    static const int64_t intervals[] = { 0, LONG_MS };
    for (size_t i = 0; i < COUNT_OF(intervals); i++) {
        struct fake_sessions server;
        fake_sessions_begin(&server, LOGIN_SERVED);
        struct watcher *watcher =
            watch(&server, &(struct heartbeat_options){ .interval_ms = intervals[i] });
        watcher_set_beating(watcher, true);
        wait_looks(&server, 10);
        assert_int_equal(atomic_load(&server.beats), 0);
        watcher_stop(watcher);
        fake_sessions_end(&server);
    }
}

/* A cause is a turn, however often it fails; looks go on in the same session. */
static void test_failure(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    atomic_store(&server.beat_error, "42501:permission denied for table pulse");
    struct watcher *watcher =
        watch(&server,
              &(struct heartbeat_options){ .interval_ms = 10, .schema = "s\"x", .table = "pulse" });
    watcher_set_beating(watcher, true);
    WAIT_UNTIL(heart_of(watcher)->failures >= 3);
    assert_int_equal(watcher_heart_turns(watcher), 1);
    assert_string_equal(heart_of(watcher)->error.code, "42501");
    fake_assert_contains(heart_of(watcher)->error.text, "\"s\"\"x\".\"pulse\"");
    fake_assert_contains(heart_of(watcher)->error.advice, "GRANT INSERT, UPDATE, SELECT ON");
    assert_int_equal(atomic_load(&server.sessions), 1);
    wait_looks(&server, 3);
    atomic_store(&server.beat_error, "25006:cannot execute INSERT in a read-only transaction");
    WAIT_UNTIL(watcher_heart_turns(watcher) == 2);
    atomic_store(&server.beat_error, NULL);
    WAIT_UNTIL(watcher_heart_turns(watcher) == 3 && heart_of(watcher)->beats > 0);
    assert_int_equal(heart_of(watcher)->error.class, ERROR_NONE);
    assert_beat_was(&server, "INSERT INTO \"s\"\"x\".\"pulse\"");
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* What recovers writes no message, and says so by a null. */
static void test_standby(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    atomic_store(&server.beat_nothing, true);
    struct watcher *watcher = watch(&server, &(struct heartbeat_options){ .interval_ms = 10 });
    watcher_set_beating(watcher, true);
    WAIT_UNTIL(heart_of(watcher)->failures >= 2);
    assert_beat_was(&server, "WHEN NOT pg_catalog.pg_is_in_recovery()");
    assert_string_equal(heart_of(watcher)->error.code, "read_only");
    fake_assert_contains(heart_of(watcher)->error.advice, "cdc.heartbeat.interval: 0");
    assert_int_equal(heart_of(watcher)->beats, 0);
    assert_int_equal(watcher_heart_turns(watcher), 1);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static void test_query(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher =
        watch(&server, &(struct heartbeat_options){ .interval_ms = 10,
                                                    .query = "UPDATE s.pulse SET at = now()" });
    watcher_set_beating(watcher, true);
    WAIT_UNTIL(heart_of(watcher)->beats > 0);
    assert_beat_was(&server, "SET LOCAL lock_timeout = 300; UPDATE s.pulse SET at = now()");
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beats_only_while_told_to),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_failure),
        cmocka_unit_test(test_standby),
        cmocka_unit_test(test_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
