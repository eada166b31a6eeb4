#include "worker/leadership.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/map.h"
#include "base/memory.h"
#include "connector/connector.h"
#include "election/lease_elector.h"
#include "kube/kube_lease.h"
#include "worker/exit_codes.h"
#include "worker/slot_note.h"

enum {
    LEAVE_LIMIT_MS = 2000,
    NOTE_SIZE = 1024,
    ADVICE_SIZE = 700,
};

/* What is known of the slot: as the Lease says it, or, once we have led a stream in this term, as
 * we do. */
struct slot_memory {
    pthread_mutex_t lock;
    struct gate_memory memory;
    bool known, ours;
};

struct leadership {
    const struct config *config;
    struct log *log;
    struct clock clock;
    struct kube_config *kube;
    char instance[UUID_TEXT_SIZE];
    char pod[256];
    char identity[ELECTION_IDENTITY_SIZE];
    char namespace_name[64];
    char lease_name[256];
    char how_to_forget[ADVICE_SIZE];
    struct lease_elector *elector;
    struct gate gate;
    struct slot_memory slot;
    mono_ms_t sight_at;  /* the pipeline's thread */
    bool led;            /* the elector's thread */
    uint64_t odd_source; /* the elector's thread: hash of what was warned of */
};

bool leadership_is_leased(const struct config *config)
{
    switch (config->election_mode) {
    case CONFIG_ELECTION_MODE_SLOT:
        return false;
    case CONFIG_ELECTION_MODE_LEASE:
        return true;
    case CONFIG_ELECTION_MODE_UNSET:
        break;
    }
    return kube_config_is_in_cluster(NULL);
}

/* The gate, on the pipeline's thread. */

static bool may_start(void *self)
{
    return lease_elector_may_start(((struct leadership *)self)->elector);
}

static bool must_stop(void *self)
{
    return lease_elector_must_stop(((struct leadership *)self)->elector);
}

static void acknowledge(void *self)
{
    lease_elector_acknowledge(((struct leadership *)self)->elector);
}

static enum election_worker_phase worker_phase(enum gate_phase phase)
{
    switch (phase) {
    case GATE_IDLE:
        return ELECTION_WORKER_IDLE;
    case GATE_STARTING:
        return ELECTION_WORKER_STARTING;
    case GATE_STREAMING:
        return ELECTION_WORKER_STREAMING;
    case GATE_HALTED:
        break;
    }
    return ELECTION_WORKER_HALTED;
}

/* A look that failed is known by what did not come: the connector tells at least once a second, and
 * looks at least twice. */
static void tell_poll(struct leadership *leadership, const struct slot_sight *sight)
{
    struct election_poll poll = { .answered = sight != NULL };
    if (sight != NULL) {
        poll.exists = sight->exists;
        poll.active = sight->active || sight->creating;
        (void)snprintf(poll.reader, sizeof(poll.reader), "%s", sight->holder);
        leadership->sight_at = clock_now(&leadership->clock);
    } else if (mono_ms_since(clock_now(&leadership->clock), leadership->sight_at) < 1000) {
        return;
    }
    lease_elector_tell_poll(leadership->elector, &poll);
}

static void report(void *self, const struct gate_news *news)
{
    struct leadership *leadership = self;
    struct slot_memory *slot = &leadership->slot;
    const struct election_worker worker = {
        .phase = worker_phase(news->phase),
        .brokers = news->brokers_up,
        .records_waiting = news->records_waiting,
    };
    lease_elector_tell_worker(leadership->elector, &worker);
    tell_poll(leadership, news->sight);
    pthread_mutex_lock(&slot->lock);
    if (slot->ours)
        slot->memory.delivered = lsn_max(slot->memory.delivered, news->confirmed);
    pthread_mutex_unlock(&slot->lock);
}

