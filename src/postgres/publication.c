#include "postgres/publication.h"

#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "postgres/publication_tables.h"
#include "postgres/replica_identity.h"

enum {
    STATEMENT_DEADLINE_MS = 30 * 1000,
    SQL_MAX_BYTES = 16 * 1024 * 1024,
    COLUMN_LIST_SERVER = 150000,
    /* Looks at the publication: the first, and one more after somebody was faster. */
    ATTEMPTS = 3,
};

struct operation {
    uint32_t bit;
    const char *name;
};

static const struct operation operations[] = {
    { PUBLICATION_INSERT, "insert" },
    { PUBLICATION_UPDATE, "update" },
    { PUBLICATION_DELETE, "delete" },
    { PUBLICATION_TRUNCATE, "truncate" },
};

enum {
    ALL_OPERATIONS =
        PUBLICATION_INSERT | PUBLICATION_UPDATE | PUBLICATION_DELETE | PUBLICATION_TRUNCATE,
};

/* What one call works with. */
struct ensurer {
    struct db_conn *conn;
    const struct publication_options *options;
    publication_note_fn *note;
    void *self;
    char *quoted_name;
    bool alters;
};

/* The publication as the server has it. */
struct state {
    bool exists;
    char oid[16];
    bool all_tables, via_partition_root;
    uint32_t operations;
};

static uint32_t wanted_operations(const struct publication_options *options)
{
    return options->operations != 0 ? options->operations : ALL_OPERATIONS;
}

static bool unexpected_answer(const char *doing, struct error *err)
{
    return error_set(err, ERROR_HALT, "unexpected_answer", "%s: an answer of an unknown form",
                     doing);
}

static bool is_true(const PGresult *result, int row, int column)
{
    return strcmp(PQgetvalue(result, row, column), "t") == 0;
}

/* ---- SQL texts ---- */

static void append_operations(struct buf *out, uint32_t bits)
{
    const char *separator = "";
    for (size_t i = 0; i < COUNT_OF(operations); i++) {
        if ((bits & operations[i].bit) == 0)
            continue;
        buf_append_text(out, separator);
        buf_append_text(out, operations[i].name);
        separator = ", ";
    }
}

static bool append_identifier(struct db_conn *conn, struct buf *out, const char *name,
                              struct error *err)
{
    AUTO(char *, memory_free_p) quoted = NULL;
    if (!db_conn_identifier(conn, name, &quoted, err))
        return false;
    buf_append_text(out, quoted);
    return true;
}

/* "s"."t" ("a", "b") */
static bool append_table(struct db_conn *conn, struct buf *out,
                         const struct publication_table *table, struct error *err)
{
    if (!append_identifier(conn, out, table->schema, err))
        return false;
    buf_append_byte(out, '.');
    if (!append_identifier(conn, out, table->name, err))
        return false;
    for (uint32_t i = 0; i < table->column_count; i++) {
        buf_append_text(out, i == 0 ? " (" : ", ");
        if (!append_identifier(conn, out, table->columns[i], err))
            return false;
    }
    if (table->column_count > 0)
        buf_append_byte(out, ')');
    return true;
}

/* TABLE ONLY "s"."t", ONLY "s"."u", TABLES IN SCHEMA "v", "w" */
static bool append_members(const struct ensurer *ensurer, struct buf *out, struct error *err)
{
    const struct publication_options *options = ensurer->options;
    for (uint32_t i = 0; i < options->table_count; i++) {
        buf_append_text(out, i == 0 ? "TABLE ONLY " : ", ONLY ");
        if (!append_table(ensurer->conn, out, &options->tables[i], err))
            return false;
    }
    for (uint32_t i = 0; i < options->schema_count; i++) {
        buf_append_text(out, i > 0 || options->table_count > 0 ? ", " : "");
        buf_append_text(out, i == 0 ? "TABLES IN SCHEMA " : "");
        if (!append_identifier(ensurer->conn, out, options->schemas[i], err))
            return false;
    }
    return true;
}

static bool finish_sql(struct buf *sql, char **out_sql, struct error *err)
{
    if (sql->failed)
        return error_set(err, ERROR_CONFIG, "too_many_tables",
                         "the list of tables of the publication is too long");
    *out_sql = memory_text(buf_text(sql));
    return true;
}

