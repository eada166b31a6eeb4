#include "postgres/publication_tables.h"

#include <string.h>

#include "base/buf.h"

enum {
    QUERY_DEADLINE_MS = 30 * 1000,
    ARRAY_MAX_BYTES = 16 * 1024 * 1024,
    COLUMN_LIST_SERVER = 150000,
};

/* One item of an array literal: {"a","b"}. */
static void append_item(struct buf *out, const char *text)
{
    buf_append_byte(out, out->size == 0 ? '{' : ',');
    buf_append_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, *at);
    }
    buf_append_byte(out, '"');
}

static const char tables_sql[] =
    "SELECT t.schema, t.name, c.relkind, c.relpersistence"
    " FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]),"
    "  pg_catalog.unnest($2::pg_catalog.text[])) WITH ORDINALITY AS t(schema, name, position)"
    " LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = t.schema"
    " LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.name"
    " WHERE c.oid IS NULL OR c.relkind NOT IN ('r', 'p') OR c.relpersistence <> 'p'"
    " ORDER BY t.position";

static const char columns_sql[] =
    "SELECT t.schema, t.name, t.column_name"
    " FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]),"
    "  pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[]))"
    "  WITH ORDINALITY AS t(schema, name, column_name, position)"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a"
    "  JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid"
    "  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = t.schema AND c.relname = t.name AND a.attname = t.column_name"
    "  AND a.attnum > 0 AND NOT a.attisdropped)"
    " ORDER BY t.position";

static const char *table_problem(const PGresult *result, int row)
{
    if (PQgetisnull(result, row, 2))
        return "does not exist";
    const char *kind = PQgetvalue(result, row, 2);
    if (strcmp(kind, "r") == 0 || strcmp(kind, "p") == 0)
        return "is unlogged or temporary: it leaves no changes in the WAL";
    return "is not a table";
}

static bool query_tables(struct db_conn *conn, const struct publication_options *options,
                         PGresult **out_result, struct error *err)
{
    AUTO(struct buf, buf_done) schemas = buf_init(ARRAY_MAX_BYTES);
    AUTO(struct buf, buf_done) names = buf_init(ARRAY_MAX_BYTES);
    for (uint32_t i = 0; i < options->table_count; i++) {
        append_item(&schemas, options->tables[i].schema);
        append_item(&names, options->tables[i].name);
    }
    buf_append_byte(&schemas, '}');
    buf_append_byte(&names, '}');
    const char *const parameters[] = { buf_text(&schemas), buf_text(&names) };
    return db_conn_query(conn, QUERY_DEADLINE_MS, tables_sql, COUNT_OF(parameters), parameters,
                         out_result, err);
}

/* All problems at once. */
static bool check_tables(struct db_conn *conn, const struct publication_options *options,
                         struct error *err)
{
    if (options->table_count == 0)
        return true;
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!query_tables(conn, options, &result, err))
        return error_prefix(err, "look at the tables of publication \"%s\"", options->name);
    if (PQntuples(result) == 0)
        return true;
    AUTO(struct buf, buf_done) problems = buf_init(ARRAY_MAX_BYTES);
    for (int row = 0; row < PQntuples(result); row++)
        buf_append_format(&problems, "%s\"%s\".\"%s\" %s", row == 0 ? "" : "; ",
                          PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
                          table_problem(result, row));
    (void)error_set(err, ERROR_HALT, "table_missing",
                    "%d of %u configured tables cannot be "
                    "published: %s",
                    PQntuples(result), options->table_count, buf_text(&problems));
    return error_advise(err, "create the tables, or check cdc.publication.tables (names are "
                             "case-sensitive) and cdc.database");
}

static uint32_t count_columns(const struct publication_options *options)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < options->table_count; i++)
        count += options->tables[i].column_count;
    return count;
}

static uint32_t count_key_columns(const struct publication_options *options)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < options->table_count; i++)
        count += options->tables[i].key_column_count;
    return count;
}

/* Three arrays of the same length. */
struct column_arrays {
    struct buf schemas, names, columns;
};

static void append_columns(struct column_arrays *out, const struct publication_table *table,
                           const char *const *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        append_item(&out->schemas, table->schema);
        append_item(&out->names, table->name);
        append_item(&out->columns, columns[i]);
    }
}

