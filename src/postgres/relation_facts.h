/* What the stream does not tell of a relation: its primary key, and what it is a part of. By the
 * catalogs as they are now, never by names: a partition's parents, and, where TimescaleDB is
 * supported, the hypertable of a chunk. */
#ifndef POSTGRES_RELATION_FACTS_H
#define POSTGRES_RELATION_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "postgres/db_conn.h"

struct relation_name {
    struct slice schema, name;
};

struct relation_facts {
    struct slice *key; /* names of the primary key's columns, in key order */
    uint16_t key_count;
    struct relation_name *parents; /* the nearest first */
    uint16_t parent_count;
};

/* The rows of relation_facts_read(); PQclear() them. timescaledb: its views are looked at, where
 * they exist. A relation that is gone has no facts. */
MUST_CHECK bool relation_facts_query(struct db_conn *conn, int64_t deadline_ms, uint32_t oid,
                                     bool timescaledb, PGresult **out_rows, struct error *err);
/* Copied into the arena. Any thread. */
struct relation_facts relation_facts_read(const PGresult *rows, struct arena *arena);

/* Every table that a publication publishes, with its parents; `visit` returns false to end with its
 * error. What it is given lives until it returns. */
struct published_table {
    const char *schema, *name;
    const struct relation_name *parents;
    uint16_t parent_count;
};
typedef bool published_table_fn(void *self, const struct published_table *table, struct error *err);
MUST_CHECK bool relation_facts_each_published(struct db_conn *conn, const char *publication,
                                              bool timescaledb, published_table_fn *visit,
                                              void *self, struct error *err);

#endif
