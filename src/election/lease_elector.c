#include "election/lease_elector.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/memory.h"
#include "base/thread.h"
#include "kube/kube_lease.h"
#include "kube/kube_watch.h"

enum {
    POLLS_KEPT = 16, /* told and not yet read; of more the oldest are dropped */
    CALL_TIMEOUT_MIN_MS = 1000,
    PATH_SIZE = 512,
};

/* What other threads tell, and what they are told. */
struct mailbox {
    pthread_mutex_t lock;
    struct election_worker worker;
    bool worker_told, leave;
    struct election_poll polls[POLLS_KEPT];
    unsigned poll_count;
    struct lease_elector_view view;
};

struct lease_elector {
    struct lease_elector_options with;
    char namespace_name[LEASE_ELECTOR_NAME_SIZE], lease_name[LEASE_ELECTOR_NAME_SIZE];
    int64_t call_timeout_ms;

    struct loop *loop;
    struct kube_client *client;
    struct kube_watch *watch;
    struct kube_event_sender *events;
    struct loop_timer *timer;

    struct election election;
    struct election_orders orders;
    enum election_call call;            /* on its way */
    struct kube_lease answered, hinted; /* the last of each kind */
    struct error error;                 /* of the last call that was answered */
    int64_t failures, terms;
    bool led;

    struct mailbox mailbox;
    int told_fd; /* towards the thread */
    int news_fd; /* from it */
    int over_fd; /* readable for ever once the machine is over */
    pthread_t thread;

    _Atomic int64_t turned_ms;
    _Atomic bool leads;
    _Atomic int64_t may_start_until_ms; /* INT64_MIN = not at all */
    _Atomic int64_t proven_ms;
};

static void signal_fd(int fd)
{
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof(one));
    (void)written; /* a full eventfd is readable already */
}

static void drain_fd(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));
    (void)got;
}

static mono_ms_t now_of(const struct lease_elector *elector)
{
    return clock_now(&elector->with.clock);
}

/* Between a Lease and the machine's record. */

static struct election_record record_of(const struct kube_lease *lease)
{
    struct election_record record = { .exists = lease->object != NULL };
    if (!record.exists)
        return record;
    record.phase = election_phase_of(lease->phase);
    record.version = election_version(lease->uid, lease->resource_version);
    record.duration_ms = lease->duration_ms;
    (void)snprintf(record.holder, sizeof(record.holder), "%s", lease->holder);
    return record;
}

/* The machine builds on what it took for true: the answer to a call, or a hint. */
static const struct kube_lease *lease_of_version(const struct lease_elector *elector,
                                                 uint64_t version)
{
    const struct kube_lease *known[] = { &elector->answered, &elector->hinted };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i]->object != NULL &&
            election_version(known[i]->uid, known[i]->resource_version) == version)
            return known[i];
    return NULL;
}

static void keep(struct lease_elector *elector, struct kube_lease *slot,
                 const struct kube_lease *lease)
{
    struct kube_lease copy = kube_lease_copy(lease);
    kube_lease_done(slot);
    *slot = copy;
    elector->with.callbacks.on_source(elector->with.callbacks.self, slot->source);
}

/* What others read. */

static void publish(struct lease_elector *elector)
{
    const struct election *election = &elector->election;
    bool leads = election->state == ELECTION_LEADING;
    struct lease_elector_view view = {
        .state = election->state,
        .leads = leads,
        .transitions = elector->answered.transitions,
        .terms = elector->terms,
        .failures = elector->failures,
    };
    (void)snprintf(view.holder, sizeof(view.holder), "%s", election->record.holder);
    (void)snprintf(view.phase, sizeof(view.phase), "%s",
                   election_phase_name(election->record.phase));
    if (elector->error.class != ERROR_NONE)
        (void)snprintf(view.error, sizeof(view.error), "%.*s", (int)sizeof(view.error) - 1,
                       elector->error.text);
    pthread_mutex_lock(&elector->mailbox.lock);
    elector->mailbox.view = view;
    pthread_mutex_unlock(&elector->mailbox.lock);

    atomic_store(&elector->proven_ms, election->proven_at.value);
    atomic_store(&elector->may_start_until_ms, elector->orders.may_start_until.value);
    if (atomic_exchange(&elector->leads, leads) != leads)
        signal_fd(elector->news_fd);
}

