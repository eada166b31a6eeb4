#include "postgres/server_sight.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "postgres/publication.h"

enum { QUERY_DEADLINE_MS = 10 * 1000 };

enum look_column {
    LOOK_WAL_LEVEL,
    LOOK_SLOTS_MAX,
    LOOK_SLOTS_USED,
    LOOK_SENDERS_MAX,
    LOOK_SENDERS_USED,
    LOOK_IS_SUPERUSER,
    LOOK_HAS_REPLICATION,
    LOOK_MAY_CREATE,
    LOOK_STANDBY_NAMES,
    LOOK_IS_STANDBY,
    LOOK_STANDBYS,
    LOOK_COLUMN_COUNT,
};

/* The names are matched as the server does, after its FIRST or ANY, which match nothing of ours. */
static const char look_sql[] =
    "WITH names AS (SELECT pg_catalog.current_setting('synchronous_standby_names') AS text),"
    " standbys AS (SELECT DISTINCT r.application_name AS name"
    "  FROM pg_catalog.pg_stat_replication AS r WHERE r.application_name <> ''"
    "  AND r.application_name NOT LIKE 'pqcdc:%'"
    "  AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots AS s"
    "   WHERE s.active_pid = r.pid AND s.slot_type = 'logical'))"
    " SELECT pg_catalog.current_setting('wal_level'),"
    " pg_catalog.current_setting('max_replication_slots'),"
    " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),"
    " pg_catalog.current_setting('max_wal_senders'),"
    " (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication),"
    " r.rolsuper, r.rolsuper OR r.rolreplication,"
    " pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'), names.text,"
    " EXISTS (SELECT FROM pg_catalog.regexp_matches(names.text,"
    "   '\"((?:[^\"]|\"\")*)\"|([^ ,()\"]+)', 'g') AS m"
    "  WHERE COALESCE(m[1], m[2]) = '*' OR COALESCE(m[1], m[2]) ILIKE 'pqcdc:%'),"
    " (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY name)"
    "  FROM standbys)"
    " FROM names, pg_catalog.pg_roles AS r WHERE r.rolname = CURRENT_USER";

static const char owned_sql[] =
    "SELECT COALESCE(pg_catalog.bool_and(pg_catalog.pg_has_role(c.relowner, 'USAGE')), true)"
    " FROM pg_catalog.pg_class AS root"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = root.relnamespace"
    " CROSS JOIN LATERAL (SELECT root.oid UNION"
    "  SELECT t.relid FROM pg_catalog.pg_partition_tree(root.oid) AS t) AS part(oid)"
    " JOIN pg_catalog.pg_class AS c ON c.oid = part.oid"
    " WHERE n.nspname = $1 AND root.relname = $2";

void server_sight_done(struct server_sight *sight)
{
    memory_free(sight->standby_names);
    memory_free(sight->standbys);
    *sight = (struct server_sight){ .is_superuser = false };
}

static bool is_true(const PGresult *result, int column)
{
    return strcmp(PQgetvalue(result, 0, column), "t") == 0;
}

static bool read_numbers(const PGresult *result, struct server_sight *sight)
{
    return PQntuples(result) == 1 && PQnfields(result) == LOOK_COLUMN_COUNT &&
           strlen(PQgetvalue(result, 0, LOOK_WAL_LEVEL)) < sizeof(sight->wal_level) &&
           text_parse_i64(PQgetvalue(result, 0, LOOK_SLOTS_MAX), &sight->slots_max) &&
           text_parse_i64(PQgetvalue(result, 0, LOOK_SLOTS_USED), &sight->slots_used) &&
           text_parse_i64(PQgetvalue(result, 0, LOOK_SENDERS_MAX), &sight->senders_max) &&
           text_parse_i64(PQgetvalue(result, 0, LOOK_SENDERS_USED), &sight->senders_used);
}

static bool owns_all(struct db_conn *conn, const struct publication_options *tables, bool *out_owns,
                     struct error *err)
{
    bool owns = true;
    for (uint32_t i = 0; i < tables->table_count && owns; i++) {
        AUTO(PGresult *, db_conn_clear_p) result = NULL;
        const char *const parameters[] = { tables->tables[i].schema, tables->tables[i].name };
        if (!db_conn_query(conn, QUERY_DEADLINE_MS, owned_sql, COUNT_OF(parameters), parameters,
                           &result, err))
            return error_prefix(err, "look at the owner of \"%s\".\"%s\"", tables->tables[i].schema,
                                tables->tables[i].name);
        owns = PQntuples(result) == 1 && is_true(result, 0);
    }
    *out_owns = owns;
    return true;
}

bool server_sight_look(struct db_conn *conn, const struct publication_options *tables,
                       struct server_sight *out_sight, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    struct server_sight sight = { .is_superuser = false };
    if (!db_conn_query(conn, QUERY_DEADLINE_MS, look_sql, 0, NULL, &result, err))
        return error_prefix(err, "look at the server");
    if (!read_numbers(result, &sight))
        return error_set(err, ERROR_HALT, "unexpected_answer",
                         "look at the server: an answer of an unknown form");
    if (!owns_all(conn, tables, &sight.owns_tables, err))
        return false;
    strcpy(sight.wal_level, PQgetvalue(result, 0, LOOK_WAL_LEVEL));
    sight.is_superuser = is_true(result, LOOK_IS_SUPERUSER);
    sight.has_replication = is_true(result, LOOK_HAS_REPLICATION);
    sight.may_create = is_true(result, LOOK_MAY_CREATE);
    sight.is_standby = is_true(result, LOOK_IS_STANDBY);
    sight.standby_names = memory_text(PQgetvalue(result, 0, LOOK_STANDBY_NAMES));
    if (!PQgetisnull(result, 0, LOOK_STANDBYS))
        sight.standbys = memory_text(PQgetvalue(result, 0, LOOK_STANDBYS));
    *out_sight = sight;
    return true;
}
