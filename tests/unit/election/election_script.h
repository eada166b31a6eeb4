/* A machine with its world as the test wants it: time, a lease that READ shows, a slot. */
#ifndef UNIT_ELECTION_ELECTION_SCRIPT_H
#define UNIT_ELECTION_ELECTION_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "election/election.h"

#define ME          "pod-a_1111"
#define OTHER       "pod-b_2222"
#define THIRD       "pod-c_3333"
#define ME_READS    "pqcdc:1111"
#define OTHER_READS "pqcdc:2222"
#define THIRD_READS "pqcdc:3333"

enum { POLL_MS = 50, LEASE_MS = 15000, DEADLINE_MS = 10000, RETRY_MS = 2000, GRACE_MS = 300 };

struct script {
    struct election election;
    struct election_orders orders;
    int64_t now_ms;
    struct election_record lease; /* what a READ shows */
    bool reads_hang;              /* a READ waits for the test's answer */
    uint64_t version;
    struct election_poll poll;      /* what a look at the slot shows */
    struct election_worker worker;  /* as told last */
    const struct election_row *row; /* the last one that was taken */
    enum election_call call;        /* on its way */
    enum election_phase phase;      /* of that call */
    unsigned calls[ELECTION_CALL_COUNT];
};

static inline void script_step(struct script *script, const struct election_event *event);

static inline void script_answer(struct script *script, enum election_outcome outcome,
                                 const struct election_record *record)
{
    struct election_event event = { .kind = ELECTION_EVENT_ANSWER };
    assert_int_not_equal(script->call, ELECTION_CALL_NONE);
    event.answer.call = script->call;
    event.answer.outcome = outcome;
    if (record != NULL)
        event.answer.record = *record;
    script->call = ELECTION_CALL_NONE;
    script_step(script, &event);
}

static inline void script_answer_read(struct script *script)
{
    if (script->lease.exists)
        script_answer(script, ELECTION_OK, &script->lease);
    else
        script_answer(script, ELECTION_NOT_FOUND, NULL);
}

static inline void script_obey(struct script *script)
{
    const struct election_orders *orders = &script->orders;
    if (orders->row != NULL)
        script->row = orders->row;
    if (orders->call == ELECTION_CALL_NONE)
        return;
    assert_int_equal(script->call, ELECTION_CALL_NONE);
    script->call = orders->call;
    script->phase = orders->phase;
    script->calls[orders->call]++;
}

/* Until it waits for something. */
static inline void script_step(struct script *script, const struct election_event *event)
{
    static const struct election_event tick = { .kind = ELECTION_EVENT_TICK };
    mono_ms_t now = { script->now_ms };
    election_step(&script->election, event, now, &script->orders);
    script_obey(script);
    for (unsigned i = 0; script->orders.wake_at.value <= script->now_ms; i++) {
        assert_true(i < 10);
        election_step(&script->election, &tick, now, &script->orders);
        script_obey(script);
    }
    if (script->call == ELECTION_CALL_READ && !script->reads_hang)
        script_answer_read(script);
}

static inline void script_tick(struct script *script)
{
    script_step(script, &(struct election_event){ .kind = ELECTION_EVENT_TICK });
}

static inline void script_look(struct script *script)
{
    struct election_event event = { .kind = ELECTION_EVENT_POLL };
    event.poll = script->poll;
    script_step(script, &event);
}

static inline void script_tell_worker(struct script *script)
{
    struct election_event event = { .kind = ELECTION_EVENT_WORKER };
    event.worker = script->worker;
    script_step(script, &event);
}

static inline void script_work(struct script *script, enum election_worker_phase phase)
{
    script->worker.phase = phase;
    script_tell_worker(script);
}

static inline void script_stop(struct script *script)
{
    script_step(script, &(struct election_event){ .kind = ELECTION_EVENT_STOP });
}

/* Looks at the slot as often as it should, for so long. */
static inline void script_pass(struct script *script, int64_t time_ms)
{
    for (int64_t i = 0; i < time_ms / POLL_MS; i++) {
        script->now_ms += POLL_MS;
        script_look(script);
    }
}

/* Nothing is told; it is woken when it asked for. */
static inline void script_doze(struct script *script, int64_t time_ms)
{
    int64_t end_ms = script->now_ms + time_ms;
    while (script->orders.wake_at.value <= end_ms) {
        script->now_ms = script->orders.wake_at.value;
        script_tick(script);
    }
    script->now_ms = end_ms;
}