static bool creation_sql(const struct ensurer *ensurer, char **out_sql, struct error *err)
{
    const struct publication_options *options = ensurer->options;
    AUTO(struct buf, buf_done) sql = buf_init(SQL_MAX_BYTES);
    buf_append_format(&sql, "CREATE PUBLICATION %s FOR ", ensurer->quoted_name);
    if (publication_is_for_all_tables(options))
        buf_append_text(&sql, "ALL TABLES");
    else if (!append_members(ensurer, &sql, err))
        return false;
    buf_append_text(&sql, " WITH (publish = '");
    append_operations(&sql, wanted_operations(options));
    buf_append_format(&sql, "', publish_via_partition_root = %s);",
                      options->via_partition_root ? "true" : "false");
    return finish_sql(&sql, out_sql, err);
}

static bool set_members_sql(const struct ensurer *ensurer, char **out_sql, struct error *err)
{
    AUTO(struct buf, buf_done) sql = buf_init(SQL_MAX_BYTES);
    buf_append_format(&sql, "ALTER PUBLICATION %s SET ", ensurer->quoted_name);
    if (!append_members(ensurer, &sql, err))
        return false;
    buf_append_byte(&sql, ';');
    return finish_sql(&sql, out_sql, err);
}

/* ---- the publication ---- */

static bool look(const struct ensurer *ensurer, struct state *out_state, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_query(ensurer->conn, STATEMENT_DEADLINE_MS,
                       "SELECT oid, puballtables, pubviaroot, pubinsert, pubupdate, pubdelete,"
                       " pubtruncate FROM pg_catalog.pg_publication WHERE pubname = $1",
                       1, &ensurer->options->name, &result, err))
        return error_prefix(err, "look at publication %s", ensurer->quoted_name);
    struct state state = { .exists = PQntuples(result) > 0 };
    if (state.exists) {
        const char *oid = PQgetvalue(result, 0, 0);
        if (PQnfields(result) != 3 + COUNT_OF(operations) || strlen(oid) >= sizeof(state.oid))
            return unexpected_answer("pg_publication", err);
        memcpy(state.oid, oid, strlen(oid));
        state.all_tables = is_true(result, 0, 1);
        state.via_partition_root = is_true(result, 0, 2);
        for (size_t i = 0; i < COUNT_OF(operations); i++)
            state.operations |= is_true(result, 0, 3 + (int)i) ? operations[i].bit : 0;
    }
    *out_state = state;
    return true;
}

static bool check_may_create(const struct ensurer *ensurer, struct error *err)
{
    const struct publication_options *options = ensurer->options;
    if (options->create_if_not_exists && !options->slot_exists)
        return true;
    AUTO(char *, memory_free_p) sql = NULL;
    if (!creation_sql(ensurer, &sql, err))
        return false;
    if (!options->slot_exists) {
        (void)error_set(err, ERROR_HALT, "publication_missing", "publication %s does not exist",
                        ensurer->quoted_name);
        return error_advise(err, "%s", sql);
    }
    (void)error_set(err, ERROR_HALT, "publication_missing_slot_exists",
                    "publication %s does not exist, but the replication slot does: PostgreSQL "
                    "reads the publication as it was at the slot's position, so that one made "
                    "now would not be found",
                    ensurer->quoted_name);
    return error_advise(err,
                        "drop the slot (pqcdc slot drop), then create the publication, then start "
                        "again, which creates the slot after it; changes in between are not "
                        "captured: %s",
                        sql);
}

/* True with *out_created false: somebody was faster. */
static bool create(const struct ensurer *ensurer, bool *out_created, struct error *err)
{
    AUTO(char *, memory_free_p) sql = NULL;
    if (!creation_sql(ensurer, &sql, err))
        return false;
    struct error failure = ERROR_INIT;
    if (db_conn_simple(ensurer->conn, STATEMENT_DEADLINE_MS, sql, NULL, &failure)) {
        AUTO(char *, memory_free_p) text =
            text_format("publication %s created", ensurer->quoted_name);
        ensurer->note(ensurer->self, false, text, sql);
        *out_created = true;
        return true;
    }
    if (strcmp(failure.code, "42710") == 0 || strcmp(failure.code, "23505") == 0) {
        *out_created = false;
        return true;
    }
    if (strcmp(failure.code, "42501") == 0) {
        (void)error_set(err, ERROR_HALT, "42501",
                        "publication %s does not exist, and the role \"%s\" may not create it",
                        ensurer->quoted_name, PQuser(ensurer->conn->pg));
        return error_advise(err, "let the owner of the tables or a superuser run: %s", sql);
    }
    (void)error_prefix(&failure, "create publication %s", ensurer->quoted_name);
    if (err != NULL)
        *err = failure;
    return false;
}

