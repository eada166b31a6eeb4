#include "connector/identity.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "postgres/timeline.h"

void identity_recall(struct identity *identity, const struct gate_memory *memory)
{
    if (strcmp(identity->system_id, memory->system_id) != 0)
        *identity = (struct identity){ .own_name = identity->own_name };
    identity->slot_seen = true;
    if (memory->timeline < identity->timeline)
        return;
    if (memory->timeline > identity->timeline)
        identity->published = identity->confirmed = LSN_NONE;
    if (lsn_compare(memory->delivered, lsn_max(identity->confirmed, identity->published)) > 0)
        identity_drop_resume(identity, "another replica led and delivered up to %s",
                             lsn_text(memory->delivered).text);
    memcpy(identity->system_id, memory->system_id, sizeof(identity->system_id));
    identity->timeline = memory->timeline;
    identity->consistent_point = lsn_max(identity->consistent_point, memory->consistent_point);
    identity->confirmed = lsn_max(identity->confirmed, memory->delivered);
    identity->published = lsn_max(identity->published, memory->delivered);
}

struct gate_memory identity_memory(const struct identity *identity)
{
    struct gate_memory memory = {
        .timeline = identity->timeline,
        .consistent_point = identity->consistent_point,
        .delivered = lsn_max(identity->confirmed, identity->published),
    };
    memcpy(memory.system_id, identity->system_id, sizeof(memory.system_id));
    return memory;
}

void identity_note_slot(struct identity *identity, lsn_t consistent_point)
{
    identity->slot_seen = true;
    identity->consistent_point = identity->confirmed = consistent_point;
}

void identity_note_start(struct identity *identity, int32_t pid)
{
    identity->slot_seen = true;
    identity->older_pid = identity->own_pid;
    identity->own_pid = pid;
}

void identity_note_position(struct identity *identity, lsn_t began)
{
    identity->began = began;
}

/* A stream that was cut before anything came goes on where it began. What was confirmed earlier
 * says nothing of that: it may be of a history that the server has left. */
void identity_note_end(struct identity *identity, lsn_t confirmed, lsn_t published, lsn_t received,
                       bool cut)
{
    identity->confirmed = lsn_max(identity->confirmed, confirmed);
    identity->published = lsn_max(identity->published, published);
    identity->resume_from = cut ? lsn_max(received, identity->began) : LSN_NONE;
}

void identity_drop_resume(struct identity *identity, const char *format, ...)
{
    va_list arguments;
    if (lsn_is_none(identity->resume_from))
        return;
    identity->resume_from = LSN_NONE;
    va_start(arguments, format);
    (void)vsnprintf(identity->no_resume, sizeof(identity->no_resume), format, arguments);
    va_end(arguments);
}

/* The slot. */

bool identity_slot_gone(const struct identity *identity, const char *slot, struct error *err)
{
    error_set(
        err, ERROR_HALT, "slot_lost",
        "replication slot \"%s\" is gone; up to %s of it was confirmed, and what was committed "
        "since is not in any slot",
        slot, lsn_text(lsn_max(identity->confirmed, identity->slot_at)).text);
    return error_advise(err,
                        "find out who dropped it; to go on from now and accept the gap: pqcdc slot "
                        "create --accept-gap, then restart the worker");
}

/* A server that was restarted gives pids again: the name tells whose it is. */
static bool may_be_our_name(const struct identity *identity, const char *holder)
{
    return identity->own_name == NULL || holder[0] == '\0' ||
           strcmp(identity->own_name, holder) == 0;
}

bool identity_is_own(const struct identity *identity, const struct slot_sight *sight)
{
    return sight->active && sight->active_pid != 0 &&
           (sight->active_pid == identity->own_pid || sight->active_pid == identity->older_pid) &&
           may_be_our_name(identity, sight->holder);
}

void identity_look(struct identity *identity, const struct identity_sight *sight)
{
    const struct slot_sight *slot = sight->slot;
    bool since_cut = slot != NULL && sight->slot_age_ms < sight->cut_ms;
    int64_t unseen_ms = slot != NULL ? sight->slot_age_ms : sight->cut_ms;
    if (sight->gate_closed)
        identity_drop_resume(identity, "another replica leads");
    else if (sight->stood_still_ms > sight->limit_ms)
        identity_drop_resume(identity, "the process stood still for %lld ms",
                             (long long)sight->stood_still_ms);
    else if (since_cut && slot->active && !identity_is_own(identity, slot))
        identity_drop_resume(identity, "pid %d reads the slot", slot->active_pid);
    else if (unseen_ms > sight->limit_ms && sight->records_queued)
        identity_drop_resume(identity, "the slot was not seen for %lld ms, and records are queued",
                             (long long)unseen_ms);
}

/* Somebody else confirmed it, or it was created anew. */
static void note_position(struct identity *identity, lsn_t confirmed)
{
    identity->slot_at = confirmed;
    if (lsn_compare(confirmed, identity->confirmed) > 0)
        identity_drop_resume(
            identity,
            "the slot was moved on to %s: by another reader, or it was made anew (then "
            "what was committed before that is in no slot)",
            lsn_text(confirmed).text);
}

