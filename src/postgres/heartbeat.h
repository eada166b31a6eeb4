/* A statement that writes a little WAL: an idle slot gets something to read, and its end shows that
 * the whole way is open. A logical message needs no table and no change of the publication; a table
 * (one row, upserted, made when it is missing) or any statement does instead.
 *
 * A beat is one transaction on an ordinary session. It waits at most HEARTBEAT_LIMIT_MS for the
 * server, since the session has other work, and never for a synchronous standby.
 */
#ifndef POSTGRES_HEARTBEAT_H
#define POSTGRES_HEARTBEAT_H

#include <stdint.h>

#include "postgres/db_conn.h"

enum { HEARTBEAT_LIMIT_MS = 500 };

struct heartbeat_options {
    int64_t interval_ms; /* 0 = off; not looked at here */
    const char *schema;
    const char *table; /* NULL = none */
    const char *query; /* NULL = none; wins over the table */
};

/* Failed: any class; ERROR_RETRY "read_only" on a standby. What it left of a transaction is rolled
 * back. *out_usable = false: the session is lost, or stands where nothing else can be asked. */
MUST_CHECK bool heartbeat_beat(struct db_conn *conn, const struct heartbeat_options *options,
                               bool *out_usable, struct error *err);

/* Makes the table of the options where it is missing, as a beat would, and writes nothing: what is
 * to be published must be there before. *out_usable as above. */
MUST_CHECK bool heartbeat_make_table(struct db_conn *conn, const struct heartbeat_options *options,
                                     bool *out_usable, struct error *err);

#endif