static bool recall(void *self, struct gate_memory *out_memory)
{
    struct slot_memory *slot = &((struct leadership *)self)->slot;
    pthread_mutex_lock(&slot->lock);
    bool known = slot->known;
    if (known)
        *out_memory = slot->memory;
    pthread_mutex_unlock(&slot->lock);
    return known;
}

static void remember(void *self, const struct gate_memory *memory)
{
    struct leadership *leadership = self;
    struct slot_memory *slot = &leadership->slot;
    if (!lease_elector_may_start(leadership->elector))
        return; /* who leads by now knows better */
    pthread_mutex_lock(&slot->lock);
    slot->memory = *memory;
    slot->known = slot->ours = true;
    pthread_mutex_unlock(&slot->lock);
}

static void describe(void *self, struct gate_status *out_status)
{
    const struct leadership *leadership = self;
    struct lease_elector_view view;
    lease_elector_look(leadership->elector, &view);
    *out_status = (struct gate_status){
        .leased = true,
        .leads = view.leads,
        .transitions = view.transitions,
        .terms = view.terms,
        .renewed_age_ms = view.renewed_age_ms,
        .failures = view.failures,
    };
    (void)snprintf(out_status->lease, sizeof(out_status->lease), "%s/%s",
                   leadership->namespace_name, leadership->lease_name);
    (void)snprintf(out_status->identity, sizeof(out_status->identity), "%s", leadership->identity);
    (void)snprintf(out_status->holder, sizeof(out_status->holder), "%s", view.holder);
    (void)snprintf(out_status->state, sizeof(out_status->state), "%s",
                   election_state_name(view.state));
    (void)snprintf(out_status->phase, sizeof(out_status->phase), "%s", view.phase);
    (void)snprintf(out_status->error, sizeof(out_status->error), "%s", view.error);
}

/* The elector's callbacks, on its thread. */

static void end_term(struct leadership *leadership)
{
    pthread_mutex_lock(&leadership->slot.lock);
    leadership->slot.ours = false;
    pthread_mutex_unlock(&leadership->slot.lock);
}

static void log_step(struct leadership *leadership, const struct lease_elector_news *news)
{
    const struct election_row *row = news->row;
    enum log_level level = row->state == row->next        ? LOG_DEBUG
                           : row->next == ELECTION_LOSING ? LOG_WARN
                                                          : LOG_INFO;
    log_event(leadership->log, level, row->meaning, LOG_STR("lease", leadership->lease_name),
              LOG_STR("election", election_state_name(row->next)),
              LOG_STR("before", election_state_name(row->state)), LOG_STR("holder", news->holder),
              LOG_STR("identity", leadership->identity));
}

static void post_step(struct leadership *leadership, const struct lease_elector_news *news)
{
    char note[NOTE_SIZE];
    (void)snprintf(note, sizeof(note), "%s %s: %s", leadership->pod,
                   news->leads ? "leads" : "leads no more", news->row->meaning);
    lease_elector_post(leadership->elector, news->leads ? "Leading" : "StoppedLeading",
                       news->leads ? "TakeLease" : "LeaveLease", news->row->next == ELECTION_LOSING,
                       note);
}

static void on_news(void *self, const struct lease_elector_news *news)
{
    struct leadership *leadership = self;
    if (news->row == NULL) {
        if (news->err->class == ERROR_NONE)
            log_info(leadership->log, "the API server answers again");
        else
            log_failure(leadership->log, LOG_WARN, "a call to the API server failed", news->err);
        return;
    }
    log_step(leadership, news);
    if (news->leads != leadership->led)
        post_step(leadership, news);
    if (news->row->next == ELECTION_FOLLOWING)
        end_term(leadership);
    leadership->led = news->leads;
}

static void warn_of_odd_source(struct leadership *leadership, const char *source)
{
    uint64_t hash = map_hash(slice_of(source));
    if (hash != leadership->odd_source)
        log_warn(leadership->log,
                 "what the Lease says of the slot cannot be read, or is of another slot: a slot "
                 "that is missing may be taken for one that never was",
                 LOG_STR("lease", leadership->lease_name), LOG_STR("annotation", KUBE_LEASE_SOURCE),
                 LOG_STR("text", source));
    leadership->odd_source = hash;
}

