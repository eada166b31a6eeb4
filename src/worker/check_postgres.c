#include "worker/check_postgres.h"

#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "postgres/publication_tables.h"
#include "postgres/replica_identity.h"

enum { SQL_MAX_BYTES = 16 * 1024 * 1024 };

/* Statements that notes of the postgres room give as their advice. */
static struct check_mend mend_of_note(const char *advice)
{
    bool is_statement = advice != NULL && strncmp(advice, "ALTER ", 6) == 0;
    return is_statement ? MEND_SQL(advice) : MEND_ADVICE(advice);
}

/* ---- the server ---- */

bool check_postgres_server(struct check_sight *sight, struct error *err)
{
    const struct config *config = sight->config;
    if (!db_conn_open(&sight->settings->conn, INTERRUPT_NONE, &sight->conn, err) ||
        !server_sight_look(sight->conn, &sight->settings->publication, &sight->server, err))
        return false;
    int version = sight->conn->server_version;
    check_say(sight, OK, MEND_NONE, "PostgreSQL %d.%d, database \"%s\", user \"%s\"",
              version / 10000, version % 10000, config->cdc_database, config->cdc_username);
    return true;
}

bool check_postgres_wal_level(struct check_sight *sight, struct error *err UNUSED)
{
    const char *level = sight->server.wal_level;
    if (strcmp(level, "logical") == 0) {
        check_say(sight, OK, MEND_NONE, "wal_level is logical");
        return true;
    }
    const struct check_mend mend = { .sql = "ALTER SYSTEM SET wal_level = 'logical';",
                                     .advice = "then restart PostgreSQL" };
    check_say(sight, FAIL, mend, "wal_level is %s, logical is needed", level);
    return true;
}

/* ---- limits ---- */

static void check_left(struct check_sight *sight, const char *setting, int64_t most, int64_t used,
                       const char *what, bool has_own)
{
    int64_t left = most > used ? most - used : 0;
    if (left > 0 || has_own) {
        check_say(sight, OK, MEND_NONE, "%lld of %lld %s are in use%s", (long long)used,
                  (long long)most, what, has_own ? ", one of them is ours" : "");
        return;
    }
    AUTO(char *, memory_free_p) sql =
        text_format("ALTER SYSTEM SET %s = %lld;", setting, (long long)most + 5);
    const struct check_mend mend = { .sql = sql, .advice = "then restart PostgreSQL" };
    check_say(sight, FAIL, mend, "all %lld %s are in use", (long long)most, what);
}

bool check_postgres_slots_left(struct check_sight *sight, struct error *err UNUSED)
{
    check_left(sight, "max_replication_slots", sight->server.slots_max, sight->server.slots_used,
               "replication slots", sight->slot.exists);
    return true;
}

static bool is_read_by_us(const struct slot_sight *slot)
{
    return slot->active && strncmp(slot->holder, "pqcdc:", 6) == 0;
}

bool check_postgres_senders_left(struct check_sight *sight, struct error *err UNUSED)
{
    check_left(sight, "max_wal_senders", sight->server.senders_max, sight->server.senders_used,
               "WAL senders", is_read_by_us(&sight->slot));
    return true;
}

/* ---- the role ---- */

static bool lacks_replication(struct check_sight *sight, const struct error *failure,
                              struct error *err)
{
    AUTO(char *, memory_free_p) user = NULL;
    if (!db_conn_identifier(sight->conn, sight->config->cdc_username, &user, err))
        return false;
    AUTO(char *, memory_free_p) sql = text_format("ALTER ROLE %s REPLICATION;", user);
    check_say(sight, FAIL, MEND_SQL(sql), "role %s lacks REPLICATION: %s", user, failure->text);
    return true;
}

static int64_t senders_left(const struct server_sight *server)
{
    return server->senders_max - server->senders_used;
}

