#include "election/election.h"

#include <string.h>

#include "base/check.h"
#include "election/election_rules.h"

/* Taking in what happened. */

static void forget_polls(struct election *election)
{
    election->answered_polls = 0;
    election->free_polls = 0;
}

static mono_ms_t forgive(const struct election_view *view, mono_ms_t since)
{
    mono_ms_t later = mono_ms_add(since, view->slept_ms);
    return mono_ms_before(later, view->now) ? later : view->now;
}

/* Whoever was frozen has seen nothing meanwhile, and nobody can be blamed for it; but for the time
 * between two freezes: a process that is short of CPU is woken late again and again. */
static void absorb_sleep(const struct election_view *view, struct election *election)
{
    if (view->slept_ms <= ELECTION_RULES_GAP_POLLS * election->options.poll_interval_ms)
        return;
    forget_polls(election);
    election->old = true;
    election->answered_at = forgive(view, election->answered_at);
    election->brokers_at = forgive(view, election->brokers_at);
}

/* Whoever writes lives: from its last word on the slot must be free, and the lease unchanged. */
static void absorb_record(struct election *election, const struct election_record *record,
                          mono_ms_t now)
{
    const struct election_record *known = &election->record;
    bool same = record->exists == known->exists && record->version == known->version &&
                record->phase == known->phase && strcmp(record->holder, known->holder) == 0;
    if (!same) {
        election->changed_at = now;
        election->free_polls = 0;
    }
    election->record = *record;
}

/* Who held it last is not forgotten. */
static void absorb_absence(struct election *election, mono_ms_t now)
{
    struct election_record absent = { .exists = false };
    memcpy(absent.holder, election->record.holder, sizeof(absent.holder));
    absorb_record(election, &absent, now);
}

/* Not applied. */
static void absorb_refusal(struct election *election, enum election_call call)
{
    election->refused = election->built_on;
    election->write_after = mono_ms_add(election->called_at, election->options.retry_period_ms);
    election->told = ELECTION_PHASE_NONE;
    if (call == ELECTION_CALL_CREATE || call == ELECTION_CALL_TAKE)
        election->claimed = false;
}

/* What a write did, if anything, only a READ can tell; so can what a READ should have told. */
static void absorb_failure(struct election *election, enum election_call call, bool maybe)
{
    election->call_after = mono_ms_add(election->called_at, election->options.retry_period_ms);
    election->told = ELECTION_PHASE_NONE;
    if (maybe || call == ELECTION_CALL_READ)
        election->doubtful = true;
    else
        absorb_refusal(election, call);
}

static void absorb_verdict(const struct election_view *view, struct election *election,
                           const struct election_record *record)
{
    if (record != NULL)
        absorb_record(election, record, view->now);
    else
        absorb_absence(election, view->now);
    election->contested = false;
    election->claimed = false;
    if (election_rules_is_ours(election, &election->record))
        election->proven_at = election->called_at;
}

static void absorb_answer(const struct election_view *view, struct election *election)
{
    enum election_call call = election->call;
    CHECK(call != ELECTION_CALL_NONE && call == view->event->answer.call);
    election->call = ELECTION_CALL_NONE;
    switch (view->event->answer.outcome) {
    case ELECTION_OK:
        absorb_verdict(view, election, &view->event->answer.record);
        return;
    case ELECTION_NOT_FOUND:
        absorb_verdict(view, election, NULL);
        if (call != ELECTION_CALL_READ)
            absorb_refusal(election, call);
        return;
    case ELECTION_CONFLICT:
        absorb_refusal(election, call);
        election->doubtful = true;
        election->contested = election->state == ELECTION_LEADING;
        return;
    case ELECTION_DENIED:
        absorb_failure(election, call, false);
        return;
    case ELECTION_BUSY:
    case ELECTION_UNKNOWN:
        absorb_failure(election, call, true);
        return;
    }
}

/* Old or not, a hint makes a candidate faster: what it writes then is refused when it was old. Who
 * leads, or may, believes an answer only. */
static void absorb_hint(const struct election_view *view, struct election *election)
{
    const struct election_record *hint = &view->event->hint;
    bool ours = election_rules_is_ours(election, hint);
    switch (election->state) {
    case ELECTION_FOLLOWING:
        if (ours)
            election->doubtful = true;
        else if (hint->exists)
            absorb_record(election, hint, view->now);
        else
            absorb_absence(election, view->now);
        return;
    case ELECTION_ACQUIRING:
    case ELECTION_LEADING:
        if (!ours)
            election->doubtful = true;
        return;
    case ELECTION_LOSING:
    case ELECTION_RELEASING:
    case ELECTION_OVER:
    case ELECTION_STATE_COUNT:
        return;
    }
}

