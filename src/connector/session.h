/* From nothing to a stream: what happens in the state "starting". Verifies (or creates) the
 * publication, the replica identities and the slot, checks that every published table has a topic,
 * and starts the replication. Only who may lead creates anything. */
#ifndef CONNECTOR_SESSION_H
#define CONNECTOR_SESSION_H

#include <stdbool.h>

#include "base/log.h"
#include "connector/gate.h"
#include "connector/identity.h"
#include "format/topic_route.h"
#include "postgres/db_conn.h"
#include "postgres/heartbeat.h"
#include "postgres/publication.h"
#include "postgres/publication_watch.h"
#include "postgres/slot.h"
#include "postgres/wal_stream.h"

struct session_options {
    struct db_conn_options conn; /* without replication */
    struct publication_options publication;
    struct heartbeat_options heartbeat; /* its table, where that is published, is made before */
    bool timescaledb;                   /* chunks are parts of their hypertables */
    const char *slot;
    bool create_slot;
    bool failover; /* the slot is synchronized to standbys */
    int64_t wal_sender_timeout_ms;
    const char *decoding_work_mem;
    const struct topic_route *route;
    struct clock clock;
    struct gate gate;
    struct log *log;
};

/* What is known from one session to the next. */
struct session_memory {
    struct identity identity;
    struct publication_sight publication; /* as it was left by who may alter it; else nothing */
    bool mapping_noted; /* entries of the mapping that no published table has: said once */
};

/* On success *out_stream streams from identity.resume_from, where that is set (a stream was cut and
 * is to be resumed), else from the slot's position. A resume that is not to be had any more clears
 * identity.resume_from and fails: nothing is started before what was sent is abandoned; the error
 * is ERROR_RETRY "no_resume" when nothing else is wrong. ERROR_WAIT or ERROR_STEP_DOWN: somebody
 * else has the slot or leads: be standby. */
MUST_CHECK bool session_open(const struct session_options *options, struct session_memory *memory,
                             struct interrupt interrupt, struct wal_stream **out_stream,
                             struct error *err) ON_PIPELINE_THREAD;

/* The same preparations up to an existing slot, for `pqcdc slot create`. ERROR_HALT: "slot_exists",
 * also when somebody reads it; "gap", unless it is accepted: the publication exists, so that there
 * may have been a slot before, and what was committed since is in no slot. */
MUST_CHECK bool session_create_slot(const struct session_options *options,
                                    struct interrupt interrupt, bool accept_gap,
                                    lsn_t *out_consistent_point, struct error *err);

#endif
