/* The replica identity of published tables: what the old row of an UPDATE or DELETE holds. It is
 * set where the configuration asks for it and it differs, on the table and on each leaf of a
 * partitioned table (PostgreSQL does not hand it down, and the leaf's own is what counts).
 *
 * ALTER TABLE ... REPLICA IDENTITY takes ACCESS EXCLUSIVE, so it waits at most two seconds; without
 * the lock, or the right, the SQL is noted and the call goes on. */
#ifndef POSTGRES_REPLICA_IDENTITY_H
#define POSTGRES_REPLICA_IDENTITY_H

#include "postgres/publication.h"

/* The table must exist. rows_must_be_known: the publication publishes UPDATE or DELETE, so that a
 * table without an identity is worth a warning (the server then refuses its UPDATE and DELETE). A
 * missing index is ERROR_HALT "index_missing"; an unknown identity is ERROR_CONFIG. */
MUST_CHECK bool replica_identity_ensure(struct db_conn *conn, const struct publication_table *table,
                                        bool rows_must_be_known, publication_note_fn *note,
                                        void *self, struct error *err);

/* The same without changing anything. What ensuring would set is noted without warning, and counts
 * as set for the rest; the advice of both kinds is the statement alone. A part of a partitioned
 * table without the index is a warning whose advice is no statement. */
MUST_CHECK bool replica_identity_inspect(struct db_conn *conn,
                                         const struct publication_table *table,
                                         bool rows_must_be_known, publication_note_fn *note,
                                         void *self, struct error *err);

/* A warning for each table of the schema (NULL: of the database) whose UPDATE and DELETE the server
 * refuses once all tables are published. */
MUST_CHECK bool replica_identity_inspect_all(struct db_conn *conn, const char *schema,
                                             publication_note_fn *note, void *self,
                                             struct error *err);

#endif