/* Key columns are among the columns of a list: those of tables with a list are not asked twice. */
static bool query_columns(struct db_conn *conn, const struct publication_options *options,
                          PGresult **out_result, struct error *err)
{
    struct column_arrays arrays = { buf_init(ARRAY_MAX_BYTES), buf_init(ARRAY_MAX_BYTES),
                                    buf_init(ARRAY_MAX_BYTES) };
    for (uint32_t i = 0; i < options->table_count; i++) {
        const struct publication_table *table = &options->tables[i];
        append_columns(&arrays, table, table->columns, table->column_count);
        if (table->column_count == 0)
            append_columns(&arrays, table, table->key_columns, table->key_column_count);
    }
    buf_append_byte(&arrays.schemas, '}');
    buf_append_byte(&arrays.names, '}');
    buf_append_byte(&arrays.columns, '}');
    const char *const parameters[] = { buf_text(&arrays.schemas), buf_text(&arrays.names),
                                       buf_text(&arrays.columns) };
    bool asked = db_conn_query(conn, QUERY_DEADLINE_MS, columns_sql, COUNT_OF(parameters),
                               parameters, out_result, err);
    buf_done(&arrays.schemas);
    buf_done(&arrays.names);
    buf_done(&arrays.columns);
    return asked;
}

static bool lists_are_known(struct db_conn *conn, const struct publication_options *options,
                            struct error *err)
{
    if (count_columns(options) == 0 || conn->server_version >= COLUMN_LIST_SERVER)
        return true;
    (void)error_set(err, ERROR_CONFIG, "columns_need_15",
                    "column lists need PostgreSQL 15 or newer, this server is %d",
                    conn->server_version / 10000);
    return error_advise(err, "remove cdc.publication.tables[].columns");
}

static bool check_columns(struct db_conn *conn, const struct publication_options *options,
                          struct error *err)
{
    if (!lists_are_known(conn, options, err))
        return false;
    if (count_columns(options) + count_key_columns(options) == 0)
        return true;
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!query_columns(conn, options, &result, err))
        return error_prefix(err, "look at the columns of publication \"%s\"", options->name);
    if (PQntuples(result) == 0)
        return true;
    AUTO(struct buf, buf_done) missing = buf_init(ARRAY_MAX_BYTES);
    for (int row = 0; row < PQntuples(result); row++)
        buf_append_format(&missing, "%s\"%s\".\"%s\".\"%s\"", row == 0 ? "" : ", ",
                          PQgetvalue(result, row, 0), PQgetvalue(result, row, 1),
                          PQgetvalue(result, row, 2));
    (void)error_set(err, ERROR_HALT, "column_missing", "configured columns do not exist: %s",
                    buf_text(&missing));
    return error_advise(err, "add the columns, or check cdc.publication.tables[].columns and "
                             "cdc.publication.tables[].keyColumns (names are case-sensitive)");
}

static const char schemas_sql[] =
    "SELECT s.name FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY AS s(name, place)"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace AS n WHERE n.nspname = s.name)"
    " ORDER BY s.place";

static bool check_schemas(struct db_conn *conn, const struct publication_options *options,
                          struct error *err)
{
    if (options->schema_count == 0)
        return true;
    if (conn->server_version < COLUMN_LIST_SERVER) {
        (void)error_set(err, ERROR_CONFIG, "schemas_need_15",
                        "all tables of a schema need PostgreSQL 15 or newer, this server is %d",
                        conn->server_version / 10000);
        return error_advise(err, "list the tables in cdc.publication.tables instead of "
                                 "cdc.publication.schemas");
    }
    AUTO(PGresult *, db_conn_clear_p) missing = NULL;
    AUTO(struct buf, buf_done) names = buf_init(ARRAY_MAX_BYTES);
    for (uint32_t i = 0; i < options->schema_count; i++)
        append_item(&names, options->schemas[i]);
    buf_append_byte(&names, '}');
    const char *const parameters[] = { buf_text(&names) };
    if (!db_conn_query(conn, QUERY_DEADLINE_MS, schemas_sql, 1, parameters, &missing, err))
        return error_prefix(err, "look at the schemas of publication \"%s\"", options->name);
    if (PQntuples(missing) == 0)
        return true;
    AUTO(struct buf, buf_done) text = buf_init(ARRAY_MAX_BYTES);
    for (int row = 0; row < PQntuples(missing); row++)
        buf_append_format(&text, "%s\"%s\"", row == 0 ? "" : ", ", PQgetvalue(missing, row, 0));
    (void)error_set(err, ERROR_HALT, "schema_missing", "configured schemas do not exist: %s",
                    buf_text(&text));
    return error_advise(err, "create the schemas, or check cdc.publication.schemas (names are "
                             "case-sensitive) and cdc.database");
}

bool publication_tables_check(struct db_conn *conn, const struct publication_options *options,
                              struct error *err)
{
    return check_schemas(conn, options, err) && check_tables(conn, options, err) &&
           check_columns(conn, options, err);
}
