#include "connector/session.h"

#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "connector/table_topic.h"

struct session {
    const struct session_options *with;
    struct session_memory *memory;
    struct interrupt interrupt;
    struct db_conn *sql;         /* ordinary */
    struct db_conn *replication; /* opened when it is needed */
    struct slot_sight sight;
    bool resuming;
};

static void session_done(struct session *session)
{
    db_conn_close(session->sql);
    db_conn_close(session->replication);
}

static bool may_lead(struct session *session, struct error *err)
{
    if (session->with->gate.may_start(session->with->gate.self))
        return true;
    static const char why[] = "another replica leads, or nobody can prove that this one does";
    identity_drop_resume(&session->memory->identity, why);
    return error_set(err, ERROR_STEP_DOWN, "not_leader", "%s", why);
}

/* Who led before may know more of the slot than this process. */
static void recall(struct session *session)
{
    const struct gate *gate = &session->with->gate;
    struct gate_memory memory;
    if (gate->recall(gate->self, &memory))
        identity_recall(&session->memory->identity, &memory);
}

static void remember(struct session *session)
{
    const struct gate *gate = &session->with->gate;
    const struct gate_memory memory = identity_memory(&session->memory->identity);
    gate->remember(gate->self, &memory);
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

static bool slot_busy(const struct session *session, struct error *err)
{
    const struct slot_sight *sight = &session->sight;
    if (identity_is_own(&session->memory->identity, sight))
        return error_set(err, ERROR_WAIT, "slot_held",
                         "replication slot \"%s\" is still held by our last stream, pid %d, whose "
                         "end the server has not noticed",
                         session->with->slot, sight->active_pid);
    return error_set(err, ERROR_WAIT, "slot_busy", "replication slot \"%s\" is read by pid %d (%s)",
                     session->with->slot, sight->active_pid,
                     sight->holder[0] != '\0' ? sight->holder : "unknown");
}

/* Another replica that led meanwhile does so, and so does who makes the slot anew. */
static void note_move(const struct session *session)
{
    lsn_t before = session->memory->identity.confirmed;
    lsn_t now = session->sight.confirmed_flush;
    if (session->sight.exists && !lsn_is_none(before) && lsn_compare(now, before) > 0)
        log_info(session->with->log,
                 "the slot was moved on by somebody else, or it was made anew: then what was "
                 "committed in between is in no slot",
                 LOG_STR("slot", session->with->slot), LOG_STR("from", lsn_text(before).text),
                 LOG_STR("to", lsn_text(now).text));
}

static bool look_at_slot(struct session *session, struct error *err)
{
    if (!slot_look(session->sql, session->with->slot, &session->sight, err))
        return false;
    struct identity *identity = &session->memory->identity;
    note_move(session);
    if (!identity_check_slot(identity, session->with->slot, &session->sight, err))
        return false;
    if (!session->sight.exists)
        return true;
    if (!slot_verify(&session->sight, session->with->slot, session->with->conn.database, err))
        return false;
    if (session->sight.creating)
        return error_set(err, ERROR_WAIT, "slot_creating",
                         "replication slot \"%s\" is being created by pid %d", session->with->slot,
                         session->sight.active_pid);
    return session->sight.active ? slot_busy(session, err) : true;
}

/* The publication. */

static void note_publication(void *self, bool warning, const char *text, const char *advice)
{
    const struct session *session = self;
    log_event(session->with->log, warning ? LOG_WARN : LOG_INFO, text,
              LOG_STR("publication", session->with->publication.name), LOG_STR("advice", advice));
}

static bool publishes_heartbeat(const struct session_options *with)
{
    const struct heartbeat_options *heartbeat = &with->heartbeat;
    if (heartbeat->interval_ms == 0 || heartbeat->query != NULL || heartbeat->table == NULL)
        return false;
    for (uint32_t i = 0; i < with->publication.table_count; i++) {
        const struct publication_table *table = &with->publication.tables[i];
        if (strcmp(table->schema, heartbeat->schema) == 0 &&
            strcmp(table->name, heartbeat->table) == 0)
            return true;
    }
    return false;
}

/* What this fails by is said where the table is missed, or by the first beat. */
static bool make_heartbeat_table(struct session *session, struct error *err)
{
    bool usable = true;
    struct error failure = ERROR_INIT;
    if (!publishes_heartbeat(session->with) ||
        heartbeat_make_table(session->sql, &session->with->heartbeat, &usable, &failure) || usable)
        return true;
    *err = failure;
    return false;
}

static bool ensure_publication(struct session *session, struct error *err)
{
    struct publication_options options = session->with->publication;
    options.slot_exists = session->sight.exists;
    if (!make_heartbeat_table(session, err) ||
        !publication_ensure(session->sql, &options, note_publication, session, err))
        return false;
    (void)FAULT(after_publication_create);
    return !options.reconcile ||
           publication_watch_look(session->sql, options.name, &session->memory->publication, err);
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

static void add_name(struct published *published, struct slice schema, struct slice name)
{
    published->names =
        memory_resize(published->names, (published->count + 1) * sizeof(*published->names));
    published->names[published->count++] =
        text_format("%.*s.%.*s", SLICE_ARGS(schema), SLICE_ARGS(name));
}

/* Parents count as published: their topic takes what their parts publish. */
static bool check_route(void *self, const struct published_table *table, struct error *err)
{
    struct published *published = self;
    char *topic = NULL;
    if (!table_topic_of_published(published->session->with->route, table, &topic, err))
        return false;
    memory_free(topic);
    add_name(published, slice_of(table->schema), slice_of(table->name));
    for (uint16_t i = 0; i < table->parent_count; i++)
        add_name(published, table->parents[i].schema, table->parents[i].name);
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
    if (!relation_facts_each_published(session->sql, session->with->publication.name,
                                       session->with->timescaledb, check_route, &published, err))
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

static bool ensure_failover(struct session *session, struct error *err)
{
    bool changed = false;
    if (!session->with->failover)
        return true;
    if (!open_replication(session, err) ||
        !slot_set_failover(session->replication, session->sql, session->with->slot, &changed, err))
        return false;
    if (changed)
        log_info(session->with->log, "slot is synchronized to standbys from now on",
                 LOG_STR("slot", session->with->slot));
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
    if (!create_slot(session, &point, err))
        return false;
    identity_note_slot(&session->memory->identity, point);
    return true;
}

/* The stream. */

static bool may_go_on(const struct session *session, struct error *err)
{
    if (!session->resuming || !lsn_is_none(session->memory->identity.resume_from))
        return true;
    return error_set(err, ERROR_RETRY, "no_resume",
                     "the stream cannot go on where it was cut: %s; it starts over from the slot's "
                     "position, and what was unconfirmed comes again",
                     session->memory->identity.no_resume);
}

static lsn_t slot_position(const struct session *session)
{
    return session->sight.exists ? session->sight.confirmed_flush
                                 : session->memory->identity.confirmed; /* its consistent point */
}

ON_PIPELINE_THREAD static bool start_stream(struct session *session, struct wal_stream **out_stream,
                                            struct error *err)
{
    struct identity *identity = &session->memory->identity;
    if (!open_replication(session, err))
        return false;
    bool same = identity_check_server(identity, session->replication, err);
    if (same || err->class == ERROR_HALT)
        remember(session); /* a server that has diverged has so for every replica */
    if (!same || !may_go_on(session, err) || !may_lead(session, err))
        return false;
    (void)FAULT(before_start);
    const struct wal_stream_options options = {
        .slot = session->with->slot,
        .publication = session->with->publication.name,
        .messages = false,
        .status_interval_ms = session->with->wal_sender_timeout_ms / 3,
        .clock = session->with->clock,
    };
    lsn_t from = identity->resume_from;
    identity_note_start(identity, PQbackendPID(session->replication->pg));
    if (!wal_stream_start(&options, session->replication, from, out_stream, err))
        return strcmp(err->code, "42704") == 0
                   ? identity_slot_gone(identity, session->with->slot, err)
                   : false;
    session->replication = NULL;    /* the stream's now */
    if (!may_go_on(session, err)) { /* dropped while START was waited for */
        wal_stream_close(TAKE(*out_stream));
        return false;
    }
    identity_note_position(identity, lsn_is_none(from) ? slot_position(session) : from);
    return true;
}

/* What the gate remembers outlives a restart of the worker. */
static bool advise_forgetting(const struct session *session, struct error *err)
{
    static const char *const codes[] = { "slot_lost", "other_server", "diverged" };
    const char *how = session->with->gate.how_to_forget;
    for (size_t i = 0; how != NULL && i < COUNT_OF(codes); i++)
        if (strcmp(err->code, codes[i]) == 0)
            return error_advise(err, "What the Lease remembers is given up by: %s", how);
    return false;
}

static bool may_fail_over(const struct session *session, struct error *err)
{
    return !session->with->failover || slot_failover_check(session->sql, err);
}

bool session_open(const struct session_options *options, struct session_memory *memory,
                  struct interrupt interrupt, struct wal_stream **out_stream, struct error *err)
{
    AUTO(struct session, session_done) session = {
        .with = options,
        .memory = memory,
        .interrupt = interrupt,
        .resuming = !lsn_is_none(memory->identity.resume_from),
    };
    if (!may_lead(&session, err))
        return false;
    recall(&session);
    return (db_conn_open(&options->conn, interrupt, &session.sql, err) &&
            may_fail_over(&session, err) && look_at_slot(&session, err) &&
            may_go_on(&session, err) && ensure_publication(&session, err) &&
            check_routes(&session, err) && ensure_slot(&session, err) &&
            ensure_failover(&session, err) && start_stream(&session, out_stream, err)) ||
           advise_forgetting(&session, err);
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
    struct session_memory memory = { .mapping_noted = false };
    AUTO(struct session,
         session_done) session = { .with = options, .memory = &memory, .interrupt = interrupt };
    return db_conn_open(&options->conn, interrupt, &session.sql, err) &&
           may_fail_over(&session, err) && is_missing(&session, err) &&
           (accept_gap || loses_nothing(&session, err)) && ensure_publication(&session, err) &&
           create_slot(&session, out_consistent_point, err) && ensure_failover(&session, err);
}
