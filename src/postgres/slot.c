#include "postgres/slot.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    LOOK_DEADLINE_MS = 10 * 1000,
    WAITING_INTERVAL_MS = 1000,
    WAITING_DEADLINE_MS = 2000,
    CLEANUP_DEADLINE_MS = 5000,
    FAILOVER_SERVER = 170000,
};

static const char *const wal_status_names[] = {
    [SLOT_WAL_UNKNOWN] = "",          [SLOT_WAL_RESERVED] = "reserved",
    [SLOT_WAL_EXTENDED] = "extended", [SLOT_WAL_UNRESERVED] = "unreserved",
    [SLOT_WAL_LOST] = "lost",
};

const char *slot_wal_status_name(enum slot_wal_status status)
{
    return wal_status_names[status];
}

/* ---- looking ---- */

enum look_column {
    LOOK_TYPE,
    LOOK_ACTIVE,
    LOOK_PID,
    LOOK_PLUGIN,
    LOOK_DATABASE,
    LOOK_HOLDER,
    LOOK_WAL_STATUS,
    LOOK_RESTART,
    LOOK_CONFIRMED,
    LOOK_CURRENT,
    LOOK_SAFE_SIZE,
    LOOK_INVALIDATION,
    LOOK_COLUMN_COUNT,
};

#define LOOK_SQL(invalidation)                                                                     \
    "SELECT s.slot_type, s.active, s.active_pid, s.plugin, s.database, a.application_name,"        \
    " s.wal_status, s.restart_lsn, s.confirmed_flush_lsn,"                                         \
    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()"           \
    " ELSE pg_catalog.pg_current_wal_lsn() END, s.safe_wal_size, " invalidation                    \
    " FROM (SELECT 1) AS always"                                                                   \
    " LEFT JOIN pg_catalog.pg_replication_slots AS s ON s.slot_name = $1::pg_catalog.name"         \
    " LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = s.active_pid"

static const char *look_sql(int server_version)
{
    if (server_version >= 170000)
        return LOOK_SQL("s.invalidation_reason");
    if (server_version >= 160000)
        return LOOK_SQL("CASE WHEN s.conflicting AND pg_catalog.pg_is_in_recovery()"
                        " THEN 'conflict' END"); /* on a primary it says that WAL was removed */
    return LOOK_SQL("NULL");
}

/* A null is the empty text. Longer than `size`: cut (a name has at most 63 bytes). */
static void copy_value(const PGresult *result, enum look_column column, char *out, size_t size)
{
    const char *value = PQgetvalue(result, 0, (int)column);
    size_t length = strlen(value) < size ? strlen(value) : size - 1;
    memcpy(out, value, length);
    out[length] = '\0';
}

static bool read_lsn(const PGresult *result, enum look_column column, lsn_t *out_lsn)
{
    if (PQgetisnull(result, 0, (int)column))
        return true;
    return lsn_parse(PQgetvalue(result, 0, (int)column), out_lsn);
}

static bool read_integer(const PGresult *result, enum look_column column, int64_t *out_value)
{
    if (PQgetisnull(result, 0, (int)column))
        return true;
    return text_parse_i64(PQgetvalue(result, 0, (int)column), out_value);
}

static enum slot_wal_status wal_status_of(const char *name)
{
    for (size_t i = SLOT_WAL_RESERVED; i < COUNT_OF(wal_status_names); i++)
        if (strcmp(wal_status_names[i], name) == 0)
            return (enum slot_wal_status)i;
    return SLOT_WAL_UNKNOWN;
}

static bool read_sight(const PGresult *result, struct slot_sight *out_sight)
{
    struct slot_sight sight = { .safe_wal_size_bytes = -1 };
    int64_t pid = 0;
    if (PQntuples(result) != 1 || PQnfields(result) != LOOK_COLUMN_COUNT ||
        !read_integer(result, LOOK_PID, &pid) || pid < 0 || pid > INT32_MAX ||
        !read_integer(result, LOOK_SAFE_SIZE, &sight.safe_wal_size_bytes) ||
        !read_lsn(result, LOOK_RESTART, &sight.restart_lsn) ||
        !read_lsn(result, LOOK_CONFIRMED, &sight.confirmed_flush) ||
        !read_lsn(result, LOOK_CURRENT, &sight.current_lsn))
        return false;
    sight.exists = !PQgetisnull(result, 0, LOOK_TYPE);
    sight.logical = strcmp(PQgetvalue(result, 0, LOOK_TYPE), "logical") == 0;
    sight.active = strcmp(PQgetvalue(result, 0, LOOK_ACTIVE), "t") == 0;
    sight.creating = sight.logical && PQgetisnull(result, 0, LOOK_CONFIRMED);
    sight.active_pid = (int32_t)pid;
    sight.wal_status = wal_status_of(PQgetvalue(result, 0, LOOK_WAL_STATUS));
    copy_value(result, LOOK_PLUGIN, sight.plugin, sizeof(sight.plugin));
    copy_value(result, LOOK_DATABASE, sight.database, sizeof(sight.database));
    copy_value(result, LOOK_HOLDER, sight.holder, sizeof(sight.holder));
    copy_value(result, LOOK_INVALIDATION, sight.invalidation, sizeof(sight.invalidation));
    *out_sight = sight;
    return true;
}

