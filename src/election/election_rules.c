#include "election/election_rules.h"

#include <string.h>

#include "base/check.h"

enum {
    DURATION_MIN_MS = 1000, /* outside of these a record's duration is a slip: ours counts */
    DURATION_MAX_MS = 60 * 60 * 1000,
};

static bool since(const struct election_view *view, mono_ms_t begin, int64_t limit_ms)
{
    return mono_ms_since(view->now, begin) >= limit_ms;
}

/* The lease. */

bool election_rules_is_ours(const struct election *election, const struct election_record *record)
{
    return record->exists && strcmp(record->holder, election->options.identity) == 0;
}

int64_t election_rules_duration_ms(const struct election *election)
{
    int64_t own_ms = election->record.duration_ms;
    bool sane = own_ms >= DURATION_MIN_MS && own_ms <= DURATION_MAX_MS;
    return sane ? own_ms : election->options.lease_duration_ms;
}

static bool may_call(const struct election_view *view)
{
    return view->election->call == ELECTION_CALL_NONE &&
           !mono_ms_before(view->now, view->election->call_after);
}

/* A write that was refused is not repeated upon the same record at once. */
static bool may_write(const struct election_view *view)
{
    const struct election *election = view->election;
    return may_call(view) && !election->doubtful &&
           (election->record.version != election->refused ||
            !mono_ms_before(view->now, election->write_after));
}

static bool proof_is_old(const struct election_view *view)
{
    return since(view, view->election->proven_at, view->election->options.renew_deadline_ms);
}

/* Just now. */
static bool answered(const struct election_view *view, enum election_outcome outcome)
{
    return view->event->kind == ELECTION_EVENT_ANSWER && view->event->answer.outcome == outcome;
}

/* The slot. */

/* <pod>_<uuid> reads it as pqcdc:<uuid>. A reader without a name may be anybody. */
static bool holder_reads_slot(const struct election *election)
{
    static const char prefix[] = "pqcdc:";
    const struct election_poll *poll = &election->poll;
    const char *uuid = strrchr(election->record.holder, '_');
    if (!poll->exists || !poll->active || election->record.holder[0] == '\0')
        return false;
    if (poll->reader[0] == '\0')
        return true;
    return uuid != NULL && strncmp(poll->reader, prefix, sizeof(prefix) - 1) == 0 &&
           strcmp(poll->reader + sizeof(prefix) - 1, uuid + 1) == 0;
}

/* The next look begins an interval behind the end of the last one: a server that is far away, or
 * busy, is looked at less often, and can be worked with all the same. */
static bool looked_within(const struct election *election, int64_t limit_ms, mono_ms_t now)
{
    int64_t least_ms = ELECTION_RULES_GAP_POLLS * election->options.poll_interval_ms;
    return mono_ms_since(now, election->polled_at) <= (limit_ms > least_ms ? limit_ms : least_ms);
}

bool election_rules_polls_make_fit(const struct election *election, mono_ms_t now)
{
    return looked_within(election, ELECTION_RULES_FIT_GAP_MS, now);
}

bool election_rules_polls_make_row(const struct election *election, mono_ms_t now)
{
    return looked_within(election, election->options.takeover_grace_ms, now);
}

/* The worker. */

bool election_rules_worker_is_still(const struct election *election)
{
    return election->worker.phase == ELECTION_WORKER_IDLE ||
           election->worker.phase == ELECTION_WORKER_HALTED;
}

static bool worker_is_halted(const struct election *election)
{
    return election->worker.phase == ELECTION_WORKER_HALTED;
}

static bool stalled(const struct election_view *view)
{
    const struct election *election = view->election;
    return since(view, election->answered_at, election->options.database_limit_ms) ||
           since(view, election->brokers_at, election->options.broker_limit_ms);
}

/* A stream that is being opened again stays `streaming`: the slot tells the truth faster. */
enum election_phase election_rules_phase_to_tell(const struct election_view *view)
{
    if (stalled(view))
        return ELECTION_PHASE_STALLED;
    return view->election->streamed ? ELECTION_PHASE_STREAMING : ELECTION_PHASE_STARTING;
}

/* The conditions of election.def. */

static bool worker_streams(const struct election_view *view)
{
    return view->election->worker.phase == ELECTION_WORKER_STREAMING;
}

static bool worker_stopped(const struct election_view *view)
{
    return election_rules_worker_is_still(view->election);
}

static bool stop_limit_over(const struct election_view *view)
{
    return since(view, view->election->entered_at, view->election->options.stop_limit_ms);
}

static bool halted(const struct election_view *view)
{
    return worker_is_halted(view->election);
}

static bool leaves(const struct election_view *view)
{
    return view->election->leaving && election_rules_worker_is_still(view->election);
}

static bool leaves_as_maybe_holder(const struct election_view *view)
{
    const struct election *election = view->election;
    return leaves(view) &&
           (election->claimed || election_rules_is_ours(election, &election->record));
}

static bool denied(const struct election_view *view)
{
    return answered(view, ELECTION_DENIED);
}

static bool named(const struct election_view *view)
{
    const struct election *election = view->election;
    return election->call == ELECTION_CALL_NONE && !election->doubtful &&
           election_rules_is_ours(election, &election->record);
}

static bool named_but_halted(const struct election_view *view)
{
    return named(view) && halted(view);
}

