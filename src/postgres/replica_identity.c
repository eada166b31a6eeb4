#include "postgres/replica_identity.h"

#include <string.h>
#include <strings.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"

enum { STATEMENT_DEADLINE_MS = 30 * 1000 };

struct identity_kind {
    const char *name; /* in the configuration, and after REPLICA IDENTITY */
    char code;        /* pg_class.relreplident */
};

static const struct identity_kind kinds[] = {
    { "DEFAULT", 'd' },
    { "FULL", 'f' },
    { "NOTHING", 'n' },
    { "USING INDEX", 'i' },
};

static const struct identity_kind *find_by_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcasecmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static const char *name_of_code(char code)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i].code == code)
            return kinds[i].name;
    return "unknown";
}

/* The table and, of a partitioned one, its leaves; for each the index that its identity uses and
 * the one that it should use (on a leaf: the part of the table's index). */
enum target_column {
    TARGET_SCHEMA,
    TARGET_NAME,
    TARGET_IDENTITY,
    TARGET_INDEX,
    TARGET_WANTED_INDEX,
    TARGET_HAS_KEY,
    TARGET_IS_LEAF,
    TARGET_IS_PARTITIONED,
    TARGET_COLUMN_COUNT,
};

static const char targets_sql[] =
    "WITH root AS (SELECT c.oid FROM pg_catalog.pg_class AS c"
    "  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = $1 AND c.relname = $2),"
    " wanted AS (SELECT x.indexrelid AS oid FROM pg_catalog.pg_index AS x"
    "  JOIN pg_catalog.pg_class AS ic ON ic.oid = x.indexrelid"
    "  WHERE x.indrelid = (SELECT oid FROM root) AND ic.relname = $3),"
    " parts AS (SELECT oid FROM wanted UNION"
    "  SELECT t.relid FROM wanted, pg_catalog.pg_partition_tree(wanted.oid) AS t),"
    " targets AS (SELECT oid FROM root UNION"
    "  SELECT t.relid FROM root, pg_catalog.pg_partition_tree(root.oid) AS t WHERE t.isleaf)"
    " SELECT n.nspname, c.relname, c.relreplident,"
    "  (SELECT ic.relname FROM pg_catalog.pg_index AS x"
    "   JOIN pg_catalog.pg_class AS ic ON ic.oid = x.indexrelid"
    "   WHERE x.indrelid = c.oid AND x.indisreplident),"
    "  (SELECT ic.relname FROM pg_catalog.pg_index AS x"
    "   JOIN pg_catalog.pg_class AS ic ON ic.oid = x.indexrelid"
    "   WHERE x.indrelid = c.oid AND x.indexrelid IN (SELECT oid FROM parts)),"
    "  EXISTS (SELECT FROM pg_catalog.pg_index AS x"
    "   WHERE x.indrelid = c.oid AND x.indisprimary),"
    "  c.oid <> (SELECT oid FROM root), c.relkind = 'p'"
    " FROM targets JOIN pg_catalog.pg_class AS c ON c.oid = targets.oid"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') ORDER BY c.oid <> (SELECT oid FROM root), 1, 2";

struct target {
    const char *schema, *name;
    char identity;
    const char *index;        /* NULL = none */
    const char *wanted_index; /* NULL = none */
    bool has_key, is_leaf, is_partitioned;
};

struct reporter {
    publication_note_fn *note;
    void *self;
    bool only_looks;
};

static const char *value_or_null(const PGresult *result, int row, enum target_column column)
{
    return PQgetisnull(result, row, (int)column) ? NULL : PQgetvalue(result, row, (int)column);
}

static bool is_true(const PGresult *result, int row, enum target_column column)
{
    return strcmp(PQgetvalue(result, row, (int)column), "t") == 0;
}

static struct target read_target(const PGresult *result, int row)
{
    return (struct target){
        .schema = PQgetvalue(result, row, TARGET_SCHEMA),
        .name = PQgetvalue(result, row, TARGET_NAME),
        .identity = PQgetvalue(result, row, TARGET_IDENTITY)[0],
        .index = value_or_null(result, row, TARGET_INDEX),
        .wanted_index = value_or_null(result, row, TARGET_WANTED_INDEX),
        .has_key = is_true(result, row, TARGET_HAS_KEY),
        .is_leaf = is_true(result, row, TARGET_IS_LEAF),
        .is_partitioned = is_true(result, row, TARGET_IS_PARTITIONED),
    };
}