bool slot_look(struct db_conn *conn, const char *name, struct slot_sight *out_sight,
               struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_query(conn, LOOK_DEADLINE_MS, look_sql(conn->server_version), 1, &name, &result,
                       err))
        return error_prefix(err, "look at replication slot \"%s\"", name);
    if (!read_sight(result, out_sight))
        return error_set(err, ERROR_HALT, "unexpected_answer",
                         "pg_replication_slots: an answer of an unknown form for slot \"%s\"",
                         name);
    return true;
}

/* ---- verifying ---- */

static bool is_lost(const struct slot_sight *sight)
{
    return sight->wal_status == SLOT_WAL_LOST || strcmp(sight->invalidation, "wal_removed") == 0;
}

static bool is_invalidated(const struct slot_sight *sight)
{
    return sight->invalidation[0] != '\0' && strcmp(sight->invalidation, "wal_removed") != 0;
}

bool slot_verify_ours(const struct slot_sight *sight, const char *name, const char *database,
                      struct error *err)
{
    if (!sight->exists) {
        (void)error_set(err, ERROR_HALT, "slot_missing", "replication slot \"%s\" does not exist",
                        name);
        return error_advise(err, "create it (pqcdc slot create), or check cdc.slot.name");
    }
    if (!sight->logical)
        (void)error_set(err, ERROR_HALT, "slot_physical",
                        "replication slot \"%s\" is a physical one, a logical one is needed", name);
    else if (strcmp(sight->plugin, "pgoutput") != 0)
        (void)error_set(err, ERROR_HALT, "slot_other_plugin",
                        "replication slot \"%s\" has the output plugin %s, pgoutput is needed",
                        name, sight->plugin);
    else if (strcmp(sight->database, database) != 0)
        (void)error_set(err, ERROR_HALT, "slot_other_database",
                        "replication slot \"%s\" belongs to database \"%s\", not to \"%s\"", name,
                        sight->database, database);
    else
        return true;
    return error_advise(err,
                        "set cdc.slot.name to another name; or, if nobody needs this slot: "
                        "SELECT pg_drop_replication_slot('%s');",
                        name);
}

bool slot_verify(const struct slot_sight *sight, const char *name, const char *database,
                 struct error *err)
{
    if (!slot_verify_ours(sight, name, database, err))
        return false;
    if (is_invalidated(sight))
        (void)error_set(err, ERROR_HALT, "slot_invalidated",
                        "replication slot \"%s\" was invalidated by the server (%s) and can never "
                        "be read again",
                        name, sight->invalidation);
    else if (is_lost(sight))
        (void)error_set(err, ERROR_HALT, "slot_lost",
                        "replication slot \"%s\" is lost: the server removed WAL that was not yet "
                        "read, after %s",
                        name, lsn_text(sight->confirmed_flush).text);
    else
        return true;
    return error_advise(err,
                        "changes are missing from then on: drop the slot with SELECT "
                        "pg_drop_replication_slot('%s'); and create it anew with the gap accepted "
                        "(pqcdc slot create --accept-gap), then copy the tables again if the gap "
                        "matters. To prevent it raise max_slot_wal_keep_size%s.",
                        name,
                        strcmp(sight->invalidation, "idle_timeout") == 0
                            ? " and idle_replication_slot_timeout"
                            : "");
}

/* ---- creating ---- */

struct creation {
    struct db_conn *replication;
    struct db_conn *session;
    struct interrupt interrupt; /* the replication connection's own */
    struct clock clock;
    mono_ms_t started, next_look;
    int32_t walsender_pid;
    bool session_failed;
    slot_waiting_fn *waiting;
    void *waiting_self;
};

/* The oldest transaction among those that the walsender waits for. */
static const char blockers_sql[] =
    "SELECT b.pid, CASE b.pid WHEN 0 THEN 'a prepared transaction' ELSE a.application_name END"
    " FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1::pg_catalog.int4)) AS b(pid)"
    " LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid"
    " ORDER BY a.xact_start NULLS LAST LIMIT 1";