/* Where our own stream has the last one, it has shown the right. */
static void say_untried(struct check_sight *sight)
{
    if (is_read_by_us(&sight->slot))
        check_say(sight, OK, MEND_NONE, "role \"%s\" replicates now", sight->config->cdc_username);
    else
        check_say(sight, SKIP, MEND_NONE, "not tried: no WAL sender is left");
}

/* Tried, not read: services of clouds give the right by other names. */
bool check_postgres_role(struct check_sight *sight, struct error *err)
{
    struct db_conn_options options = sight->settings->conn;
    struct error failure = ERROR_INIT;
    AUTO(struct db_conn *, db_conn_close_p) replication = NULL;
    options.replication = true;
    options.wal_sender_timeout_ms = sight->config->cdc_wal_sender_timeout_ms;
    options.decoding_work_mem = NULL;
    if (db_conn_open(&options, INTERRUPT_NONE, &replication, &failure)) {
        check_say(sight, OK, MEND_NONE, "role \"%s\" may replicate", sight->config->cdc_username);
        return true;
    }
    if (strcmp(failure.code, "53300") == 0 && senders_left(&sight->server) == 0) {
        say_untried(sight);
        return true;
    }
    if (!sight->server.has_replication)
        return lacks_replication(sight, &failure, err);
    *err = failure;
    return error_prefix(err, "open a replication connection");
}

/* ---- the slot ---- */

static bool slot_missing(struct check_sight *sight, struct error *err)
{
    const char *name = sight->config->cdc_slot_name;
    if (sight->config->cdc_slot_create_if_not_exists) {
        check_say(sight, OK, MEND_NONE, "replication slot \"%s\" is created at the start", name);
        return true;
    }
    AUTO(char *, memory_free_p) literal = NULL;
    if (!db_conn_literal(sight->conn, name, &literal, err))
        return false;
    AUTO(char *, memory_free_p) sql =
        text_format("SELECT pg_create_logical_replication_slot(%s, 'pgoutput');", literal);
    const struct check_mend mend = {
        .sql = sql, .advice = "after the publication: a slot that is older cannot read it"
    };
    check_say(sight, FAIL, mend,
              "replication slot \"%s\" does not exist, and cdc.slot.createIfNotExists is false",
              name);
    return true;
}

/* Not ours, or never to be read again. */
static bool slot_unusable(struct check_sight *sight, const struct error *failure, struct error *err)
{
    AUTO(char *, memory_free_p) literal = NULL;
    if (!db_conn_literal(sight->conn, sight->config->cdc_slot_name, &literal, err))
        return false;
    AUTO(char *, memory_free_p) sql = text_format("SELECT pg_drop_replication_slot(%s);", literal);
    const struct check_mend mend = { .sql = sql, .advice = failure->advice };
    check_say(sight, FAIL, mend, "%s", failure->text);
    return true;
}

static void say_slot(struct check_sight *sight)
{
    const struct slot_sight *slot = &sight->slot;
    uint64_t current = slot->current_lsn.value, restart = slot->restart_lsn.value;
    const char *name = sight->config->cdc_slot_name;
    AUTO(char *, memory_free_p) reader =
        slot->active ? text_format("read by pid %d (%s)", slot->active_pid,
                                   slot->holder[0] != '\0' ? slot->holder : "unknown")
                     : memory_text("not read now");
    AUTO(char *, memory_free_p) text =
        text_format("replication slot \"%s\" is %s; %llu bytes of WAL are retained, wal_status %s",
                    name, reader, (unsigned long long)(current > restart ? current - restart : 0),
                    slot_wal_status_name(slot->wal_status));
    if (slot->wal_status == SLOT_WAL_UNRESERVED)
        check_say(sight, WARN,
                  MEND_SQL("ALTER SYSTEM SET max_slot_wal_keep_size = -1;\n"
                           "SELECT pg_reload_conf();"),
                  "%s: the next checkpoint may remove what was not read; let the worker read on",
                  text);
    else if (slot->active && !is_read_by_us(slot))
        check_say(sight, WARN,
                  MEND_ADVICE("a worker waits until it is free: stop that reader, or set another "
                              "cdc.slot.name"),
                  "%s", text);
    else
        check_say(sight, OK, MEND_NONE, "%s", text);
}

