#include "connector/session.h"

#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"

struct session {
    const struct session_options *with;
    struct session_memory *memory;
    struct interrupt interrupt;
    struct db_conn *sql;         /* ordinary */
    struct db_conn *replication; /* opened when it is needed */
    struct slot_sight sight;
};

static void session_done(struct session *session)
{
    db_conn_close(session->sql);
    db_conn_close(session->replication);
}

static bool open_replication(struct session *session, struct error *err)
{
    if (session->replication != NULL)
        return true;
    struct db_conn_options options = session->with->conn;
    options.replication = true;
    options.wal_sender_timeout_ms = session->with->wal_sender_timeout_ms;
    options.decoding_work_mem = session->with->decoding_work_mem;
    return db_conn_open(&options, session->interrupt, &session->replication, err);
}

/* The slot as it is. */

static bool slot_gone(const struct session *session, struct error *err)
{
    error_set(
        err, ERROR_HALT, "slot_lost",
        "replication slot \"%s\" is gone; this process confirmed up to %s of it, and what was "
        "committed since is not in any slot",
        session->with->slot, lsn_text(session->memory->last_confirmed).text);
    return error_advise(err,
                        "find out who dropped it; to go on from now and accept the gap: pqcdc slot "
                        "create --accept-gap, then restart the worker");
}

static bool look_at_slot(struct session *session, struct error *err)
{
    if (!slot_look(session->sql, session->with->slot, &session->sight, err))
        return false;
    if (!session->sight.exists)
        return session->memory->slot_seen ? slot_gone(session, err) : true;
    if (!slot_verify(&session->sight, session->with->slot, session->with->conn.database, err))
        return false;
    if (session->sight.creating)
        return error_set(err, ERROR_WAIT, "slot_creating",
                         "replication slot \"%s\" is being created by pid %d", session->with->slot,
                         session->sight.active_pid);
    session->memory->slot_seen = true;
    session->memory->last_confirmed =
        lsn_max(session->memory->last_confirmed, session->sight.confirmed_flush);
    if (session->sight.active)
        return error_set(err, ERROR_WAIT, "slot_busy",
                         "replication slot \"%s\" is read by pid %d (%s)", session->with->slot,
                         session->sight.active_pid,
                         session->sight.holder[0] != '\0' ? session->sight.holder : "unknown");
    return true;
}

/* The publication. */

static void note_publication(void *self, bool warning, const char *text, const char *advice)
{
    const struct session *session = self;
    log_event(session->with->log, warning ? LOG_WARN : LOG_INFO, text,
              LOG_STR("publication", session->with->publication.name), LOG_STR("advice", advice));
}

static bool ensure_publication(struct session *session, struct error *err)
{
    struct publication_options options = session->with->publication;
    options.slot_exists = session->sight.exists;
    if (!publication_ensure(session->sql, &options, note_publication, session, err))
        return false;
    (void)FAULT(after_publication_create);
    return true;
}

/* The tables that are published, as "schema.table". */
struct published {
    const struct session *session;
    char **names;
    uint32_t count;
};

static void published_done(struct published *published)
{
    for (uint32_t i = 0; i < published->count; i++)
        memory_free(published->names[i]);
    memory_free(published->names);
}

static bool check_route(void *self, const char *schema, const char *name, struct error *err)
{
    struct published *published = self;
    char *topic = NULL;
    if (!topic_route_find(published->session->with->route, slice_of(schema), slice_of(name), &topic,
                          err))
        return false;
    memory_free(topic);
    published->names =
        memory_resize(published->names, (published->count + 1) * sizeof(*published->names));
    published->names[published->count++] = text_format("%s.%s", schema, name);
    return true;
}

static void note_unused(void *self, const char *table)
{
    const struct session *session = self;
    log_warn(session->with->log, "a table has a topic but is not published",
             LOG_STR("table", table), LOG_STR("publication", session->with->publication.name),
             LOG_STR("advice", "check its name in kafka.tableTopicMapping (case-sensitive), or add "
                               "it to the publication"));
}

static bool check_routes(struct session *session, struct error *err)
{
    AUTO(struct published, published_done) published = { .session = session };
    if (!publication_each_table(session->sql, session->with->publication.name, check_route,
                                &published, err))
        return false;
    if (!session->memory->mapping_noted)
        topic_route_unused(session->with->route, (const char *const *)published.names,
                           published.count, note_unused, session);
    session->memory->mapping_noted = true;
    return true;
}

/* The slot as it shall be. */

static void note_waiting(void *self, int32_t pid, const char *application, int64_t waited_ms)
{
    const struct session *session = self;
    log_info(session->with->log, "creating the slot waits for an older transaction to end",
             LOG_STR("slot", session->with->slot), LOG_INT("pid", pid),
             LOG_STR("application", application), LOG_INT("waited_ms", waited_ms));
}

static bool create_slot(struct session *session, lsn_t *out_point, struct error *err)
{
    if (!open_replication(session, err) ||
        !slot_create(session->replication, session->sql, session->with->slot, note_waiting, session,
                     out_point, err))
        return false;
    (void)FAULT(after_slot_create);
    log_info(session->with->log, "slot created", LOG_STR("slot", session->with->slot),
             LOG_STR("consistent_point", lsn_text(*out_point).text));
    return true;
}

