/* The checks of PostgreSQL's side. What each needs stands in the table of check_command.c. */
#ifndef WORKER_CHECK_POSTGRES_H
#define WORKER_CHECK_POSTGRES_H

#include "worker/check_sight.h"

MUST_CHECK check_fn check_postgres; /* opens sight->conn */
MUST_CHECK check_fn check_wal_level;
MUST_CHECK check_fn check_role;
MUST_CHECK check_fn check_slot;
MUST_CHECK check_fn check_slots_left;
MUST_CHECK check_fn check_senders_left;
MUST_CHECK check_fn check_tables;
MUST_CHECK check_fn check_publication;
MUST_CHECK check_fn check_replica_identity;
MUST_CHECK check_fn check_synchronous;
MUST_CHECK check_fn check_routes; /* fills sight->topics */

#endif