static bool build_sql(struct db_conn *conn, const struct target *target,
                      const struct identity_kind *kind, char **out_sql, struct error *err)
{
    AUTO(char *, memory_free_p) schema = NULL;
    AUTO(char *, memory_free_p) name = NULL;
    AUTO(char *, memory_free_p) index = NULL;
    if (!db_conn_identifier(conn, target->schema, &schema, err) ||
        !db_conn_identifier(conn, target->name, &name, err) ||
        (kind->code == 'i' && !db_conn_identifier(conn, target->wanted_index, &index, err)))
        return false;
    *out_sql = text_format("ALTER TABLE ONLY %s.%s REPLICA IDENTITY %s%s%s;", schema, name,
                           kind->name, index != NULL ? " " : "", index != NULL ? index : "");
    return true;
}

static bool is_as_wanted(const struct target *target, const struct identity_kind *kind)
{
    if (target->identity != kind->code)
        return false;
    return kind->code != 'i' || (target->index != NULL && target->wanted_index != NULL &&
                                 strcmp(target->index, target->wanted_index) == 0);
}

/* Without the right, without the lock, on a standby: a person can do it, and we can go on. */
static bool may_be_left(const char *sqlstate)
{
    return strcmp(sqlstate, "42501") == 0 || strcmp(sqlstate, "55P03") == 0 ||
           strcmp(sqlstate, "25006") == 0;
}

static void take_wanted(struct target *target, const struct identity_kind *kind)
{
    target->identity = kind->code;
    target->index = target->wanted_index;
}

static void report_difference(struct target *target, const struct identity_kind *kind,
                              const struct reporter *reporter, const char *alter)
{
    AUTO(char *, memory_free_p) text =
        text_format("replica identity of \"%s\".\"%s\" is %s, not %s%s%s", target->schema,
                    target->name, name_of_code(target->identity), kind->name,
                    kind->code == 'i' ? " " : "", kind->code == 'i' ? target->wanted_index : "");
    reporter->note(reporter->self, false, text, alter);
    take_wanted(target, kind);
}

static bool apply(struct db_conn *conn, struct target *target, const struct identity_kind *kind,
                  const struct reporter *reporter, struct error *err)
{
    AUTO(char *, memory_free_p) alter = NULL;
    if (!build_sql(conn, target, kind, &alter, err))
        return false;
    if (reporter->only_looks) {
        report_difference(target, kind, reporter, alter);
        return true;
    }
    /* One message is one transaction, so that SET LOCAL reaches the ALTER and ends with it. */
    AUTO(char *, memory_free_p) sql = text_format("SET LOCAL lock_timeout = '2s'; %s", alter);
    struct error failure = ERROR_INIT;
    if (db_conn_simple(conn, STATEMENT_DEADLINE_MS, sql, NULL, &failure)) {
        (void)FAULT(after_identity_change);
        AUTO(char *, memory_free_p) text =
            text_format("replica identity of \"%s\".\"%s\" changed from %s to %s", target->schema,
                        target->name, name_of_code(target->identity), kind->name);
        reporter->note(reporter->self, false, text, alter);
        take_wanted(target, kind);
        return true;
    }
    if (!may_be_left(failure.code)) {
        (void)error_prefix(&failure, "set the replica identity of \"%s\".\"%s\"", target->schema,
                           target->name);
        if (err != NULL)
            *err = failure;
        return false;
    }
    AUTO(char *, memory_free_p) text = text_format(
        "replica identity of \"%s\".\"%s\" is %s, not %s, and could not be changed: "
        "%s",
        target->schema, target->name, name_of_code(target->identity), kind->name, failure.text);
    reporter->note(reporter->self, true, text, alter);
    return true;
}

static bool index_missing(const struct publication_table *table, const struct target *target,
                          const struct reporter *reporter, struct error *err)
{
    AUTO(char *, memory_free_p) text =
        text_format("table \"%s\".\"%s\" has no index \"%s\" for its replica identity",
                    target->schema, target->name, table->replica_identity_index);
    if (!target->is_leaf) {
        (void)error_set(err, ERROR_HALT, "index_missing", "%s", text);
        return error_advise(err,
                            "create a unique index of that name over NOT NULL columns, without "
                            "WHERE and not deferrable, or check cdc.publication.tables");
    }
    reporter->note(reporter->self, true, text,
                   "attach a matching index to the partition's table, or set the identity of the "
                   "partition by hand");
    return true;
}

static bool rows_are_known(const struct target *target)
{
    switch (target->identity) {
    case 'f':
        return true;
    case 'd':
        return target->has_key;
    case 'i':
        return target->index != NULL;
    default:
        return false;
    }
}