/* Taken away on purpose means forgotten; what cannot be read tells nothing. */
static void on_source(void *self, const char *source)
{
    struct leadership *leadership = self;
    struct gate_memory memory;
    bool read = slot_note_read(source, leadership->config->cdc_slot_name, &memory);
    bool forgotten = source[0] == '\0';
    if (!read && !forgotten)
        warn_of_odd_source(leadership, source);
    pthread_mutex_lock(&leadership->slot.lock);
    if (!leadership->slot.ours && (read || forgotten)) {
        leadership->slot.known = read;
        if (read)
            leadership->slot.memory = memory;
    }
    pthread_mutex_unlock(&leadership->slot.lock);
}

static bool write_source(void *self, char out[LEASE_ELECTOR_SOURCE_SIZE])
{
    struct leadership *leadership = self;
    pthread_mutex_lock(&leadership->slot.lock);
    bool ours = leadership->slot.ours;
    if (ours)
        slot_note_write(&leadership->slot.memory, leadership->config->cdc_slot_name, out,
                        LEASE_ELECTOR_SOURCE_SIZE);
    pthread_mutex_unlock(&leadership->slot.lock);
    return ours;
}

/* Its producer may still write, and another replica leads: nothing is worth more than to be gone.
 */
static void on_die(void *self)
{
    struct leadership *leadership = self;
    log_error(leadership->log,
              "the lead was lost and the stream did not end in time: leaving at once; what is "
              "unconfirmed comes again");
    _exit(EXIT_CODE_AT_ONCE);
}

/* Who and where. */

static bool load_kube(const struct config *config, struct kube_config **out_kube, struct error *err)
{
    const char *paths = config->election_kubeconfig;
    if (paths == NULL)
        paths = getenv("KUBECONFIG");
    return paths != NULL && *paths != '\0' ? kube_config_load(paths, NULL, out_kube, err)
                                           : kube_config_in_cluster(NULL, out_kube, err);
}

static bool name_lease(const struct config *config, char *out, size_t size, struct error *err)
{
    if (config->election_lease_name != NULL) {
        (void)snprintf(out, size, "%s", config->election_lease_name);
        return true;
    }
    (void)snprintf(out, size, "pqcdc-%s", config->cdc_slot_name);
    for (char *at = out; *at != '\0'; at++)
        *at = *at == '_' ? '-' : *at;
    if (out[strlen(out) - 1] != '-')
        return true;
    error_set(err, ERROR_CONFIG, "lease_name",
              "no name of a Lease can be made of slot name \"%s\": it must end with a letter or a "
              "digit",
              config->cdc_slot_name);
    return error_advise(err, "set election.leaseName");
}

static void name_replica(struct leadership *leadership)
{
    const char *pod = getenv("POD_NAME");
    uuid_random(leadership->instance);
    if (pod != NULL && *pod != '\0')
        (void)snprintf(leadership->pod, sizeof(leadership->pod), "%s", pod);
    else if (gethostname(leadership->pod, sizeof(leadership->pod) - 1) != 0)
        (void)snprintf(leadership->pod, sizeof(leadership->pod), "pqcdc");
    (void)snprintf(leadership->identity, sizeof(leadership->identity), "%s_%s", leadership->pod,
                   leadership->instance);
    (void)snprintf(leadership->how_to_forget, sizeof(leadership->how_to_forget),
                   "kubectl annotate lease -n %s %s " KUBE_LEASE_SOURCE "-",
                   leadership->namespace_name, leadership->lease_name);
}

