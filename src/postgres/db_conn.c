#include "postgres/db_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "postgres/conninfo.h"
#include "postgres/sqlstate.h"
#include "postgres/tls_failure.h"
#include "postgres/tls_probe.h"

enum {
    CONNECT_TIMEOUT_MS = 10 * 1000,
    TURN_MS = 500,
    OLDEST_SERVER = 140000,
    MESSAGE_MAX_BYTES = 64 * 1024,
    CONNINFO_MAX_BYTES = 512 * 1024,
    SETTINGS_MAX_BYTES = 1024,
    SQLSTATE_SIZE = 6,
    SHOWN_SQL_LENGTH = 160,
    WHY_SIZE = 128,
};

/* ---- errors ---- */

static bool is_sqlstate_character(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* With PQERRORS_VERBOSE libpq writes "<severity>:  <SQLSTATE>: <message>", whatever the language;
 * of several hosts the last one counts. */
static void sqlstate_of_message(const char *message, char out_sqlstate[SQLSTATE_SIZE])
{
    out_sqlstate[0] = '\0';
    for (const char *at = strstr(message, ":  "); at != NULL; at = strstr(at + 1, ":  ")) {
        const char *state = at + 3;
        size_t length = 0;
        while (length < 5 && is_sqlstate_character(state[length]))
            length++;
        if (length == 5 && state[5] == ':' && state[6] == ' ') {
            memcpy(out_sqlstate, state, 5);
            out_sqlstate[5] = '\0';
        }
    }
}

/* What may hold rows, and what names PostgreSQL's source files. */
static const char *const hidden_lines[] = {
    "DETAIL:", "CONTEXT:", "QUERY:", "STATEMENT:", "LOCATION:",
};

static bool is_hidden(const char *line)
{
    for (size_t i = 0; i < COUNT_OF(hidden_lines); i++)
        if (strncmp(line, hidden_lines[i], strlen(hidden_lines[i])) == 0)
            return true;
    return false;
}

/* Libpq's text in one line. */
static void append_message(struct buf *out, const char *message)
{
    for (const char *line = message; *line != '\0';) {
        line += strspn(line, " \t");
        size_t length = strcspn(line, "\n");
        if (length > 0 && !is_hidden(line)) {
            if (out->size > 0)
                buf_append_byte(out, ' ');
            buf_append(out, line, length < ERROR_TEXT_SIZE ? length : ERROR_TEXT_SIZE);
        }
        line += line[length] == '\n' ? length + 1 : length;
    }
}

static void set_lost(const PGconn *pg, const char *doing, struct error *err)
{
    AUTO(struct buf, buf_done) message = buf_init(MESSAGE_MAX_BYTES);
    append_message(&message, PQerrorMessage(pg));
    (void)error_set(err, ERROR_RECONNECT, "connection_lost",
                    "%s: the connection to PostgreSQL at %s:%s is lost: %s", doing, PQhost(pg),
                    PQport(pg), buf_text(&message));
}

static void advise_by_rule(const struct sqlstate_rule *rule, struct error *err)
{
    if (rule->advice[0] != '\0')
        (void)error_advise(err, "%s", rule->advice);
}

/* Where logical decoding stood when it failed: the last word of a line of the context, whatever
 * the language ("... in the change callback, associated LSN 0/1A2B3C"). The rest of the context is
 * not shown: elsewhere it may hold rows. */
static bool position_of(const PGresult *result, lsn_t *out_position)
{
    const char *context = result != NULL ? PQresultErrorField(result, PG_DIAG_CONTEXT) : NULL;
    while (context != NULL && *context != '\0') {
        size_t length = strcspn(context, "\n");
        AUTO(char *, memory_free_p) line = memory_text_n(context, length);
        const char *word = strrchr(line, ' ');
        if (word != NULL && lsn_parse(word + 1, out_position))
            return true;
        context += length + (context[length] == '\n');
    }
    return false;
}

static void append_position(struct buf *out, const PGresult *result)
{
    lsn_t position;
    if (position_of(result, &position))
        buf_append_format(out, " at LSN %s", lsn_text(position).text);
}

bool db_conn_error(const struct db_conn *conn, const PGresult *result, const char *doing,
                   struct error *err)
{
    char from_message[SQLSTATE_SIZE];
    const char *sqlstate = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary =
        result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (sqlstate == NULL) {
        sqlstate_of_message(PQerrorMessage(conn->pg), from_message);
        sqlstate = from_message;
    }
    bool lost = PQstatus(conn->pg) == CONNECTION_BAD;
    const struct sqlstate_rule *rule = sqlstate_find(sqlstate);
    if (sqlstate[0] == '\0') {
        set_lost(conn->pg, doing, err);
        return false;
    }
    AUTO(struct buf, buf_done) message = buf_init(MESSAGE_MAX_BYTES);
    append_message(&message, primary != NULL ? primary : PQerrorMessage(conn->pg));
    append_position(&message, result);
    (void)error_set(err, lost && rule->class == ERROR_RETRY ? ERROR_RECONNECT : rule->class,
                    sqlstate, "%s: %s (SQLSTATE %s)", doing, buf_text(&message), sqlstate);
    advise_by_rule(rule, err);
    return false;
}

static void advise_connecting(const struct db_conn_options *options, const char *sqlstate,
                              struct error *err)
{
    if (strcmp(sqlstate, "42501") == 0 && options->replication)
        (void)error_advise(err, "run as a superuser: ALTER ROLE \"%s\" REPLICATION;",
                           options->user);
    else if (strcmp(sqlstate, "42501") == 0)
        (void)error_advise(err, "run as a superuser: GRANT CONNECT ON DATABASE \"%s\" TO \"%s\";",
                           options->database, options->user);
    else if (strcmp(sqlstate, "42704") == 0)
        (void)error_advise(err, "PostgreSQL 14 or newer is needed");
    else
        advise_by_rule(sqlstate_find(sqlstate), err);
}

static void say_why_untrusted(const struct db_conn_options *options, const PGconn *pg,
                              struct error *err)
{
    char why[WHY_SIZE];
    if (tls_probe(PQhostaddr(pg), options->port, conninfo_root_cert(options->ssl_root_cert), why,
                  sizeof(why)))
        (void)snprintf(err->text + strlen(err->text), sizeof(err->text) - strlen(err->text),
                       " (%s)", why);
}

/* No SQLSTATE: the server did not say it. */
static void judge_connecting(const struct db_conn_options *options, const PGconn *pg,
                             const char *message, struct error *err)
{
    const struct tls_failure *tls = tls_failure_find(message);
    if (PQconnectionNeedsPassword(pg) != 0) {
        err->class = ERROR_HALT;
        (void)snprintf(err->code, sizeof(err->code), "password_required");
        (void)error_advise(err, "set cdc.password or cdc.passwordFile");
    } else if (tls != NULL) {
        err->class = ERROR_HALT;
        (void)snprintf(err->code, sizeof(err->code), "%s", tls->code);
        if (strcmp(tls->code, "tls_untrusted") == 0)
            say_why_untrusted(options, pg, err);
        (void)tls_failure_advise(tls, options->host, options->port, err);
    } else {
        (void)error_advise(err, "check that PostgreSQL runs and listens there, that cdc.host and "
                                "cdc.port are right, and that the network and TLS settings allow "
                                "the connection");
    }
}

static bool connecting_failed(const struct db_conn_options *options, const PGconn *pg,
                              struct error *err)
{
    char sqlstate[SQLSTATE_SIZE];
    AUTO(struct buf, buf_done) message = buf_init(MESSAGE_MAX_BYTES);
    sqlstate_of_message(PQerrorMessage(pg), sqlstate);
    append_message(&message, PQerrorMessage(pg));
    bool said = sqlstate[0] != '\0';
    struct error failure = ERROR_INIT;
    (void)error_set(&failure, sqlstate_find(sqlstate)->class, said ? sqlstate : "connection_failed",
                    "connect to PostgreSQL at %s:%s, user \"%s\", database \"%s\": %s",
                    options->host, options->port, options->user, options->database,
                    buf_text(&message));
    if (said)
        advise_connecting(options, sqlstate, &failure);
    else
        judge_connecting(options, pg, buf_text(&message), &failure);
    if (err != NULL)
        *err = failure;
    return false;
}

/* ---- waiting ---- */

enum waited { WAITED_READY, WAITED_TIMEOUT, WAITED_STOPPED };

/* `until` with value INT64_MAX = no deadline. */
static enum waited wait_socket(const struct interrupt *interrupt, int socket_fd, short events,
                               mono_ms_t until)
{
    struct clock clock = clock_system();
    for (;;) {
        int64_t left_ms = mono_ms_since(until, clock_now(&clock));
        struct pollfd fds[] = {
            { .fd = interrupt->stop_fd, .events = POLLIN },
            { .fd = socket_fd, .events = events },
        };
        int wait_ms = left_ms <= 0 ? 0 : left_ms < TURN_MS ? (int)left_ms : TURN_MS;
        int ready = poll(fds, COUNT_OF(fds), wait_ms);
        CHECK(ready >= 0 || errno == EINTR);
        if (interrupt->turn != NULL)
            interrupt->turn(interrupt->self);
        if (ready > 0 && fds[0].revents != 0)
            return WAITED_STOPPED;
        if (ready > 0 && fds[1].revents != 0)
            return WAITED_READY;
        if (left_ms <= 0)
            return WAITED_TIMEOUT;
    }
}

static mono_ms_t deadline_after(int64_t delay_ms)
{
    struct clock clock = clock_system();
    return delay_ms > 0 ? mono_ms_add(clock_now(&clock), delay_ms) : (mono_ms_t){ INT64_MAX };
}

static bool stopped(struct error *err)
{
    return error_set(err, ERROR_STOPPED, "stopped", "stopped while waiting for PostgreSQL");
}

/* ---- opening ---- */

static void wipe_and_release(struct buf *secret)
{
    if (secret->data != NULL)
        explicit_bzero(secret->data, secret->capacity);
    buf_done(secret);
}

static void drop_notice(void *self UNUSED, const PGresult *result UNUSED)
{
}

static bool finish_connecting(const struct db_conn_options *options, struct db_conn *conn,
                              struct error *err)
{
    int64_t limit_ms =
        options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    mono_ms_t until = deadline_after(limit_ms);
    PostgresPollingStatusType polling = PGRES_POLLING_WRITING;
    while (polling != PGRES_POLLING_OK) {
        if (polling == PGRES_POLLING_FAILED || PQsocket(conn->pg) < 0)
            return connecting_failed(options, conn->pg, err);
        short events = polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        switch (wait_socket(&conn->interrupt, PQsocket(conn->pg), events, until)) {
        case WAITED_READY:
            break;
        case WAITED_STOPPED:
            return stopped(err);
        case WAITED_TIMEOUT:
            (void)error_set(err, ERROR_RECONNECT, "connect_timeout",
                            "connect to PostgreSQL at %s:%s, user \"%s\", database \"%s\": no "
                            "answer within %lld ms",
                            options->host, options->port, options->user, options->database,
                            (long long)limit_ms);
            return error_advise(err, "check that the host is up and that no firewall drops the "
                                     "connection");
        }
        polling = PQconnectPoll(conn->pg);
    }
    return true;
}

static bool is_readable(const char *name, const char *path, struct error *err)
{
    if (path == NULL || strcmp(path, "system") == 0 || access(path, R_OK) == 0)
        return true;
    (void)error_set(err, ERROR_CONFIG, "file_unreadable", "%s: cannot read \"%s\": %s", name, path,
                    strerror(errno));
    return error_advise(err, "check that the file exists and that this process may read it");
}

/* What the start packet could not say: PGDATESTYLE and PGTZ go into it beside our switches and win
 * over them; a database that does not know its encoding refuses to hand out as UTF8 what is not
 * (for ever, when it is in the WAL); and transaction_timeout is unknown before 17. */
static bool settle_session(struct db_conn *conn, struct error *err)
{
    const char *date_style = PQparameterStatus(conn->pg, "DateStyle");
    const char *time_zone = PQparameterStatus(conn->pg, "TimeZone");
    const char *encoding = PQparameterStatus(conn->pg, "server_encoding");
    AUTO(struct buf, buf_done) sql = buf_init(SETTINGS_MAX_BYTES);
    if (date_style != NULL && strncmp(date_style, "ISO", 3) != 0)
        buf_append_text(&sql, "SET datestyle = 'ISO';");
    if (time_zone != NULL && strcmp(time_zone, "UTC") != 0)
        buf_append_text(&sql, "SET timezone = 'UTC';");
    if (encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0)
        buf_append_text(&sql, "SET client_encoding = 'SQL_ASCII';");
    if (conn->server_version >= 170000)
        buf_append_text(&sql, "SET transaction_timeout = 0;");
    return sql.size == 0 || db_conn_simple(conn, CONNECT_TIMEOUT_MS, buf_text(&sql), NULL, err);
}

static bool service_failed(const PGconn *pg, struct error *err)
{
    AUTO(struct buf, buf_done) message = buf_init(MESSAGE_MAX_BYTES);
    append_message(&message, PQerrorMessage(pg));
    (void)error_set(err, ERROR_CONFIG, "pg_service", "connect to PostgreSQL: %s",
                    buf_text(&message));
    return error_advise(err, "unset the environment variable PGSERVICE: it is not used");
}

static bool start_connecting(const struct db_conn_options *options, bool only_primary,
                             const char *password, struct db_conn *conn, struct error *err)
{
    AUTO(struct buf, wipe_and_release) conninfo = buf_init(CONNINFO_MAX_BYTES);
    if (!conninfo_append(&conninfo, options, only_primary, password, err))
        return false;
    conn->pg = PQconnectStart(buf_text(&conninfo));
    CHECK(conn->pg != NULL);
    /* Libpq looks the service up before it takes any option, and fails when it is not defined. */
    if (PQuser(conn->pg) == NULL && getenv("PGSERVICE") != NULL)
        return service_failed(conn->pg, err);
    (void)PQsetErrorVerbosity(conn->pg, PQERRORS_VERBOSE);
    (void)PQsetNoticeReceiver(conn->pg, drop_notice, NULL);
    return true;
}

/* `options` name one host. */
static bool open_host(const struct db_conn_options *options, bool only_primary,
                      const char *password, struct interrupt interrupt, struct db_conn **out_conn,
                      struct error *err)
{
    AUTO(struct db_conn *, db_conn_close_p) conn = memory_alloc(sizeof(*conn));
    conn->interrupt = interrupt;
    if (!start_connecting(options, only_primary, password, conn, err) ||
        !finish_connecting(options, conn, err))
        return false;
    conn->server_version = PQserverVersion(conn->pg);
    if (conn->server_version < OLDEST_SERVER)
        return error_set(err, ERROR_HALT, "server_too_old",
                         "PostgreSQL at %s:%s is version %d: 14 or newer is needed", options->host,
                         options->port, conn->server_version / 10000);
    (void)PQsetnonblocking(conn->pg, 1);
    if (!settle_session(conn, err))
        return false;
    *out_conn = TAKE(conn);
    return true;
}

/* The item at *cursor, which moves behind it; the last item stays for ever, so that one port serves
 * all hosts. */
static char *next_item(const char **cursor)
{
    size_t length = strcspn(*cursor, ",");
    char *item = memory_text_n(*cursor, length);
    if ((*cursor)[length] == ',')
        *cursor += length + 1;
    return item;
}

static bool is_about_the_host(const struct error *failure)
{
    return failure->class == ERROR_RECONNECT || failure->class == ERROR_WAIT ||
           failure->class == ERROR_RETRY || tls_failure_is(failure);
}

/* What a person must mend is told rather than that another host was away as well. */
static void keep_gravest(struct error *kept, const struct error *failure)
{
    if (!tls_failure_is(kept) || failure->class == ERROR_HALT)
        *kept = *failure;
}

/* Libpq would walk the hosts itself, but without a time limit: a host that does not answer would
 * hide the next one. */
static bool open_hosts(const struct db_conn_options *options, const char *password,
                       struct interrupt interrupt, struct db_conn **out_conn, struct error *err)
{
    const char *hosts = options->host, *ports = options->port;
    bool only_primary = strchr(hosts, ',') != NULL;
    struct error kept = ERROR_INIT;
    for (bool last = false; !last;) {
        struct error failure = ERROR_INIT;
        last = strchr(hosts, ',') == NULL;
        AUTO(char *, memory_free_p) host = next_item(&hosts);
        AUTO(char *, memory_free_p) port = next_item(&ports);
        struct db_conn_options one = *options;
        one.host = host;
        one.port = port;
        if (open_host(&one, only_primary, password, interrupt, out_conn, &failure))
            return true;
        last = last || !is_about_the_host(&failure);
        keep_gravest(&kept, &failure);
    }
    if (err != NULL)
        *err = kept;
    return false;
}

bool db_conn_open(const struct db_conn_options *options, struct interrupt interrupt,
                  struct db_conn **out_conn, struct error *err)
{
    AUTO(char *, secret_free_p) file_password = NULL;
    if (options->password_file != NULL && !secret_read(options->password_file, &file_password, err))
        return false;
    if (!is_readable("cdc.sslRootCert", options->ssl_root_cert, err) ||
        !is_readable("cdc.sslCert", options->ssl_cert, err) ||
        !is_readable("cdc.sslKey", options->ssl_key, err))
        return false;
    return open_hosts(options, file_password != NULL ? file_password : options->password, interrupt,
                      out_conn, err);
}

void db_conn_close(struct db_conn *conn)
{
    if (conn == NULL)
        return;
    PQfinish(conn->pg);
    memory_free(conn);
}

void db_conn_forget_environment(void)
{
    static const char *const names[] = { "PGSERVICE", "PGDATESTYLE", "PGTZ", "PGGEQO" };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unsetenv(names[i]);
}

/* ---- statements ---- */

static bool wait_for_answer(struct db_conn *conn, short events, mono_ms_t until, const char *doing,
                            struct error *err)
{
    switch (wait_socket(&conn->interrupt, PQsocket(conn->pg), events, until)) {
    case WAITED_READY:
        return true;
    case WAITED_STOPPED:
        return stopped(err);
    case WAITED_TIMEOUT:
        break;
    }
    return error_set(err, ERROR_RECONNECT, "timeout",
                     "%s: PostgreSQL at %s:%s did not answer in time", doing, PQhost(conn->pg),
                     PQport(conn->pg));
}

static bool flush_statement(struct db_conn *conn, mono_ms_t until, const char *doing,
                            struct error *err)
{
    for (;;) {
        int unsent = PQflush(conn->pg);
        if (unsent == 0)
            return true;
        if (unsent < 0)
            return db_conn_error(conn, NULL, doing, err);
        if (!wait_for_answer(conn, POLLIN | POLLOUT, until, doing, err))
            return false;
        if (PQconsumeInput(conn->pg) == 0)
            return db_conn_error(conn, NULL, doing, err);
    }
}

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_BOTH || status == PGRES_COPY_IN || status == PGRES_COPY_OUT;
}