static bool ensure_slot(struct session *session, struct error *err)
{
    if (session->sight.exists)
        return true;
    if (!session->with->create_slot) {
        error_set(err, ERROR_HALT, "slot_missing", "replication slot \"%s\" does not exist",
                  session->with->slot);
        return error_advise(err,
                            "set cdc.slot.createIfNotExists: true, or run: SELECT "
                            "pg_create_logical_replication_slot('%s', 'pgoutput');",
                            session->with->slot);
    }
    lsn_t point;
    return create_slot(session, &point, err);
}

/* The stream. */

/* A server whose WAL ends before what was confirmed of it was restored or is a lagging standby:
 * what it writes next would stand where other changes, already delivered, stood. */
static bool not_set_back(const struct session *session, const struct db_conn_system *system,
                         struct error *err)
{
    lsn_t confirmed = session->memory->last_confirmed;
    if (lsn_compare(system->flush_lsn, confirmed) >= 0)
        return true;
    error_set(err, ERROR_HALT, "diverged",
              "the server was set back: its WAL ends at %s, but changes up to %s were delivered",
              lsn_text(system->flush_lsn).text, lsn_text(confirmed).text);
    return error_advise(err,
                        "find out what was restored or failed over; when consumers can bear that "
                        "delivered changes no longer exist, restart the worker");
}

static bool same_server(struct session *session, struct error *err)
{
    struct db_conn_system system;
    if (!db_conn_identify(session->replication, &system, err))
        return false;
    char *known = session->memory->system_id;
    if (known[0] != '\0' && strcmp(known, system.system_id) != 0) {
        error_set(err, ERROR_HALT, "other_server",
                  "the server is another one: system identifier %s, before it was %s",
                  system.system_id, known);
        return error_advise(err,
                            "point cdc.host at the right server, or restart the worker when the "
                            "move was meant");
    }
    memcpy(known, system.system_id, sizeof(system.system_id));
    return not_set_back(session, &system, err);
}

ON_PIPELINE_THREAD static bool start_stream(struct session *session, struct wal_stream **out_stream,
                                            struct error *err)
{
    if (!open_replication(session, err) || !same_server(session, err))
        return false;
    if (!session->with->gate.may_start(session->with->gate.self))
        return error_set(err, ERROR_STEP_DOWN, "not_leader", "another replica leads");
    (void)FAULT(before_start);
    const struct wal_stream_options options = {
        .slot = session->with->slot,
        .publication = session->with->publication.name,
        .messages = false,
        .status_interval_ms = session->with->wal_sender_timeout_ms / 3,
        .clock = session->with->clock,
    };
    if (!wal_stream_start(&options, session->replication, LSN_NONE, out_stream, err))
        return strcmp(err->code, "42704") == 0 ? slot_gone(session, err) : false;
    session->replication = NULL; /* the stream's now */
    session->memory->slot_seen = true;
    return true;
}

bool session_open(const struct session_options *options, struct session_memory *memory,
                  struct interrupt interrupt, struct wal_stream **out_stream, struct error *err)
{
    AUTO(struct session,
         session_done) session = { .with = options, .memory = memory, .interrupt = interrupt };
    if (!options->gate.may_start(options->gate.self))
        return error_set(err, ERROR_STEP_DOWN, "not_leader", "another replica leads");
    return db_conn_open(&options->conn, interrupt, &session.sql, err) &&
           look_at_slot(&session, err) && ensure_publication(&session, err) &&
           check_routes(&session, err) && ensure_slot(&session, err) &&
           start_stream(&session, out_stream, err);
}

/* pqcdc slot create */

static bool is_missing(struct session *session, struct error *err)
{
    const char *slot = session->with->slot;
    if (!slot_look(session->sql, slot, &session->sight, err))
        return false;
    if (!session->sight.exists)
        return true;
    if (!slot_verify(&session->sight, slot, session->with->conn.database, err))
        return false;
    error_set(err, ERROR_HALT, "slot_exists", "replication slot \"%s\" exists already", slot);
    return error_advise(err,
                        "nothing is to be done; to begin anew, drop it first: pqcdc slot drop");
}

static bool loses_nothing(struct session *session, struct error *err)
{
    const char *publication = session->with->publication.name;
    bool exists;
    if (!publication_exists(session->sql, publication, &exists, err))
        return false;
    if (!exists)
        return true;
    error_set(err, ERROR_HALT, "gap",
              "publication \"%s\" exists already, so there may have been a slot before: a new slot "
              "begins now, and changes committed before are not delivered",
              publication);
    return error_advise(err, "when that can be borne: pqcdc slot create --accept-gap");
}

bool session_create_slot(const struct session_options *options, struct interrupt interrupt,
                         bool accept_gap, lsn_t *out_consistent_point, struct error *err)
{
    struct session_memory memory = { .slot_seen = false };
    AUTO(struct session,
         session_done) session = { .with = options, .memory = &memory, .interrupt = interrupt };
    return db_conn_open(&options->conn, interrupt, &session.sql, err) &&
           is_missing(&session, err) && (accept_gap || loses_nothing(&session, err)) &&
           ensure_publication(&session, err) && create_slot(&session, out_consistent_point, err);
}
