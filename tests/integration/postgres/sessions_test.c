/* Opening connections and running statements on a real server: every refusal has its class, code,
 * text and advice; sessions have our settings whatever the environment and the role say. */
#include "real_postgres.h"

#include <fcntl.h>
#include <stdio.h>

/* Asserts that opening fails so. */
static void refuse(struct db_conn_options options, enum error_class class, const char *code,
                   const char *text, const char *advice)
{
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    assert_null(conn);
    real_assert_error(&err, class, code, text, advice);
    real_assert_contains(err.text, options.host);
    real_assert_contains(err.text, options.port);
    real_assert_contains(err.text, options.user);
    real_assert_contains(err.text, options.database);
}

/* ---- pg_hba.conf: lines of our own before the server's ---- */

static void write_hba(struct db_conn *admin, const char *before, const char *content)
{
    struct error err = ERROR_INIT;
    AUTO(char *, memory_free_p) path = real_value(admin, "SHOW hba_file");
    AUTO(char *, memory_free_p) whole = text_format("%s%s", before, content);
    AUTO(char *, memory_free_p) quoted = NULL;
    real_must(db_conn_literal(admin, whole, &quoted, &err), &err);
    AUTO(char *, memory_free_p) sql =
        text_format("COPY (SELECT unnest(string_to_array(%s, chr(10)))) TO '%s'", quoted, path);
    real_run(admin, sql);
    real_run(admin, "SELECT pg_reload_conf()");
}

static int refusals_set_up(void **state)
{
    (void)real_set_up(state);
    struct db_conn *admin = real_session();
    char *hba = real_value(admin, "SELECT pg_read_file(current_setting('hba_file'))");
    *state = hba;
    write_hba(admin,
              "host " REAL_DATABASE " pqcdc_scram all scram-sha-256\n"
              "host " REAL_DATABASE " pqcdc_refused all reject\n",
              hba);
    real_run(admin, "SET password_encryption = 'scram-sha-256';"
                    "CREATE ROLE pqcdc_scram LOGIN PASSWORD 's3cr3t ''q\\';"
                    "CREATE ROLE pqcdc_refused LOGIN;"
                    "CREATE ROLE pqcdc_full LOGIN CONNECTION LIMIT 0;"
                    "CREATE ROLE pqcdc_plain LOGIN;"
                    "CREATE ROLE pqcdc_group NOLOGIN;"
                    "REVOKE CONNECT ON DATABASE " REAL_DATABASE " FROM PUBLIC");
    real_run(admin, "GRANT CONNECT ON DATABASE " REAL_DATABASE
                    " TO pqcdc_scram, pqcdc_refused, pqcdc_full, pqcdc_group");
    /* The reload is done when a new session is refused. */
    struct db_conn_options probe = real_options(REAL_DATABASE);
    probe.user = "pqcdc_refused";
    for (int waited_ms = 0; waited_ms < REAL_PATIENCE_MS; waited_ms += REAL_STEP_MS) {
        struct db_conn *conn = NULL;
        if (!db_conn_open(&probe, INTERRUPT_NONE, &conn, NULL))
            break;
        db_conn_close(conn);
    }
    db_conn_close(admin);
    return 0;
}

static int refusals_tear_down(void **state)
{
    struct db_conn *admin = real_session();
    write_hba(admin, "", *state);
    memory_free(*state);
    db_conn_close(admin);
    return 0;
}

static void test_refusals_of_passwords(void **state UNUSED)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    options.user = "pqcdc_scram";
    refuse(options, ERROR_HALT, "password_required", "no password supplied", "cdc.password");
    options.password = "wrong";
    refuse(options, ERROR_HALT, "28P01", "pqcdc_scram", "cdc.password");
    options.password = "s3cr3t 'q\\";
    db_conn_close(real_open(options, INTERRUPT_NONE));
}

static void test_password_file_wins(void **state UNUSED)
{
    char path[] = "/tmp/pqcdc_password_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, "s3cr3t 'q\\\n", 11) == 11 && close(fd) == 0);
    struct db_conn_options options = real_options(REAL_DATABASE);
    options.user = "pqcdc_scram";
    options.password = "wrong";
    options.password_file = path;
    db_conn_close(real_open(options, INTERRUPT_NONE));
    assert_int_equal(unlink(path), 0);
}

