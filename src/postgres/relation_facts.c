#include "postgres/relation_facts.h"

#include <stdio.h>
#include <string.h>

enum { STATEMENT_DEADLINE_MS = 30 * 1000, PARENTS_AT = 2 };

/* Partitions: pg_partition_ancestors() begins with the relation itself. */
#define PARENTS_SQL(oid)                                                                           \
    "SELECT a.place, n.nspname, c.relname"                                                         \
    " FROM pg_catalog.pg_partition_ancestors(" oid ") WITH ORDINALITY AS a (relid, place)"         \
    " JOIN pg_catalog.pg_class AS c ON c.oid = a.relid"                                            \
    " JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE a.place > 1"

/* https://docs.timescale.com: timescaledb_information.chunks has every chunk but the inner ones of
 * compression. */
#define CHUNKS_SQL(oid)                                                                            \
    " UNION ALL SELECT 1, k.hypertable_schema, k.hypertable_name"                                  \
    " FROM timescaledb_information.chunks AS k"                                                    \
    " JOIN pg_catalog.pg_namespace AS n ON n.nspname = k.chunk_schema"                             \
    " JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = k.chunk_name"        \
    " WHERE c.oid = " oid

/* Columns of the key: place, name, null; parents: place, name, schema. Each in the order of their
 * places, of which those of parents say how near they are. */
#define FACTS_SQL(chunks)                                                                          \
    "SELECT k.place, a.attname AS name, NULL AS schema FROM pg_catalog.pg_index AS i"              \
    " CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)"         \
    " JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"        \
    " WHERE i.indrelid = $1::pg_catalog.oid AND i.indisprimary AND k.place <= i.indnkeyatts"       \
    " UNION ALL SELECT p.place, p.relname, p.nspname FROM (" PARENTS_SQL("$1::pg_catalog.oid")     \
        chunks ") AS p (place, nspname, relname)"                                                  \
               " ORDER BY 1"

#define PUBLISHED_SQL(chunks)                                                                      \
    "SELECT t.schemaname, t.tablename, p.nspname, p.relname"                                       \
    " FROM pg_catalog.pg_publication_tables AS t"                                                  \
    " JOIN pg_catalog.pg_namespace AS tn ON tn.nspname = t.schemaname"                             \
    " JOIN pg_catalog.pg_class AS tc ON tc.relnamespace = tn.oid AND tc.relname = t.tablename"     \
    " LEFT JOIN LATERAL (" PARENTS_SQL("tc.oid") chunks                                            \
        ") AS p (place, nspname, relname) ON true"                                                 \
        " WHERE t.pubname = $1 ORDER BY 1, 2, p.place"

static const char facts_sql[] = FACTS_SQL("");
static const char facts_with_chunks_sql[] = FACTS_SQL(CHUNKS_SQL("$1::pg_catalog.oid"));
static const char published_sql[] = PUBLISHED_SQL("");
static const char published_with_chunks_sql[] = PUBLISHED_SQL(CHUNKS_SQL("tc.oid"));

/* The extension is another database's, or not there yet. */
static bool has_chunks(struct db_conn *conn, int64_t deadline_ms, bool timescaledb, bool *out_has,
                       struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    *out_has = false;
    if (!timescaledb)
        return true;
    if (!db_conn_query(
            conn, deadline_ms,
            "SELECT pg_catalog.to_regclass('timescaledb_information.chunks') IS NOT NULL", 0, NULL,
            &result, err))
        return error_prefix(err, "look for TimescaleDB");
    *out_has = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    return true;
}

bool relation_facts_query(struct db_conn *conn, int64_t deadline_ms, uint32_t oid, bool timescaledb,
                          PGresult **out_rows, struct error *err)
{
    char text[16];
    bool chunks = false;
    (void)snprintf(text, sizeof(text), "%u", (unsigned)oid);
    const char *const parameters[] = { text };
    return has_chunks(conn, deadline_ms, timescaledb, &chunks, err) &&
           db_conn_query(conn, deadline_ms, chunks ? facts_with_chunks_sql : facts_sql, 1,
                         parameters, out_rows, err);
}

static struct slice copy_value(const PGresult *rows, int row, int column, struct arena *arena)
{
    return arena_copy(arena, (struct slice){ PQgetvalue(rows, row, column),
                                             (size_t)PQgetlength(rows, row, column) });
}

struct relation_facts relation_facts_read(const PGresult *rows, struct arena *arena)
{
    uint16_t count = (uint16_t)PQntuples(rows);
    struct relation_facts facts = { .key = arena_array(arena, count, sizeof(*facts.key)),
                                    .parents = arena_array(arena, count, sizeof(*facts.parents)) };
    for (int row = 0; row < count; row++) {
        struct slice name = copy_value(rows, row, 1, arena);
        if (PQgetisnull(rows, row, 2))
            facts.key[facts.key_count++] = name;
        else
            facts.parents[facts.parent_count++] =
                (struct relation_name){ copy_value(rows, row, 2, arena), name };
    }
    return facts;
}

/* ---- what is published ---- */

static bool is_same_table(const PGresult *rows, int a, int b)
{
    return strcmp(PQgetvalue(rows, a, 0), PQgetvalue(rows, b, 0)) == 0 &&
           strcmp(PQgetvalue(rows, a, 1), PQgetvalue(rows, b, 1)) == 0;
}

/* The rows of the table at `row`; *out_table views `rows` and the arena. */
static int read_table(const PGresult *rows, int row, struct arena *arena,
                      struct published_table *out_table)
{
    int end = row;
    while (end < PQntuples(rows) && is_same_table(rows, row, end))
        end++;
    size_t most = (size_t)(end - row);
    struct relation_name *parents = arena_array(arena, most, sizeof(*parents));
    uint16_t count = 0;
    for (int at = row; at < end; at++)
        if (!PQgetisnull(rows, at, PARENTS_AT))
            parents[count++] =
                (struct relation_name){ slice_of(PQgetvalue(rows, at, PARENTS_AT)),
                                        slice_of(PQgetvalue(rows, at, PARENTS_AT + 1)) };
    *out_table = (struct published_table){ PQgetvalue(rows, row, 0), PQgetvalue(rows, row, 1),
                                           parents, count };
    return end;
}

bool relation_facts_each_published(struct db_conn *conn, const char *publication, bool timescaledb,
                                   published_table_fn *visit, void *self, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) rows = NULL;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    bool chunks = false;
    if (!has_chunks(conn, STATEMENT_DEADLINE_MS, timescaledb, &chunks, err))
        return false;
    if (!db_conn_query(conn, STATEMENT_DEADLINE_MS,
                       chunks ? published_with_chunks_sql : published_sql, 1, &publication, &rows,
                       err))
        return error_prefix(err, "look at the tables of publication \"%s\"", publication);
    for (int row = 0; row < PQntuples(rows);) {
        struct published_table table;
        arena_reset(&arena);
        row = read_table(rows, row, &arena, &table);
        if (!visit(self, &table, err))
            return false;
    }
    return true;
}
