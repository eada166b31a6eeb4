/* What the tests on a real server share: a server that may be changed at will (the lab's own), at
 * PQCDC_TEST_PG_HOST (127.0.0.1) and PQCDC_TEST_PG_PORT, with the superuser PQCDC_TEST_PG_USER
 * (postgres) that needs no password. Without the port the tests fail: they never skip. */
#ifndef TESTS_INTEGRATION_POSTGRES_REAL_POSTGRES_H
#define TESTS_INTEGRATION_POSTGRES_REAL_POSTGRES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "postgres/db_conn.h"

enum { REAL_PATIENCE_MS = 60 * 1000, REAL_STEP_MS = 20 };

#define REAL_DATABASE "pqcdc_sessions"

static inline const char *real_setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    if (value != NULL)
        return value;
    if (otherwise == NULL)
        fail_msg("%s is not set: it names the server to test with", name);
    return otherwise;
}

static inline struct db_conn_options real_options(const char *database)
{
    return (struct db_conn_options){
        .host = real_setting("PQCDC_TEST_PG_HOST", "127.0.0.1"),
        .port = real_setting("PQCDC_TEST_PG_PORT", NULL),
        .user = real_setting("PQCDC_TEST_PG_USER", "postgres"),
        .database = database,
        .application_name = "pqcdc:sessions",
    };
}

/* A failed call ends the test with what the error says. */
static inline void real_must(bool done, const struct error *err)
{
    if (!done)
        fail_msg("%s [%s]: %s (%s)", error_class_name(err->class), err->code, err->text,
                 err->advice);
}

static inline struct db_conn *real_open(struct db_conn_options options, struct interrupt interrupt)
{
    struct error err = ERROR_INIT;
    struct db_conn *conn = NULL;
    real_must(db_conn_open(&options, interrupt, &conn, &err), &err);
    return conn;
}

static inline struct db_conn *real_session(void)
{
    return real_open(real_options(REAL_DATABASE), INTERRUPT_NONE);
}

static inline struct db_conn *real_replication(struct interrupt interrupt)
{
    struct db_conn_options options = real_options(REAL_DATABASE);
    options.replication = true;
    return real_open(options, interrupt);
}

static inline void real_run(struct db_conn *conn, const char *sql)
{
    struct error err = ERROR_INIT;
    real_must(db_conn_simple(conn, REAL_PATIENCE_MS, sql, NULL, &err), &err);
}

/* The first value of the first row; "" when there is none. memory_free() it. */
static inline char *real_value(struct db_conn *conn, const char *sql)
{
    struct error err = ERROR_INIT;
    PGresult *result = NULL;
    real_must(db_conn_simple(conn, REAL_PATIENCE_MS, sql, &result, &err), &err);
    char *value = memory_text(PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return value;
}

static inline void real_expect(struct db_conn *conn, const char *sql, const char *expected)
{
    AUTO(char *, memory_free_p) value = real_value(conn, sql);
    assert_string_equal(value, expected);
}

/* Asks again until the answer is the expected one. */
static inline void real_await(struct db_conn *conn, const char *sql, const char *expected)
{
    for (int waited_ms = 0; waited_ms < REAL_PATIENCE_MS; waited_ms += REAL_STEP_MS) {
        AUTO(char *, memory_free_p) value = real_value(conn, sql);
        if (strcmp(value, expected) == 0)
            return;
        (void)nanosleep(&(struct timespec){ .tv_nsec = REAL_STEP_MS * 1000 * 1000 }, NULL);
    }
    fail_msg("never %s: %s", expected, sql);
}

static inline void real_assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline void real_assert_error(const struct error *err, enum error_class class,
                                     const char *code, const char *text, const char *advice)
{
    if (strcmp(err->code, code) != 0 || err->class != class)
        fail_msg("%s %s is expected, not %s [%s]: %s (%s)", error_class_name(class), code,
                 error_class_name(err->class), err->code, err->text, err->advice);
    real_assert_contains(err->text, text);
    real_assert_contains(err->advice, advice);
}

/* An empty database of our own; slots and roles of earlier runs are gone. */
static inline int real_set_up(void **state UNUSED)
{
    struct db_conn *admin = real_open(real_options("postgres"), INTERRUPT_NONE);
    real_await(admin,
               "SELECT count(pg_terminate_backend(pid)) + count(*) FROM pg_stat_activity"
               " WHERE datname = '" REAL_DATABASE "' OR usename LIKE 'pqcdc%'",
               "0");
    real_run(admin, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                    " WHERE slot_name LIKE 'pqcdc%'");
    real_run(admin, "DROP DATABASE IF EXISTS " REAL_DATABASE);
    real_run(admin, "CREATE DATABASE " REAL_DATABASE);
    real_run(admin, "DO $$ DECLARE r name; BEGIN"
                    " FOR r IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'pqcdc%' LOOP"
                    "  EXECUTE pg_catalog.format('DROP ROLE %I', r); END LOOP; END $$");
    db_conn_close(admin);
    return 0;
}

#endif
