#include "fake_postgres.h"

#include <sys/eventfd.h>

#include "postgres/slot.h"

/* ---- verifying: no server is needed ---- */

static struct slot_sight good_sight(void)
{
    return (struct slot_sight){
        .exists = true,
        .logical = true,
        .plugin = "pgoutput",
        .database = "d b",
        .wal_status = SLOT_WAL_RESERVED,
        .confirmed_flush = { 0x16B374D848 },
    };
}

/* Whose it is does not depend on what became of it. */
static void test_verify_ours(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct slot_sight sight = good_sight();
    sight.wal_status = SLOT_WAL_LOST;
    (void)snprintf(sight.invalidation, sizeof(sight.invalidation), "wal_removed");
    assert_true(slot_verify_ours(&sight, "s1", "d b", &err));
    assert_false(slot_verify_ours(&sight, "s1", "other", &err));
    fake_assert_error(&err, ERROR_HALT, "slot_other_database", "belongs to database \"d b\"",
                      "cdc.slot.name");
    sight.logical = false;
    sight.plugin[0] = '\0';
    assert_false(slot_verify_ours(&sight, "s1", "d b", &err));
    fake_assert_error(&err, ERROR_HALT, "slot_physical", "physical", "cdc.slot.name");
}

static void refuse_sight(const struct slot_sight *sight, const char *code, const char *text,
                         const char *advice)
{
    struct error err = ERROR_INIT;
    assert_false(slot_verify(sight, "s1", "d b", &err));
    fake_assert_error(&err, ERROR_HALT, code, text, advice);
    fake_assert_contains(err.text, "\"s1\"");
}

static void test_verify_accepts(void **state UNUSED)
{
    struct error err = ERROR_INIT;
    struct slot_sight sight = good_sight();
    assert_true(slot_verify(&sight, "s1", "d b", &err));
    sight.active = true;
    sight.wal_status = SLOT_WAL_UNRESERVED;
    assert_true(slot_verify(&sight, "s1", "d b", &err));
    sight.creating = true;
    sight.confirmed_flush = LSN_NONE;
    sight.wal_status = SLOT_WAL_UNKNOWN;
    assert_true(slot_verify(&sight, "s1", "d b", &err));
}

static void test_verify_kinds(void **state UNUSED)
{
    struct slot_sight sight = good_sight();
    sight.exists = false;
    refuse_sight(&sight, "slot_missing", "does not exist", "pqcdc slot create");
    sight = good_sight();
    sight.logical = false;
    refuse_sight(&sight, "slot_physical", "physical", "pg_drop_replication_slot('s1')");
    sight = good_sight();
    (void)snprintf(sight.plugin, sizeof(sight.plugin), "wal2json");
    refuse_sight(&sight, "slot_other_plugin", "wal2json", "cdc.slot.name");
    sight = good_sight();
    (void)snprintf(sight.database, sizeof(sight.database), "elsewhere");
    refuse_sight(&sight, "slot_other_database", "\"elsewhere\", not to \"d b\"", "cdc.slot.name");
}

static void test_verify_lost(void **state UNUSED)
{
    struct slot_sight sight = good_sight();
    sight.wal_status = SLOT_WAL_LOST;
    refuse_sight(&sight, "slot_lost", "after 16/B374D848", "--accept-gap");
    (void)snprintf(sight.invalidation, sizeof(sight.invalidation), "wal_removed");
    refuse_sight(&sight, "slot_lost", "removed WAL", "max_slot_wal_keep_size");
    (void)snprintf(sight.invalidation, sizeof(sight.invalidation), "idle_timeout");
    refuse_sight(&sight, "slot_invalidated", "idle_timeout", "idle_replication_slot_timeout");
    (void)snprintf(sight.invalidation, sizeof(sight.invalidation), "rows_removed");
    sight.wal_status = SLOT_WAL_RESERVED;
    refuse_sight(&sight, "slot_invalidated", "rows_removed", "--accept-gap");
}