static void tell_news(struct lease_elector *elector, const struct election_row *row,
                      const struct error *err)
{
    const struct lease_elector_news news = {
        .row = row,
        .leads = elector->election.state == ELECTION_LEADING,
        .holder = elector->election.record.holder,
        .err = err,
    };
    elector->with.callbacks.on_news(elector->with.callbacks.self, &news);
}

/* The machine. */

static void make_call(struct lease_elector *elector);

static void take_orders(struct lease_elector *elector)
{
    const struct election_orders *orders = &elector->orders;
    bool leads = elector->election.state == ELECTION_LEADING;
    if (leads && !elector->led)
        elector->terms++;
    elector->led = leads;
    publish(elector);
    if (orders->row != NULL)
        tell_news(elector, orders->row, NULL);
    if (orders->die)
        elector->with.callbacks.on_die(elector->with.callbacks.self);
    if (elector->election.state == ELECTION_OVER)
        signal_fd(elector->over_fd);
    loop_timer_set(elector->timer, orders->wake_at);
    if (orders->call != ELECTION_CALL_NONE)
        make_call(elector);
}

static void step(struct lease_elector *elector, const struct election_event *event)
{
    election_step(&elector->election, event, now_of(elector), &elector->orders);
    take_orders(elector);
}

static void on_timer(void *self)
{
    step(self, &(struct election_event){ .kind = ELECTION_EVENT_TICK });
}

/* Calls to the API server. */

static enum election_outcome outcome_of(const struct kube_answer *answer)
{
    switch (answer->outcome) {
    case KUBE_OK:
        return ELECTION_OK;
    case KUBE_NOT_FOUND:
        return ELECTION_NOT_FOUND;
    case KUBE_CONFLICT:
        return ELECTION_CONFLICT;
    case KUBE_DENIED:
    case KUBE_INVALID:
        return ELECTION_DENIED;
    case KUBE_BUSY:
    case KUBE_GONE:
        return ELECTION_BUSY;
    case KUBE_UNREACHABLE:
        break;
    }
    return ELECTION_UNKNOWN;
}

/* A refusal that the machine expects is no failure: somebody was faster, or there is no Lease. */
static bool is_failure(enum election_outcome outcome)
{
    return outcome == ELECTION_DENIED || outcome == ELECTION_BUSY || outcome == ELECTION_UNKNOWN;
}

/* Said when it is another one than before, and once when calls work again. */
static void note_failure(struct lease_elector *elector, const struct error *err)
{
    struct error before = elector->error;
    elector->error = *err;
    if (err->class != ERROR_NONE)
        elector->failures++;
    if (strcmp(before.code, err->code) != 0)
        tell_news(elector, NULL, &elector->error);
}

static void answer_machine(struct lease_elector *elector, enum election_outcome outcome,
                           struct election_record record)
{
    struct election_event event = { .kind = ELECTION_EVENT_ANSWER };
    event.answer.call = elector->call;
    event.answer.outcome = outcome;
    event.answer.record = record;
    elector->call = ELECTION_CALL_NONE;
    step(elector, &event);
}

/* A Lease that cannot be read is no answer. */
static enum election_outcome take_lease(struct lease_elector *elector,
                                        const struct kube_answer *answer, struct error *err)
{
    struct kube_lease lease = KUBE_LEASE_INIT;
    if (!kube_lease_parse(answer->object, &lease, err))
        return ELECTION_UNKNOWN;
    keep(elector, &elector->answered, &lease);
    kube_lease_done(&lease);
    return ELECTION_OK;
}