static const char cancel_sql[] =
    "SELECT pg_catalog.pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a"
    " WHERE a.pid = $1::pg_catalog.int4 AND a.backend_type = 'walsender'";

static bool ask_session(struct creation *creation, const char *sql, PGresult **out_result)
{
    AUTO(char *, memory_free_p) pid = text_format("%d", creation->walsender_pid);
    const char *const parameters[] = { pid };
    if (!creation->session_failed)
        creation->session_failed = !db_conn_query(creation->session, WAITING_DEADLINE_MS, sql, 1,
                                                  parameters, out_result, NULL);
    return !creation->session_failed;
}

static void report_waiting(struct creation *creation, int64_t waited_ms)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    int64_t pid = 0;
    const char *application = "";
    if (ask_session(creation, blockers_sql, &result) && PQntuples(result) == 1 &&
        text_parse_i64(PQgetvalue(result, 0, 0), &pid))
        application = PQgetvalue(result, 0, 1);
    creation->waiting(creation->waiting_self, (int32_t)pid, application, waited_ms);
}

static void creation_turn(void *self)
{
    struct creation *creation = self;
    if (creation->interrupt.turn != NULL)
        creation->interrupt.turn(creation->interrupt.self);
    mono_ms_t now = clock_now(&creation->clock);
    if (creation->waiting == NULL || mono_ms_before(now, creation->next_look))
        return;
    report_waiting(creation, mono_ms_since(now, creation->started));
    creation->next_look = mono_ms_add(clock_now(&creation->clock), WAITING_INTERVAL_MS);
}

static void cancel_by_libpq(const struct creation *creation)
{
    char unused[256];
    PGcancel *cancel = PQgetCancel(creation->replication->pg);
    if (cancel != NULL)
        (void)PQcancel(cancel, unused, (int)sizeof(unused));
    PQfreeCancel(cancel);
}

/* On the replication connection, which is idle again: the session may be lost. */
static void drop_again(struct creation *creation, const char *quoted, struct error *err)
{
    AUTO(char *, memory_free_p) sql = text_format("DROP_REPLICATION_SLOT %s", quoted);
    struct error failure = ERROR_INIT;
    creation->replication->interrupt = INTERRUPT_NONE;
    if (!db_conn_simple(creation->replication, CLEANUP_DEADLINE_MS, sql, NULL, &failure))
        (void)error_advise(err,
                           "the slot was created meanwhile and could not be dropped (%s): drop it "
                           "with pqcdc slot drop",
                           failure.text);
}

/* The server goes on creating though we no longer wait, and would leave a slot that nobody reads:
 * cancel, and drop the slot if the cancel came too late. */
static void abandon_creation(struct creation *creation, const char *quoted, struct error *err)
{
    if (!ask_session(creation, cancel_sql, NULL))
        cancel_by_libpq(creation);
    if (db_conn_await(creation->replication, CLEANUP_DEADLINE_MS, NULL, NULL))
        drop_again(creation, quoted, err);
}

static bool creation_failed(const char *name, struct error *err)
{
    if (strcmp(err->code, "42710") == 0)
        return error_set(err, ERROR_WAIT, "slot_appeared",
                         "replication slot \"%s\" was created by somebody else meanwhile", name);
    return error_prefix(err, "create replication slot \"%s\"", name);
}

static bool send_creation(struct creation *creation, const char *name, lsn_t *out_consistent_point,
                          struct error *err)
{
    AUTO(char *, memory_free_p) quoted = NULL;
    if (!db_conn_identifier(creation->replication, name, &quoted, err))
        return false;
    AUTO(char *, memory_free_p) sql =
        text_format("CREATE_REPLICATION_SLOT %s LOGICAL pgoutput %s", quoted,
                    creation->replication->server_version >= 150000 ? "(SNAPSHOT 'nothing')"
                                                                    : "NOEXPORT_SNAPSHOT");
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_simple(creation->replication, 0, sql, &result, err)) {
        if (err->class == ERROR_STOPPED || err->class == ERROR_RECONNECT)
            abandon_creation(creation, quoted, err);
        return creation_failed(name, err);
    }
    if (PQntuples(result) != 1 || PQnfields(result) < 2 ||
        !lsn_parse(PQgetvalue(result, 0, 1), out_consistent_point)) {
        (void)error_set(err, ERROR_HALT, "unexpected_answer",
                        "create replication slot \"%s\": an answer of an unknown form", name);
        drop_again(creation, quoted, err);
        return false;
    }
    return true;
}

