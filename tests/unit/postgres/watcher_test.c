#include "unit/postgres/fake_sessions.h"

#include <dirent.h>
#include <signal.h>

#include "postgres/watcher.h"

enum {
    PATIENCE_TURNS = 10 * 1000,
    NO_INTERVAL_MS = 60 * 1000,
    BEFORE_THE_NEXT_LOOK_MS = 900,
};

/* ---- helpers ---- */

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int turns_ = 0;                                                                            \
        while (!(condition)) {                                                                     \
            if (++turns_ > PATIENCE_TURNS)                                                         \
                fail_msg("never came true: %s", #condition);                                       \
            (void)usleep(1000);                                                                    \
        }                                                                                          \
    } while (false)

static struct watcher *watch(const struct fake_sessions *server, int64_t interval_ms)
{
    const struct watcher_options options = { .conn = fake_options(&server->peer),
                                             .slot = "orders",
                                             .interval_ms = interval_ms,
                                             .clock = clock_system() };
    return watcher_start(&options);
}

static bool seen(const struct watcher *watcher)
{
    struct slot_sight sight;
    int64_t age_ms;
    return watcher_sight(watcher, &sight, &age_ms);
}

static bool sees_current(const struct watcher *watcher, uint64_t lsn)
{
    struct slot_sight sight;
    int64_t age_ms;
    return watcher_sight(watcher, &sight, &age_ms) && sight.current_lsn.value == lsn;
}

static bool error_mentions(const struct watcher *watcher, const char *text)
{
    struct watcher_blindness blindness;
    return watcher_last_error(watcher, &blindness) && strstr(blindness.error.text, text) != NULL;
}

static bool is_readable(int fd)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    return poll(&ready, 1, 0) == 1;
}

static int64_t now_ms(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock).value;
}

/* ---- the slot ---- */

