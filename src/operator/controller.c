#include "operator/controller.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_event.h"
#include "kube/kube_object.h"
#include "operator/freshness.h"
#include "operator/pod_status.h"
#include "operator/reconcile.h"
#include "operator/resource.h"
#include "operator/store.h"
#include "operator/work_queue.h"
#include "operator/writer.h"

enum {
    AT_WORK_MAX = 4,
    RETRY_FIRST_MS = 5,
    RETRY_MAX_MS = 60000,
    CALM_MS = 5000,
    POD_TIMEOUT_MS = 2000,
    FAILURE_LASTS_MS = 60000,
    UNSEEN_MS = 1000, /* until it is looked again whether its namespace was listed */
};

/* A Connector that is worked on. */
struct work {
    struct controller *controller;
    const char *key; /* NULL = the place is free */
    struct writing *writing;
    struct kube_call *call; /* for its namespace */
    mono_ms_t since;
    int64_t again_ms;
    struct error failure; /* of the plan that was tried; the status of the next one tells it */
    bool failed, refused;
    unsigned writes;
};

struct controller {
    struct controller_options with;
    struct store *store;
    struct work_queue *queue;
    struct pod_status *pods;
    struct freshness *freshness;
    struct kube_event_sender *events;
    struct writer_options writer;
    struct loop_timer *timer;
    struct work at_work[AT_WORK_MAX];
    bool leads;
    char failure[ERROR_CODE_SIZE]; /* of the watches, as it was said last */
    mono_ms_t failed_at;
};

static mono_ms_t now_of(const struct controller *controller)
{
    return clock_now(&controller->with.clock);
}

/* In a turn of its own: what calls this may be in the midst of something. */
static void wake_loop(struct controller *controller)
{
    mono_ms_t due = work_queue_due(controller->queue);
    if (!controller->leads || !store_is_complete(controller->store))
        loop_timer_clear(controller->timer);
    else if (due.value != INT64_MAX)
        loop_timer_set(controller->timer, due);
}

static void enqueue(struct controller *controller, const char *key)
{
    work_queue_add(controller->queue, key, now_of(controller));
    wake_loop(controller);
}

/* The end of one look. */

static const char *const end_names[] = {
    [WORK_QUEUE_IDLE] = "idle",     [WORK_QUEUE_CHANGED] = "changed", [WORK_QUEUE_LATER] = "later",
    [WORK_QUEUE_FAILED] = "failed", [WORK_QUEUE_REFUSED] = "refused",
};

static enum work_queue_end end_of(const struct work *work)
{
    if (work->failed)
        return work->refused ? WORK_QUEUE_REFUSED : WORK_QUEUE_FAILED;
    return work->writes > 0 ? WORK_QUEUE_CHANGED : WORK_QUEUE_IDLE;
}

static void finish(struct work *work)
{
    struct controller *controller = work->controller;
    enum work_queue_end end = end_of(work);
    mono_ms_t now = now_of(controller);
    int64_t resync_ms = controller->with.settings->resync_ms;
    bool is_gone = store_connector(controller->store, work->key) == NULL;
    int64_t again_ms = is_gone                                            ? -1
                       : work->again_ms > 0 && work->again_ms < resync_ms ? work->again_ms
                                                                          : resync_ms;
    operator_metrics_reconciled(controller->with.metrics, end_names[end],
                                mono_ms_since(now, work->since));
    work_queue_done(controller->queue, work->key, end, again_ms, now);
    *work = (struct work){ .controller = controller };
    wake_loop(controller);
}

/* What the core says, carried out. */

static void look(struct work *work, bool namespace_terminating);

static void note_failure(struct work *work, const struct writer_result *result)
{
    struct controller *controller = work->controller;
    work->failed = true;
    work->refused = work->refused || result->end == WRITER_REFUSED;
    work->failure = result->err;
    operator_metrics_error(controller->with.metrics, result->err.code);
    log_warn(controller->with.log, "a write failed", LOG_STR("connector", work->key),
             LOG_STR("code", result->err.code), LOG_STR("error", result->err.text),
             LOG_STR("advice", result->err.advice));
}

/* A failure that is news for people is told by a second plan, of which only that is carried out. */
static void on_written(void *self, const struct writer_result *result)
{
    struct work *work = self;
    bool first = !work->failed;
    work->writing = NULL;
    work->writes += result->writes;
    freshness_note(work->controller->freshness, work->key, work->controller->store, result->written,
                   now_of(work->controller));
    if (result->end == WRITER_FAILED || result->end == WRITER_REFUSED) {
        note_failure(work, result);
        if (first && result->is_news &&
            store_connector(work->controller->store, work->key) != NULL) {
            look(work, false);
            return;
        }
    }
    finish(work);
}

static void empty(json_t *array)
{
    CHECK(json_array_clear(array) == 0);
}

static void only_tell(struct reconcile_plan *plan)
{
    json_decref(TAKE(plan->stop));
    empty(plan->apply);
    empty(plan->job);
    empty(plan->remove);
    empty(plan->pod_patches);
    json_decref(TAKE(plan->finalizers));
}