static struct election_options election_options_of(const struct leadership *leadership)
{
    const struct config *config = leadership->config;
    struct election_options options = election_options_default();
    memcpy(options.identity, leadership->identity, sizeof(options.identity));
    options.lease_duration_ms = config->election_lease_duration_ms;
    options.renew_deadline_ms = config->election_renew_deadline_ms;
    options.retry_period_ms = config->election_retry_period_ms;
    options.takeover_grace_ms = config->election_takeover_grace_ms;
    options.poll_interval_ms = connector_look_interval_ms(config, true);
    options.step_down_on_outage = config->election_on_api_outage == CONFIG_ON_API_OUTAGE_STEP_DOWN;
    return options;
}

/* Life. */

static bool start_elector(struct leadership *leadership, struct error *err)
{
    const struct lease_elector_options options = {
        .config = leadership->kube,
        .namespace_name = leadership->namespace_name,
        .lease_name = leadership->lease_name,
        .pod = leadership->pod,
        .election = election_options_of(leadership),
        .clock = leadership->clock,
        .seed = (uint64_t)clock_wall_us(&leadership->clock) ^ (uint64_t)getpid(),
        .callbacks = { leadership, on_news, on_source, write_source, on_die },
    };
    return lease_elector_start(&options, &leadership->elector, err);
}

bool leadership_start(const struct config *config, struct log *log,
                      struct leadership **out_leadership, struct error *err)
{
    AUTO(struct leadership *, leadership_stop_p) leadership = memory_alloc(sizeof(*leadership));
    leadership->config = config;
    leadership->log = log;
    leadership->clock = clock_system();
    CHECK(pthread_mutex_init(&leadership->slot.lock, NULL) == 0);
    if (!load_kube(config, &leadership->kube, err) ||
        !name_lease(config, leadership->lease_name, sizeof(leadership->lease_name), err))
        return false;
    const char *space = config->election_namespace;
    (void)snprintf(leadership->namespace_name, sizeof(leadership->namespace_name), "%s",
                   space != NULL ? space : leadership->kube->namespace_name);
    name_replica(leadership);
    leadership->sight_at = clock_now(&leadership->clock);
    if (!start_elector(leadership, err))
        return false;
    leadership->gate = (struct gate){
        .self = leadership,
        .fd = lease_elector_fd(leadership->elector),
        .may_start = may_start,
        .must_stop = must_stop,
        .acknowledge = acknowledge,
        .report = report,
        .recall = recall,
        .remember = remember,
        .how_to_forget = leadership->how_to_forget,
        .describe = describe,
    };
    *out_leadership = TAKE(leadership);
    return true;
}

void leadership_leave(struct leadership *leadership)
{
    lease_elector_leave(leadership->elector, LEAVE_LIMIT_MS);
}

void leadership_stop(struct leadership *leadership)
{
    if (leadership == NULL)
        return;
    lease_elector_stop(leadership->elector);
    kube_config_free(leadership->kube);
    pthread_mutex_destroy(&leadership->slot.lock);
    memory_free(leadership);
}

/* For commands. */

enum { FORGET_TRIES = 10, PATH_SIZE = 640 };

struct lease_access {
    struct kube_config *kube;
    struct loop *loop;
    struct kube_client *client;
    char path[PATH_SIZE]; /* of the Lease */
    char name[320];       /* namespace/name */
};

static void lease_access_close(struct lease_access *lease)
{
    kube_client_free(lease->client);
    loop_free(lease->loop);
    kube_config_free(lease->kube);
}

static bool lease_access_open(const struct config *config, struct lease_access *out_lease,
                              struct error *err)
{
    char name[256];
    struct clock clock = clock_system();
    *out_lease = (struct lease_access){ .loop = loop_new(&clock) };
    if (!load_kube(config, &out_lease->kube, err) || !name_lease(config, name, sizeof(name), err))
        return false;
    const struct kube_client_options options = { .config = out_lease->kube,
                                                 .loop = out_lease->loop,
                                                 .clock = clock };
    const char *space = config->election_namespace != NULL ? config->election_namespace
                                                           : out_lease->kube->namespace_name;
    (void)snprintf(out_lease->path, sizeof(out_lease->path),
                   "/apis/coordination.k8s.io/v1/namespaces/%s/leases/%s", space, name);
    (void)snprintf(out_lease->name, sizeof(out_lease->name), "%s/%s", space, name);
    return kube_client_new(&options, &out_lease->client, err);
}

