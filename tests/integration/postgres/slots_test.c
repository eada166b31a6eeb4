/* Replication slots on a real server: looking, creating (and who makes it wait), dropping. */
#include "real_postgres.h"

#include <stdio.h>

#include "postgres/slot.h"

#define SLOT "pqcdc_slot"

static struct slot_sight look(struct db_conn *session, const char *name)
{
    struct slot_sight sight;
    struct error err = ERROR_INIT;
    real_must(slot_look(session, name, &sight, &err), &err);
    return sight;
}

static lsn_t create(struct db_conn *session, const char *name)
{
    struct error err = ERROR_INIT;
    lsn_t point = LSN_NONE;
    struct db_conn *replication = real_replication(INTERRUPT_NONE);
    real_must(slot_create(replication, session, name, NULL, NULL, &point, &err), &err);
    db_conn_close(replication);
    return point;
}

static void expect_verify_error(const struct slot_sight *sight, const char *code, const char *text)
{
    struct error err = ERROR_INIT;
    assert_false(slot_verify(sight, SLOT, REAL_DATABASE, &err));
    real_assert_error(&err, ERROR_HALT, code, text, "pg_drop_replication_slot('" SLOT "')");
}

static void test_look_create_drop(void **state UNUSED)
{
    struct db_conn *session = real_session();
    struct slot_sight sight = look(session, SLOT);
    assert_false(sight.exists);
    assert_false(lsn_is_none(sight.current_lsn));
    lsn_t point = create(session, SLOT);
    sight = look(session, SLOT);
    assert_true(sight.exists && sight.logical && !sight.active && !sight.creating);
    assert_string_equal(sight.plugin, "pgoutput");
    assert_string_equal(sight.database, REAL_DATABASE);
    assert_string_equal(sight.holder, "");
    assert_string_equal(sight.invalidation, "");
    assert_int_equal(sight.wal_status, SLOT_WAL_RESERVED);
    assert_int_equal(lsn_compare(sight.confirmed_flush, point), 0);
    assert_true(lsn_compare(sight.restart_lsn, point) < 0);
    assert_int_equal(sight.safe_wal_size_bytes, -1);
    struct error err = ERROR_INIT;
    real_must(slot_verify(&sight, SLOT, REAL_DATABASE, &err), &err);
    real_must(slot_drop(session, SLOT, &err), &err);
    assert_false(look(session, SLOT).exists);
    assert_false(slot_drop(session, SLOT, &err));
    real_assert_error(&err, ERROR_HALT, "slot_missing", SLOT, "cdc.slot.name");
    db_conn_close(session);
}

static void test_created_by_somebody_else(void **state UNUSED)
{
    struct db_conn *session = real_session();
    (void)create(session, SLOT);
    struct db_conn *replication = real_replication(INTERRUPT_NONE);
    struct error err = ERROR_INIT;
    lsn_t point = LSN_NONE;
    assert_false(slot_create(replication, session, SLOT, NULL, NULL, &point, &err));
    real_assert_error(&err, ERROR_WAIT, "slot_appeared", SLOT, "");
    assert_true(look(session, SLOT).exists);
    db_conn_close(replication);
    real_must(slot_drop(session, SLOT, &err), &err);
    db_conn_close(session);
}

static void test_busy_slot(void **state UNUSED)
{
    struct db_conn *session = real_session();
    struct db_conn *reader = real_replication(INTERRUPT_NONE);
    (void)create(session, SLOT);
    assert_int_equal(PQsendQuery(reader->pg, "START_REPLICATION SLOT " SLOT " LOGICAL 0/0"
                                             " (proto_version '1', publication_names 'p')"),
                     1);
    assert_int_equal(PQflush(reader->pg), 0);
    real_await(session, "SELECT active FROM pg_replication_slots WHERE slot_name = '" SLOT "'",
               "t");
    struct slot_sight sight = look(session, SLOT);
    assert_true(sight.active);
    assert_int_equal(sight.active_pid, PQbackendPID(reader->pg));
    assert_string_equal(sight.holder, "pqcdc:sessions");
    AUTO(char *, memory_free_p) pid = text_format("%d", sight.active_pid);
    struct error err = ERROR_INIT;
    assert_false(slot_drop(session, SLOT, &err));
    real_assert_error(&err, ERROR_WAIT, "55006", pid, "");
    db_conn_close(reader);
    real_await(session, "SELECT active FROM pg_replication_slots WHERE slot_name = '" SLOT "'",
               "f");
    real_must(slot_drop(session, SLOT, &err), &err);
    db_conn_close(session);
}