static bool check_wal_level(struct db_conn *session, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_query(session, LOOK_DEADLINE_MS, "SELECT pg_catalog.current_setting('wal_level')",
                       0, NULL, &result, err))
        return false;
    const char *level = PQgetvalue(result, 0, 0);
    if (strcmp(level, "logical") == 0)
        return true;
    (void)error_set(err, ERROR_HALT, "wal_level",
                    "PostgreSQL runs with wal_level = %s, logical is needed", level);
    return error_advise(err, "ALTER SYSTEM SET wal_level = logical; -- then restart PostgreSQL");
}

bool slot_create(struct db_conn *replication, struct db_conn *session, const char *name,
                 slot_waiting_fn *waiting, void *self, lsn_t *out_consistent_point,
                 struct error *err)
{
    if (!check_wal_level(session, err))
        return false;
    struct error failure = ERROR_INIT; /* err may be NULL, and the code decides below */
    struct creation creation = {
        .replication = replication,
        .session = session,
        .interrupt = replication->interrupt,
        .clock = clock_system(),
        .walsender_pid = PQbackendPID(replication->pg),
        .waiting = waiting,
        .waiting_self = self,
    };
    creation.started = clock_now(&creation.clock);
    creation.next_look = mono_ms_add(creation.started, WAITING_INTERVAL_MS);
    /* The session must outlive a stop: it cancels. Its queries are short and have deadlines. */
    struct interrupt session_interrupt = session->interrupt;
    session->interrupt = INTERRUPT_NONE;
    replication->interrupt = (struct interrupt){ .stop_fd = creation.interrupt.stop_fd,
                                                 .turn = creation_turn,
                                                 .self = &creation };
    bool created = send_creation(&creation, name, out_consistent_point, &failure);
    replication->interrupt = creation.interrupt;
    session->interrupt = session_interrupt;
    if (!created && err != NULL)
        *err = failure;
    return created;
}

/* ---- failover ---- */

bool slot_failover_check(const struct db_conn *session, struct error *err)
{
    if (session->server_version >= FAILOVER_SERVER)
        return true;
    (void)error_set(err, ERROR_CONFIG, "failover_needs_17",
                    "cdc.slot.failover needs PostgreSQL 17 or newer, this server is %d",
                    session->server_version / 10000);
    return error_advise(err, "set it to false; up to 16 something else must bring the slot to a "
                             "standby");
}

bool slot_set_failover(struct db_conn *replication, struct db_conn *session, const char *name,
                       bool *out_changed, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    AUTO(char *, memory_free_p) quoted = NULL;
    *out_changed = false;
    if (!slot_failover_check(session, err) ||
        !db_conn_query(session, LOOK_DEADLINE_MS,
                       "SELECT failover FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
                       1, &name, &result, err) ||
        !db_conn_identifier(replication, name, &quoted, err))
        return false;
    if (PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0)
        return true;
    AUTO(char *, memory_free_p) sql =
        text_format("ALTER_REPLICATION_SLOT %s (FAILOVER true)", quoted);
    if (!db_conn_simple(replication, LOOK_DEADLINE_MS, sql, NULL, err))
        return error_prefix(err, "have replication slot \"%s\" synchronized to standbys", name);
    *out_changed = true;
    return true;
}

/* ---- dropping ---- */

/* Its reader may be gone meanwhile: then no pid is known. */
static void advise_to_stop_the_reader(struct db_conn *conn, const char *name, struct error *err)
{
    struct slot_sight sight;
    if (slot_look(conn, name, &sight, NULL) && sight.active_pid != 0)
        (void)error_advise(err, "stop the worker that reads it (pid %d of the server%s%s) first",
                           sight.active_pid, sight.holder[0] != '\0' ? ", " : "", sight.holder);
    else
        (void)error_advise(err, "stop the worker that reads it first");
}

bool slot_drop(struct db_conn *conn, const char *name, struct error *err)
{
    struct error failure = ERROR_INIT;
    if (db_conn_query(conn, LOOK_DEADLINE_MS, "SELECT pg_catalog.pg_drop_replication_slot($1)", 1,
                      &name, NULL, &failure))
        return true;
    if (strcmp(failure.code, "42704") == 0) {
        (void)error_set(err, ERROR_HALT, "slot_missing", "replication slot \"%s\" does not exist",
                        name);
        return error_advise(err, "check cdc.slot.name");
    }
    (void)error_prefix(&failure, "drop replication slot \"%s\"", name);
    if (strcmp(failure.code, "42501") == 0)
        (void)error_advise(&failure, "run as a superuser: ALTER ROLE \"%s\" REPLICATION;",
                           PQuser(conn->pg));
    if (strcmp(failure.code, "55006") == 0)
        advise_to_stop_the_reader(conn, name, &failure);
    if (err != NULL)
        *err = failure;
    return false;
}
