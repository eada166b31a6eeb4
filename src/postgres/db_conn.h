/* A connection to PostgreSQL by libpq: opening and queries that can be interrupted.
 *
 * One thread at a time. Every wait polls the interrupt's stop descriptor (base/interrupt.h) and
 * returns ERROR_STOPPED when it is readable. Session settings that fix the text output are set on
 * every connection (client_encoding UTF8 - SQL_ASCII where the database is - DateStyle ISO,
 * IntervalStyle postgres, extra_float_digits 3, TimeZone UTC, bytea_output hex, row_security off,
 * search_path pg_catalog, no statement, lock or idle time-outs). application_name is ours.
 * Passwords are read from password_file at each open; PG* environment variables, ~/.pgpass and
 * ~/.postgresql have no effect (but see db_conn_forget_environment()). The connection is
 * non-blocking (PQisnonblocking()) and drops notices. Of several hosts the first one that answers
 * and is the primary is taken.
 *
 * Errors: class and advice by SQLSTATE from sqlstate.def; TLS that is not as it shall be is
 * ERROR_HALT with a code of tls_failure.def; a lost connection is ERROR_RECONNECT.
 */
#ifndef POSTGRES_DB_CONN_H
#define POSTGRES_DB_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "change/lsn.h"

struct db_conn_options {
    const char *host; /* one or several, comma-separated, as libpq; a path is a socket directory */
    const char *port; /* one, or one per host (the last one serves those that are left) */
    const char *user;
    const char *database;
    const char *password;      /* NULL = none */
    const char *password_file; /* NULL = none; wins over password */
    const char *ssl_mode;      /* NULL = verify-full when ssl_root_cert is given, else prefer */
    const char *ssl_root_cert, *ssl_cert, *ssl_key; /* NULL = none */
    const char *channel_binding;                    /* disable prefer require; NULL = prefer */
    const char *application_name;
    bool replication;              /* replication=database */
    int64_t wal_sender_timeout_ms; /* replication only; 0 = the server's own */
    const char
        *decoding_work_mem;     /* logical_decoding_work_mem, e.g. "256MB"; NULL = the server's */
    int64_t connect_timeout_ms; /* for each host; 0 = 10 s */
};

struct db_conn {
    PGconn *pg;
    int server_version; /* PQserverVersion(): 150018 */
    struct interrupt interrupt;
};

MUST_CHECK bool db_conn_open(const struct db_conn_options *options, struct interrupt interrupt,
                             struct db_conn **out_conn, struct error *err);
void db_conn_close(struct db_conn *conn); /* NULL allowed */

/* Removes from the environment what libpq obeys whatever the caller sets: PGSERVICE (a service that
 * is not defined makes every connection fail), PGDATESTYLE, PGTZ, PGGEQO. Call it at the start of a
 * program, while there is one thread. */
void db_conn_forget_environment(void);
CLEANUP_POINTER(struct db_conn, db_conn_close)

/* One statement with text parameters; *out_result is PQclear()ed by the caller; NULL out_result
 * discards. deadline_ms: 0 = none, else the wait in milliseconds before ERROR_RECONNECT. Result
 * statuses other than PGRES_COMMAND_OK and PGRES_TUPLES_OK are errors. */
MUST_CHECK bool db_conn_query(struct db_conn *conn, int64_t deadline_ms, const char *sql, int count,
                              const char *const *parameters, PGresult **out_result,
                              struct error *err);
/* The same in the simple protocol (replication commands); no parameters. */
MUST_CHECK bool db_conn_simple(struct db_conn *conn, int64_t deadline_ms, const char *sql,
                               PGresult **out_result, struct error *err);
/* The result of a statement whose wait ended with ERROR_STOPPED or "timeout"; this wait is not
 * stopped by the interrupt. */
MUST_CHECK bool db_conn_await(struct db_conn *conn, int64_t deadline_ms, PGresult **out_result,
                              struct error *err);

/* Quoted by libpq; memory_free() the result. A name that cannot be quoted (bad encoding) is an
 * error. */
MUST_CHECK bool db_conn_identifier(struct db_conn *conn, const char *name, char **out_quoted,
                                   struct error *err);
MUST_CHECK bool db_conn_literal(struct db_conn *conn, const char *text, char **out_quoted,
                                struct error *err);

/* Sets *err from the connection or a result (which may be NULL). `doing` says what was tried:
 * "create publication \"p\"". Returns false. */
bool db_conn_error(const struct db_conn *conn, const PGresult *result, const char *doing,
                   struct error *err);

/* For AUTO(PGresult *, db_conn_clear_p). */
static inline void db_conn_clear_p(PGresult **result)
{
    PQclear(*result);
}

/* IDENTIFY_SYSTEM */
struct db_conn_system {
    char system_id[24];
    uint32_t timeline;
    lsn_t flush_lsn;
};
MUST_CHECK bool db_conn_identify(struct db_conn *conn, struct db_conn_system *out_system,
                                 struct error *err);

#endif