static void test_refusals_of_roles(void **state UNUSED)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    options.user = "pqcdc_refused";
    refuse(options, ERROR_HALT, "28000", "pg_hba.conf rejects", "pg_hba.conf");
    options.user = "pqcdc_nobody";
    refuse(options, ERROR_HALT, "28000", "does not exist", "cdc.username");
    options.user = "pqcdc_group";
    refuse(options, ERROR_HALT, "28000", "not permitted to log in", "LOGIN");
    options.user = "pqcdc_full";
    refuse(options, ERROR_RETRY, "53300", "too many connections", "connection limit");
    options.user = "pqcdc_plain";
    refuse(options, ERROR_HALT, "42501", "permission denied for database",
           "GRANT CONNECT ON DATABASE \"" REAL_DATABASE "\" TO \"pqcdc_plain\"");
    options.user = "pqcdc_scram";
    options.password = "s3cr3t 'q\\";
    options.replication = true;
    refuse(options, ERROR_HALT, "42501", "connect to PostgreSQL",
           "ALTER ROLE \"pqcdc_scram\" REPLICATION;");
}

static void test_refusals_of_places(void **state UNUSED)
{
    struct db_conn_options options = real_options("pqcdc_no_such");
    refuse(options, ERROR_HALT, "3D000", "does not exist", "cdc.database");
    options = real_options(REAL_DATABASE);
    options.port = "1"; /* nobody listens there */
    refuse(options, ERROR_RECONNECT, "connection_failed", "Connection refused", "cdc.port");
    options = real_options(REAL_DATABASE);
    /* A label of more than 63 bytes: refused without asking a name server. */
    options.host = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.x";
    refuse(options, ERROR_RECONNECT, "connection_failed", "could not translate host name",
           "cdc.host");
    options = real_options(REAL_DATABASE);
    options.ssl_mode = "require";
    refuse(options, ERROR_HALT, "tls_missing", "SSL", "cdc.sslMode");
}

static void test_second_host_is_taken(void **state UNUSED)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    AUTO(char *, memory_free_p) hosts = text_format("%s,%s", options.host, options.host);
    AUTO(char *, memory_free_p) ports = text_format("1,%s", options.port);
    options.host = hosts;
    options.port = ports;
    struct db_conn *conn = real_open(options, INTERRUPT_NONE);
    real_expect(conn, "SELECT 1", "1");
    db_conn_close(conn);
}

/* ---- settings ---- */

struct expected {
    const char *name;
    const char *value;
};

static const struct expected settings[] = {
    { "client_encoding", "UTF8" },
    { "DateStyle", "ISO" },
    { "IntervalStyle", "postgres" },
    { "extra_float_digits", "3" },
    { "TimeZone", "UTC" },
    { "bytea_output", "hex" },
    { "row_security", "off" },
    { "search_path", "pg_catalog" },
    { "statement_timeout", "0" },
    { "lock_timeout", "0" },
    { "idle_in_transaction_session_timeout", "0" },
    { "idle_session_timeout", "0" },
    { "application_name", "pqcdc:sessions" },
};

static void expect_settings(struct db_conn *conn)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        AUTO(char *, memory_free_p) sql = text_format("SHOW %s", settings[i].name);
        AUTO(char *, memory_free_p) value = real_value(conn, sql);
        if (strncmp(value, settings[i].value, strlen(settings[i].value)) != 0)
            fail_msg("%s is %s, not %s", settings[i].name, value, settings[i].value);
    }
    if (conn->server_version >= 170000)
        real_expect(conn, "SHOW transaction_timeout", "0");
}

static void make_hostile_role(void)
{
    struct db_conn *admin = real_session();
    real_run(admin, "CREATE ROLE pqcdc_hostile LOGIN REPLICATION;"
                    "ALTER ROLE pqcdc_hostile SET datestyle = 'German, DMY';"
                    "ALTER ROLE pqcdc_hostile SET intervalstyle = 'iso_8601';"
                    "ALTER ROLE pqcdc_hostile SET timezone = 'Asia/Tokyo';"
                    "ALTER ROLE pqcdc_hostile SET client_encoding = 'LATIN1';"
                    "ALTER ROLE pqcdc_hostile SET bytea_output = 'escape';"
                    "ALTER ROLE pqcdc_hostile SET extra_float_digits = -10;"
                    "ALTER ROLE pqcdc_hostile SET row_security = on;"
                    "ALTER ROLE pqcdc_hostile SET search_path = 'public';"
                    "ALTER ROLE pqcdc_hostile SET statement_timeout = 60000;"
                    "ALTER ROLE pqcdc_hostile SET lock_timeout = 60000;"
                    "ALTER ROLE pqcdc_hostile SET idle_in_transaction_session_timeout = 60000;"
                    "ALTER ROLE pqcdc_hostile SET idle_session_timeout = 60000;"
                    "ALTER ROLE pqcdc_hostile SET application_name = 'theirs'");
    if (admin->server_version >= 170000)
        real_run(admin, "ALTER ROLE pqcdc_hostile SET transaction_timeout = 60000");
    db_conn_close(admin);
}