static bool warn_unknown_rows(struct db_conn *conn, const struct target *target,
                              const struct reporter *reporter, struct error *err)
{
    AUTO(char *, memory_free_p) sql = NULL;
    if (!build_sql(conn, target, &kinds[1], &sql, err))
        return false;
    AUTO(char *, memory_free_p) text =
        text_format("PostgreSQL refuses UPDATE and DELETE on \"%s\".\"%s\" while it is "
                    "published: its replica identity is %s%s",
                    target->schema, target->name, name_of_code(target->identity),
                    target->identity == 'd' ? " and it has no primary key" : "");
    AUTO(char *, memory_free_p) advice =
        text_format("%s%s", reporter->only_looks ? "" : "add a primary key, or: ", sql);
    reporter->note(reporter->self, true, text, advice);
    return true;
}

static bool ensure_target(struct db_conn *conn, const struct publication_table *table,
                          const struct identity_kind *kind, struct target *target,
                          bool rows_must_be_known, const struct reporter *reporter,
                          struct error *err)
{
    if (kind != NULL && kind->code == 'i' && target->wanted_index == NULL) {
        if (!index_missing(table, target, reporter, err))
            return false;
    } else if (kind != NULL && !is_as_wanted(target, kind) &&
               !apply(conn, target, kind, reporter, err)) {
        return false;
    }
    /* A partitioned table has no rows of its own. */
    if (!rows_must_be_known || target->is_partitioned || rows_are_known(target))
        return true;
    return warn_unknown_rows(conn, target, reporter, err);
}

static bool each_target(struct db_conn *conn, const struct publication_table *table,
                        bool rows_must_be_known, const struct reporter *reporter, struct error *err)
{
    const struct identity_kind *kind =
        table->replica_identity != NULL ? find_by_name(table->replica_identity) : NULL;
    if (table->replica_identity != NULL &&
        (kind == NULL || (kind->code == 'i' && table->replica_identity_index == NULL)))
        return error_set(err, ERROR_CONFIG, "replica_identity",
                         "table \"%s\".\"%s\": replica identity \"%s\" is not DEFAULT, FULL, "
                         "NOTHING or USING INDEX with an index",
                         table->schema, table->name, table->replica_identity);
    const char *const parameters[] = { table->schema, table->name,
                                       kind != NULL && kind->code == 'i'
                                           ? table->replica_identity_index
                                           : NULL };
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_query(conn, STATEMENT_DEADLINE_MS, targets_sql, COUNT_OF(parameters), parameters,
                       &result, err))
        return error_prefix(err, "look at the replica identity of \"%s\".\"%s\"", table->schema,
                            table->name);
    if (PQnfields(result) != TARGET_COLUMN_COUNT)
        return error_set(err, ERROR_HALT, "unexpected_answer",
                         "look at the replica identity of \"%s\".\"%s\": an answer of an unknown "
                         "form",
                         table->schema, table->name);
    for (int row = 0; row < PQntuples(result); row++) {
        struct target target = read_target(result, row);
        if (!ensure_target(conn, table, kind, &target, rows_must_be_known, reporter, err))
            return false;
    }
    return true;
}

bool replica_identity_ensure(struct db_conn *conn, const struct publication_table *table,
                             bool rows_must_be_known, publication_note_fn *note, void *self,
                             struct error *err)
{
    const struct reporter reporter = { note, self, false };
    return each_target(conn, table, rows_must_be_known, &reporter, err);
}

bool replica_identity_inspect(struct db_conn *conn, const struct publication_table *table,
                              bool rows_must_be_known, publication_note_fn *note, void *self,
                              struct error *err)
{
    const struct reporter reporter = { note, self, true };
    return each_target(conn, table, rows_must_be_known, &reporter, err);
}

/* Of all tables that FOR ALL TABLES publishes, or TABLES IN SCHEMA. */
static const char unknown_sql[] =
    "SELECT n.nspname, c.relname, c.relreplident FROM pg_catalog.pg_class AS c"
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " AND ($1::pg_catalog.text IS NULL OR n.nspname = $1) AND (c.relreplident = 'n'"
    " OR c.relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS x"
    "  WHERE x.indrelid = c.oid AND x.indisprimary)"
    " OR c.relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS x"
    "  WHERE x.indrelid = c.oid AND x.indisreplident)) ORDER BY 1, 2";

bool replica_identity_inspect_all(struct db_conn *conn, const char *schema,
                                  publication_note_fn *note, void *self, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    const struct reporter reporter = { note, self, true };
    if (!db_conn_query(conn, STATEMENT_DEADLINE_MS, unknown_sql, 1, &schema, &result, err))
        return error_prefix(err, "look at the replica identities");
    for (int row = 0; row < PQntuples(result); row++) {
        const struct target target = {
            .schema = PQgetvalue(result, row, TARGET_SCHEMA),
            .name = PQgetvalue(result, row, TARGET_NAME),
            .identity = PQgetvalue(result, row, TARGET_IDENTITY)[0],
        };
        if (!warn_unknown_rows(conn, &target, &reporter, err))
            return false;
    }
    return true;
}