static void test_wal_status_names(void **state UNUSED)
{
    assert_string_equal(slot_wal_status_name(SLOT_WAL_UNKNOWN), "");
    assert_string_equal(slot_wal_status_name(SLOT_WAL_RESERVED), "reserved");
    assert_string_equal(slot_wal_status_name(SLOT_WAL_EXTENDED), "extended");
    assert_string_equal(slot_wal_status_name(SLOT_WAL_UNRESERVED), "unreserved");
    assert_string_equal(slot_wal_status_name(SLOT_WAL_LOST), "lost");
}

/* ---- looking ---- */

static void test_look(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "16.1" },
        { FAKE_EXPECT, "s.conflicting" },
        { FAKE_ROWS, "logical|t|4711|pgoutput|d b|holder ü|unreserved|0/10|0/20|0/30|-5|conflict" },
        { FAKE_EXPECT, "s1|" },
        { FAKE_ROWS, "~|~|~|~|~|~|~|~|~|0/30|~|~" },
        { FAKE_EXPECT, "s1" },
        { FAKE_ROWS, "logical|t|9|pgoutput|d b|~|~|0/10|~|0/30|~|~" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct slot_sight sight;
    struct error err = ERROR_INIT;
    assert_true(slot_look(conn, "s1", &sight, &err));
    assert_true(sight.exists && sight.active && sight.logical && !sight.creating);
    assert_int_equal(sight.active_pid, 4711);
    assert_string_equal(sight.holder, "holder ü");
    assert_string_equal(sight.invalidation, "conflict");
    assert_int_equal(sight.wal_status, SLOT_WAL_UNRESERVED);
    assert_int_equal(sight.restart_lsn.value, 0x10);
    assert_int_equal(sight.confirmed_flush.value, 0x20);
    assert_int_equal(sight.current_lsn.value, 0x30);
    assert_int_equal(sight.safe_wal_size_bytes, -5);
    assert_true(slot_look(conn, "s1", &sight, &err));
    assert_false(sight.exists || sight.active || sight.logical || sight.creating);
    assert_int_equal(sight.current_lsn.value, 0x30);
    assert_int_equal(sight.safe_wal_size_bytes, -1);
    assert_true(slot_look(conn, "s1", &sight, &err));
    assert_true(sight.exists && sight.creating);
    assert_int_equal(sight.wal_status, SLOT_WAL_UNKNOWN);
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_look_by_version(void **state UNUSED)
{
    static const char row[] = "logical|f|~|pgoutput|d b|~|lost|0/10|0/20|0/30|~|wal_removed";
    static const struct fake_step newer[] = {
        { FAKE_GREET, "18.0" }, { FAKE_EXPECT, "SET transaction_timeout" },
        { FAKE_DONE, NULL },    { FAKE_EXPECT, "s.invalidation_reason" },
        { FAKE_ROWS, row },     { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    static const struct fake_step older[] = {
        { FAKE_GREET, "14.9" }, { FAKE_EXPECT, "s.safe_wal_size, NULL FROM" },
        { FAKE_ROWS, row },     { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    const struct fake_step *const scripts[] = { newer, older };
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct fake_postgres fake;
        fake_postgres_begin(&fake, scripts[i]);
        struct db_conn *conn = fake_open(&fake);
        struct slot_sight sight;
        struct error err = ERROR_INIT;
        assert_true(slot_look(conn, "s1", &sight, &err));
        assert_int_equal(sight.wal_status, SLOT_WAL_LOST);
        db_conn_close(conn);
        fake_postgres_end(&fake);
    }
}

/* A sight is all or nothing. */
static void test_look_at_nonsense(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "s1" },
        { FAKE_ROWS, "logical|t|pid|pgoutput|d b|~|~|0/10|0/20|0/30|~|~" },
        { FAKE_EXPECT, "s1" },
        { FAKE_ROWS, "logical|t|1|pgoutput|d b|~|~|0/10|nowhere|0/30|~|~" },
        { FAKE_EXPECT, "s1" },
        { FAKE_ROWS, "logical|t" },
        { FAKE_EXPECT, "s1" },
        { FAKE_ROWS, "" },
        { FAKE_EXPECT, "s1" },
        { FAKE_ERROR, "42501:not for you" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct slot_sight sight = { .active_pid = 77 };
    struct error err = ERROR_INIT;
    for (int i = 0; i < 4; i++) {
        assert_false(slot_look(conn, "s1", &sight, &err));
        fake_assert_error(&err, ERROR_HALT, "unexpected_answer", "\"s1\"", "");
    }
    assert_false(slot_look(conn, "s1", &sight, &err));
    fake_assert_error(&err, ERROR_HALT, "42501", "look at replication slot \"s1\"", "grant");
    assert_int_equal(sight.active_pid, 77);
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

/* ---- creating ---- */

struct pair {
    struct fake_postgres session_fake, replication_fake;
    struct db_conn *session, *replication;
    int stop_fd;
};

static void pair_begin(struct pair *pair, const struct fake_step *session,
                       const struct fake_step *replication)
{
    fake_postgres_begin(&pair->session_fake, session);
    fake_postgres_begin(&pair->replication_fake, replication);
    pair->session = fake_open(&pair->session_fake);
    pair->replication = fake_open(&pair->replication_fake);
    pair->stop_fd = eventfd(0, EFD_CLOEXEC);
    pair->replication->interrupt.stop_fd = pair->stop_fd;
    pair->session->interrupt.stop_fd = pair->stop_fd;
}

static void pair_end(struct pair *pair)
{
    db_conn_close(pair->replication);
    db_conn_close(pair->session);
    fake_postgres_end(&pair->replication_fake);
    fake_postgres_end(&pair->session_fake);
    assert_int_equal(close(pair->stop_fd), 0);
}

static const struct fake_step calm_session[] = {
    { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "wal_level" }, { FAKE_ROWS, "logical" },
    { FAKE_SILENCE, NULL }, { FAKE_END, NULL },
};

static void test_create_in_each_syntax(void **state UNUSED)
{
    static const struct fake_step at_14[] = {
        { FAKE_GREET, "14.2" },
        { FAKE_EXPECT, "CREATE_REPLICATION_SLOT \"s1\" LOGICAL pgoutput NOEXPORT_SNAPSHOT" },
        { FAKE_ROWS, "s1|0/AB|~|pgoutput" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    static const struct fake_step at_15[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "CREATE_REPLICATION_SLOT \"s1\" LOGICAL pgoutput (SNAPSHOT 'nothing')" },
        { FAKE_ROWS, "s1|0/AB|~|pgoutput" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    const struct fake_step *const scripts[] = { at_14, at_15 };
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        struct pair pair;
        pair_begin(&pair, calm_session, scripts[i]);
        lsn_t point = LSN_NONE;
        struct error err = ERROR_INIT;
        assert_true(slot_create(pair.replication, pair.session, "s1", NULL, NULL, &point, &err));
        assert_int_equal(point.value, 0xAB);
        assert_int_equal(pair.replication->interrupt.stop_fd, pair.stop_fd);
        assert_null(pair.replication->interrupt.turn);
        assert_int_equal(pair.session->interrupt.stop_fd, pair.stop_fd);
        pair_end(&pair);
    }
}

static void test_create_needs_wal_level(void **state UNUSED)
{
    static const struct fake_step session[] = {
        { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "wal_level" }, { FAKE_ROWS, "replica" },
        { FAKE_SILENCE, NULL }, { FAKE_END, NULL },
    };
    static const struct fake_step replication[] = { { FAKE_GREET, "15.4" },
                                                    { FAKE_SILENCE, NULL },
                                                    { FAKE_END, NULL } };
    struct pair pair;
    pair_begin(&pair, session, replication);
    lsn_t point = LSN_NONE;
    struct error err = ERROR_INIT;
    assert_false(slot_create(pair.replication, pair.session, "s1", NULL, NULL, &point, &err));
    fake_assert_error(&err, ERROR_HALT, "wal_level", "wal_level = replica",
                      "ALTER SYSTEM SET wal_level = logical; -- then restart PostgreSQL");
    pair_end(&pair);
}

static void test_create_fails(void **state UNUSED)
{
    static const struct {
        const char *answer;
        enum error_class class;
        const char *code, *advice;
    } cases[] = {
        { "42710:exists", ERROR_WAIT, "slot_appeared", "" },
        { "53400:all slots are in use", ERROR_HALT, "53400", "max_replication_slots" },
        { "42602:bad name", ERROR_CONFIG, "42602", "lower-case" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct fake_step replication[] = { { FAKE_GREET, "15.4" },
                                                 { FAKE_EXPECT, "CREATE_REPLICATION_SLOT" },
                                                 { FAKE_ERROR, cases[i].answer },
                                                 { FAKE_SILENCE, NULL },
                                                 { FAKE_END, NULL } };
        struct pair pair;
        pair_begin(&pair, calm_session, replication);
        lsn_t point = LSN_NONE;
        struct error err = ERROR_INIT;
        assert_false(slot_create(pair.replication, pair.session, "s1", NULL, NULL, &point, &err));
        fake_assert_error(&err, cases[i].class, cases[i].code, "\"s1\"", cases[i].advice);
        assert_true(lsn_is_none(point));
        pair_end(&pair);
    }
}

static void test_create_drops_what_it_cannot_read(void **state UNUSED)
{
    static const struct fake_step replication[] = {
        { FAKE_GREET, "15.4" },      { FAKE_EXPECT, "CREATE_REPLICATION_SLOT" },
        { FAKE_ROWS, "s1|nowhere" }, { FAKE_EXPECT, "DROP_REPLICATION_SLOT \"s1\"" },
        { FAKE_DONE, NULL },         { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct pair pair;
    pair_begin(&pair, calm_session, replication);
    lsn_t point = LSN_NONE;
    struct error err = ERROR_INIT;
    assert_false(slot_create(pair.replication, pair.session, "s1", NULL, NULL, &point, &err));
    fake_assert_error(&err, ERROR_HALT, "unexpected_answer", "\"s1\"", "");
    pair_end(&pair);
}

struct waiting {
    int calls;
    int32_t pid;
    char application[64];
    int stop_fd;
};

static void stop_when_waiting(void *self, int32_t pid, const char *application, int64_t waited_ms)
{
    struct waiting *waiting = self;
    assert_true(waited_ms >= 1000);
    waiting->calls++;
    waiting->pid = pid;
    (void)snprintf(waiting->application, sizeof(waiting->application), "%s", application);
    assert_int_equal(eventfd_write(waiting->stop_fd, 1), 0);
}

static void stop_creation(const struct fake_step *session, const struct fake_step *replication,
                          const char *advice)
{
    struct pair pair;
    pair_begin(&pair, session, replication);
    struct waiting waiting = { .stop_fd = pair.stop_fd };
    lsn_t point = LSN_NONE;
    struct error err = ERROR_INIT;
    assert_false(slot_create(pair.replication, pair.session, "s1", stop_when_waiting, &waiting,
                             &point, &err));
    fake_assert_error(&err, ERROR_STOPPED, "stopped", "\"s1\"", advice);
    assert_int_equal(waiting.calls, 1);
    assert_int_equal(waiting.pid, 0);
    assert_string_equal(waiting.application, "a prepared transaction");
    assert_true(lsn_is_none(point));
    assert_int_equal(pair.replication->interrupt.stop_fd, pair.stop_fd);
    pair_end(&pair);
}

static const struct fake_step failing_session[] = {
    { FAKE_GREET, "15.4" },
    { FAKE_EXPECT, "wal_level" },
    { FAKE_ROWS, "logical" },
    { FAKE_EXPECT, "pg_blocking_pids($1::pg_catalog.int4)" },
    { FAKE_ROWS, "0|a prepared transaction" },
    { FAKE_EXPECT, "pg_cancel_backend(a.pid)" },
    { FAKE_ERROR, "42501:no" }, /* so libpq's own cancel is sent */
    { FAKE_SILENCE, NULL },
    { FAKE_END, NULL },
};

/* The cancel comes too late, the slot was made meanwhile: it is dropped. */
static void test_stop_drops_a_late_slot(void **state UNUSED)
{
    static const struct fake_step replication[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "CREATE_REPLICATION_SLOT" },
        { FAKE_CANCELED, NULL },
        { FAKE_ROWS, "s1|0/AB|~|pgoutput" },
        { FAKE_EXPECT, "DROP_REPLICATION_SLOT \"s1\"" },
        { FAKE_DONE, NULL },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    stop_creation(failing_session, replication, "");
}

static void test_stop_tells_what_it_leaves(void **state UNUSED)
{
    static const struct fake_step replication[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "CREATE_REPLICATION_SLOT" },
        { FAKE_CANCELED, NULL },
        { FAKE_ROWS, "s1|0/AB|~|pgoutput" },
        { FAKE_EXPECT, "DROP_REPLICATION_SLOT" },
        { FAKE_ERROR, "55006:is active" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    stop_creation(failing_session, replication, "pqcdc slot drop");
}

/* ---- dropping ---- */

static void test_drop(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "pg_drop_replication_slot($1)" },
        { FAKE_ROWS, "" },
        { FAKE_EXPECT, "s1|" },
        { FAKE_ERROR, "42704:none" },
        { FAKE_EXPECT, "s1|" },
        { FAKE_ERROR, "55006:active for PID 99" },
        { FAKE_EXPECT, "pg_replication_slots" },
        { FAKE_ROWS, "logical|t|99|pgoutput|d|pqcdc:a|reserved|0/10|0/20|0/30|~|~" },
        { FAKE_EXPECT, "s1|" },
        { FAKE_ERROR, "55006:active for PID 99" },
        { FAKE_EXPECT, "pg_replication_slots" },
        { FAKE_ERROR, "42501:no" },
        { FAKE_EXPECT, "s1|" },
        { FAKE_ERROR, "42501:no" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_true(slot_drop(conn, "s1", &err));
    assert_false(slot_drop(conn, "s1", &err));
    fake_assert_error(&err, ERROR_HALT, "slot_missing", "\"s1\"", "cdc.slot.name");
    assert_false(slot_drop(conn, "s1", &err));
    fake_assert_error(&err, ERROR_WAIT, "55006", "PID 99",
                      "stop the worker that reads it (pid 99 of the server, pqcdc:a) first");
    assert_false(slot_drop(conn, "s1", &err));
    fake_assert_error(&err, ERROR_WAIT, "55006", "PID 99", "stop the worker that reads it first");
    assert_false(slot_drop(conn, "s1", &err));
    fake_assert_error(&err, ERROR_HALT, "42501", "\"s1\"", "ALTER ROLE \"us'er\" REPLICATION;");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify_accepts),
        cmocka_unit_test(test_verify_kinds),
        cmocka_unit_test(test_verify_ours),
        cmocka_unit_test(test_verify_lost),
        cmocka_unit_test(test_wal_status_names),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_look_by_version),
        cmocka_unit_test(test_look_at_nonsense),
        cmocka_unit_test(test_create_in_each_syntax),
        cmocka_unit_test(test_create_needs_wal_level),
        cmocka_unit_test(test_create_fails),
        cmocka_unit_test(test_create_drops_what_it_cannot_read),
        cmocka_unit_test(test_stop_drops_a_late_slot),
        cmocka_unit_test(test_stop_tells_what_it_leaves),
        cmocka_unit_test(test_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