static void test_nothing_before_the_first_look(void **state UNUSED)
{
    struct fake_sessions server;
    struct slot_sight sight = { .active_pid = 1 };
    const struct slot_sight nothing = { .exists = false };
    int64_t age_ms = 0;
    struct watcher_blindness blindness;
    fake_sessions_begin(&server, LOGIN_UNANSWERED);
    struct watcher *watcher = watch(&server, 10);
    assert_false(watcher_sight(watcher, &sight, &age_ms));
    assert_memory_equal(&sight, &nothing, sizeof(sight));
    assert_true(age_ms == INT64_MAX);
    assert_true(watcher_ping_age_ms(watcher) == INT64_MAX);
    assert_false(watcher_connected(watcher));
    assert_false(watcher_shutdown_noticed(watcher));
    assert_false(is_readable(watcher_fd(watcher)));
    assert_true(watcher_last_error(watcher, &blindness)); /* but nothing has failed */
    assert_int_equal(blindness.error.class, ERROR_NONE);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static void test_sight(void **state UNUSED)
{
    struct fake_sessions server;
    struct slot_sight sight;
    int64_t age_ms = -1;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, 10);
    WAIT_UNTIL(watcher_connected(watcher));
    assert_true(watcher_sight(watcher, &sight, &age_ms));
    assert_true(sight.exists && sight.active && sight.logical && !sight.creating);
    assert_int_equal(sight.active_pid, 4711);
    assert_string_equal(sight.plugin, "pgoutput");
    assert_string_equal(sight.database, "shop");
    assert_string_equal(sight.holder, "pqcdc:one");
    assert_string_equal(sight.invalidation, "");
    assert_int_equal(sight.wal_status, SLOT_WAL_EXTENDED);
    assert_int_equal(sight.restart_lsn.value, 0x10);
    assert_int_equal(sight.confirmed_flush.value, 0x16B374D848);
    assert_int_equal(sight.current_lsn.value, 0x16B374D900);
    assert_int_equal(sight.safe_wal_size_bytes, 1 << 30);
    assert_in_range(age_ms, 0, FAKE_PATIENCE_MS);
    assert_in_range(watcher_ping_age_ms(watcher), 0, FAKE_PATIENCE_MS);
    struct watcher_blindness blindness;
    assert_false(watcher_last_error(watcher, &blindness));
    assert_true(fake_sessions_parameter_was(&server, server.last_look, "orders"));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static void test_sight_follows_the_slot(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, 5);
    WAIT_UNTIL(sees_current(watcher, 0x16B374D900));
    atomic_store(&server.sight, no_sight);
    WAIT_UNTIL(sees_current(watcher, 0x77));
    WAIT_UNTIL(is_readable(watcher_fd(watcher)));
    atomic_store(&server.sight, orders_sight);
    WAIT_UNTIL(sees_current(watcher, 0x16B374D900));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* Each look is announced once. */
static void test_acknowledge(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(is_readable(watcher_fd(watcher)));
    watcher_acknowledge(watcher);
    watcher_acknowledge(watcher); /* nothing to drain: returns at once */
    WAIT_UNTIL(is_readable(watcher_fd(watcher)));
    /* Asked for a look each minute, it pings each second all the same. */
    assert_true(atomic_load(&server.looks) >= 2);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

struct reader_thread {
    pthread_t thread;
    const struct watcher *watcher;
    atomic_bool *stop;
    uint64_t reads, firsts;
};

/* Both sights differ in every field: a mixture would show. */
static void *read_sights(void *self)
{
    struct reader_thread *reader = self;
    while (!atomic_load(reader->stop)) {
        struct slot_sight sight;
        int64_t age_ms;
        CHECK(watcher_sight(reader->watcher, &sight, &age_ms));
        bool first = sight.exists;
        CHECK(sight.active == first && sight.logical == first);
        CHECK(sight.active_pid == (first ? 4711 : 0));
        CHECK(strcmp(sight.plugin, first ? "pgoutput" : "") == 0);
        CHECK(strcmp(sight.holder, first ? "pqcdc:one" : "") == 0);
        CHECK(sight.confirmed_flush.value == (first ? 0x16B374D848 : 0));
        CHECK(sight.current_lsn.value == (first ? 0x16B374D900 : 0x77));
        CHECK(sight.safe_wal_size_bytes == (first ? 1 << 30 : -1));
        reader->reads++;
        reader->firsts += first;
    }
    return NULL;
}

/* More readers than processors, so that some are overtaken in the middle of a sight. */
static void test_readers_never_see_a_mixture(void **state UNUSED)
{
    enum { LOOKS = 500 };
    struct fake_sessions server;
    atomic_bool stop = false;
    fake_sessions_begin(&server, LOGIN_SERVED);
    atomic_store(&server.alternate, true);
    struct watcher *watcher = watch(&server, 1);
    struct reader_thread readers[6];
    WAIT_UNTIL(seen(watcher));
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        readers[i] = (struct reader_thread){ .watcher = watcher, .stop = &stop };
        CHECK(pthread_create(&readers[i].thread, NULL, read_sights, &readers[i]) == 0);
    }
    WAIT_UNTIL(atomic_load(&server.looks) > LOOKS);
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT_OF(readers); i++) {
        CHECK(pthread_join(readers[i].thread, NULL) == 0);
        assert_true(readers[i].firsts > 0 && readers[i].firsts < readers[i].reads);
    }
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* ---- keys ---- */

static enum watcher_answered key_answer(struct watcher *watcher, uint32_t oid, struct arena *arena,
                                        struct slice **names)
{
    struct relation_facts facts = { .key = NULL };
    enum watcher_answered answer = watcher_answer(watcher, oid, arena, &facts);
    *names = facts.key;
    return answer;
}

static struct relation_facts wait_for_facts(struct watcher *watcher, uint32_t oid,
                                            struct arena *arena)
{
    struct relation_facts facts;
    WAIT_UNTIL(watcher_answer(watcher, oid, arena, &facts) == WATCHER_FOUND);
    return facts;
}

static uint16_t wait_for_key(struct watcher *watcher, uint32_t oid, struct arena *arena,
                             struct slice **names)
{
    struct relation_facts facts = wait_for_facts(watcher, oid, arena);
    assert_int_equal(facts.parent_count, 0);
    *names = facts.key;
    return facts.key_count;
}

static void test_key(void **state UNUSED)
{
    struct fake_sessions server;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    assert_int_equal(key_answer(watcher, 16384, &arena, &names), WATCHER_PENDING);
    watcher_ask(watcher, 16384);
    watcher_ask(watcher, 16384);
    assert_int_equal(wait_for_key(watcher, 16384, &arena, &names), 2);
    assert_true(slice_is(names[0], "region"));
    assert_true(slice_is(names[1], "id"));
    assert_true(fake_sessions_parameter_was(&server, server.last_key, "16384"));
    assert_int_equal(atomic_load(&server.keys), 1);
    /* It was taken. */
    assert_int_equal(key_answer(watcher, 16384, &arena, &names), WATCHER_PENDING);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* At once, not at the next look, which is a second after the first. */
static void test_key_is_announced(void **state UNUSED)
{
    struct fake_sessions server;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    watcher_ask(watcher, 7);
    int64_t asked_ms = now_ms();
    while (key_answer(watcher, 7, &arena, &names) == WATCHER_PENDING) {
        struct pollfd ready = { .fd = watcher_fd(watcher), .events = POLLIN };
        assert_int_equal(poll(&ready, 1, FAKE_PATIENCE_MS), 1);
        watcher_acknowledge(watcher);
        assert_true(now_ms() - asked_ms < BEFORE_THE_NEXT_LOOK_MS);
    }
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* The nearest first. */
static void test_parents(void **state UNUSED)
{
    struct fake_sessions server;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    atomic_store(&server.key, "1|id|~\n2|middle|s\n3|root|public");
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    watcher_ask(watcher, 7);
    struct relation_facts facts = wait_for_facts(watcher, 7, &arena);
    assert_int_equal(facts.key_count, 1);
    assert_true(slice_is(facts.key[0], "id"));
    assert_int_equal(facts.parent_count, 2);
    assert_true(slice_is(facts.parents[0].schema, "s"));
    assert_true(slice_is(facts.parents[0].name, "middle"));
    assert_true(slice_is(facts.parents[1].schema, "public"));
    assert_true(slice_is(facts.parents[1].name, "root"));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static void test_table_without_key(void **state UNUSED)
{
    struct fake_sessions server;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    atomic_store(&server.key, no_columns);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    watcher_ask(watcher, 4294967295);
    assert_int_equal(wait_for_key(watcher, 4294967295, &arena, &names), 0);
    assert_true(fake_sessions_parameter_was(&server, server.last_key, "4294967295"));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* A relation whose key changed is asked for again: what was found before is not the answer. */
static void test_key_is_looked_up_anew(void **state UNUSED)
{
    struct fake_sessions server;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    watcher_ask(watcher, 7);
    assert_int_equal(wait_for_key(watcher, 7, &arena, &names), 2);
    atomic_store(&server.key, other_column);
    watcher_ask(watcher, 7);
    assert_int_equal(wait_for_key(watcher, 7, &arena, &names), 1);
    assert_true(slice_is(names[0], "sku"));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* The answer to what is not asked any more is dropped when it comes. */
static void test_another_key_is_asked_meanwhile(void **state UNUSED)
{
    struct fake_sessions server;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    watcher_ask(watcher, 7);
    WAIT_UNTIL(atomic_load(&server.keys) == 1);
    atomic_store(&server.key, other_column);
    watcher_ask(watcher, 8);
    assert_int_equal(key_answer(watcher, 7, &arena, &names), WATCHER_PENDING);
    assert_int_equal(wait_for_key(watcher, 8, &arena, &names), 1);
    assert_true(slice_is(names[0], "sku"));
    assert_true(fake_sessions_parameter_was(&server, server.last_key, "8"));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* Nor is it taken for the answer to a later question about the same table. */
static void test_late_answer_is_not_the_next_one(void **state UNUSED)
{
    struct fake_sessions server;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    int looks = atomic_load(&server.looks);
    watcher_ask(watcher, 7);
    WAIT_UNTIL(atomic_load(&server.looks) > looks); /* it looks when it has answered */
    atomic_store(&server.hold, true);
    atomic_store(&server.key, other_column);
    watcher_ask(watcher, 8);
    watcher_ask(watcher, 7);
    assert_int_equal(key_answer(watcher, 7, &arena, &names), WATCHER_PENDING);
    atomic_store(&server.hold, false);
    assert_int_equal(wait_for_key(watcher, 7, &arena, &names), 1);
    assert_true(slice_is(names[0], "sku"));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static void test_key_is_answered_after_a_lost_session(void **state UNUSED)
{
    struct fake_sessions server;
    struct slice *names;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    atomic_store(&server.hold, true);
    watcher_ask(watcher, 7);
    fake_sessions_close(&server, &server.cut);
    WAIT_UNTIL(!watcher_connected(watcher));
    atomic_store(&server.hold, false);
    assert_int_equal(wait_for_key(watcher, 7, &arena, &names), 2);
    assert_int_equal(atomic_load(&server.sessions), 2);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* ---- the session ---- */

static void test_lost_session_is_opened_again(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    atomic_store(&server.login, LOGIN_BAD_PASSWORD);
    fake_sessions_close(&server, &server.cut);
    WAIT_UNTIL(!watcher_connected(watcher));
    WAIT_UNTIL(error_mentions(watcher, "password authentication failed"));
    assert_true(seen(watcher)); /* the last look stays, and ages */
    atomic_store(&server.login, LOGIN_SERVED);
    WAIT_UNTIL(watcher_connected(watcher));
    assert_false(error_mentions(watcher, "password"));
    assert_int_equal(atomic_load(&server.sessions), 2);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static int64_t test_clock_us(void *self)
{
    return atomic_load((_Atomic int64_t *)self);
}

static mono_ms_t test_clock_ms(void *self)
{
    return (mono_ms_t){ test_clock_us(self) / 1000 };
}

/* However often it tries, it is blind since the first failure; the error is of the last one. */
static void test_blindness(void **state UNUSED)
{
    _Atomic int64_t now_us = 5000000;
    struct watcher_blindness blindness = { .age_ms = 0 };
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SHUTTING_DOWN);
    const struct watcher_options options = {
        .conn = fake_options(&server.peer),
        .slot = "orders",
        .interval_ms = 10,
        .clock = { .now = test_clock_ms, .wall_us = test_clock_us, .self = &now_us },
    };
    struct watcher *watcher = watcher_start(&options);
    WAIT_UNTIL(error_mentions(watcher, "57P03"));
    atomic_store(&now_us, 65000000);
    atomic_store(&server.login, LOGIN_BAD_PASSWORD);
    WAIT_UNTIL(error_mentions(watcher, "28P01"));
    assert_true(watcher_last_error(watcher, &blindness));
    assert_string_equal(blindness.error.code, "28P01");
    assert_int_equal(blindness.error.class, ERROR_HALT);
    assert_string_equal(blindness.error.advice,
                        "check cdc.username and cdc.password (cdc.passwordFile)");
    assert_int_equal(blindness.age_ms, 60000);
    assert_int_equal(blindness.since_unix_us, 5000000);
    atomic_store(&server.login, LOGIN_SERVED);
    WAIT_UNTIL(watcher_connected(watcher));
    assert_false(watcher_last_error(watcher, &blindness));
    atomic_store(&server.login, LOGIN_BAD_PASSWORD);
    fake_sessions_close(&server, &server.cut);
    WAIT_UNTIL(error_mentions(watcher, "28P01"));
    assert_true(watcher_last_error(watcher, &blindness));
    assert_int_equal(blindness.since_unix_us, 65000000);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* A session that is idle hears of its end at once, not at the next look. */
static void test_shutdown_is_noticed(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    atomic_store(&server.login, LOGIN_SHUTTING_DOWN);
    fake_sessions_close(&server, &server.terminate);
    WAIT_UNTIL(!watcher_connected(watcher));
    assert_true(watcher_ping_age_ms(watcher) < BEFORE_THE_NEXT_LOOK_MS);
    WAIT_UNTIL(watcher_shutdown_noticed(watcher));
    assert_false(watcher_connected(watcher));
    WAIT_UNTIL(error_mentions(watcher, "57P03"));
    atomic_store(&server.login, LOGIN_SERVED);
    WAIT_UNTIL(watcher_connected(watcher));
    assert_false(watcher_shutdown_noticed(watcher));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

static void test_shutdown_that_refuses_connections(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    (void)shutdown(server.peer.listen_fd,
                   SHUT_RDWR); /* no longer listens; its port stays its own */
    fake_sessions_close(&server, &server.terminate);
    WAIT_UNTIL(watcher_shutdown_noticed(watcher));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* pg_terminate_backend() on the session alone. */
static void test_terminated_session_is_no_shutdown(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    fake_sessions_close(&server, &server.terminate);
    WAIT_UNTIL(atomic_load(&server.sessions) == 2 && watcher_connected(watcher));
    assert_false(watcher_shutdown_noticed(watcher));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* It answers: it runs. */
static void test_refusal_that_is_no_shutdown(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    atomic_store(&server.login, LOGIN_BAD_PASSWORD);
    fake_sessions_close(&server, &server.terminate);
    WAIT_UNTIL(error_mentions(watcher, "28P01"));
    assert_false(watcher_shutdown_noticed(watcher));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* libpq may meet the end of the session before its 57P01. */
static void test_shutdown_without_a_farewell(void **state UNUSED)
{
    struct fake_sessions server;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher));
    atomic_store(&server.login, LOGIN_SHUTTING_DOWN);
    fake_sessions_close(&server, &server.cut);
    WAIT_UNTIL(watcher_shutdown_noticed(watcher));
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

/* ---- life ---- */

static void test_stops_while_it_waits(void **state UNUSED)
{
    static const enum login logins[] = { LOGIN_UNANSWERED, LOGIN_SERVED, LOGIN_SHUTTING_DOWN };
    for (size_t i = 0; i < COUNT_OF(logins); i++) {
        struct fake_sessions server;
        fake_sessions_begin(&server, logins[i]);
        atomic_store(&server.hold, true);
        struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
        if (logins[i] == LOGIN_SHUTTING_DOWN)
            WAIT_UNTIL(error_mentions(watcher, "57P03"));
        else
            WAIT_UNTIL(atomic_load(&server.sessions) == 1);
        int64_t began_ms = now_ms();
        watcher_stop(watcher);
        assert_true(now_ms() - began_ms < 4000); /* every time-out of its own is longer */
        fake_sessions_end(&server);
    }
    watcher_stop(NULL);
}

static void test_texts_are_copied(void **state UNUSED)
{
    struct fake_sessions server;
    char host[] = "127.0.0.1", port[8], user[] = "cdc", database[] = "shop", slot[] = "orders",
         mode[] = "disable";
    char *const texts[] = { host, port, user, database, slot, mode };
    fake_sessions_begin(&server, LOGIN_SHUTTING_DOWN);
    (void)snprintf(port, sizeof(port), "%s", server.peer.port);
    const struct watcher_options options = {
        .conn = { .host = host,
                  .port = port,
                  .user = user,
                  .database = database,
                  .ssl_mode = mode,
                  .application_name = "test" },
        .slot = slot,
        .interval_ms = 10,
        .clock = clock_system(),
    };
    struct watcher *watcher = watcher_start(&options);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        memset(texts[i], '?', strlen(texts[i]));
    atomic_store(&server.login, LOGIN_SERVED);
    WAIT_UNTIL(watcher_connected(watcher));
    watcher_stop(watcher);
    assert_true(fake_sessions_parameter_was(&server, server.last_look, "orders"));
    fake_sessions_end(&server);
}

static bool read_text(const char *directory, const char *name, char *out, size_t size)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t got = fread(out, 1, size - 1, file);
    out[got] = '\0';
    (void)fclose(file);
    return true;
}

/* The blocked signals of the thread with that name, 0 = there is none. */
static uint64_t blocked_signals(const char *thread_name)
{
    char text[8192];
    uint64_t blocked = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        if (!read_text(task->d_name, "comm", text, sizeof(text)) || strcmp(text, thread_name) != 0)
            continue;
        assert_true(read_text(task->d_name, "status", text, sizeof(text)));
        const char *line = strstr(text, "SigBlk:");
        assert_non_null(line);
        blocked = strtoull(line + strlen("SigBlk:"), NULL, 16);
    }
    (void)closedir(tasks);
    return blocked;
}

static void test_thread_has_a_name_and_no_signals(void **state UNUSED)
{
    struct fake_sessions server;
    sigset_t mine;
    fake_sessions_begin(&server, LOGIN_SERVED);
    struct watcher *watcher = watch(&server, NO_INTERVAL_MS);
    WAIT_UNTIL(watcher_connected(watcher)); /* a thread that begins has all of them blocked */
    uint64_t blocked = blocked_signals("watcher\n");
    assert_true((blocked & (1u << (SIGTERM - 1))) != 0);
    assert_true((blocked & (1u << (SIGINT - 1))) != 0);
    assert_true((blocked & (1u << (SIGHUP - 1))) != 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mine), 0);
    assert_int_equal(sigismember(&mine, SIGTERM), 0);
    watcher_stop(watcher);
    fake_sessions_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_before_the_first_look),
        cmocka_unit_test(test_sight),
        cmocka_unit_test(test_sight_follows_the_slot),
        cmocka_unit_test(test_acknowledge),
        cmocka_unit_test(test_readers_never_see_a_mixture),
        cmocka_unit_test(test_key),
        cmocka_unit_test(test_key_is_announced),
        cmocka_unit_test(test_parents),
        cmocka_unit_test(test_table_without_key),
        cmocka_unit_test(test_key_is_looked_up_anew),
        cmocka_unit_test(test_another_key_is_asked_meanwhile),
        cmocka_unit_test(test_late_answer_is_not_the_next_one),
        cmocka_unit_test(test_key_is_answered_after_a_lost_session),
        cmocka_unit_test(test_lost_session_is_opened_again),
        cmocka_unit_test(test_blindness),
        cmocka_unit_test(test_shutdown_is_noticed),
        cmocka_unit_test(test_shutdown_that_refuses_connections),
        cmocka_unit_test(test_terminated_session_is_no_shutdown),
        cmocka_unit_test(test_refusal_that_is_no_shutdown),
        cmocka_unit_test(test_shutdown_without_a_farewell),
        cmocka_unit_test(test_stops_while_it_waits),
        cmocka_unit_test(test_texts_are_copied),
        cmocka_unit_test(test_thread_has_a_name_and_no_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