static void test_foreign_slots(void **state UNUSED)
{
    struct db_conn *session = real_session();
    struct db_conn *other = real_open(real_options("postgres"), INTERRUPT_NONE);
    real_run(session, "SELECT pg_create_physical_replication_slot('" SLOT "')");
    struct slot_sight sight = look(session, SLOT);
    assert_false(sight.creating);
    expect_verify_error(&sight, "slot_physical", SLOT);
    struct error err = ERROR_INIT;
    real_must(slot_drop(session, SLOT, &err), &err);
    real_run(other, "SELECT pg_create_logical_replication_slot('" SLOT "', 'pgoutput')");
    sight = look(session, SLOT);
    expect_verify_error(&sight, "slot_other_database", "\"postgres\"");
    real_must(slot_drop(other, SLOT, &err), &err);
    db_conn_close(other);
    db_conn_close(session);
}

static void test_lost_slot(void **state UNUSED)
{
    struct db_conn *session = real_session();
    (void)create(session, SLOT);
    real_run(session, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
    real_run(session, "SELECT pg_reload_conf()");
    real_await(session, "SHOW max_slot_wal_keep_size", "1MB");
    real_run(session, "CREATE TABLE public.filler (i int)");
    for (int i = 0; i < 5; i++) {
        real_run(session, "INSERT INTO public.filler VALUES (1)");
        real_run(session, "SELECT pg_switch_wal()");
    }
    real_run(session, "CHECKPOINT");
    struct slot_sight sight = look(session, SLOT);
    real_run(session, "ALTER SYSTEM RESET max_slot_wal_keep_size");
    real_run(session, "SELECT pg_reload_conf()");
    assert_int_equal(sight.wal_status, SLOT_WAL_LOST);
    assert_string_equal(sight.invalidation, session->server_version >= 170000 ? "wal_removed" : "");
    expect_verify_error(&sight, "slot_lost", "removed WAL");
    struct error err = ERROR_INIT;
    real_must(slot_drop(session, SLOT, &err), &err);
    db_conn_close(session);
}

static void test_limits_and_rights(void **state UNUSED)
{
    struct db_conn *session = real_session();
    struct error err = ERROR_INIT;
    lsn_t point = LSN_NONE;
    real_run(session, "CREATE ROLE pqcdc_reader LOGIN REPLICATION");
    struct db_conn_options options = real_options(REAL_DATABASE);
    options.user = "pqcdc_reader";
    options.replication = true;
    struct db_conn *replication = real_open(options, INTERRUPT_NONE);
    assert_false(slot_create(replication, session, "Bad Name", NULL, NULL, &point, &err));
    real_assert_error(&err, ERROR_CONFIG, "42602", "Bad Name", "lower-case");
    real_run(session, "SELECT pg_create_physical_replication_slot('pqcdc_fill_' || i) FROM"
                      " generate_series(1, current_setting('max_replication_slots')::int -"
                      "  (SELECT count(*)::int FROM pg_replication_slots)) AS i");
    assert_false(slot_create(replication, session, SLOT, NULL, NULL, &point, &err));
    real_assert_error(&err, ERROR_HALT, "53400", SLOT, "max_replication_slots");
    real_run(session, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                      " WHERE slot_name LIKE 'pqcdc_fill%'");
    assert_true(lsn_is_none(point));
    db_conn_close(replication);
    (void)create(session, SLOT);
    real_run(session, "ALTER ROLE pqcdc_reader NOREPLICATION");
    options.replication = false;
    struct db_conn *limited = real_open(options, INTERRUPT_NONE);
    assert_false(slot_drop(limited, SLOT, &err));
    real_assert_error(&err, ERROR_HALT, "42501", SLOT, "ALTER ROLE \"pqcdc_reader\" REPLICATION;");
    real_must(slot_drop(session, SLOT, &err), &err);
    db_conn_close(limited);
    db_conn_close(session);
}

/* ---- waiting for an old transaction ---- */

struct waiting {
    struct db_conn *observer;
    struct db_conn *writer; /* commits at the first call, when not NULL */
    int lose_session_pid;   /* terminated at the first call, when not 0 */
    int stop_fd;            /* written at the last call, when not -1 */
    int stop_at_call;
    int calls;
    int32_t pid, last_pid;
    char application[64];
    bool creating;
};

static void on_waiting(void *self, int32_t pid, const char *application, int64_t waited_ms)
{
    struct waiting *waiting = self;
    assert_true(waited_ms >= 1000);
    waiting->calls++;
    waiting->last_pid = pid;
    if (waiting->stop_fd >= 0 && waiting->calls == waiting->stop_at_call)
        assert_int_equal(eventfd_write(waiting->stop_fd, 1), 0);
    if (waiting->calls > 1)
        return;
    waiting->pid = pid;
    (void)snprintf(waiting->application, sizeof(waiting->application), "%s", application);
    struct slot_sight sight = look(waiting->observer, SLOT);
    waiting->creating = sight.exists && sight.creating && sight.active;
    if (waiting->writer != NULL)
        real_run(waiting->writer, "COMMIT");
    AUTO(char *, memory_free_p) sql =
        text_format("SELECT pg_terminate_backend(%d)", waiting->lose_session_pid);
    if (waiting->lose_session_pid != 0)
        real_run(waiting->observer, sql);
}

static struct db_conn *open_writer(void)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    options.application_name = "the \"slow\" writer";
    struct db_conn *writer = real_open(options, INTERRUPT_NONE);
    real_run(writer, "BEGIN; SELECT pg_current_xact_id()");
    return writer;
}