/* Somebody wrote the lease. */
static inline void script_set_lease(struct script *script, const char *holder,
                                    enum election_phase phase)
{
    script->lease = (struct election_record){
        .exists = true,
        .phase = phase,
        .version = ++script->version,
        .duration_ms = holder[0] != '\0' ? LEASE_MS : 1000,
    };
    (void)snprintf(script->lease.holder, sizeof(script->lease.holder), "%s", holder);
}

/* The same, and the watch shows it. */
static inline void script_show_lease(struct script *script, const char *holder,
                                     enum election_phase phase)
{
    struct election_event event = { .kind = ELECTION_EVENT_HINT };
    script_set_lease(script, holder, phase);
    event.hint = script->lease;
    script_step(script, &event);
}

static inline void script_delete_lease(struct script *script)
{
    script->lease = (struct election_record){ .exists = false };
}

/* The call that is on its way is applied and answered. */
static inline void script_grant(struct script *script)
{
    if (script->call == ELECTION_CALL_RELEASE)
        script_set_lease(script, "", ELECTION_PHASE_NONE);
    else
        script_set_lease(script, ME, script->phase);
    script_answer(script, ELECTION_OK, &script->lease);
}

static inline void script_read_slot(struct script *script, const char *reader)
{
    script->poll.exists = true;
    script->poll.active = reader != NULL;
    (void)snprintf(script->poll.reader, sizeof(script->poll.reader), "%s",
                   reader != NULL ? reader : "");
}

static inline struct election_options script_options(void)
{
    struct election_options options = election_options_default();
    strcpy(options.identity, ME);
    return options;
}

static inline struct script script_new_with(const struct election_options *options)
{
    struct script script = { .now_ms = 1000000, .worker.brokers = true };
    election_init(&script.election, options, (mono_ms_t){ script.now_ms });
    script.poll = (struct election_poll){ .answered = true, .exists = true };
    return script;
}

static inline struct script script_new(void)
{
    struct election_options options = script_options();
    return script_new_with(&options);
}

/* A fit candidate, and somebody else's lease. */
static inline struct script script_candidate(enum election_phase phase, const char *reader)
{
    struct script script = script_new();
    script_set_lease(&script, OTHER, phase);
    script_read_slot(&script, reader);
    script_tell_worker(&script);
    script_pass(&script, 3 * POLL_MS);
    return script;
}

static inline void script_lead(struct script *script)
{
    script_tell_worker(script);
    script_pass(script, 3 * POLL_MS);
    assert_int_equal(script->call, ELECTION_CALL_CREATE);
    script_grant(script);
}

/* A leader whose worker streams, just renewed. */
static inline void script_stream(struct script *script)
{
    script_lead(script);
    script_read_slot(script, ME_READS);
    script_work(script, ELECTION_WORKER_STREAMING);
    assert_int_equal(script->call, ELECTION_CALL_RENEW);
    script_grant(script);
}

static inline struct script script_leader_with(const struct election_options *options)
{
    struct script script = script_new_with(options);
    script_stream(&script);
    return script;
}

static inline struct script script_leader(void)
{
    struct election_options options = script_options();
    return script_leader_with(&options);
}

/* The API server does not answer any more. */
static inline void script_pass_in_outage(struct script *script, int64_t time_ms)
{
    script->reads_hang = true;
    for (int64_t i = 0; i < time_ms / POLL_MS; i++) {
        script->now_ms += POLL_MS;
        script_look(script);
        if (script->call != ELECTION_CALL_NONE)
            script_answer(script, ELECTION_UNKNOWN, NULL);
    }
}

/* It is served at once, for so long. */
static inline void script_pass_served(struct script *script, int64_t time_ms)
{
    for (int64_t i = 0; i < time_ms / POLL_MS; i++) {
        script->now_ms += POLL_MS;
        script_look(script);
        if (script->call != ELECTION_CALL_NONE)
            script_grant(script);
    }
}

#define ASSERT_STATE(script, expected)                                                             \
    assert_string_equal(election_state_name((script)->election.state),                             \
                        election_state_name(ELECTION_##expected))
#define ASSERT_CALL(script, expected)                                                              \
    assert_string_equal(election_call_name((script)->call),                                        \
                        election_call_name(ELECTION_CALL_##expected))
#define ASSERT_ROW(script, expected) assert_string_equal((script)->row->condition, expected)
#define ASSERT_PHASE(script, expected)                                                             \
    assert_string_equal(election_phase_name((script)->phase),                                      \
                        election_phase_name(ELECTION_PHASE_##expected))

static inline bool script_may_start(const struct script *script)
{
    return script->now_ms < script->orders.may_start_until.value;
}

#endif