static void absorb_poll(const struct election_view *view, struct election *election)
{
    const struct election_poll *poll = &view->event->poll;
    if (!poll->answered || !election_rules_polls_make_fit(election, view->now))
        forget_polls(election);
    else if (!election_rules_polls_make_row(election, view->now))
        election->free_polls = 0;
    election->polled_at = view->now;
    if (!poll->answered)
        return;
    election->poll = *poll;
    election->answered_at = view->now;
    if (election->answered_polls < ELECTION_RULES_FIT_POLLS)
        election->answered_polls++;
    if (!poll->exists || poll->active)
        election->free_polls = 0;
    else if (election->free_polls == 0)
        election->free_since = view->now;
    if (poll->exists && !poll->active && election->free_polls < election->options.takeover_polls)
        election->free_polls++;
}

/* Brokers are needed by who has records and by who wants to begin. */
static void absorb_brokers(const struct election_view *view, struct election *election)
{
    const struct election_worker *worker = &election->worker;
    bool needed = worker->records_waiting || worker->phase != ELECTION_WORKER_STREAMING;
    if (worker->brokers || !needed)
        election->brokers_at = view->now;
}

static void absorb(const struct election_view *view, struct election *election)
{
    absorb_sleep(view, election);
    absorb_brokers(view, election); /* as it was until now */
    switch (view->event->kind) {
    case ELECTION_EVENT_ANSWER:
        absorb_answer(view, election);
        break;
    case ELECTION_EVENT_HINT:
        absorb_hint(view, election);
        break;
    case ELECTION_EVENT_POLL:
        absorb_poll(view, election);
        break;
    case ELECTION_EVENT_WORKER:
        election->worker = view->event->worker;
        break;
    case ELECTION_EVENT_STOP:
        election->leaving = true;
        break;
    case ELECTION_EVENT_TICK:
        break;
    }
    if (election->state == ELECTION_LEADING && election->worker.phase == ELECTION_WORKER_STREAMING)
        election->streamed = true;
}

/* Doing what a row says. */

static void enter(struct election *election, enum election_state next, mono_ms_t now)
{
    election->state = next;
    election->entered_at = now;
    election->streamed = false;
    election->contested = false;
    if (next == ELECTION_LEADING)
        election->told = election->record.phase;
    if (next == ELECTION_LOSING)
        election->doubtful = true;
}

static void call(const struct election_view *view, struct election *election,
                 enum election_call call)
{
    election->call = call;
    election->called_at = view->now;
    election->built_on = election->record.version;
    if (call == ELECTION_CALL_READ) {
        election->doubtful = false;
        election->old = false;
    }
    if (call == ELECTION_CALL_READ || call == ELECTION_CALL_RELEASE)
        return;
    election->wrote_at = view->now;
    election->told = election_rules_phase_to_tell(view);
    if (call != ELECTION_CALL_RENEW)
        election->claimed = true;
}

static void follow(const struct election_view *view, struct election *election,
                   const struct election_row *row)
{
    if (row->call != ELECTION_CALL_NONE)
        call(view, election, row->call);
    if (row->next != election->state)
        enter(election, row->next, view->now);
}

/* The next time at which a condition may begin to hold by itself; polls come by themselves. */
static mono_ms_t next_wake(const struct election *election, mono_ms_t now)
{
    const struct election_options *options = &election->options;
    const mono_ms_t times[] = {
        election->call_after,
        election->write_after,
        mono_ms_add(election->called_at, options->retry_period_ms),
        mono_ms_add(election->wrote_at, options->retry_period_ms),
        mono_ms_add(election->changed_at, election_rules_duration_ms(election)),
        mono_ms_add(election->proven_at, options->renew_deadline_ms),
        mono_ms_add(election->entered_at, options->renew_deadline_ms),
        mono_ms_add(election->entered_at, options->stop_limit_ms),
        mono_ms_add(election->answered_at, options->database_limit_ms),
        mono_ms_add(election->brokers_at, options->broker_limit_ms),
    };
    mono_ms_t wake = mono_ms_add(now, options->retry_period_ms);
    for (unsigned i = 0; i < COUNT_OF(times); i++) {
        if (mono_ms_before(now, times[i]) && mono_ms_before(times[i], wake))
            wake = times[i];
    }
    return wake;
}