/* ---- drift ---- */

/* What is wrong is noted with the statement that mends it, or mended by that. */
static bool mend(const struct ensurer *ensurer, const char *text, const char *sql,
                 struct error *err)
{
    struct error failure = ERROR_INIT;
    if (!ensurer->alters) {
        ensurer->note(ensurer->self, true, text, sql);
        return true;
    }
    bool altered = db_conn_simple(ensurer->conn, STATEMENT_DEADLINE_MS, sql, NULL, &failure);
    if (!altered && strcmp(failure.code, "42501") != 0) {
        *err = failure;
        return error_prefix(err, "alter publication %s", ensurer->quoted_name);
    }
    AUTO(char *, memory_free_p) said = text_format(
        "%s: %s", text, altered ? "altered" : "the role may not alter it; let its owner run this");
    ensurer->note(ensurer->self, !altered, said, sql);
    return true;
}

static bool note_options_drift(const struct ensurer *ensurer, const struct state *state,
                               struct error *err)
{
    const struct publication_options *options = ensurer->options;
    uint32_t wanted = wanted_operations(options);
    bool same_root = state->via_partition_root == options->via_partition_root;
    if (state->operations == wanted && same_root)
        return true;
    AUTO(struct buf, buf_done) text = buf_init(SQL_MAX_BYTES);
    AUTO(struct buf, buf_done) sql = buf_init(SQL_MAX_BYTES);
    buf_append_format(&text, "publication %s ", ensurer->quoted_name);
    buf_append_format(&sql, "ALTER PUBLICATION %s SET (", ensurer->quoted_name);
    if (state->operations != wanted) {
        buf_append_text(&text, "publishes (");
        append_operations(&text, state->operations);
        buf_append_text(&text, "), (");
        append_operations(&text, wanted);
        buf_append_text(&text, ") is configured");
        buf_append_text(&sql, "publish = '");
        append_operations(&sql, wanted);
        buf_append_text(&sql, "'");
    }
    if (!same_root) {
        const char *wanted_root = options->via_partition_root ? "true" : "false";
        const char *separator = state->operations != wanted ? ", " : "";
        buf_append_format(&text, "%shas publish_via_partition_root = %s, %s is configured",
                          separator, state->via_partition_root ? "true" : "false", wanted_root);
        buf_append_format(&sql, "%spublish_via_partition_root = %s", separator, wanted_root);
    }
    buf_append_text(&sql, ");");
    if (text.failed || sql.failed)
        return unexpected_answer("pg_publication", err);
    return mend(ensurer, buf_text(&text), buf_text(&sql), err);
}

static bool note_kind_drift(const struct ensurer *ensurer, const struct state *state,
                            struct error *err)
{
    AUTO(char *, memory_free_p) sql = NULL;
    if (!creation_sql(ensurer, &sql, err))
        return false;
    AUTO(char *, memory_free_p) text = text_format(
        "publication %s %s", ensurer->quoted_name,
        state->all_tables ? "is FOR ALL TABLES, a list of tables or schemas is configured"
                          : "has a list of tables or schemas, all tables are configured");
    AUTO(char *, memory_free_p) advice =
        text_format("PostgreSQL cannot change this: drop the slot and the publication, create "
                    "the publication anew, then start again, which creates the slot; or "
                    "change cdc.publication.tables: DROP PUBLICATION %s; %s",
                    ensurer->quoted_name, sql);
    ensurer->note(ensurer->self, true, text, advice);
    return true;
}

/* One row a member and column of its list (null: all columns). */
#define MEMBERS_SQL(column, column_join)                                                           \
    "SELECT n.nspname, c.relname, " column " FROM pg_catalog.pg_publication_rel AS pr"             \
    " JOIN pg_catalog.pg_class AS c ON c.oid = pr.prrelid"                                         \
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace" column_join                     \
    " WHERE pr.prpubid = $1::pg_catalog.oid ORDER BY 1, 2, 3"