static bool wants_reports(const json_t *connector)
{
    return !json_is_true(kube_object_find(connector, "spec.paused"));
}

static void make_plan(struct work *work, const json_t *connector, bool namespace_terminating,
                      struct reconcile_plan *out_plan)
{
    struct controller *controller = work->controller;
    AUTO(json_t *, json_decrefp) children = store_children(controller->store, work->key);
    AUTO(json_t *, json_decrefp) pods = store_pods(controller->store, work->key);
    pod_status_watch(controller->pods, work->key, wants_reports(connector) ? pods : NULL);
    AUTO(json_t *, json_decrefp) reports = pod_status_reports(controller->pods, work->key);
    const struct reconcile_seen seen = {
        .connector = connector,
        .children = children,
        .pods = pods,
        .reports = reports,
        .job = store_job(controller->store, work->key),
        .twin = store_twin(controller->store, work->key),
        .sharer = store_sharer(controller->store, connector),
        .namespace_terminating = namespace_terminating,
        .no_pod_monitors = !store_knows(controller->store, work->key, "PodMonitor"),
        .now_us = clock_wall_us(&controller->with.clock),
        .failure = work->failed ? &work->failure : NULL,
        .settings = controller->with.settings,
    };
    reconcile_plan(&seen, out_plan);
    if (pod_status_is_pending(controller->pods, work->key))
        reconcile_plan_silence(out_plan);
    if (work->failed)
        only_tell(out_plan);
}

static void look(struct work *work, bool namespace_terminating)
{
    struct controller *controller = work->controller;
    const json_t *connector = store_connector(controller->store, work->key);
    if (connector == NULL) {
        pod_status_watch(controller->pods, work->key, NULL);
        finish(work);
        return;
    }
    struct reconcile_plan plan;
    make_plan(work, connector, namespace_terminating, &plan);
    work->again_ms = plan.again_ms;
    if (writer_is_needed(&plan))
        work->writing = writer_start(&controller->writer, connector, &plan, on_written, work);
    else
        finish(work);
    reconcile_plan_done(&plan);
}

/* Whether its namespace goes too is asked only of one that goes. */

static void on_namespace(void *self, const struct kube_answer *answer)
{
    struct work *work = self;
    work->call = NULL;
    if (answer->outcome != KUBE_OK && answer->outcome != KUBE_NOT_FOUND) {
        note_failure(work, &(struct writer_result){ .end = WRITER_FAILED, .err = answer->err });
        finish(work);
        return;
    }
    look(work, answer->outcome == KUBE_NOT_FOUND ||
                   kube_object_find(answer->object, "metadata.deletionTimestamp") != NULL);
}

static void ask_namespace(struct work *work, const json_t *connector)
{
    AUTO(char *, memory_free_p)
    space = kube_object_escape(kube_object_text(connector, "metadata.namespace", ""));
    AUTO(char *, memory_free_p) path = text_format("/api/v1/namespaces/%s", space);
    struct kube_request request = { .verb = KUBE_GET, .path = path };
    work->call = kube_client_call(work->controller->with.client, &request, on_namespace, work);
}

/* Turns. */

static struct work *free_place(struct controller *controller)
{
    for (size_t i = 0; i < AT_WORK_MAX; i++)
        if (controller->at_work[i].key == NULL)
            return &controller->at_work[i];
    return NULL;
}

static void begin(struct work *work, const char *key)
{
    struct controller *controller = work->controller;
    int64_t rest_ms =
        store_sees(controller->store, key)
            ? freshness_rest_ms(controller->freshness, key, controller->store, now_of(controller))
            : UNSEEN_MS;
    if (rest_ms > 0) {
        work_queue_done(controller->queue, key, WORK_QUEUE_LATER, rest_ms, now_of(controller));
        return;
    }
    const json_t *connector = store_connector(controller->store, key);
    *work = (struct work){ .controller = controller, .key = key, .since = now_of(controller) };
    if (kube_object_find(connector, "metadata.deletionTimestamp") != NULL)
        ask_namespace(work, connector);
    else
        look(work, false);
}

static void on_due(void *self)
{
    struct controller *controller = self;
    struct work *place;
    const char *key;
    if (!controller->leads || !store_is_complete(controller->store))
        return;
    while ((place = free_place(controller)) != NULL &&
           (key = work_queue_take(controller->queue, now_of(controller))) != NULL)
        begin(place, key);
    if (place != NULL)
        wake_loop(controller);
}

/* What the others tell. */

static void on_changed(void *self, const char *key)
{
    enqueue(self, key);
}

static void say_event(void *self, const json_t *connector, const json_t *event)
{
    const struct controller *controller = self;
    log_event(controller->with.log,
              json_is_true(json_object_get(event, "warning")) ? LOG_WARN : LOG_INFO,
              kube_object_text(event, "note", ""),
              LOG_STR("connector", kube_object_text(connector, "metadata.name", "")),
              LOG_STR("namespace", kube_object_text(connector, "metadata.namespace", "")),
              LOG_STR("reason", kube_object_text(event, "reason", "")));
}