bool check_postgres_slot(struct check_sight *sight, struct error *err)
{
    struct error failure = ERROR_INIT;
    const struct config *config = sight->config;
    if (!slot_look(sight->conn, config->cdc_slot_name, &sight->slot, err))
        return false;
    if (config->cdc_slot_failover && !slot_failover_check(sight->conn, &failure))
        check_report_add_error(&sight->report, sight->check, &failure);
    if (!sight->slot.exists)
        return slot_missing(sight, err);
    if (!slot_verify(&sight->slot, config->cdc_slot_name, config->cdc_database, &failure))
        return slot_unusable(sight, &failure, err);
    say_slot(sight);
    return true;
}

/* ---- the publication ---- */

bool check_postgres_tables(struct check_sight *sight, struct error *err)
{
    const struct publication_options *options = &sight->settings->publication;
    if (!publication_tables_check(sight->conn, options, err))
        return false;
    if (publication_is_for_all_tables(options))
        check_say(sight, OK, MEND_NONE, "all tables of the database are configured");
    else if (options->schema_count == 0)
        check_say(sight, OK, MEND_NONE, "%u configured tables exist", options->table_count);
    else
        check_say(sight, OK, MEND_NONE, "%u configured tables and %u schemas exist",
                  options->table_count, options->schema_count);
    return true;
}

/* All tables, of the database or of a schema, are a superuser's to publish. */
static bool may_create_publication(const struct check_sight *sight)
{
    const struct server_sight *server = &sight->server;
    const struct publication_options *options = &sight->settings->publication;
    return server->is_superuser || (server->may_create && server->owns_tables &&
                                    options->table_count > 0 && options->schema_count == 0);
}

static bool has_own_slot(const struct check_sight *sight)
{
    const struct config *config = sight->config;
    return sight->slot.exists &&
           slot_verify_ours(&sight->slot, config->cdc_slot_name, config->cdc_database, NULL);
}

/* The publication made anew, and the slot after it: one that is older could not read it. */
static bool anew_sql(struct check_sight *sight, const char *before, char **out_sql,
                     struct error *err)
{
    const struct config *config = sight->config;
    bool has_slot = has_own_slot(sight);
    AUTO(char *, memory_free_p) slot = NULL;
    AUTO(char *, memory_free_p) creation = NULL;
    AUTO(struct buf, buf_done) sql = buf_init(SQL_MAX_BYTES);
    if (!db_conn_literal(sight->conn, config->cdc_slot_name, &slot, err) ||
        !publication_creation_sql(sight->conn, &sight->settings->publication, &creation, err))
        return false;
    if (has_slot)
        buf_append_format(&sql, "SELECT pg_drop_replication_slot(%s);\n", slot);
    buf_append_format(&sql, "%s%s", before, creation);
    if (has_slot && !config->cdc_slot_create_if_not_exists)
        buf_append_format(&sql, "\nSELECT pg_create_logical_replication_slot(%s, 'pgoutput');",
                          slot);
    *out_sql = memory_text(buf_text(&sql));
    return true;
}

static bool older_slot(struct check_sight *sight, struct error *err)
{
    AUTO(char *, memory_free_p) sql = NULL;
    if (!anew_sql(sight, "", &sql, err))
        return false;
    const struct check_mend mend = { .sql = sql, .advice = "changes in between are not captured" };
    check_say(sight, FAIL, mend,
              "publication \"%s\" does not exist, but the replication slot does, and could not "
              "read one that is made now",
              sight->config->cdc_publication_name);
    return true;
}