static void test_settings_win_over_the_role(void **state UNUSED)
{
    make_hostile_role();
    struct db_conn_options options = real_options(REAL_DATABASE);
    options.user = "pqcdc_hostile";
    struct db_conn *session = real_open(options, INTERRUPT_NONE);
    expect_settings(session);
    db_conn_close(session);
    options.replication = true;
    struct db_conn *replication = real_open(options, INTERRUPT_NONE);
    expect_settings(replication);
    db_conn_close(replication);
}

static void test_replication_settings_only_there(void **state UNUSED)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    struct db_conn *plain = real_open(options, INTERRUPT_NONE);
    AUTO(char *, memory_free_p) timeout = real_value(plain, "SHOW wal_sender_timeout");
    AUTO(char *, memory_free_p) memory = real_value(plain, "SHOW logical_decoding_work_mem");
    db_conn_close(plain);
    options.wal_sender_timeout_ms = 12345;
    options.decoding_work_mem = "77 MB"; /* the space must not end the switch */
    struct db_conn *session = real_open(options, INTERRUPT_NONE);
    real_expect(session, "SHOW wal_sender_timeout", timeout);
    real_expect(session, "SHOW logical_decoding_work_mem", memory);
    db_conn_close(session);
    options.replication = true;
    struct db_conn *replication = real_open(options, INTERRUPT_NONE);
    real_expect(replication, "SHOW wal_sender_timeout", "12345ms");
    db_conn_close(replication);
    options.decoding_work_mem = "77MB";
    replication = real_open(options, INTERRUPT_NONE);
    real_expect(replication, "SHOW logical_decoding_work_mem", "77MB");
    db_conn_close(replication);
}

static const struct expected environment[] = {
    { "PGHOST", "192.0.2.1" },
    { "PGHOSTADDR", "192.0.2.1" },
    { "PGPORT", "1" },
    { "PGUSER", "pqcdc_nobody" },
    { "PGDATABASE", "pqcdc_no_such" },
    { "PGPASSWORD", "wrong" },
    { "PGPASSFILE", "/tmp" },
    { "PGSSLMODE", "require" },
    { "PGSSLROOTCERT", "/none" },
    { "PGSSLCERT", "/none" },
    { "PGSSLKEY", "/none" },
    { "PGSSLCRL", "/none" },
    { "PGSSLNEGOTIATION", "direct" },
    { "PGSSLMINPROTOCOLVERSION", "bogus" },
    { "PGGSSENCMODE", "require" },
    { "PGREQUIREAUTH", "bogus" },
    { "PGREQUIREPEER", "nobody" },
    { "PGREQUIRESSL", "1" },
    { "PGCHANNELBINDING", "require" },
    { "PGOPTIONS", "-c bogus.setting=1 -c search_path=public" },
    { "PGAPPNAME", "theirs" },
    { "PGCLIENTENCODING", "LATIN1" },
    { "PGDATESTYLE", "German" },
    { "PGTZ", "Asia/Tokyo" },
    { "PGTARGETSESSIONATTRS", "standby" },
    { "PGLOADBALANCEHOSTS", "bogus" },
    { "PGMINPROTOCOLVERSION", "bogus" },
    { "PGMAXPROTOCOLVERSION", "bogus" },
    { "PGCONNECT_TIMEOUT", "bogus" },
    { "PGGSSDELEGATION", "bogus" },
    { "PGSSLCERTMODE", "bogus" },
};

static void set_environment(void)
{
    for (size_t i = 0; i < COUNT_OF(environment); i++)
        assert_int_equal(setenv(environment[i].name, environment[i].value, 1), 0);
}

static void clear_environment(void)
{
    for (size_t i = 0; i < COUNT_OF(environment); i++)
        assert_int_equal(unsetenv(environment[i].name), 0);
}

static void test_environment_has_no_effect(void **state UNUSED)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    set_environment();
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    bool opened = db_conn_open(&options, INTERRUPT_NONE, &conn, &err);
    clear_environment();
    real_must(opened, &err);
    expect_settings(conn);
    real_expect(conn, "SELECT current_user", options.user);
    real_expect(conn, "SELECT current_database()", REAL_DATABASE);
    db_conn_close(conn);
}

