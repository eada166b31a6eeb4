/* Who the server is, and whether what this process knows of it still holds: all checks between two
 * streams stand here. It is the connector's memory, and ends with the process. Pipeline's thread.
 *
 * Published is what was handed to Kafka, whether it was acknowledged or not: a server that does not
 * have it (restored, or a standby that lagged when it was promoted) has diverged, and a person must
 * say what becomes of events that never happened. PostgreSQL checks nothing of this at
 * START_REPLICATION.
 *
 * A position belongs to the timeline that it was seen on: what our streams published to that of the
 * last one, where the slot stands to that of the server that is asked next.
 *
 * Not seen: a server that was set back on the same timeline and wrote beyond the published LSN
 * before this process came back to it.
 */
#ifndef CONNECTOR_IDENTITY_H
#define CONNECTOR_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "change/lsn.h"
#include "connector/gate.h"
#include "postgres/db_conn.h"
#include "postgres/slot.h"

struct identity {
    char system_id[24]; /* "" = no server was seen yet */
    uint32_t timeline;
    bool slot_seen;  /* a slot that was seen and is gone is a gap, not a beginning */
    int32_t own_pid; /* the backend of our last stream: while it holds the slot, we do; 0 = none */
    int32_t older_pid;      /* of the stream before; its end may not be noticed yet */
    lsn_t consistent_point; /* of a slot that we made; LSN_NONE = we did not */
    lsn_t began;            /* where our last stream began */
    lsn_t confirmed;        /* where the slot stood at least */
    lsn_t published;      /* nothing committed at or beyond it was handed to Kafka; of `timeline` */
    lsn_t slot_at;        /* where the slot stood at the last look */
    const char *own_name; /* application_name of our sessions; NULL = not known */
    lsn_t resume_from; /* where a cut stream may go on; LSN_NONE = only from the slot's position */
    char no_resume[192]; /* why resume_from was cleared */
};

/* What a gate remembers of those who led meanwhile. Of another server than the one that was seen,
 * or a later timeline of it, it takes the place of what this process knows. */
void identity_recall(struct identity *identity, const struct gate_memory *memory);
struct gate_memory identity_memory(const struct identity *identity);

/* A slot of ours is made; everything from there on comes. */
void identity_note_slot(struct identity *identity, lsn_t consistent_point);
/* A stream of ours was started by this backend. */
void identity_note_start(struct identity *identity, int32_t pid);
/* Where that stream began; nothing before it is to come. */
void identity_note_position(struct identity *identity, lsn_t began);
/* It ended: how far it confirmed, published and received; cut: it may be resumed. */
void identity_note_end(struct identity *identity, lsn_t confirmed, lsn_t published, lsn_t received,
                       bool cut);

/* Ends the hope to resume, and says why; nothing when there is none. */
void identity_drop_resume(struct identity *identity, const char *format, ...) PRINTF_LIKE(2, 3);

/* What is seen between two streams; the hope to resume ends when somebody else may write. */
struct identity_sight {
    bool gate_closed;              /* another replica leads */
    int64_t stood_still_ms;        /* the process did */
    int64_t cut_ms;                /* since the stream was lost */
    const struct slot_sight *slot; /* the last look at the slot, or NULL */
    int64_t slot_age_ms;
    bool records_queued;
    int64_t limit_ms; /* cdc.walSenderTimeout: by then the server may have freed the slot */
};
void identity_look(struct identity *identity, const struct identity_sight *sight);

/* The slot as it is now. What it says may end the hope to resume: somebody else reads it or moved
 * it on. False: it is gone (ERROR_HALT "slot_lost"). */
MUST_CHECK bool identity_check_slot(struct identity *identity, const char *slot,
                                    const struct slot_sight *sight, struct error *err);
/* Held by our own last stream, whose end the server has not noticed yet. */
bool identity_is_own(const struct identity *identity, const struct slot_sight *sight);
/* "slot_lost", for a slot that vanished after it was looked at. */
bool identity_slot_gone(const struct identity *identity, const char *slot, struct error *err);

/* The server behind a replication connection, before each START_REPLICATION and after
 * identity_check_slot(). Another timeline, or WAL that ends too early, ends the hope to resume.
 * ERROR_HALT: "other_server", "diverged". ERROR_RETRY "standby_behind": a standby that has not
 * replayed so far yet. */
MUST_CHECK bool identity_check_server(struct identity *identity, struct db_conn *replication,
                                      struct error *err);

#endif