/* Who could not work itself must not take. */
static bool candidate(const struct election_view *view)
{
    const struct election *election = view->election;
    return election->answered_polls >= ELECTION_RULES_FIT_POLLS &&
           election_rules_polls_make_fit(election, view->now) && election->worker.brokers &&
           !halted(view) && may_write(view) && !election_rules_is_ours(election, &election->record);
}

static bool absent(const struct election *election)
{
    return !election->record.exists && !holder_reads_slot(election);
}

static bool left(const struct election *election)
{
    return election->record.exists && election->record.holder[0] == '\0';
}

static bool says_stalled(const struct election *election)
{
    return election->record.exists && election->record.phase == ELECTION_PHASE_STALLED;
}

static bool abandoned(const struct election *election, mono_ms_t now)
{
    return election->record.exists && election->record.phase == ELECTION_PHASE_STREAMING &&
           election->free_polls >= election->options.takeover_polls &&
           mono_ms_since(now, election->free_since) >= election->options.takeover_grace_ms &&
           election_rules_polls_make_row(election, now);
}

static bool expired(const struct election *election, mono_ms_t now)
{
    return election->record.exists &&
           mono_ms_since(now, election->changed_at) >= election_rules_duration_ms(election) &&
           !holder_reads_slot(election);
}

static bool takeable(const struct election_view *view)
{
    const struct election *election = view->election;
    return absent(election) || left(election) || says_stalled(election) ||
           abandoned(election, view->now) || expired(election, view->now);
}

static bool may_take(const struct election_view *view)
{
    return candidate(view) && !view->election->old;
}

static bool lease_absent(const struct election_view *view)
{
    return may_take(view) && absent(view->election);
}

static bool holder_left(const struct election_view *view)
{
    return may_take(view) && left(view->election);
}

static bool holder_stalled(const struct election_view *view)
{
    return may_take(view) && says_stalled(view->election);
}

static bool holder_abandoned_slot(const struct election_view *view)
{
    return may_take(view) && abandoned(view->election, view->now);
}

static bool holder_expired(const struct election_view *view)
{
    return may_take(view) && expired(view->election, view->now);
}

static bool must_read(const struct election_view *view)
{
    const struct election *election = view->election;
    return may_call(view) &&
           (election->doubtful || (election->old && candidate(view) && takeable(view)));
}

static bool read_is_due(const struct election_view *view)
{
    const struct election *election = view->election;
    return may_call(view) && since(view, election->called_at, election->options.retry_period_ms);
}

static bool won(const struct election_view *view)
{
    return view->election->call == ELECTION_CALL_NONE &&
           election_rules_is_ours(view->election, &view->election->record);
}

static bool refused(const struct election_view *view)
{
    return answered(view, ELECTION_CONFLICT) || answered(view, ELECTION_NOT_FOUND);
}

static bool unanswered(const struct election_view *view)
{
    return view->election->call == ELECTION_CALL_NONE;
}

static bool froze(const struct election_view *view)
{
    return view->slept_ms > view->election->options.renew_deadline_ms;
}

static bool emptied(const struct election_view *view)
{
    return left(view->election);
}

static bool replaced(const struct election_view *view)
{
    const struct election *election = view->election;
    return election->record.exists && !left(election) &&
           !election_rules_is_ours(election, &election->record);
}

/* A verdict would have ended it. */
static bool contested(const struct election_view *view)
{
    return view->election->contested && view->event->kind == ELECTION_EVENT_ANSWER &&
           view->event->answer.call == ELECTION_CALL_READ;
}

static bool outage_ends_it(const struct election_view *view)
{
    return view->election->options.step_down_on_outage && proof_is_old(view);
}

/* Its slot may well be active still, so that nobody could take the lease. */
static bool stalled_in_outage(const struct election_view *view)
{
    return proof_is_old(view) && stalled(view);
}

static bool lease_gone(const struct election_view *view)
{
    return may_write(view) && !view->election->record.exists;
}

static bool phase_changed(const struct election_view *view)
{
    return may_write(view) && view->election->told != election_rules_phase_to_tell(view);
}

static bool renewal_is_due(const struct election_view *view)
{
    const struct election *election = view->election;
    return may_write(view) && since(view, election->wrote_at, election->options.retry_period_ms);
}

static bool given_back(const struct election_view *view)
{
    const struct election *election = view->election;
    return election->call == ELECTION_CALL_NONE && !election->doubtful &&
           !election_rules_is_ours(election, &election->record);
}

static bool given_back_to_leave(const struct election_view *view)
{
    return given_back(view) && view->election->leaving;
}

static bool gave_up(const struct election_view *view)
{
    return since(view, view->election->entered_at, view->election->options.renew_deadline_ms);
}

static bool gave_up_to_leave(const struct election_view *view)
{
    return gave_up(view) && view->election->leaving;
}

static bool may_release(const struct election_view *view)
{
    return may_write(view);
}

static const struct election_row rows[] = {
#define ELECTION(state_, condition_, next_, call_, meaning_)                                       \
    { ELECTION_##state_, #condition_, ELECTION_##next_, ELECTION_CALL_##call_, meaning_ },
#include "election/election.def"
#undef ELECTION
};

static bool (*const conditions[])(const struct election_view *) = {
#define ELECTION(state_, condition_, next_, call_, meaning_) condition_,
#include "election/election.def"
#undef ELECTION
};

const struct election_row *election_rules_find(const struct election_view *view)
{
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].state == view->election->state && conditions[i](view))
            return &rows[i];
    }
    return NULL;
}

const struct election_row *election_rules_all(unsigned *out_count)
{
    *out_count = COUNT_OF(rows);
    return rows;
}