static void test_service_is_forgotten(void **state UNUSED)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    assert_int_equal(setenv("PGSERVICE", "no_such_service", 1), 0);
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    real_assert_error(&err, ERROR_CONFIG, "pg_service", "no_such_service", "unset");
    db_conn_forget_environment();
    db_conn_close(real_open(options, INTERRUPT_NONE));
}

/* A service that is defined fills only what we left open, and we leave nothing open. */
static void test_defined_service_has_no_effect(void **state UNUSED)
{
    char path[] = "/tmp/pqcdc_service_XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "[theirs]\nhost=192.0.2.1\nport=1\ndbname=none\nuser=none\n"
                               "sslmode=require\noptions=-c bogus=1\napplication_name=theirs\n";
    assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == sizeof(text) - 1);
    assert_int_equal(close(fd), 0);
    assert_int_equal(setenv("PGSERVICEFILE", path, 1), 0);
    assert_int_equal(setenv("PGSERVICE", "theirs", 1), 0);
    struct db_conn *conn = real_session();
    expect_settings(conn);
    db_conn_close(conn);
    assert_int_equal(unsetenv("PGSERVICE"), 0);
    assert_int_equal(unsetenv("PGSERVICEFILE"), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_hostile_names(void **state UNUSED)
{
    struct db_conn *admin = real_session();
    real_run(admin, "CREATE ROLE \"pqcdc Ünï \"\"q' \\\" LOGIN");
    real_run(admin, "DROP DATABASE IF EXISTS \"Pqcdc ü'=\"\"\\ b\"");
    real_run(admin, "CREATE DATABASE \"Pqcdc ü'=\"\"\\ b\"");
    struct db_conn_options options = real_options("Pqcdc ü'=\"\\ b");
    options.user = "pqcdc Ünï \"q' \\";
    options.application_name = "pqcdc:it's \\ \"x\"";
    struct db_conn *conn = real_open(options, INTERRUPT_NONE);
    real_expect(conn, "SELECT current_user", options.user);
    real_expect(conn, "SELECT current_database()", options.database);
    real_expect(conn, "SHOW application_name", options.application_name);
    db_conn_close(conn);
    real_run(admin, "DROP DATABASE \"Pqcdc ü'=\"\"\\ b\"");
    db_conn_close(admin);
}

/* ---- statements ---- */

static void test_identify(void **state UNUSED)
{
    struct db_conn *session = real_session();
    struct db_conn *replication = real_replication(INTERRUPT_NONE);
    struct db_conn_system system;
    struct error err = ERROR_INIT;
    real_must(db_conn_identify(replication, &system, &err), &err);
    real_expect(session, "SELECT system_identifier FROM pg_control_system()", system.system_id);
    assert_int_equal(system.timeline, 1);
    AUTO(char *, memory_free_p) sql = text_format(
        "SELECT '%s'::pg_lsn <= pg_current_wal_flush_lsn()", lsn_text(system.flush_lsn).text);
    real_expect(session, sql, "t");
    assert_false(lsn_is_none(system.flush_lsn));
    db_conn_close(replication);
    db_conn_close(session);
}

static void test_notices_are_dropped(void **state UNUSED)
{
    struct db_conn *conn = real_session();
    char path[] = "/tmp/pqcdc_stderr_XXXXXX";
    int file = mkstemp(path), saved = dup(STDERR_FILENO);
    assert_true(file >= 0 && saved >= 0 && dup2(file, STDERR_FILENO) >= 0);
    real_run(conn, "DO $$ BEGIN RAISE WARNING 'heard'; END $$");
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_int_equal(lseek(file, 0, SEEK_END), 0);
    assert_int_equal(close(file) + close(saved) + unlink(path), 0);
    db_conn_close(conn);
}

static void test_parameters_and_errors(void **state UNUSED)
{
    struct db_conn *conn = real_session();
    struct error err = ERROR_INIT;
    PGresult *result = NULL;
    const char *const parameters[] = { "it's ü \\", NULL };
    real_must(
        db_conn_query(conn, 0, "SELECT $1::text, $2::text IS NULL", 2, parameters, &result, &err),
        &err);
    assert_string_equal(PQgetvalue(result, 0, 0), parameters[0]);
    assert_string_equal(PQgetvalue(result, 0, 1), "t");
    PQclear(result);
    assert_false(db_conn_query(conn, 0, "SELECT FROM pqcdc_none", 0, NULL, NULL, &err));
    real_assert_error(&err, ERROR_HALT, "42P01", "SELECT FROM pqcdc_none", "create the table");
    assert_false(db_conn_simple(conn, 0, "SELECT 1; SELECT 1/0; SELECT 2", NULL, &err));
    real_assert_error(&err, ERROR_HALT, "22012", "division by zero", "");
    assert_false(db_conn_simple(conn, 0, "COPY (SELECT 1) TO STDOUT", NULL, &err));
    assert_int_equal(err.class, ERROR_BUG);
    db_conn_close(conn);
}

static void test_deadline_and_await(void **state UNUSED)
{
    struct db_conn *conn = real_session();
    struct error err = ERROR_INIT;
    PGresult *result = NULL;
    assert_false(db_conn_simple(conn, 50, "SELECT 7 FROM pg_sleep(0.5)", NULL, &err));
    real_assert_error(&err, ERROR_RECONNECT, "timeout", "pg_sleep", "");
    real_must(db_conn_await(conn, REAL_PATIENCE_MS, &result, &err), &err);
    assert_string_equal(PQgetvalue(result, 0, 0), "7");
    PQclear(result);
    real_expect(conn, "SELECT 8", "8");
    db_conn_close(conn);
}

static void count_turn(void *self)
{
    (*(int *)self)++;
}

static void test_stop_ends_the_wait(void **state UNUSED)
{
    int turns = 0, stop_fd = eventfd(0, EFD_CLOEXEC);
    struct interrupt interrupt = { .stop_fd = stop_fd, .turn = count_turn, .self = &turns };
    struct db_conn *conn = real_open(real_options(REAL_DATABASE), interrupt);
    turns = 0;
    real_run(conn, "SELECT pg_sleep(1.2)");
    assert_true(turns >= 2); /* at least every 500 ms */
    assert_int_equal(eventfd_write(stop_fd, 1), 0);
    struct error err = ERROR_INIT;
    assert_false(db_conn_simple(conn, 0, "SELECT pg_sleep(600)", NULL, &err));
    real_assert_error(&err, ERROR_STOPPED, "stopped", "stopped", "");
    db_conn_close(conn);
    struct db_conn_options options = real_options(REAL_DATABASE);
    assert_false(db_conn_open(&options, interrupt, &conn, &err));
    assert_int_equal(err.class, ERROR_STOPPED);
    assert_int_equal(close(stop_fd), 0);
}

static void test_terminated_session(void **state UNUSED)
{
    struct db_conn *admin = real_session();
    struct db_conn *victim = real_session();
    AUTO(char *, memory_free_p) sql =
        text_format("SELECT pg_terminate_backend(%d)", PQbackendPID(victim->pg));
    real_run(admin, sql);
    struct error err = ERROR_INIT;
    while (db_conn_simple(victim, REAL_PATIENCE_MS, "SELECT 1", NULL, &err))
        continue;
    real_assert_error(&err, ERROR_RECONNECT, "57P01", "terminating connection", "");
    assert_false(db_conn_simple(victim, REAL_PATIENCE_MS, "SELECT 1", NULL, &err));
    assert_int_equal(err.class, ERROR_RECONNECT);
    db_conn_close(victim);
    db_conn_close(admin);
}

int main(void)
{
    const struct CMUnitTest refusals[] = {
        cmocka_unit_test(test_refusals_of_passwords), cmocka_unit_test(test_password_file_wins),
        cmocka_unit_test(test_refusals_of_roles),     cmocka_unit_test(test_refusals_of_places),
        cmocka_unit_test(test_second_host_is_taken),
    };
    const struct CMUnitTest sessions[] = {
        cmocka_unit_test(test_settings_win_over_the_role),
        cmocka_unit_test(test_replication_settings_only_there),
        cmocka_unit_test(test_environment_has_no_effect),
        cmocka_unit_test(test_service_is_forgotten),
        cmocka_unit_test(test_defined_service_has_no_effect),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_identify),
        cmocka_unit_test(test_notices_are_dropped),
        cmocka_unit_test(test_parameters_and_errors),
        cmocka_unit_test(test_deadline_and_await),
        cmocka_unit_test(test_stop_ends_the_wait),
        cmocka_unit_test(test_terminated_session),
    };
    int failed = cmocka_run_group_tests(refusals, refusals_set_up, refusals_tear_down);
    return failed + cmocka_run_group_tests(sessions, real_set_up, NULL);
}
