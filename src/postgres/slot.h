/* The replication slot: looking at it, creating it, dropping it. */
#ifndef POSTGRES_SLOT_H
#define POSTGRES_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "postgres/db_conn.h"

enum slot_wal_status {
    SLOT_WAL_UNKNOWN,
    SLOT_WAL_RESERVED,
    SLOT_WAL_EXTENDED,
    SLOT_WAL_UNRESERVED,
    SLOT_WAL_LOST,
};

/* One look at pg_replication_slots. */
struct slot_sight {
    bool exists;
    bool active;
    bool creating; /* confirmed_flush is NULL: somebody is creating it */
    bool logical;
    int32_t active_pid; /* 0 = none */
    char plugin[64];
    char database[64];
    char holder[64];       /* application_name of the active pid when we may see it */
    char invalidation[48]; /* 17+: invalidation_reason; 16: "conflict" on a standby; else ""
                            */
    enum slot_wal_status wal_status;
    lsn_t restart_lsn, confirmed_flush;
    lsn_t current_lsn;           /* pg_current_wal_lsn() (on a standby: the replayed one) */
    int64_t safe_wal_size_bytes; /* -1 = unlimited or unknown */
};

const char *slot_wal_status_name(enum slot_wal_status status);

MUST_CHECK bool slot_look(struct db_conn *conn, const char *name, struct slot_sight *out_sight,
                          struct error *err);

/* What can be wrong with an existing slot for us, each ERROR_HALT with advice: "slot_physical",
 * "slot_other_plugin", "slot_other_database", "slot_lost", "slot_invalidated" (and "slot_missing"
 * when it does not exist). Busy and creating are not errors here. database: ours. */
MUST_CHECK bool slot_verify(const struct slot_sight *sight, const char *name, const char *database,
                            struct error *err);

/* The part of it that says whose slot this is: all but "slot_lost" and "slot_invalidated". What is
 * not ours must not be dropped. */
MUST_CHECK bool slot_verify_ours(const struct slot_sight *sight, const char *name,
                                 const char *database, struct error *err);

/* Called about each second while creation waits: pid = the backend whose transaction it waits for
 * (0 = not known, or a prepared transaction, which `application` then says), application = its
 * application_name. */
typedef void slot_waiting_fn(void *self, int32_t pid, const char *application, int64_t waited_ms);

/* CREATE_REPLICATION_SLOT ... LOGICAL pgoutput on `replication` (no snapshot kept: NOEXPORT), in
 * the syntax of the server's version. `session`, an ordinary one, finds whom it waits for. 42710 is
 * ERROR_WAIT "slot_appeared": look again. wal_level < logical, no free slot: ERROR_HALT with advice
 * (without the right `replication` could not be opened). After a failure or a stop no slot of ours
 * is left; `replication` is then closed by the caller. */
MUST_CHECK bool slot_create(struct db_conn *replication, struct db_conn *session, const char *name,
                            slot_waiting_fn *waiting, void *self, lsn_t *out_consistent_point,
                            struct error *err);

/* From 17 on: the slot is synchronized to standbys. *out_changed = it was not before. Nobody may
 * read the slot meanwhile. ERROR_CONFIG "failover_needs_17" (slot_failover_check() says it
 * before). */
MUST_CHECK bool slot_failover_check(const struct db_conn *session, struct error *err);
MUST_CHECK bool slot_set_failover(struct db_conn *replication, struct db_conn *session,
                                  const char *name, bool *out_changed, struct error *err);

/* Drops whatever has that name: slot_verify_ours comes before. A temporary slot is busy for all but
 * its own session. Busy: ERROR_WAIT that names the pid, in text and advice. Missing: ERROR_HALT
 * "slot_missing". */
MUST_CHECK bool slot_drop(struct db_conn *conn, const char *name, struct error *err);

#endif