static void read_lease(const struct lease_access *lease, struct kube_answer *answer)
{
    const struct kube_request request = { .verb = KUBE_GET,
                                          .path = lease->path,
                                          .retry_for_ms = 5000 };
    kube_client_call_wait(lease->client, &request, answer);
}

static json_t *annotations_of(const struct kube_answer *answer)
{
    return json_object_get(json_object_get(answer->object, "metadata"), "annotations");
}

/* One try; *out_again: somebody wrote the Lease meanwhile. */
static bool forget_once(const struct lease_access *lease, bool *out_again, struct error *err)
{
    struct kube_answer answer = KUBE_ANSWER_INIT;
    *out_again = false;
    read_lease(lease, &answer);
    bool nothing = answer.outcome == KUBE_NOT_FOUND ||
                   (answer.outcome == KUBE_OK &&
                    json_object_del(annotations_of(&answer), KUBE_LEASE_SOURCE) != 0);
    if (!nothing && answer.outcome == KUBE_OK) {
        const struct kube_request request = { .verb = KUBE_PUT,
                                              .path = lease->path,
                                              .body = answer.object };
        struct kube_answer put = KUBE_ANSWER_INIT;
        kube_client_call_wait(lease->client, &request, &put);
        kube_answer_done(&answer);
        answer = put;
        *out_again = answer.outcome == KUBE_CONFLICT;
    }
    bool done = nothing || answer.outcome == KUBE_OK;
    if (!done)
        *err = answer.err;
    kube_answer_done(&answer);
    return done;
}

static bool forget(const struct lease_access *lease, struct error *err)
{
    bool again = true;
    for (int tries = 0; again && tries < FORGET_TRIES; tries++)
        if (forget_once(lease, &again, err))
            return true;
    return error_prefix(err, "forget the slot that Lease %s remembers", lease->name);
}

bool leadership_forget_slot(const struct config *config, struct error *err)
{
    struct lease_access lease;
    bool done = lease_access_open(config, &lease, err) && forget(&lease, err);
    lease_access_close(&lease);
    return done;
}

static bool recall_once(const struct lease_access *lease, const char *slot,
                        struct gate_memory *out_memory, bool *out_remembers, struct error *err)
{
    struct kube_answer answer = KUBE_ANSWER_INIT;
    read_lease(lease, &answer);
    const char *note =
        json_string_value(json_object_get(annotations_of(&answer), KUBE_LEASE_SOURCE));
    bool done = answer.outcome == KUBE_OK || answer.outcome == KUBE_NOT_FOUND;
    *out_remembers =
        answer.outcome == KUBE_OK && note != NULL && slot_note_read(note, slot, out_memory);
    if (!done) {
        *err = answer.err;
        (void)error_prefix(err, "read Lease %s", lease->name);
    }
    kube_answer_done(&answer);
    return done;
}

bool leadership_recall_slot(const struct config *config, struct gate_memory *out_memory,
                            bool *out_remembers, struct error *err)
{
    struct lease_access lease;
    bool done = lease_access_open(config, &lease, err) &&
                recall_once(&lease, config->cdc_slot_name, out_memory, out_remembers, err);
    lease_access_close(&lease);
    return done;
}

const struct gate *leadership_gate(const struct leadership *leadership)
{
    return &leadership->gate;
}

const char *leadership_instance(const struct leadership *leadership)
{
    return leadership->instance;
}

int64_t leadership_alive_age_ms(const struct leadership *leadership)
{
    return lease_elector_alive_age_ms(leadership->elector);
}