static void on_answer(void *self, const struct kube_answer *answer)
{
    struct lease_elector *elector = self;
    struct error err = ERROR_INIT;
    enum election_outcome outcome = outcome_of(answer);
    struct election_record record = { .exists = false };
    if (outcome == ELECTION_OK)
        outcome = take_lease(elector, answer, &err);
    else if (is_failure(outcome))
        err = answer->err;
    if (outcome == ELECTION_OK)
        record = record_of(&elector->answered);
    else if (outcome == ELECTION_NOT_FOUND)
        kube_lease_done(&elector->answered);
    note_failure(elector, &err);
    answer_machine(elector, outcome, record);
}

static void on_refused_here(void *self)
{
    struct lease_elector *elector = self;
    answer_machine(elector, ELECTION_CONFLICT, (struct election_record){ .exists = false });
}

/* The body of a write; NULL = there is no Lease of that version any more. */
static json_t *make_body(struct lease_elector *elector, enum election_call call)
{
    char source[LEASE_ELECTOR_SOURCE_SIZE];
    bool sourced = elector->with.callbacks.source(elector->with.callbacks.self, source);
    const struct kube_lease_claim claim = {
        .holder = elector->with.election.identity,
        .duration_s = elector->with.election.lease_duration_ms / 1000,
        .now_us = clock_wall_us(&elector->with.clock),
        .phase = election_phase_name(elector->orders.phase),
        .source = sourced ? source : NULL,
    };
    if (call == ELECTION_CALL_CREATE)
        return kube_lease_make_new(elector->namespace_name, elector->lease_name, &claim);
    const struct kube_lease *lease = lease_of_version(elector, elector->orders.version);
    if (lease == NULL)
        return NULL;
    return call == ELECTION_CALL_RELEASE ? kube_lease_make_released(lease, claim.source)
                                         : kube_lease_make_claimed(lease, &claim);
}

static void write_lease(struct lease_elector *elector, enum election_call call)
{
    json_t *body = make_body(elector, call);
    if (body == NULL)
        on_refused_here(elector);
    else if (call == ELECTION_CALL_CREATE)
        (void)kube_lease_create(elector->client, elector->namespace_name, body,
                                elector->call_timeout_ms, on_answer, elector);
    else
        (void)kube_lease_put(elector->client, elector->namespace_name, elector->lease_name, body,
                             elector->call_timeout_ms, on_answer, elector);
    json_decref(body);
}

static void make_call(struct lease_elector *elector)
{
    CHECK(elector->call == ELECTION_CALL_NONE);
    elector->call = elector->orders.call;
    if (elector->call == ELECTION_CALL_READ)
        (void)kube_lease_get(elector->client, elector->namespace_name, elector->lease_name,
                             elector->call_timeout_ms, on_answer, elector);
    else
        write_lease(elector, elector->call);
}

/* The watch. */

static void hint(struct lease_elector *elector, struct election_record record)
{
    struct election_event event = { .kind = ELECTION_EVENT_HINT };
    event.hint = record;
    step(elector, &event);
}

static void on_lease_seen(struct lease_elector *elector, json_t *object)
{
    struct kube_lease lease = KUBE_LEASE_INIT;
    struct error ignored = ERROR_INIT; /* the next read meets it */
    if (!kube_lease_parse(object, &lease, &ignored))
        return;
    keep(elector, &elector->hinted, &lease);
    kube_lease_done(&lease);
    hint(elector, record_of(&elector->hinted));
}

static void on_watch(void *self, const struct kube_watch_event *event)
{
    struct lease_elector *elector = self;
    switch (event->kind) {
    case KUBE_WATCH_ADDED:
    case KUBE_WATCH_MODIFIED:
        on_lease_seen(elector, event->object);
        return;
    case KUBE_WATCH_DELETED:
        hint(elector, (struct election_record){ .exists = false });
        return;
    case KUBE_WATCH_SYNCED: /* reads tell whether there is a Lease at all */
    case KUBE_WATCH_FAILED: /* and go on without a watch */
        return;
    }
}