static const char members_sql[] =
    MEMBERS_SQL("a.attname", " LEFT JOIN pg_catalog.pg_attribute AS a"
                             " ON a.attrelid = c.oid AND a.attnum = ANY (pr.prattrs)");
static const char members_sql_14[] = MEMBERS_SQL("NULL", "");

static const char schemas_sql[] = "SELECT n.nspname FROM pg_catalog.pg_publication_namespace AS pn"
                                  " JOIN pg_catalog.pg_namespace AS n ON n.oid = pn.pnnspid"
                                  " WHERE pn.pnpubid = $1::pg_catalog.oid ORDER BY 1";

/* Published otherwise than by its name in the list: through its schema, its partitioned table, or
 * all of its leaves. */
static const char covered_sql[] =
    "WITH published AS (SELECT c.oid FROM pg_catalog.pg_publication_tables AS p"
    "  JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.schemaname"
    "  JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.tablename"
    "  WHERE p.pubname = $1),"
    " wanted AS (SELECT c.oid FROM pg_catalog.pg_class AS c"
    "  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = $2 AND c.relname = $3)"
    " SELECT (SELECT oid FROM wanted) IN (SELECT oid FROM published) OR COALESCE("
    "  (SELECT pg_catalog.bool_and(t.relid IN (SELECT oid FROM published))"
    "   FROM wanted, pg_catalog.pg_partition_tree(wanted.oid) AS t WHERE t.isleaf), false)";

static bool is_row_of(const PGresult *members, int row, const struct publication_table *table)
{
    return strcmp(PQgetvalue(members, row, 0), table->schema) == 0 &&
           strcmp(PQgetvalue(members, row, 1), table->name) == 0;
}

static bool is_member(const PGresult *members, const struct publication_table *table)
{
    for (int row = 0; row < PQntuples(members); row++)
        if (is_row_of(members, row, table))
            return true;
    return false;
}

static bool is_configured(const struct publication_options *options, const PGresult *members,
                          int row)
{
    for (uint32_t i = 0; i < options->table_count; i++)
        if (is_row_of(members, row, &options->tables[i]))
            return true;
    return false;
}

static bool has_column(const struct publication_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i], name) == 0)
            return true;
    return false;
}

static bool has_same_columns(const PGresult *members, const struct publication_table *table)
{
    uint32_t listed = 0;
    for (int row = 0; row < PQntuples(members); row++) {
        if (!is_row_of(members, row, table) || PQgetisnull(members, row, 2))
            continue;
        if (!has_column(table, PQgetvalue(members, row, 2)))
            return false;
        listed++;
    }
    return listed == table->column_count;
}

static bool is_covered(const struct ensurer *ensurer, const struct publication_table *table,
                       bool *out_covered, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    const char *const parameters[] = { ensurer->options->name, table->schema, table->name };
    if (!db_conn_query(ensurer->conn, STATEMENT_DEADLINE_MS, covered_sql, COUNT_OF(parameters),
                       parameters, &result, err))
        return false;
    if (PQntuples(result) != 1)
        return unexpected_answer("pg_publication_tables", err);
    *out_covered = is_true(result, 0, 0);
    return true;
}

static void append_finding(struct buf *out, const char *what, const char *schema, const char *name)
{
    buf_append_format(out, "%s%s \"%s\".\"%s\"", out->size == 0 ? "" : "; ", what, schema, name);
}

static bool find_lacking(const struct ensurer *ensurer, const PGresult *members,
                         struct buf *findings, struct error *err)
{
    for (uint32_t i = 0; i < ensurer->options->table_count; i++) {
        const struct publication_table *table = &ensurer->options->tables[i];
        bool covered = is_member(members, table);
        if (covered && !has_same_columns(members, table))
            append_finding(findings, "publishes other columns than configured of", table->schema,
                           table->name);
        if (!covered && !is_covered(ensurer, table, &covered, err))
            return false;
        if (!covered)
            append_finding(findings, "lacks", table->schema, table->name);
    }
    return true;
}