static bool publication_missing(struct check_sight *sight, struct error *err)
{
    const struct publication_options *options = &sight->settings->publication;
    AUTO(char *, memory_free_p) sql = NULL;
    if (!publication_creation_sql(sight->conn, options, &sql, err))
        return false;
    if (has_own_slot(sight))
        return older_slot(sight, err);
    if (!options->create_if_not_exists)
        check_say(sight, FAIL, MEND_SQL(sql),
                  "publication \"%s\" does not exist, and cdc.publication.createIfNotExists is "
                  "false",
                  options->name);
    else if (may_create_publication(sight))
        check_say(sight, OK, MEND_NONE, "publication \"%s\" is created at the start",
                  options->name);
    else
        check_say(sight, FAIL,
                  ((struct check_mend){ .sql = sql,
                                        .advice = "as the owner of the tables with "
                                                  "CREATE on the database, or as a "
                                                  "superuser" }),
                  "publication \"%s\" does not exist, and role \"%s\" may not create it",
                  options->name, sight->config->cdc_username);
    return true;
}

struct notes {
    struct check_sight *sight;
    uint32_t count;
};

/* All tables instead of a list, or a list instead of all: nothing alters that. */
static struct check_mend mend_of_kind(struct check_sight *sight, const char *advice, char **out_sql)
{
    AUTO(char *, memory_free_p) name = NULL;
    if (!db_conn_identifier(sight->conn, sight->config->cdc_publication_name, &name, NULL))
        return MEND_ADVICE(advice);
    AUTO(char *, memory_free_p) before = text_format("DROP PUBLICATION %s;\n", name);
    if (!anew_sql(sight, before, out_sql, NULL))
        return MEND_ADVICE(advice);
    return (struct check_mend){
        .sql = *out_sql,
        .advice = "or change cdc.publication.tables; changes in between are not captured"
    };
}

static void note_drift(void *self, bool warning UNUSED, const char *text, const char *advice)
{
    struct notes *notes = self;
    AUTO(char *, memory_free_p) sql = NULL;
    struct check_mend mend = mend_of_note(advice);
    if (mend.sql == NULL)
        mend = mend_of_kind(notes->sight, advice, &sql);
    notes->count++;
    check_say(notes->sight, FAIL, mend, "%s", text);
}

bool check_postgres_publication(struct check_sight *sight, struct error *err)
{
    struct notes notes = { .sight = sight };
    const struct publication_options *options = &sight->settings->publication;
    if (!publication_inspect(sight->conn, options, &sight->publication, note_drift, &notes, err))
        return false;
    sight->publication_drifted = notes.count > 0;
    if (!sight->publication.exists)
        return publication_missing(sight, err);
    if (notes.count == 0)
        check_say(sight, OK, MEND_NONE, "publication \"%s\" is as configured", options->name);
    return true;
}

/* ---- replica identities ---- */

/* No warning: the worker would set it, if it may. */
static void note_identity(void *self, bool warning, const char *text, const char *advice)
{
    struct notes *notes = self;
    notes->count++;
    if (warning)
        check_say(notes->sight, FAIL, mend_of_note(advice), "%s", text);
    else if (notes->sight->server.owns_tables)
        check_say(notes->sight, WARN, mend_of_note(advice), "%s; the worker sets it at its start",
                  text);
    else
        check_say(notes->sight, FAIL, mend_of_note(advice),
                  "%s, and role \"%s\", which does not own every table, may not set it", text,
                  notes->sight->config->cdc_username);
}

/* Tables that no list names. */
static bool inspect_unlisted(struct notes *notes, struct error *err)
{
    const struct publication_options *options = &notes->sight->settings->publication;
    if (publication_is_for_all_tables(options))
        return replica_identity_inspect_all(notes->sight->conn, NULL, note_identity, notes, err);
    for (uint32_t i = 0; i < options->schema_count; i++)
        if (!replica_identity_inspect_all(notes->sight->conn, options->schemas[i], note_identity,
                                          notes, err))
            return false;
    return true;
}

