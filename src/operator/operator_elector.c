#include "operator/operator_elector.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/uuid.h"

enum { LOOK_EVERY_MS = 500, LEAVE_LIMIT_MS = 2000 };

struct operator_elector {
    struct operator_elector_options with;
    struct lease_elector *lease;
    struct loop_watch *watch;
    struct loop_timer *timer;
    bool leads;
};

/* An operator reads no slot and has no worker: where a rule speaks of those, what it means here. */
static const struct meaning {
    const char *condition, *text;
} meanings[] = {
    { "lease_absent", "there is no lease" },
    { "holder_expired", "the lease was not renewed for its duration" },
    { "worker_streams", "this operator wrote as the lease was lost: it must stop" },
    { "leaves", "asked to leave" },
    { "outage_ends_it", "not renewed for renewDeadline: nothing is written without the lease" },
    { "stop_limit_over", "writing has not stopped in time: the process must end" },
};

const char *operator_elector_meaning(const struct election_row *row)
{
    for (size_t i = 0; i < COUNT_OF(meanings); i++) {
        if (strcmp(row->condition, meanings[i].condition) == 0)
            return meanings[i].text;
    }
    return row->meaning;
}

/* Callbacks of its thread. */

static void on_news(void *self, const struct lease_elector_news *news)
{
    const struct operator_elector *elector = self;
    struct log *log = elector->with.log;
    if (news->row != NULL)
        log_event(log, news->row->next != news->row->state ? LOG_INFO : LOG_DEBUG,
                  operator_elector_meaning(news->row), LOG_STR("lease", OPERATOR_ELECTOR_LEASE),
                  LOG_STR("election", election_state_name(news->row->next)),
                  LOG_STR("holder", news->holder));
    else if (news->err->class == ERROR_NONE)
        log_info(log, "the Lease can be read and written again");
    else
        log_failure(log, LOG_WARN, "a call for the Lease failed", news->err);
}

static void on_source(void *self UNUSED, const char *source UNUSED)
{
}

static bool write_source(void *self UNUSED, char out[LEASE_ELECTOR_SOURCE_SIZE] UNUSED)
{
    return false;
}

/* Another may write, and our loop did not hear of it: to be gone is the only way not to. */
static void on_die(void *self)
{
    const struct operator_elector *elector = self;
    log_error(elector->with.log, "the lead was lost and the loop stands still: leaving at once");
    _exit(EX_TEMPFAIL);
}

/* On the loop. */

static void tell_worker(struct operator_elector *elector)
{
    const struct election_worker worker = {
        .phase = elector->leads ? ELECTION_WORKER_STREAMING : ELECTION_WORKER_IDLE,
        .brokers = true,
    };
    lease_elector_tell_worker(elector->lease, &worker);
}

static void lead(struct operator_elector *elector, bool leads)
{
    if (leads == elector->leads)
        return;
    elector->leads = leads;
    log_info(elector->with.log,
             leads ? "this operator leads: it writes" : "this operator stands by");
    elector->with.on_lead(elector->with.self, leads);
    tell_worker(elector);
}

static void look(struct operator_elector *elector)
{
    lead(elector, !lease_elector_must_stop(elector->lease));
}

static void on_ready(void *self, short revents UNUSED)
{
    struct operator_elector *elector = self;
    lease_elector_acknowledge(elector->lease);
    look(elector);
}

static void on_due(void *self)
{
    struct operator_elector *elector = self;
    lease_elector_tell_poll(elector->lease, &(struct election_poll){ .answered = true });
    look(elector);
    loop_timer_set(elector->timer, mono_ms_add(clock_now(&elector->with.clock), LOOK_EVERY_MS));
}

/* Life. */

static struct election_options election_options_of(const struct operator_elector *elector)
{
    struct election_options options = election_options_default();
    char uuid[UUID_TEXT_SIZE];
    uuid_random(uuid);
    (void)snprintf(options.identity, sizeof(options.identity), "%.253s_%s", elector->with.identity,
                   uuid);
    options.poll_interval_ms = LOOK_EVERY_MS;
    options.step_down_on_outage = true; /* who cannot reach the server writes nothing anyway */
    return options;
}

bool operator_elector_start(const struct operator_elector_options *options,
                            struct operator_elector **out_elector, struct error *err)
{
    struct operator_elector *elector = memory_alloc(sizeof(*elector));
    elector->with = *options;
    const struct lease_elector_options lease = {
        .config = options->kube,
        .namespace_name = options->namespace_name,
        .lease_name = OPERATOR_ELECTOR_LEASE,
        .pod = options->identity,
        .election = election_options_of(elector),
        .clock = options->clock,
        .seed = (uint64_t)clock_wall_us(&options->clock) ^ (uint64_t)getpid(),
        .callbacks = { elector, on_news, on_source, write_source, on_die },
    };
    if (!lease_elector_start(&lease, &elector->lease, err)) {
        memory_free(elector);
        return false;
    }
    elector->timer = loop_timer_add(options->loop, on_due, elector);
    elector->watch =
        loop_watch_add(options->loop, lease_elector_fd(elector->lease), POLLIN, on_ready, elector);
    tell_worker(elector);
    on_due(elector);
    *out_elector = elector;
    return true;
}

void operator_elector_leave(struct operator_elector *elector)
{
    loop_timer_clear(elector->timer);
    lead(elector, false);
    lease_elector_leave(elector->lease, LEAVE_LIMIT_MS);
}

void operator_elector_stop(struct operator_elector *elector)
{
    if (elector == NULL)
        return;
    loop_timer_remove(elector->timer);
    loop_watch_remove(elector->watch);
    lease_elector_stop(elector->lease);
    memory_free(elector);
}

bool operator_elector_may_write(const struct operator_elector *elector)
{
    return !lease_elector_must_stop(elector->lease);
}

int64_t operator_elector_alive_age_ms(const struct operator_elector *elector)
{
    return lease_elector_alive_age_ms(elector->lease);
}

void operator_elector_look(struct operator_elector *elector, struct lease_elector_view *out_view)
{
    lease_elector_look(elector->lease, out_view);
}