static void start_watch(struct lease_elector *elector)
{
    char path[PATH_SIZE], selector[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "/apis/coordination.k8s.io/v1/namespaces/%s/leases",
                   elector->namespace_name);
    (void)snprintf(selector, sizeof(selector), "metadata.name=%s", elector->lease_name);
    const struct kube_watch_options options = { .path = path, .field_selector = selector };
    elector->watch = kube_watch_start(elector->client, &options, on_watch, elector);
}

/* The mailbox. */

static void read_mailbox(struct lease_elector *elector)
{
    struct mailbox *mailbox = &elector->mailbox;
    struct election_event event = { .kind = ELECTION_EVENT_WORKER };
    struct election_poll polls[POLLS_KEPT];
    pthread_mutex_lock(&mailbox->lock);
    unsigned count = mailbox->poll_count;
    bool worker_told = mailbox->worker_told, leave = mailbox->leave;
    event.worker = mailbox->worker;
    memcpy(polls, mailbox->polls, count * sizeof(*polls));
    mailbox->poll_count = 0;
    mailbox->worker_told = mailbox->leave = false;
    pthread_mutex_unlock(&mailbox->lock);

    if (worker_told)
        step(elector, &event);
    for (unsigned i = 0; i < count; i++) {
        event.kind = ELECTION_EVENT_POLL;
        event.poll = polls[i];
        step(elector, &event);
    }
    if (leave)
        step(elector, &(struct election_event){ .kind = ELECTION_EVENT_STOP });
}

static void on_told(void *self, short revents UNUSED)
{
    struct lease_elector *elector = self;
    drain_fd(elector->told_fd);
    read_mailbox(elector);
}

void lease_elector_tell_worker(struct lease_elector *elector, const struct election_worker *worker)
{
    pthread_mutex_lock(&elector->mailbox.lock);
    elector->mailbox.worker = *worker;
    elector->mailbox.worker_told = true;
    pthread_mutex_unlock(&elector->mailbox.lock);
    signal_fd(elector->told_fd);
}

void lease_elector_tell_poll(struct lease_elector *elector, const struct election_poll *poll)
{
    struct mailbox *mailbox = &elector->mailbox;
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->poll_count == POLLS_KEPT)
        memmove(mailbox->polls, mailbox->polls + 1,
                --mailbox->poll_count * sizeof(*mailbox->polls));
    mailbox->polls[mailbox->poll_count++] = *poll;
    pthread_mutex_unlock(&mailbox->lock);
    signal_fd(elector->told_fd);
}

void lease_elector_leave(struct lease_elector *elector, int64_t wait_ms)
{
    pthread_mutex_lock(&elector->mailbox.lock);
    elector->mailbox.leave = true;
    pthread_mutex_unlock(&elector->mailbox.lock);
    signal_fd(elector->told_fd);
    struct pollfd over = { .fd = elector->over_fd, .events = POLLIN };
    const mono_ms_t until = mono_ms_add(now_of(elector), wait_ms);
    while (poll(&over, 1, wait_ms > 0 ? (int)wait_ms : 0) < 0 && wait_ms > 0)
        wait_ms = mono_ms_since(until, now_of(elector)); /* a signal, such as a profiler's */
}

/* Answers. */

bool lease_elector_may_start(const struct lease_elector *elector)
{
    return atomic_load(&elector->leads) &&
           now_of(elector).value < atomic_load(&elector->may_start_until_ms);
}

/* Also while the elector's thread stands still. */
bool lease_elector_must_stop(const struct lease_elector *elector)
{
    return !atomic_load(&elector->leads) ||
           (elector->with.election.step_down_on_outage && !lease_elector_may_start(elector));
}

int64_t lease_elector_alive_age_ms(const struct lease_elector *elector)
{
    return now_of(elector).value - atomic_load(&elector->turned_ms);
}

int lease_elector_fd(const struct lease_elector *elector)
{
    return elector->news_fd;
}

void lease_elector_acknowledge(struct lease_elector *elector)
{
    drain_fd(elector->news_fd);
}

void lease_elector_look(struct lease_elector *elector, struct lease_elector_view *out_view)
{
    pthread_mutex_lock(&elector->mailbox.lock);
    *out_view = elector->mailbox.view;
    pthread_mutex_unlock(&elector->mailbox.lock);
    out_view->renewed_age_ms =
        out_view->leads ? now_of(elector).value - atomic_load(&elector->proven_ms) : -1;
}

