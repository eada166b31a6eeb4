#include "fake_postgres.h"

#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/text.h"

/* Opens against the script and expects this failure. */
static void refuse(const struct fake_step *script, enum error_class class, const char *code,
                   const char *text, const char *advice)
{
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn_options options = fake_options(&fake);
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    assert_null(conn);
    fake_postgres_end(&fake);
    fake_assert_error(&err, class, code, text, advice);
    fake_assert_contains(err.text, fake.port);
    fake_assert_contains(err.text, "us'er");
    fake_assert_contains(err.text, "d b");
}

/* The severity is FATALE: what the server says in its language does not matter. */
static void test_refusals_by_code(void **state UNUSED)
{
    static const struct fake_step starting[] = { { FAKE_ACCEPT, NULL },
                                                 { FAKE_FATAL, "57P03:il database si avvia" },
                                                 { FAKE_END, NULL } };
    refuse(starting, ERROR_RETRY, "57P03", "il database si avvia", "");
    static const struct fake_step full[] = { { FAKE_ACCEPT, NULL },
                                             { FAKE_FATAL, "53300:troppi" },
                                             { FAKE_END, NULL } };
    refuse(full, ERROR_RETRY, "53300", "troppi", "max_connections");
    static const struct fake_step refused[] = { { FAKE_ACCEPT, NULL },
                                                { FAKE_FATAL, "28000:no pg_hba.conf entry" },
                                                { FAKE_END, NULL } };
    refuse(refused, ERROR_HALT, "28000", "no pg_hba.conf entry", "pg_hba.conf");
    static const struct fake_step old[] = { { FAKE_ACCEPT, NULL },
                                            { FAKE_FATAL, "42704:unrecognized setting" },
                                            { FAKE_END, NULL } };
    refuse(old, ERROR_HALT, "42704", "unrecognized setting", "PostgreSQL 14 or newer");
}

/* A text that looks like a code does not become one. */
static void test_code_is_not_taken_from_the_text(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_ACCEPT, NULL },
                                               { FAKE_FATAL, "3D000:no database \"x:  28P01\"" },
                                               { FAKE_END, NULL } };
    refuse(script, ERROR_HALT, "3D000", "28P01", "cdc.database");
}

static void test_passwords(void **state UNUSED)
{
    static const struct fake_step wrong[] = { { FAKE_ACCEPT, NULL },
                                              { FAKE_PASSWORD, "se cr'et" },
                                              { FAKE_FATAL, "28P01:no" },
                                              { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, wrong);
    struct db_conn_options options = fake_options(&fake);
    options.password = "se cr'et";
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    fake_postgres_end(&fake);
    fake_assert_error(&err, ERROR_HALT, "28P01", "us'er", "cdc.password");
    assert_null(strstr(err.text, "se cr'et"));
}

static void test_password_file(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_ACCEPT, NULL },
                                               { FAKE_PASSWORD, "from file" },
                                               { FAKE_WELCOME, "15.4" },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    char path[] = "/tmp/pqcdc_password_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, "from file\n", 10) == 10 && close(file) == 0);
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn_options options = fake_options(&fake);
    options.password = "other";
    options.password_file = path;
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_true(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    db_conn_close(conn);
    fake_postgres_end(&fake);
    assert_int_equal(unlink(path), 0);
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    fake_assert_error(&err, ERROR_CONFIG, "secret_unreadable", path, "");
}

static void test_unreadable_certificate(void **state UNUSED)
{
    struct db_conn_options options = {
        .host = "127.0.0.1", .port = "1", .user = "u", .database = "d", .ssl_root_cert = "/none/ca"
    };
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    fake_assert_error(&err, ERROR_CONFIG, "file_unreadable", "cdc.sslRootCert", "check");
    fake_assert_contains(err.text, "/none/ca");
}

static void test_no_listener(void **state UNUSED)
{
    struct db_conn_options options = {
        .host = "127.0.0.1", .port = "1", .user = "us'er", .database = "d b"
    };
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "connection_failed", "127.0.0.1:1", "cdc.port");
    options.host = "/none"; /* a socket directory */
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "connection_failed", "/none", "cdc.host");
}

static void test_cut_while_connecting(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_ACCEPT, NULL },
                                               { FAKE_CUT, NULL },
                                               { FAKE_END, NULL } };
    refuse(script, ERROR_RECONNECT, "connection_failed", "connect to PostgreSQL", "network");
}