static void find_extra(const struct ensurer *ensurer, const PGresult *members, struct buf *findings)
{
    for (int row = 0; row < PQntuples(members); row++) {
        bool repeated = row > 0 &&
                        strcmp(PQgetvalue(members, row, 0), PQgetvalue(members, row - 1, 0)) == 0 &&
                        strcmp(PQgetvalue(members, row, 1), PQgetvalue(members, row - 1, 1)) == 0;
        if (!repeated && !is_configured(ensurer->options, members, row))
            append_finding(findings, "also publishes", PQgetvalue(members, row, 0),
                           PQgetvalue(members, row, 1));
    }
}

static bool is_schema_configured(const struct publication_options *options, const char *name)
{
    for (uint32_t i = 0; i < options->schema_count; i++)
        if (strcmp(options->schemas[i], name) == 0)
            return true;
    return false;
}

static bool has_schema(const PGresult *schemas, const char *name)
{
    for (int row = 0; row < PQntuples(schemas); row++)
        if (strcmp(PQgetvalue(schemas, row, 0), name) == 0)
            return true;
    return false;
}

static void append_schema(struct buf *out, const char *what, const char *schema)
{
    buf_append_format(out, "%s%s all tables of schema \"%s\"", out->size == 0 ? "" : "; ", what,
                      schema);
}

static bool find_schemas(const struct ensurer *ensurer, const char *oid, struct buf *findings,
                         struct error *err)
{
    const struct publication_options *options = ensurer->options;
    if (ensurer->conn->server_version < COLUMN_LIST_SERVER)
        return true;
    AUTO(PGresult *, db_conn_clear_p) schemas = NULL;
    if (!db_conn_query(ensurer->conn, STATEMENT_DEADLINE_MS, schemas_sql, 1, &oid, &schemas, err))
        return false;
    for (uint32_t i = 0; i < options->schema_count; i++)
        if (!has_schema(schemas, options->schemas[i]))
            append_schema(findings, "does not publish", options->schemas[i]);
    for (int row = 0; row < PQntuples(schemas); row++)
        if (!is_schema_configured(options, PQgetvalue(schemas, row, 0)))
            append_schema(findings, "publishes", PQgetvalue(schemas, row, 0));
    return true;
}

static bool note_members_drift(const struct ensurer *ensurer, const char *oid, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) members = NULL;
    bool has_lists = ensurer->conn->server_version >= COLUMN_LIST_SERVER;
    if (!db_conn_query(ensurer->conn, STATEMENT_DEADLINE_MS,
                       has_lists ? members_sql : members_sql_14, 1, &oid, &members, err))
        return false;
    AUTO(struct buf, buf_done) findings = buf_init(SQL_MAX_BYTES);
    AUTO(char *, memory_free_p) sql = NULL;
    if (!find_lacking(ensurer, members, &findings, err) ||
        !find_schemas(ensurer, oid, &findings, err))
        return false;
    find_extra(ensurer, members, &findings);
    if (findings.size == 0)
        return true;
    if (!set_members_sql(ensurer, &sql, err))
        return false;
    AUTO(char *, memory_free_p) text = text_format("publication %s is not as configured: it %s",
                                                   ensurer->quoted_name, buf_text(&findings));
    return mend(ensurer, text, sql, err);
}

static bool note_drift(const struct ensurer *ensurer, const struct state *state, struct error *err)
{
    if (!note_options_drift(ensurer, state, err))
        return false;
    bool all_tables = publication_is_for_all_tables(ensurer->options);
    if (state->all_tables != all_tables)
        return note_kind_drift(ensurer, state, err);
    if (all_tables || note_members_drift(ensurer, state->oid, err))
        return true;
    return error_prefix(err, "look at the tables of publication %s", ensurer->quoted_name);
}

/* ---- the whole ---- */

static bool ensure_identities(const struct ensurer *ensurer, uint32_t published, struct error *err)
{
    bool rows_must_be_known = (published & (PUBLICATION_UPDATE | PUBLICATION_DELETE)) != 0;
    for (uint32_t i = 0; i < ensurer->options->table_count; i++)
        if (!replica_identity_ensure(ensurer->conn, &ensurer->options->tables[i],
                                     rows_must_be_known, ensurer->note, ensurer->self, err))
            return false;
    return true;
}

/* Identities before the publication: once it stands, PostgreSQL refuses UPDATE and DELETE on tables
 * that have none. */
