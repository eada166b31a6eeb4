/* The checks of PostgreSQL's side. What each needs stands in the table of check_command.c. */
#ifndef WORKER_CHECK_POSTGRES_H
#define WORKER_CHECK_POSTGRES_H

#include "worker/check_sight.h"

MUST_CHECK check_fn check_postgres_server; /* opens sight->conn */
MUST_CHECK check_fn check_postgres_wal_level;
MUST_CHECK check_fn check_postgres_role;
MUST_CHECK check_fn check_postgres_slot;
MUST_CHECK check_fn check_postgres_slots_left;
MUST_CHECK check_fn check_postgres_senders_left;
MUST_CHECK check_fn check_postgres_tables;
MUST_CHECK check_fn check_postgres_publication;
MUST_CHECK check_fn check_postgres_replica_identity;
MUST_CHECK check_fn check_postgres_synchronous;
MUST_CHECK check_fn check_postgres_routes; /* fills sight->topics */

#endif
