#include "postgres/heartbeat.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

enum { ANSWER_DEADLINE_MS = 5000 };

_Static_assert(HEARTBEAT_LIMIT_MS == 500, "the statement says so");
#define LIMITS "SET LOCAL statement_timeout = 500; SET LOCAL lock_timeout = 300; "

/* Not transactional: it takes no transaction id. What recovers has no WAL of its own, and says so
 * less clearly. */
static const char message_sql[] =
    LIMITS "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery()"
           " THEN pg_catalog.pg_logical_emit_message(false, 'pqcdc.heartbeat', '') END";

static bool beat_message(struct db_conn *conn, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_simple(conn, ANSWER_DEADLINE_MS, message_sql, &result, err))
        return false;
    if (PQntuples(result) == 1 && !PQgetisnull(result, 0, 0))
        return true;
    (void)error_set(err, ERROR_RETRY, "read_only", "the server is a standby, which writes no WAL");
    return error_advise(err, "set cdc.heartbeat.interval: 0 where changes are read from a standby");
}

static bool quote_table(struct db_conn *conn, const struct heartbeat_options *options,
                        char **out_name, struct error *err)
{
    AUTO(char *, memory_free_p) schema = NULL;
    AUTO(char *, memory_free_p) table = NULL;
    if (!db_conn_identifier(conn, options->schema, &schema, err) ||
        !db_conn_identifier(conn, options->table, &table, err))
        return false;
    *out_name = text_format("%s.%s", schema, table);
    return true;
}

static bool is_usable(const struct db_conn *conn)
{
    return PQstatus(conn->pg) == CONNECTION_OK && PQtransactionStatus(conn->pg) == PQTRANS_IDLE;
}

static bool create_table(struct db_conn *conn, const char *name, struct error *err)
{
    struct error failure = ERROR_INIT;
    AUTO(char *, memory_free_p) creation = text_format(
        "CREATE TABLE IF NOT EXISTS %s (id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),"
        " last_heartbeat timestamptz NOT NULL DEFAULT pg_catalog.now());",
        name);
    AUTO(char *, memory_free_p) sql = text_format(LIMITS "%s", creation);
    if (db_conn_simple(conn, ANSWER_DEADLINE_MS, sql, NULL, &failure))
        return true;
    failure.advice[0] = '\0';
    (void)error_advise(&failure, "let somebody who may run: %s", creation);
    *err = failure;
    return error_prefix(err, "create the heartbeat's table %s", name);
}

/* The table is made by the first beat that misses it. */
static bool beat_table(struct db_conn *conn, const struct heartbeat_options *options,
                       struct error *err)
{
    struct error failure = ERROR_INIT;
    AUTO(char *, memory_free_p) name = NULL;
    if (!quote_table(conn, options, &name, err))
        return false;
    AUTO(char *, memory_free_p) sql = text_format(
        LIMITS "INSERT INTO %s AS h (id, last_heartbeat) VALUES (1, pg_catalog.now())"
               " ON CONFLICT (id) DO UPDATE SET last_heartbeat = EXCLUDED.last_heartbeat",
        name);
    if (db_conn_simple(conn, ANSWER_DEADLINE_MS, sql, NULL, &failure))
        return true;
    if (strcmp(failure.code, "42P01") == 0)
        return create_table(conn, name, err) &&
               db_conn_simple(conn, ANSWER_DEADLINE_MS, sql, NULL, err);
    if (strcmp(failure.code, "42501") == 0) {
        failure.advice[0] = '\0';
        (void)error_advise(&failure,
                           "let its owner run: GRANT INSERT, UPDATE, SELECT ON %s TO "
                           "the role of cdc.username;",
                           name);
    }
    *err = failure;
    return error_prefix(err, "write to the heartbeat's table %s", name);
}

bool heartbeat_make_table(struct db_conn *conn, const struct heartbeat_options *options,
                          bool *out_usable, struct error *err)
{
    struct error failure = ERROR_INIT;
    AUTO(char *, memory_free_p) name = NULL;
    bool done = quote_table(conn, options, &name, err);
    AUTO(char *, memory_free_p) sql =
        text_format(LIMITS "SELECT FROM %s LIMIT 0", done ? name : "");
    if (done && !db_conn_simple(conn, ANSWER_DEADLINE_MS, sql, NULL, &failure) &&
        strcmp(failure.code, "42P01") == 0)
        done = create_table(conn, name, err);
    *out_usable = is_usable(conn);
    return done;
}

static bool beat_query(struct db_conn *conn, const char *query, struct error *err)
{
    AUTO(char *, memory_free_p) sql = text_format(LIMITS "%s", query);
    return db_conn_simple(conn, ANSWER_DEADLINE_MS, sql, NULL, err) ||
           error_prefix(err, "cdc.heartbeat.query");
}

/* An open transaction would keep the server from cleaning up, and us from seeing what is new. */
static bool close_transaction(struct db_conn *conn, bool done, struct error *err)
{
    PGTransactionStatusType status = PQtransactionStatus(conn->pg);
    if (status != PQTRANS_INTRANS && status != PQTRANS_INERROR)
        return done;
    bool closed = db_conn_simple(conn, ANSWER_DEADLINE_MS, "ROLLBACK", NULL, done ? err : NULL);
    if (!done || !closed)
        return false;
    (void)error_set(err, ERROR_CONFIG, "heartbeat_open_transaction",
                    "cdc.heartbeat.query leaves a transaction open: it was rolled back");
    return error_advise(err, "each beat is a transaction already: leave out BEGIN");
}

bool heartbeat_beat(struct db_conn *conn, const struct heartbeat_options *options, bool *out_usable,
                    struct error *err)
{
    bool done = options->query != NULL   ? beat_query(conn, options->query, err)
                : options->table != NULL ? beat_table(conn, options, err)
                                         : beat_message(conn, err);
    done = close_transaction(conn, done, err);
    *out_usable = is_usable(conn);
    return done;
}