static void on_gone(void *self, const char *key, const json_t *connector)
{
    struct controller *controller = self;
    pod_status_watch(controller->pods, key, NULL);
    work_queue_drop(controller->queue, key);
    freshness_forget(controller->freshness, key);
    if (!controller->leads)
        return;
    const struct reconcile_seen seen = {
        .connector = connector,
        .sharer = store_sharer(controller->store, connector),
        .now_us = clock_wall_us(&controller->with.clock),
        .settings = controller->with.settings,
    };
    struct reconcile_plan plan;
    reconcile_gone(&seen, &plan);
    size_t i;
    const json_t *event;
    json_array_foreach(plan.events, i, event)
        writer_post_event(&controller->writer, connector, event);
    reconcile_plan_done(&plan);
}

/* While it lasts each watch fails every few seconds: that is said once. */
static void on_failed(void *self, const struct error *err)
{
    struct controller *controller = self;
    mono_ms_t before = controller->failed_at;
    controller->failed_at = now_of(controller);
    operator_metrics_error(controller->with.metrics, err->code);
    if (strcmp(controller->failure, err->code) == 0 &&
        mono_ms_since(controller->failed_at, before) < FAILURE_LASTS_MS)
        return;
    memcpy(controller->failure, err->code, sizeof(controller->failure));
    log_failure(controller->with.log, LOG_WARN, "a watch failed; it goes on by itself", err);
}

static void on_listed(void *self)
{
    wake_loop(self);
}

static bool may_write(void *self)
{
    const struct controller *controller = self;
    return controller->leads && controller->with.may_write(controller->with.self);
}

/* Life. */

static void leave_work(struct work *work)
{
    if (work->key == NULL)
        return;
    writer_cancel(TAKE(work->writing));
    kube_client_cancel(TAKE(work->call));
    work_queue_done(work->controller->queue, work->key, WORK_QUEUE_IDLE, -1,
                    now_of(work->controller));
    work->key = NULL;
}

void controller_lead(struct controller *controller, bool leads)
{
    controller->leads = leads;
    if (leads) {
        size_t cursor = 0;
        for (const char *key; (key = store_next(controller->store, &cursor)) != NULL;)
            work_queue_add(controller->queue, key, now_of(controller));
    } else {
        for (size_t i = 0; i < AT_WORK_MAX; i++)
            leave_work(&controller->at_work[i]);
        work_queue_clear(controller->queue);
        pod_status_clear(controller->pods);
    }
    wake_loop(controller);
}

static struct pod_status *start_pods(struct controller *controller)
{
    const struct controller_options *with = &controller->with;
    return pod_status_new(&(struct pod_status_options){
        .loop = kube_client_loop(with->client),
        .clock = with->clock,
        .interval_ms = with->settings->status_interval_ms,
        .timeout_ms = POD_TIMEOUT_MS,
        .port = with->settings->worker_port,
        .seed = with->seed,
        .on_changed = on_changed,
        .self = controller,
    });
}

struct controller *controller_start(const struct controller_options *options)
{
    static const struct work_queue_options queue = { RETRY_FIRST_MS, RETRY_MAX_MS, CALM_MS };
    struct controller *controller = memory_alloc(sizeof(*controller));
    controller->with = *options;
    for (size_t i = 0; i < AT_WORK_MAX; i++)
        controller->at_work[i].controller = controller;
    controller->queue = work_queue_new(&queue);
    controller->freshness = freshness_new();
    controller->timer = loop_timer_add(kube_client_loop(options->client), on_due, controller);
    controller->events =
        kube_event_sender_new(&(struct kube_event_options){ .client = options->client,
                                                            .controller = "pqcdc.io/operator",
                                                            .instance = options->identity });
    controller->writer = (struct writer_options){ .client = options->client,
                                                  .events = controller->events,
                                                  .self = controller,
                                                  .may_write = may_write,
                                                  .on_event = say_event };
    controller->pods = start_pods(controller);
    controller->store = store_start(&(struct store_options){
        .client = options->client,
        .namespaces = options->namespaces,
        .namespace_count = options->namespace_count,
        .callbacks = { controller, on_changed, on_gone, on_failed, on_listed },
    });
    return controller;
}

void controller_stop(struct controller *controller)
{
    if (controller == NULL)
        return;
    controller_lead(controller, false);
    store_stop(controller->store);
    pod_status_free(controller->pods);
    kube_event_sender_free(controller->events);
    work_queue_free(controller->queue);
    freshness_free(controller->freshness);
    loop_timer_remove(controller->timer);
    memory_free(controller);
}

bool controller_is_complete(const struct controller *controller)
{
    return store_is_complete(controller->store);
}

void controller_measure(const struct controller *controller, struct operator_metrics_now *out_now)
{
    *out_now = (struct operator_metrics_now){
        .leads = controller->leads,
        .queue_depth = work_queue_depth(controller->queue, now_of(controller)),
        .connectors = store_count(controller->store),
        .pods = pod_status_count(controller->pods),
    };
}