static bool is_success(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* The first failed result, else the last one. */
static bool collect_result(struct db_conn *conn, mono_ms_t until, const char *doing,
                           PGresult **out_result, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) kept = NULL;
    for (;;) {
        while (PQisBusy(conn->pg) != 0) {
            if (!wait_for_answer(conn, POLLIN, until, doing, err))
                return false;
            /* A failure shows in the next result, with what the server said last. */
            if (PQconsumeInput(conn->pg) == 0)
                break;
        }
        PGresult *result = PQgetResult(conn->pg);
        if (result == NULL)
            break;
        if (kept != NULL && !is_success(kept)) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
        if (is_copy(result))
            return error_set(err, ERROR_BUG, "unexpected_result", "%s: answered with COPY", doing);
    }
    if (kept == NULL || !is_success(kept))
        return db_conn_error(conn, kept, doing, err);
    if (out_result != NULL)
        *out_result = TAKE(kept);
    return true;
}

static bool run_statement(struct db_conn *conn, int64_t deadline_ms, const char *sql, int sent,
                          PGresult **out_result, struct error *err)
{
    AUTO(char *, memory_free_p) doing = text_format("%.*s", SHOWN_SQL_LENGTH, sql);
    if (sent == 0)
        return db_conn_error(conn, NULL, doing, err);
    mono_ms_t until = deadline_after(deadline_ms);
    return flush_statement(conn, until, doing, err) &&
           collect_result(conn, until, doing, out_result, err);
}