static void test_waits_for_a_transaction(void **state UNUSED)
{
    struct db_conn *session = real_session(), *writer = open_writer();
    struct db_conn *replication = real_replication(INTERRUPT_NONE);
    struct waiting waiting = { .writer = writer, .stop_fd = -1, .observer = real_session() };
    struct error err = ERROR_INIT;
    lsn_t point = LSN_NONE;
    int32_t writer_pid = PQbackendPID(writer->pg);
    real_must(slot_create(replication, session, SLOT, on_waiting, &waiting, &point, &err), &err);
    assert_int_equal(waiting.pid, writer_pid);
    assert_string_equal(waiting.application, "the \"slow\" writer");
    assert_true(waiting.creating);
    struct slot_sight sight = look(session, SLOT);
    assert_true(sight.exists && !sight.creating);
    assert_int_equal(lsn_compare(sight.confirmed_flush, point), 0);
    real_must(slot_drop(session, SLOT, &err), &err);
    db_conn_close(waiting.observer);
    db_conn_close(replication);
    db_conn_close(writer);
    db_conn_close(session);
}

/* Stops at the second call. Without the session libpq's own cancel has to do. */
static void stop_creation(bool lose_session)
{
    int stop_fd = eventfd(0, EFD_CLOEXEC);
    struct interrupt interrupt = { .stop_fd = stop_fd };
    struct db_conn *session = real_open(real_options(REAL_DATABASE), interrupt);
    struct db_conn *writer = open_writer(), *observer = real_session();
    struct db_conn *replication = real_replication(interrupt);
    struct waiting waiting = { .observer = observer, .stop_fd = stop_fd, .stop_at_call = 2 };
    if (lose_session)
        waiting.lose_session_pid = PQbackendPID(session->pg);
    struct error err = ERROR_INIT;
    lsn_t point = LSN_NONE;
    assert_false(slot_create(replication, session, SLOT, on_waiting, &waiting, &point, &err));
    real_assert_error(&err, ERROR_STOPPED, "stopped", SLOT, "");
    assert_true(waiting.creating);
    assert_int_equal(waiting.last_pid, lose_session ? 0 : PQbackendPID(writer->pg));
    assert_true(lsn_is_none(point));
    assert_false(look(observer, SLOT).exists);
    real_run(writer, "COMMIT");
    assert_false(look(observer, SLOT).exists);
    db_conn_close(replication);
    db_conn_close(writer);
    db_conn_close(session);
    db_conn_close(observer);
    assert_int_equal(close(stop_fd), 0);
}

static void test_stop_leaves_no_slot(void **state UNUSED)
{
    stop_creation(false);
}

static void test_stop_without_session_leaves_no_slot(void **state UNUSED)
{
    stop_creation(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look_create_drop),
        cmocka_unit_test(test_created_by_somebody_else),
        cmocka_unit_test(test_busy_slot),
        cmocka_unit_test(test_foreign_slots),
        cmocka_unit_test(test_lost_slot),
        cmocka_unit_test(test_limits_and_rights),
        cmocka_unit_test(test_waits_for_a_transaction),
        cmocka_unit_test(test_stop_leaves_no_slot),
        cmocka_unit_test(test_stop_without_session_leaves_no_slot),
    };
    return cmocka_run_group_tests(tests, real_set_up, NULL);
}