static bool ensure(const struct ensurer *ensurer, struct error *err)
{
    struct state state = { .exists = false };
    if (!publication_tables_check(ensurer->conn, ensurer->options, err) ||
        !look(ensurer, &state, err))
        return false;
    if (!state.exists && !check_may_create(ensurer, err))
        return false;
    uint32_t published = state.exists ? state.operations : wanted_operations(ensurer->options);
    if (!ensure_identities(ensurer, published, err))
        return false;
    for (int attempt = 0; attempt < ATTEMPTS && !state.exists; attempt++) {
        bool created = false;
        if (!create(ensurer, &created, err))
            return false;
        if (created)
            return true;
        if (!look(ensurer, &state, err))
            return false;
    }
    if (state.exists)
        return note_drift(ensurer, &state, err);
    return error_set(err, ERROR_RETRY, "publication_changing",
                     "publication %s is being created and dropped by somebody else",
                     ensurer->quoted_name);
}

static void ignore_note(void *self UNUSED, bool warning UNUSED, const char *text UNUSED,
                        const char *advice UNUSED)
{
}

static bool ensurer_init(struct ensurer *ensurer, struct db_conn *conn,
                         const struct publication_options *options, publication_note_fn *note,
                         void *self, struct error *err)
{
    *ensurer = (struct ensurer){
        .conn = conn,
        .options = options,
        .note = note != NULL ? note : ignore_note,
        .self = self,
    };
    return db_conn_identifier(conn, options->name, &ensurer->quoted_name, err);
}

static void ensurer_done(struct ensurer *ensurer)
{
    memory_free(ensurer->quoted_name);
}

bool publication_ensure(struct db_conn *conn, const struct publication_options *options,
                        publication_note_fn *note, void *self, struct error *err)
{
    AUTO(struct ensurer, ensurer_done) ensurer = { .conn = NULL };
    if (!ensurer_init(&ensurer, conn, options, note, self, err))
        return false;
    ensurer.alters = options->reconcile;
    return ensure(&ensurer, err);
}

bool publication_inspect(struct db_conn *conn, const struct publication_options *options,
                         struct publication_standing *out_standing, publication_note_fn *note,
                         void *self, struct error *err)
{
    AUTO(struct ensurer, ensurer_done) ensurer = { .conn = NULL };
    struct state state = { .exists = false };
    if (!ensurer_init(&ensurer, conn, options, note, self, err) || !look(&ensurer, &state, err) ||
        (state.exists && !note_drift(&ensurer, &state, err)))
        return false;
    *out_standing = (struct publication_standing){
        .exists = state.exists,
        .operations = state.exists ? state.operations : wanted_operations(options),
    };
    return true;
}

bool publication_creation_sql(struct db_conn *conn, const struct publication_options *options,
                              char **out_sql, struct error *err)
{
    AUTO(struct ensurer, ensurer_done) ensurer = { .conn = NULL };
    return ensurer_init(&ensurer, conn, options, NULL, NULL, err) &&
           creation_sql(&ensurer, out_sql, err);
}

bool publication_exists(struct db_conn *conn, const char *name, bool *out_exists, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_query(conn, STATEMENT_DEADLINE_MS,
                       "SELECT FROM pg_catalog.pg_publication WHERE pubname = $1", 1, &name,
                       &result, err))
        return error_prefix(err, "look at publication \"%s\"", name);
    *out_exists = PQntuples(result) > 0;
    return true;
}

static bool drop_existing(struct db_conn *conn, const char *name, struct error *err)
{
    AUTO(char *, memory_free_p) quoted = NULL;
    struct error failure = ERROR_INIT;
    if (!db_conn_identifier(conn, name, &quoted, err))
        return false;
    AUTO(char *, memory_free_p) sql = text_format("DROP PUBLICATION IF EXISTS %s", quoted);
    if (db_conn_query(conn, STATEMENT_DEADLINE_MS, sql, 0, NULL, NULL, &failure))
        return true;
    if (strcmp(failure.code, "42501") == 0)
        (void)error_advise(&failure, "run as its owner or a superuser: %s;", sql);
    *err = failure;
    return error_prefix(err, "drop publication \"%s\"", name);
}

bool publication_drop(struct db_conn *conn, const char *name, bool *out_dropped, struct error *err)
{
    bool exists = false;
    if (!publication_exists(conn, name, &exists, err) ||
        (exists && !drop_existing(conn, name, err)))
        return false;
    *out_dropped = exists;
    return true;
}