bool db_conn_query(struct db_conn *conn, int64_t deadline_ms, const char *sql, int count,
                   const char *const *parameters, PGresult **out_result, struct error *err)
{
    int sent = PQsendQueryParams(conn->pg, sql, count, NULL, parameters, NULL, NULL, 0);
    return run_statement(conn, deadline_ms, sql, sent, out_result, err);
}

bool db_conn_simple(struct db_conn *conn, int64_t deadline_ms, const char *sql,
                    PGresult **out_result, struct error *err)
{
    return run_statement(conn, deadline_ms, sql, PQsendQuery(conn->pg, sql), out_result, err);
}

bool db_conn_await(struct db_conn *conn, int64_t deadline_ms, PGresult **out_result,
                   struct error *err)
{
    struct interrupt interrupt = conn->interrupt;
    conn->interrupt = INTERRUPT_NONE;
    bool done =
        collect_result(conn, deadline_after(deadline_ms), "await the answer", out_result, err);
    conn->interrupt = interrupt;
    return done;
}

/* ---- quoting, IDENTIFY_SYSTEM ---- */

static bool hand_out_quoted(struct db_conn *conn, char *quoted, const char *what, char **out_quoted,
                            struct error *err)
{
    if (quoted == NULL) {
        AUTO(struct buf, buf_done) message = buf_init(MESSAGE_MAX_BYTES);
        append_message(&message, PQerrorMessage(conn->pg));
        return error_set(err, ERROR_CONFIG, "unquotable", "a %s cannot be quoted: %s", what,
                         buf_text(&message));
    }
    *out_quoted = memory_text_n(quoted, strlen(quoted));
    PQfreemem(quoted);
    return true;
}

