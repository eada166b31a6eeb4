/* The publication and the replica identities of its tables: verified against the configuration,
 * created when allowed, altered only when that is asked for. Drift is reported with the SQL that
 * mends it. Runs on an ordinary session. */
#ifndef POSTGRES_PUBLICATION_H
#define POSTGRES_PUBLICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "postgres/db_conn.h"

enum publication_operation {
    PUBLICATION_INSERT = 1,
    PUBLICATION_UPDATE = 2,
    PUBLICATION_DELETE = 4,
    PUBLICATION_TRUNCATE = 8,
};

struct publication_table {
    const char *schema;
    const char *name;
    const char *replica_identity;       /* DEFAULT FULL NOTHING "USING INDEX"; NULL = as it is */
    const char *replica_identity_index; /* with USING INDEX */
    const char *const *columns;         /* column list (15+); count 0 = all */
    uint32_t column_count;
    const char *const
        *key_columns; /* of the record's key: they must exist; count 0 = primary key */
    uint32_t key_column_count;
};

struct publication_options {
    const char *name;
    bool create_if_not_exists;
    bool reconcile;      /* alter one that is not as configured, where PostgreSQL can */
    uint32_t operations; /* bits; 0 = all */
    const struct publication_table *tables; /* neither tables nor schemas: FOR ALL TABLES */
    uint32_t table_count;
    const char *const *schemas; /* all tables of each (15+) */
    uint32_t schema_count;
    bool via_partition_root;
    bool slot_exists; /* then a missing publication is ERROR_HALT "publication_missing_slot_exists":
                         it must not be created after the slot */
};

static inline bool publication_is_for_all_tables(const struct publication_options *options)
{
    return options->table_count == 0 && options->schema_count == 0;
}

/* Things worth a log line: "publication created", "replica identity changed", drift. text and
 * advice live until the call returns. warning: drift or something left undone. */
typedef void publication_note_fn(void *self, bool warning, const char *text, const char *advice);

/* A missing table, publication or right is ERROR_HALT with the SQL to run. 42710 and 23505 at the
 * creation mean that somebody was faster: verified again. */
MUST_CHECK bool publication_ensure(struct db_conn *conn, const struct publication_options *options,
                                   publication_note_fn *note, void *self, struct error *err);

/* What a person sees of it. */
struct publication_standing {
    bool exists;
    uint32_t operations; /* bits that it publishes, or would */
};

/* The same look without changing anything. Drift is noted as above; a missing publication is not an
 * error, and neither tables nor identities are looked at. */
MUST_CHECK bool publication_inspect(struct db_conn *conn, const struct publication_options *options,
                                    struct publication_standing *out_standing,
                                    publication_note_fn *note, void *self, struct error *err);

/* The CREATE PUBLICATION of the configuration; memory_free() the result. */
MUST_CHECK bool publication_creation_sql(struct db_conn *conn,
                                         const struct publication_options *options, char **out_sql,
                                         struct error *err);

MUST_CHECK bool publication_exists(struct db_conn *conn, const char *name, bool *out_exists,
                                   struct error *err);

/* *out_dropped: false = there was none. */
MUST_CHECK bool publication_drop(struct db_conn *conn, const char *name, bool *out_dropped,
                                 struct error *err);

#endif