/* The limit holds for each host. */
static void test_silent_server(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_END, NULL } }; /* nobody accepts */
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn_options options = fake_options(&fake);
    options.connect_timeout_ms = 60;
    options.host = "127.0.0.1,127.0.0.1,127.0.0.1";
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    struct clock clock = clock_system();
    mono_ms_t started = clock_now(&clock);
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    assert_true(mono_ms_since(clock_now(&clock), started) >= 180);
    fake_assert_error(&err, ERROR_RECONNECT, "connect_timeout", "60 ms", "firewall");
    fake_postgres_end(&fake);
}

/* What a host that keeps silent, one that refuses and a standby have in common. */
static void test_next_host_is_tried(void **state UNUSED)
{
    static const struct fake_step nobody[] = { { FAKE_END, NULL } };
    static const struct fake_step starting[] = { { FAKE_ACCEPT, NULL },
                                                 { FAKE_FATAL, "57P03:starting" },
                                                 { FAKE_END, NULL } };
    static const struct fake_step standby[] = { { FAKE_GREET, "15.4;in_hot_standby=on" },
                                                { FAKE_SILENCE, NULL },
                                                { FAKE_END, NULL } };
    static const struct fake_step primary[] = { { FAKE_GREET, "15.4;in_hot_standby=off" },
                                                { FAKE_EXPECT, "SELECT 1" },
                                                { FAKE_ROWS, "1" },
                                                { FAKE_SILENCE, NULL },
                                                { FAKE_END, NULL } };
    const struct fake_step *const scripts[] = { nobody, starting, standby, primary };
    struct fake_postgres fakes[COUNT_OF(scripts)];
    for (size_t i = 0; i < COUNT_OF(scripts); i++)
        fake_postgres_begin(&fakes[i], scripts[i]);
    AUTO(char *, memory_free_p) ports =
        text_format("1,%s,%s,%s,%s", fakes[0].port, fakes[1].port, fakes[2].port, fakes[3].port);
    struct db_conn_options options = fake_options(&fakes[0]);
    options.host = "127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1";
    options.port = ports;
    options.connect_timeout_ms = 2000; /* what the silent one takes, and the others must not */
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_true(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    assert_int_equal(err.class, ERROR_NONE);
    assert_string_equal(PQport(conn->pg), fakes[3].port);
    assert_true(db_conn_simple(conn, 0, "SELECT 1", NULL, &err));
    db_conn_close(conn);
    for (size_t i = 0; i < COUNT_OF(scripts); i++)
        fake_postgres_end(&fakes[i]);
}

/* A refusal that a person must mend ends the walk, as libpq does. */
static void test_refusal_ends_the_walk(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_ACCEPT, NULL },
                                               { FAKE_FATAL, "28P01:wrong" },
                                               { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn_options options = fake_options(&fake);
    options.host = "127.0.0.1,127.0.0.1";
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    fake_assert_error(&err, ERROR_HALT, "28P01", "wrong", "cdc.password");
    fake_postgres_end(&fake);
}

struct stopper {
    int stop_fd;
    int turns;
};

static void stop_at_second_turn(void *self)
{
    struct stopper *stopper = self;
    if (++stopper->turns == 2)
        assert_int_equal(eventfd_write(stopper->stop_fd, 1), 0);
}

static void test_stop_while_connecting(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_END, NULL } }; /* nobody accepts */
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct stopper stopper = { .stop_fd = eventfd(0, EFD_CLOEXEC) };
    struct interrupt interrupt = { .stop_fd = stopper.stop_fd,
                                   .turn = stop_at_second_turn,
                                   .self = &stopper };
    struct db_conn_options options = fake_options(&fake);
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, interrupt, &conn, &err));
    fake_assert_error(&err, ERROR_STOPPED, "stopped", "PostgreSQL", "");
    assert_true(stopper.turns >= 2);
    fake_postgres_end(&fake);
    assert_int_equal(close(stopper.stop_fd), 0);
}

static void test_server_too_old(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "13.9" },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn_options options = fake_options(&fake);
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_false(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    fake_assert_error(&err, ERROR_HALT, "server_too_old", "version 13", "");
    fake_postgres_end(&fake);
}

