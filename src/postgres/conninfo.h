/* The connection string for libpq: every keyword that matters is set, so that neither the
 * environment nor files in the home directory decide anything. */
#ifndef POSTGRES_CONNINFO_H
#define POSTGRES_CONNINFO_H

#include "base/buf.h"
#include "postgres/db_conn.h"

/* The text holds the password: the caller wipes the buffer. only_primary: a standby is refused.
 * Too long: ERROR_CONFIG. */
MUST_CHECK bool conninfo_append(struct buf *out, const struct db_conn_options *options,
                                bool only_primary, const char *password, struct error *err);

/* The file of authorities that is meant: of "system" the system's own, for a libpq that does not
 * know the word; never one of the home directory. */
const char *conninfo_root_cert(const char *configured);

#endif