static mono_ms_t may_start_until(const struct election *election)
{
    if (election->state != ELECTION_LEADING || election->contested || election->leaving)
        return (mono_ms_t){ INT64_MIN };
    return mono_ms_add(election->proven_at, election->options.renew_deadline_ms);
}

void election_step(struct election *election, const struct election_event *event, mono_ms_t now,
                   struct election_orders *out_orders)
{
    const struct election_view view = { election, event, now,
                                        mono_ms_since(now, election->wake_at) };
    absorb(&view, election);
    const struct election_row *row = election_rules_find(&view);
    if (row != NULL)
        follow(&view, election, row);
    bool again = row != NULL && row->call == ELECTION_CALL_NONE;
    election->wake_at = again ? now : next_wake(election, now);
    *out_orders = (struct election_orders){
        .call = row != NULL ? row->call : ELECTION_CALL_NONE,
        .version = election->built_on,
        .phase = election->told,
        .must_stop = election->state != ELECTION_LEADING,
        .die = election->state == ELECTION_OVER && !election_rules_worker_is_still(election),
        .may_start_until = may_start_until(election),
        .wake_at = election->wake_at,
        .row = row,
    };
}

struct election_options election_options_default(void)
{
    return (struct election_options){
        .lease_duration_ms = 15000,
        .renew_deadline_ms = 10000,
        .retry_period_ms = 2000,
        .poll_interval_ms = 50,
        .takeover_grace_ms = 300,
        .takeover_polls = 5,
        .database_limit_ms = 10000,
        .broker_limit_ms = 30000,
        .stop_limit_ms = 3000,
    };
}

void election_init(struct election *election, const struct election_options *options, mono_ms_t now)
{
    CHECK(options->identity[0] != '\0' &&
          memchr(options->identity, '\0', sizeof(options->identity)) != NULL);
    CHECK(options->lease_duration_ms > options->renew_deadline_ms &&
          options->renew_deadline_ms > options->retry_period_ms && options->retry_period_ms > 0);
    CHECK(options->poll_interval_ms > 0 && options->takeover_polls > 0);
    /* Else the renewals of a holder that has lost its slot would keep candidates waiting. */
    CHECK(options->takeover_grace_ms > 0 && options->takeover_grace_ms < options->retry_period_ms);
    CHECK(options->database_limit_ms > 0 && options->broker_limit_ms > 0 &&
          options->stop_limit_ms > 0);
    *election = (struct election){
        .options = *options,
        .state = ELECTION_FOLLOWING,
        .entered_at = now,
        .wake_at = now,
        .called_at = now,
        .call_after = now,
        .write_after = now,
        .wrote_at = now,
        .refused = UINT64_MAX,
        .changed_at = now,
        .doubtful = true,
        .proven_at = { INT64_MIN / 2 },
        .polled_at = now,
        .answered_at = now,
        .free_since = now,
        .brokers_at = now,
    };
}

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return (hash ^ 0xff) * UINT64_C(0x100000001b3);
}

uint64_t election_version(const char *uid, const char *resource_version)
{
    uint64_t hash = mix(mix(UINT64_C(0xcbf29ce484222325), uid), resource_version);
    return hash != 0 && hash != UINT64_MAX ? hash : 1;
}

const char *election_state_name(enum election_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        ELECTION_STATES(X)
#undef X
    };
    CHECK((unsigned)state < COUNT_OF(names));
    return names[state];
}

const char *election_call_name(enum election_call call)
{
    static const char *const names[] = {
#define X(name, text) text,
        ELECTION_CALLS(X)
#undef X
    };
    CHECK((unsigned)call < COUNT_OF(names));
    return names[call];
}

static const char *const phase_names[] = {
#define X(name, text) text,
    ELECTION_PHASES(X)
#undef X
};

const char *election_phase_name(enum election_phase phase)
{
    CHECK((unsigned)phase < COUNT_OF(phase_names));
    return phase_names[phase];
}

enum election_phase election_phase_of(const char *text)
{
    for (unsigned i = 1; text != NULL && i < COUNT_OF(phase_names); i++) {
        if (strcmp(text, phase_names[i]) == 0)
            return (enum election_phase)i;
    }
    return ELECTION_PHASE_NONE;
}