static void test_start_packet(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_ACCEPT, "|user|us'er|database|d b|replication|database|options|-c datestyle=ISO" },
        { FAKE_WELCOME, "15.4" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL }
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn_options options = fake_options(&fake);
    options.replication = true;
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    assert_true(db_conn_open(&options, INTERRUPT_NONE, &conn, &err));
    assert_int_equal(conn->server_version, 150004);
    assert_int_equal(PQisnonblocking(conn->pg), 1);
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

/* What the start packet could not settle is set afterwards. */
static void test_settling(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_ACCEPT, NULL },
        { FAKE_WELCOME, "17.2;DateStyle=German, DMY;TimeZone=Asia/Tokyo" },
        { FAKE_EXPECT, "SET datestyle = 'ISO';SET timezone = 'UTC';SET transaction_timeout = 0;" },
        { FAKE_DONE, NULL },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL }
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    db_conn_close(fake_open(&fake));
    fake_postgres_end(&fake);
}

/* It would refuse what is not UTF-8, for ever: the bytes come as they are. */
static void test_database_without_an_encoding(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_ACCEPT, NULL },
                                               { FAKE_WELCOME, "15.4;server_encoding=SQL_ASCII" },
                                               { FAKE_EXPECT,
                                                 "SET client_encoding = 'SQL_ASCII';" },
                                               { FAKE_DONE, NULL },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    db_conn_close(fake_open(&fake));
    fake_postgres_end(&fake);
}