bool db_conn_identifier(struct db_conn *conn, const char *name, char **out_quoted,
                        struct error *err)
{
    char *quoted = PQescapeIdentifier(conn->pg, name, strlen(name));
    return hand_out_quoted(conn, quoted, "name", out_quoted, err);
}

bool db_conn_literal(struct db_conn *conn, const char *text, char **out_quoted, struct error *err)
{
    char *quoted = PQescapeLiteral(conn->pg, text, strlen(text));
    return hand_out_quoted(conn, quoted, "text", out_quoted, err);
}

bool db_conn_identify(struct db_conn *conn, struct db_conn_system *out_system, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_simple(conn, CONNECT_TIMEOUT_MS, "IDENTIFY_SYSTEM", &result, err))
        return false;
    struct db_conn_system system = { .timeline = 0 };
    int64_t timeline = 0;
    if (PQntuples(result) != 1 || PQnfields(result) < 3 ||
        strlen(PQgetvalue(result, 0, 0)) >= sizeof(system.system_id) ||
        !text_parse_i64(PQgetvalue(result, 0, 1), &timeline) || timeline <= 0 ||
        timeline > UINT32_MAX || !lsn_parse(PQgetvalue(result, 0, 2), &system.flush_lsn))
        return error_set(err, ERROR_HALT, "unexpected_answer",
                         "IDENTIFY_SYSTEM: PostgreSQL gave an answer of an unknown form");
    memcpy(system.system_id, PQgetvalue(result, 0, 0), strlen(PQgetvalue(result, 0, 0)));
    system.timeline = (uint32_t)timeline;
    *out_system = system;
    return true;
}