bool identity_check_slot(struct identity *identity, const char *slot,
                         const struct slot_sight *sight, struct error *err)
{
    if (!sight->exists)
        return identity->slot_seen ? identity_slot_gone(identity, slot, err) : true;
    if (sight->creating)
        return true;
    identity->slot_seen = true;
    if (sight->active && !identity_is_own(identity, sight))
        identity_drop_resume(identity, "pid %d (%s) reads the slot", sight->active_pid,
                             sight->holder[0] != '\0' ? sight->holder : "unknown");
    note_position(identity, sight->confirmed_flush);
    return true;
}

/* The server. */

static bool other_server(const struct identity *identity, const struct db_conn_system *system,
                         struct error *err)
{
    error_set(err, ERROR_HALT, "other_server",
              "the server is another one: system identifier %s, before it was %s",
              system->system_id, identity->system_id);
    return error_advise(err, "point cdc.host at the right server, or restart the worker when the "
                             "move was meant");
}

static bool advise_diverged(struct error *err)
{
    return error_advise(err, "find out what was restored or failed over; when consumers can bear "
                             "that delivered changes no longer exist, restart the worker");
}

/* Positions beyond its end are of a history that the server does not have. */
static void leave_history(struct identity *identity, lsn_t end)
{
    if (lsn_compare(identity->confirmed, end) > 0)
        identity->confirmed = end;
}

enum { QUESTION_LIMIT_MS = 10000 };

static bool is_standby(struct db_conn *replication, bool *out_standby, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    if (!db_conn_simple(replication, QUESTION_LIMIT_MS, "SELECT pg_catalog.pg_is_in_recovery()",
                        &result, err))
        return false;
    *out_standby = PQntuples(result) == 1 && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
    return true;
}

/* Where the slot stands somebody has delivered: of the history that this server has. */
static lsn_t delivered(const struct identity *identity)
{
    return lsn_max(identity->published, identity->slot_at);
}

static bool set_back(const struct identity *identity, const struct db_conn_system *system,
                     struct error *err)
{
    error_set(err, ERROR_HALT, "diverged",
              "the server was set back: its WAL ends at %s, but changes up to %s were delivered",
              lsn_text(system->flush_lsn).text, lsn_text(delivered(identity)).text);
    return advise_diverged(err);
}

/* What it writes next would stand where other changes, already delivered, stood; but a standby only
 * replays what was written. */
static bool check_end(struct identity *identity, struct db_conn *replication,
                      const struct db_conn_system *system, struct error *err)
{
    bool standby = false, behind = lsn_compare(system->flush_lsn, delivered(identity)) < 0;
    if (behind && !is_standby(replication, &standby, err))
        return false;
    if (behind && standby)
        return error_set(err, ERROR_RETRY, "standby_behind",
                         "the standby has replayed up to %s, but changes up to %s were delivered: "
                         "waiting for it",
                         lsn_text(system->flush_lsn).text, lsn_text(delivered(identity)).text);
    if (lsn_compare(system->flush_lsn, identity->resume_from) < 0)
        identity_drop_resume(identity, "the server's WAL ends at %s",
                             lsn_text(system->flush_lsn).text);
    leave_history(identity, system->flush_lsn);
    return behind ? set_back(identity, system, err) : true;
}

/* Our last stream was of `identity->timeline`: what was published of it must lie before the server
 * branched off it. */
static bool check_branch(struct identity *identity, struct db_conn *replication,
                         const struct db_conn_system *system, struct error *err)
{
    lsn_t switched = LSN_NONE;
    identity_drop_resume(identity, "the server is on timeline %u", system->timeline);
    if (!timeline_switch_point(replication, system->timeline, identity->timeline, &switched, err))
        return false;
    leave_history(identity, switched);
    if (lsn_compare(identity->published, switched) <= 0)
        return true;
    if (lsn_is_none(switched))
        error_set(err, ERROR_HALT, "diverged",
                  "the server is on timeline %u, which does not come from timeline %u, of which "
                  "changes up to %s were delivered",
                  system->timeline, identity->timeline, lsn_text(identity->published).text);
    else
        error_set(err, ERROR_HALT, "diverged",
                  "the server is on timeline %u, which left timeline %u at %s, but changes of that "
                  "up to %s were delivered",
                  system->timeline, identity->timeline, lsn_text(switched).text,
                  lsn_text(identity->published).text);
    return advise_diverged(err);
}

bool identity_check_server(struct identity *identity, struct db_conn *replication,
                           struct error *err)
{
    struct db_conn_system system;
    if (!db_conn_identify(replication, &system, err))
        return false;
    if (identity->system_id[0] != '\0') {
        if (strcmp(identity->system_id, system.system_id) != 0) {
            identity_drop_resume(identity, "the server is another one");
            return other_server(identity, &system, err);
        }
        if (identity->timeline != system.timeline &&
            !check_branch(identity, replication, &system, err))
            return false;
    }
    if (!check_end(identity, replication, &system, err))
        return false;
    memcpy(identity->system_id, system.system_id, sizeof(system.system_id));
    identity->timeline = system.timeline;
    identity->confirmed = lsn_max(identity->confirmed, identity->slot_at);
    identity->published = delivered(identity);
    return true;
}