/* Of the context only the position is shown, whatever the language: the rest may hold rows. */
static void test_position_of_an_error(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "SELECT 1" },
        { FAKE_ERROR, "22P05:no equivalent\tunnamed row\nSlot \302\273s\302\253, im Callback "
                      "change, zugeh\303\266rige LSN 16/B374D848\nanother" },
        { FAKE_EXPECT, "SELECT 2" },
        { FAKE_ERROR, "22P02:bad\tCOPY t, line 1: \"7/ row 1/2x\"" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL }
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_false(db_conn_simple(conn, 0, "SELECT 1", NULL, &err));
    assert_string_equal(err.text, "SELECT 1: no equivalent at LSN 16/B374D848 (SQLSTATE 22P05)");
    assert_false(db_conn_simple(conn, 0, "SELECT 2", NULL, &err));
    assert_string_equal(err.text, "SELECT 2: bad (SQLSTATE 22P02)");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_query(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "SELECT $1, $2|" },
        { FAKE_ROWS, "one|~\ntwo|three" },
        { FAKE_EXPECT, "SELECT secret" },
        { FAKE_ERROR, "42P01:relation missing" },
        { FAKE_EXPECT, "SELECT twice" },
        { FAKE_ERROR, "40001:serialize" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    PGresult *result = NULL;
    const char *const parameters[] = { "x", NULL };
    assert_true(db_conn_query(conn, 0, "SELECT $1, $2", 2, parameters, &result, &err));
    assert_int_equal(err.class, ERROR_NONE);
    assert_int_equal(PQntuples(result), 2);
    assert_int_equal(PQgetisnull(result, 0, 1), 1);
    assert_string_equal(PQgetvalue(result, 1, 1), "three");
    PQclear(result);
    result = NULL;
    assert_false(db_conn_query(conn, 0, "SELECT secret", 0, NULL, &result, &err));
    assert_null(result);
    fake_assert_error(&err, ERROR_HALT, "42P01", "SELECT secret: relation missing", "create");
    assert_false(db_conn_simple(conn, 0, "SELECT twice", NULL, &err));
    fake_assert_error(&err, ERROR_RETRY, "40001", "serialize", "");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_long_message_is_cut(void **state UNUSED)
{
    char answer[6 + 3000 + 1] = "42P01:";
    memset(answer + 6, 'x', 3000);
    const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                        { FAKE_EXPECT, "SELECT 1" },
                                        { FAKE_ERROR, answer },
                                        { FAKE_SILENCE, NULL },
                                        { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_false(db_conn_simple(conn, 0, "SELECT 1", NULL, &err));
    fake_assert_error(&err, ERROR_HALT, "42P01", "SELECT 1: xxxxxxxx", "create the table");
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_lost_in_a_statement(void **state UNUSED)
{
    static const struct fake_step cut[] = {
        { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "SELECT 1" }, { FAKE_CUT, NULL }, { FAKE_END, NULL }
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, cut);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_false(db_conn_simple(conn, 0, "SELECT 1", NULL, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "connection_lost", fake.port, "");
    assert_false(db_conn_simple(conn, 0, "SELECT 2", NULL, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "connection_lost", "SELECT 2", "");
    db_conn_close(conn);
    fake_postgres_end(&fake);
    static const struct fake_step fatal[] = { { FAKE_GREET, "15.4" },
                                              { FAKE_EXPECT, "SELECT 1" },
                                              { FAKE_FATAL, "57P01:chiuso" },
                                              { FAKE_END, NULL } };
    fake_postgres_begin(&fake, fatal);
    conn = fake_open(&fake);
    assert_false(db_conn_simple(conn, 0, "SELECT 1", NULL, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "57P01", "chiuso", "");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

/* A state that would be tried again on the same connection: but that is gone. */
static void test_retry_becomes_reconnect_when_lost(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                               { FAKE_EXPECT, "SELECT 1" },
                                               { FAKE_FATAL, "XX000:broken" },
                                               { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_false(db_conn_simple(conn, 0, "SELECT 1", NULL, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "XX000", "broken", "");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_deadline(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                               { FAKE_EXPECT, "SELECT slow" },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_false(db_conn_simple(conn, 30, "SELECT slow", NULL, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "timeout", "SELECT slow", "");
    assert_false(db_conn_await(conn, 30, NULL, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "timeout", "did not answer", "");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_identify(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "IDENTIFY_SYSTEM" },
        { FAKE_ROWS, "7301234567890123456|3|16/B374D848|d" },
        { FAKE_EXPECT, "IDENTIFY_SYSTEM" },
        { FAKE_ROWS, "7301234567890123456|zero|16/B374D848|d" },
        { FAKE_EXPECT, "IDENTIFY_SYSTEM" },
        { FAKE_ROWS, "73012345678901234567890123|3|16/B374D848|d" },
        { FAKE_EXPECT, "IDENTIFY_SYSTEM" },
        { FAKE_ROWS, "" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct db_conn_system system;
    struct error err = ERROR_INIT;
    assert_true(db_conn_identify(conn, &system, &err));
    assert_string_equal(system.system_id, "7301234567890123456");
    assert_int_equal(system.timeline, 3);
    assert_true(system.flush_lsn.value == 0x16B374D848);
    for (int i = 0; i < 3; i++) {
        assert_false(db_conn_identify(conn, &system, &err));
        fake_assert_error(&err, ERROR_HALT, "unexpected_answer", "IDENTIFY_SYSTEM", "");
    }
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_quoting(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    char *quoted = NULL;
    assert_true(db_conn_identifier(conn, "Na\"me ü", &quoted, &err));
    assert_string_equal(quoted, "\"Na\"\"me ü\"");
    memory_free(quoted);
    assert_true(db_conn_literal(conn, "it's", &quoted, &err));
    assert_string_equal(quoted, "'it''s'");
    memory_free(quoted);
    assert_false(db_conn_identifier(conn, "bad \xff", &quoted, &err));
    fake_assert_error(&err, ERROR_CONFIG, "unquotable", "name", "");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_forget_environment(void **state UNUSED)
{
    assert_int_equal(setenv("PGSERVICE", "x", 1) + setenv("PGTZ", "x", 1), 0);
    db_conn_forget_environment();
    assert_null(getenv("PGSERVICE"));
    assert_null(getenv("PGTZ"));
    db_conn_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals_by_code),
        cmocka_unit_test(test_code_is_not_taken_from_the_text),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_password_file),
        cmocka_unit_test(test_unreadable_certificate),
        cmocka_unit_test(test_no_listener),
        cmocka_unit_test(test_cut_while_connecting),
        cmocka_unit_test(test_silent_server),
        cmocka_unit_test(test_next_host_is_tried),
        cmocka_unit_test(test_refusal_ends_the_walk),
        cmocka_unit_test(test_stop_while_connecting),
        cmocka_unit_test(test_server_too_old),
        cmocka_unit_test(test_start_packet),
        cmocka_unit_test(test_settling),
        cmocka_unit_test(test_database_without_an_encoding),
        cmocka_unit_test(test_position_of_an_error),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_long_message_is_cut),
        cmocka_unit_test(test_lost_in_a_statement),
        cmocka_unit_test(test_retry_becomes_reconnect_when_lost),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_identify),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_forget_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
