/* A publication that changes under a stream. The server reads it as it was at each position of the
 * WAL: one that is dropped, or made anew with a gap, is an error up to PostgreSQL 17, but from 18
 * on its changes are passed over in silence, and only a look tells. Any thread with a session. */
#ifndef POSTGRES_PUBLICATION_WATCH_H
#define POSTGRES_PUBLICATION_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "postgres/db_conn.h"

#define PUBLICATION_WATCH_CREATED "was created"

enum { PUBLICATION_DIGEST_SIZE = 33, PUBLICATION_CHANGE_SIZE = 256 };

/* What decides which changes come, by the publication's own catalogs: partitions that come and go,
 * and tables of a schema or of FOR ALL TABLES, do not alter it. */
struct publication_sight {
    bool exists;
    uint32_t oid;
    uint32_t operations; /* bits of enum publication_operation */
    bool via_partition_root;
    char members[PUBLICATION_DIGEST_SIZE]; /* tables, schemas, column lists and row filters */
};

MUST_CHECK bool publication_watch_look(struct db_conn *conn, const char *name,
                                       struct publication_sight *out_sight, struct error *err);

/* Pure. True: `now` gives other changes than `before`; out_text says how, for a person: "was
 * dropped", "was made anew; publishes other operations". */
bool publication_watch_changed(const struct publication_sight *before,
                               const struct publication_sight *now,
                               char out_text[PUBLICATION_CHANGE_SIZE]);

#endif
