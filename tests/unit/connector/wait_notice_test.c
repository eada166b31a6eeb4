/* A key look-up that takes long. */
#include "unit/postgres/fake_postgres.h"

#include "connector/wait_notice.h"

struct fixture {
    struct wait_notice notice;
    int said;
};

static void note(void *self, enum log_level level, const char *message,
                 const struct log_field *fields UNUSED)
{
    struct fixture *fixture = self;
    assert_int_equal(level, LOG_WARN);
    fake_assert_contains(message, "a table cannot be looked up in the catalogs");
    fixture->said++;
}

static void look(struct fixture *fixture, bool waiting, int64_t at_ms)
{
    wait_notice_look(&fixture->notice, waiting, (mono_ms_t){ at_ms });
}

static void a_wait_is_said_once_when_it_is_long(void **state UNUSED)
{
    struct fixture fixture = { .said = 0 };
    const struct watcher_options nobody = {
        .conn = { .host = "127.0.0.1", .port = "1", .user = "cdc", .database = "shop" },
        .slot = "orders",
        .interval_ms = 60 * 1000,
        .clock = clock_system(),
    };
    struct watcher *watcher = watcher_start(&nobody);
    struct log *log = log_new(&(struct log_options){
        .level = LOG_INFO, .clock = clock_system(), .sink = note, .sink_self = &fixture });
    fixture.notice = (struct wait_notice){ .watcher = watcher, .log = log };
    look(&fixture, false, 100000);
    look(&fixture, true, 100001);
    look(&fixture, true, 104999);
    assert_int_equal(fixture.said, 0);
    look(&fixture, true, 105000);
    assert_int_equal(fixture.said, 1);
    look(&fixture, true, 200000);
    assert_int_equal(fixture.said, 1);
    look(&fixture, false, 200001); /* the next one counts anew */
    look(&fixture, true, 205000);
    assert_int_equal(fixture.said, 1);
    look(&fixture, true, 205001);
    assert_int_equal(fixture.said, 2);
    log_free(log);
    watcher_stop(watcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_wait_is_said_once_when_it_is_long) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
