/* The server as a connector finds it: settings, what is left of its limits, what our role may do,
 * and whether a session of ours would be a synchronous standby. Reads only. */
#ifndef POSTGRES_SERVER_SIGHT_H
#define POSTGRES_SERVER_SIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "postgres/db_conn.h"

struct server_sight {
    char wal_level[16];
    int64_t slots_max, slots_used;     /* max_replication_slots */
    int64_t senders_max, senders_used; /* max_wal_senders */
    bool is_superuser;
    bool has_replication; /* a superuser has it too */
    bool may_create;      /* CREATE on the database */
    bool owns_tables;     /* those of the configuration that exist, with their partitions */
    char *standby_names;  /* synchronous_standby_names; server_sight_done() frees it */
    bool is_standby;      /* they match a session named "pqcdc:..." */
    char *standbys;       /* connected ones that are not logical, quoted as a list; NULL = none */
};

struct publication_options;

MUST_CHECK bool server_sight_look(struct db_conn *conn, const struct publication_options *tables,
                                  struct server_sight *out_sight, struct error *err);
void server_sight_done(struct server_sight *sight); /* all zero allowed */

#endif