void lease_elector_post(struct lease_elector *elector, const char *reason, const char *action,
                        bool warning, const char *note)
{
    const struct kube_event event = {
        .regarding = {
            .api_version = "coordination.k8s.io/v1",
            .kind = "Lease",
            .namespace_name = elector->namespace_name,
            .name = elector->lease_name,
            .uid = elector->answered.uid,
        },
        .reason = reason,
        .action = action,
        .warning = warning,
        .note = note,
    };
    kube_event_post(elector->events, &event);
}

/* Life. */

static void *run(void *self)
{
    struct lease_elector *elector = self;
    bool going_on = true;
    start_watch(elector);
    on_timer(elector);
    while (going_on) {
        atomic_store(&elector->turned_ms, now_of(elector).value);
        going_on = loop_turn(elector->loop, 1000); /* shows that it lives */
    }
    return NULL;
}

static int new_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(fd >= 0);
    return fd;
}

static void elector_free(struct lease_elector *elector)
{
    kube_watch_stop(elector->watch);
    kube_event_sender_free(elector->events);
    kube_client_free(elector->client);
    kube_lease_done(&elector->answered);
    kube_lease_done(&elector->hinted);
    loop_free(elector->loop);
    (void)close(elector->told_fd);
    (void)close(elector->news_fd);
    (void)close(elector->over_fd);
    pthread_mutex_destroy(&elector->mailbox.lock);
    memory_free(elector);
}

static struct lease_elector *elector_new(const struct lease_elector_options *options)
{
    struct lease_elector *elector = memory_alloc(sizeof(*elector));
    elector->with = *options;
    (void)snprintf(elector->namespace_name, sizeof(elector->namespace_name), "%s",
                   options->namespace_name);
    (void)snprintf(elector->lease_name, sizeof(elector->lease_name), "%s", options->lease_name);
    int64_t timeout_ms = options->election.renew_deadline_ms * 2 / 3;
    elector->call_timeout_ms = timeout_ms > CALL_TIMEOUT_MIN_MS ? timeout_ms : CALL_TIMEOUT_MIN_MS;
    elector->answered = elector->hinted = KUBE_LEASE_INIT;
    elector->error = ERROR_INIT;
    elector->loop = loop_new(&elector->with.clock);
    elector->timer = loop_timer_add(elector->loop, on_timer, elector);
    elector->told_fd = new_eventfd();
    elector->news_fd = new_eventfd();
    elector->over_fd = new_eventfd();
    CHECK(pthread_mutex_init(&elector->mailbox.lock, NULL) == 0);
    atomic_init(&elector->may_start_until_ms, INT64_MIN);
    atomic_init(&elector->turned_ms, now_of(elector).value);
    return elector;
}

bool lease_elector_start(const struct lease_elector_options *options,
                         struct lease_elector **out_elector, struct error *err)
{
    struct lease_elector *elector = elector_new(options);
    const struct kube_client_options client = {
        .config = options->config,
        .loop = elector->loop,
        .clock = options->clock,
        .seed = options->seed,
    };
    if (!kube_client_new(&client, &elector->client, err)) {
        elector_free(elector);
        return false;
    }
    elector->events = kube_event_sender_new(&(struct kube_event_options){
        .client = elector->client, .controller = "pqcdc.io/worker", .instance = options->pod });
    (void)loop_watch_add(elector->loop, elector->told_fd, POLLIN, on_told, elector);
    election_init(&elector->election, &elector->with.election, now_of(elector));
    *out_elector = elector; /* its callbacks may want it */
    CHECK(thread_start("elector", run, elector, &elector->thread));
    return true;
}

void lease_elector_stop(struct lease_elector *elector)
{
    if (elector == NULL)
        return;
    loop_stop(elector->loop);
    CHECK(pthread_join(elector->thread, NULL) == 0);
    elector_free(elector);
}