bool check_postgres_replica_identity(struct check_sight *sight, struct error *err)
{
    struct notes notes = { .sight = sight };
    const struct publication_options *options = &sight->settings->publication;
    bool rows_must_be_known =
        (sight->publication.operations & (PUBLICATION_UPDATE | PUBLICATION_DELETE)) != 0;
    if (rows_must_be_known && !inspect_unlisted(&notes, err))
        return false;
    for (uint32_t i = 0; i < options->table_count; i++)
        if (!replica_identity_inspect(sight->conn, &options->tables[i], rows_must_be_known,
                                      note_identity, &notes, err))
            return false;
    if (notes.count == 0)
        check_say(sight, OK, MEND_NONE,
                  "replica identities are as configured; the server takes every UPDATE and DELETE "
                  "of the tables");
    return true;
}

/* ---- synchronous replication ---- */

bool check_postgres_synchronous(struct check_sight *sight, struct error *err)
{
    const struct server_sight *server = &sight->server;
    AUTO(char *, memory_free_p) sql = NULL;
    AUTO(char *, memory_free_p) names = NULL;
    AUTO(char *, memory_free_p) literal = NULL;
    if (!server->is_standby) {
        check_say(sight, OK, MEND_NONE, "the worker is no synchronous standby");
        return true;
    }
    if (server->standbys != NULL) {
        names = text_format("ANY 1 (%s)", server->standbys);
        if (!db_conn_literal(sight->conn, names, &literal, err))
            return false;
        sql = text_format("ALTER SYSTEM SET synchronous_standby_names = %s;\n"
                          "SELECT pg_reload_conf();",
                          literal);
    } else {
        sql = memory_text("ALTER SYSTEM SET synchronous_standby_names = '';\n"
                          "SELECT pg_reload_conf();");
    }
    const struct check_mend mend = { .sql = sql,
                                     .advice =
                                         server->standbys != NULL
                                             ? "after a look at whether these standbys are meant"
                                             : "or name the standbys that are meant: none that is "
                                               "connected can be seen" };
    check_say(
        sight, WARN, mend,
        "the worker counts as a synchronous standby (synchronous_standby_names = %s): commits "
        "of applications may wait for Kafka",
        server->standby_names);
    return true;
}

/* ---- topics of the tables ---- */

static void add_topic(struct check_sight *sight, const char *topic)
{
    for (uint32_t i = 0; i < sight->topic_count; i++)
        if (strcmp(sight->topics[i], topic) == 0)
            return;
    sight->topics = memory_resize(sight->topics, (sight->topic_count + 1) * sizeof(*sight->topics));
    sight->topics[sight->topic_count++] = memory_text(topic);
}

static bool find_route(void *self, const struct published_table *table, struct error *err UNUSED)
{
    struct notes *notes = self;
    struct error failure = ERROR_INIT;
    AUTO(char *, memory_free_p) topic = NULL;
    if (!settings_topic(notes->sight->settings, table, &topic, &failure)) {
        notes->count++;
        check_report_add_error(&notes->sight->report, notes->sight->check, &failure);
    } else if (topic != NULL) {
        add_topic(notes->sight, topic);
    }
    return true;
}

/* What is published, where that is as it shall be: a partition may have a topic, and its parent
 * none. Else what is configured. */
static bool find_routes(struct notes *notes, struct error *err)
{
    const struct check_sight *sight = notes->sight;
    const struct publication_options *options = &sight->settings->publication;
    if (sight->publication.exists && !sight->publication_drifted)
        return relation_facts_each_published(
            sight->conn, options->name, sight->config->cdc_extension_support_enable_timescale_db,
            find_route, notes, err);
    for (uint32_t i = 0; i < options->table_count; i++) {
        const struct published_table table = { options->tables[i].schema, options->tables[i].name,
                                               NULL, 0 };
        if (!find_route(notes, &table, err))
            return false;
    }
    return true;
}

bool check_postgres_routes(struct check_sight *sight, struct error *err)
{
    struct notes notes = { .sight = sight };
    if (!find_routes(&notes, err))
        return false;
    if (notes.count == 0)
        check_say(sight, OK, MEND_NONE, "every table has its topic: %u topics", sight->topic_count);
    return true;
}
