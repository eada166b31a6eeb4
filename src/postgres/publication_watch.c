#include "postgres/publication_watch.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "postgres/publication.h"

enum { LOOK_DEADLINE_MS = 5000, SCHEMAS_SERVER = 150000, OPERATIONS_AT = 2 };

enum look_column {
    LOOK_OID,
    LOOK_VIA_ROOT,
    LOOK_INSERT,
    LOOK_UPDATE,
    LOOK_DELETE,
    LOOK_TRUNCATE,
    LOOK_MEMBERS,
    LOOK_COLUMN_COUNT,
};

/* Filters and column lists are there from 15 on; a table's own OID tells one that was made anew. */
#define LOOK_SQL(member, schemas)                                                                  \
    "SELECT p.oid, p.pubviaroot, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,"            \
    " pg_catalog.md5(pg_catalog.concat(p.puballtables,"                                            \
    " (SELECT pg_catalog.string_agg(" member ", ',' ORDER BY r.prrelid)"                           \
    "  FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid)" schemas "))"              \
    " FROM pg_catalog.pg_publication AS p WHERE p.pubname = $1"

static const char look_sql[] =
    LOOK_SQL("pg_catalog.concat_ws(' ', r.prrelid, r.prqual::pg_catalog.text,"
             " r.prattrs::pg_catalog.text)",
             ", (SELECT pg_catalog.string_agg(n.pnnspid::pg_catalog.text, ',' ORDER BY n.pnnspid)"
             " FROM pg_catalog.pg_publication_namespace AS n WHERE n.pnpubid = p.oid)");
static const char look_sql_14[] = LOOK_SQL("r.prrelid::pg_catalog.text", "");

static bool is_true(const PGresult *result, int column)
{
    return strcmp(PQgetvalue(result, 0, column), "t") == 0;
}

static bool read_sight(const PGresult *result, struct publication_sight *out_sight)
{
    static const uint32_t bits[] = { PUBLICATION_INSERT, PUBLICATION_UPDATE, PUBLICATION_DELETE,
                                     PUBLICATION_TRUNCATE };
    struct publication_sight sight = { .exists = true };
    int64_t oid = 0;
    if (PQnfields(result) != LOOK_COLUMN_COUNT ||
        !text_parse_i64(PQgetvalue(result, 0, LOOK_OID), &oid) || oid <= 0 || oid > UINT32_MAX ||
        PQgetlength(result, 0, LOOK_MEMBERS) != PUBLICATION_DIGEST_SIZE - 1)
        return false;
    sight.oid = (uint32_t)oid;
    sight.via_partition_root = is_true(result, LOOK_VIA_ROOT);
    for (int i = 0; i < (int)COUNT_OF(bits); i++)
        sight.operations |= is_true(result, OPERATIONS_AT + i) ? bits[i] : 0;
    memcpy(sight.members, PQgetvalue(result, 0, LOOK_MEMBERS), PUBLICATION_DIGEST_SIZE);
    *out_sight = sight;
    return true;
}

bool publication_watch_look(struct db_conn *conn, const char *name,
                            struct publication_sight *out_sight, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    const char *sql = conn->server_version >= SCHEMAS_SERVER ? look_sql : look_sql_14;
    if (!db_conn_query(conn, LOOK_DEADLINE_MS, sql, 1, &name, &result, err))
        return error_prefix(err, "look at publication \"%s\"", name);
    if (PQntuples(result) == 0) {
        *out_sight = (struct publication_sight){ .exists = false };
        return true;
    }
    return read_sight(result, out_sight) ||
           error_set(err, ERROR_HALT, "unexpected_answer",
                     "pg_publication: an answer of an unknown form for \"%s\"", name);
}

static void say(char text[PUBLICATION_CHANGE_SIZE], const char *what)
{
    size_t size = strlen(text);
    (void)snprintf(text + size, PUBLICATION_CHANGE_SIZE - size, "%s%s", size > 0 ? "; " : "", what);
}

bool publication_watch_changed(const struct publication_sight *before,
                               const struct publication_sight *now,
                               char out_text[PUBLICATION_CHANGE_SIZE])
{
    out_text[0] = '\0';
    if (!now->exists) {
        if (before->exists)
            say(out_text, "was dropped");
        return before->exists;
    }
    if (before->oid != now->oid)
        say(out_text, before->exists ? "was made anew" : PUBLICATION_WATCH_CREATED);
    if (before->exists && before->operations != now->operations)
        say(out_text, "publishes other operations");
    if (before->exists && before->via_partition_root != now->via_partition_root)
        say(out_text, "has another publish_via_partition_root");
    if (before->exists && strcmp(before->members, now->members) != 0)
        say(out_text, "publishes other tables, columns or rows");
    return out_text[0] != '\0';
}
