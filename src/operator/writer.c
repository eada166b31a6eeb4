#include "operator/writer.h"

#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"
#include "operator/kinds.h"
#include "operator/objects.h"
#include "operator/resource.h"
#include "operator/workload.h"

enum { LEFTOVER_SECONDS = 30 };

#define MERGE_PATCH "application/merge-patch+json"
#define APPLY_PATCH "application/apply-patch+yaml" /* JSON is a part of YAML */
#define BY          "?fieldManager=" RESOURCE_FIELD_MANAGER

struct writing {
    const struct writer_options *with;
    json_t *connector;
    struct reconcile_plan plan;
    writer_done_fn *done;
    void *self;
    size_t stage, item; /* what comes next */
    bool looked;        /* nothing has the name of the item that comes next */
    struct kube_call *call;
    struct loop_timer *timer; /* of the beginning, and of an end without a request */
    struct writer_result result;
};

/* One write. The body is borrowed, or made and owned. */
struct write {
    enum kube_verb verb;
    char *path;
    json_t *body;
    const char *content_type;
};

static void write_done(struct write *write)
{
    memory_free(write->path);
    json_decref(write->body);
}

static char *path_of(const json_t *object, const char *namespace_name)
{
    const struct kind *kind = kinds_find(kube_object_text(object, "apiVersion", ""),
                                         kube_object_text(object, "kind", ""));
    CHECK(kind != NULL); /* a plan deals with our kinds only */
    const char *name = kube_object_text(object, "metadata.name", "");
    return kinds_path(kind, namespace_name,
                      name[0] != '\0' ? name : kube_object_text(object, "name", ""));
}

static const char *space_of(const struct writing *writing)
{
    return kube_object_text(writing->connector, "metadata.namespace", "");
}

static struct write write_of(enum kube_verb verb, char *path, const char *query, json_t *body,
                             const char *content_type)
{
    struct write write = { .verb = verb, .body = body, .content_type = content_type };
    write.path = text_format("%s%s", path, query);
    memory_free(path);
    CHECK(body != NULL);
    return write;
}

static bool has_uid(const json_t *object)
{
    return kube_object_text(object, "metadata.uid", "")[0] != '\0';
}

/* By force only over what is known to be ours; of the uid the server makes a precondition. */
static struct write apply(const struct writing *writing, json_t *object)
{
    return write_of(KUBE_PATCH, path_of(object, space_of(writing)),
                    has_uid(object) ? BY "&force=true" : BY, json_incref(object), APPLY_PATCH);
}

static struct write stop_pods(const struct writing *writing, json_t *row)
{
    json_t *body = json_pack("{s:{s:s}, s:{s:i}}", "metadata", "resourceVersion",
                             kube_object_text(row, "resourceVersion", ""), "spec", "replicas", 0);
    char *path = kinds_path(kinds_find("apps/v1", "Deployment"), space_of(writing),
                            kube_object_text(row, "name", ""));
    return write_of(KUBE_PATCH, path, BY, body, MERGE_PATCH);
}

static struct write remove_it(const struct writing *writing, json_t *row)
{
    const char *uid = kube_object_text(row, "uid", "");
    json_t *body = json_pack("{s:s, s:s, s:s}", "apiVersion", "v1", "kind", "DeleteOptions",
                             "propagationPolicy", "Background");
    if (uid[0] != '\0')
        CHECK(json_object_set_new(body, "preconditions", json_pack("{s:s}", "uid", uid)) == 0);
    return write_of(KUBE_DELETE, path_of(row, space_of(writing)), "", body, NULL);
}

static struct write patch_pod(const struct writing *writing, json_t *row)
{
    json_t *metadata = json_object();
    static const char *const fields[] = { "labels", "annotations" };
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        json_t *value = json_object_get(row, fields[i]);
        if (value != NULL)
            CHECK(json_object_set(metadata, fields[i], value) == 0);
    }
    char *path =
        kinds_path(kinds_find("v1", "Pod"), space_of(writing), kube_object_text(row, "name", ""));
    return write_of(KUBE_PATCH, path, BY, json_pack("{s:o}", "metadata", metadata), MERGE_PATCH);
}

static char *own_path(const struct writing *writing)
{
    return kinds_path(kinds_find(RESOURCE_API_VERSION, RESOURCE_KIND), space_of(writing),
                      kube_object_text(writing->connector, "metadata.name", ""));
}

/* With the uid, so that a Connector made anew does not get the status of the one before it. */
static struct write apply_status(const struct writing *writing, json_t *status)
{
    json_t *body = json_pack(
        "{s:s, s:s, s:{s:s, s:s, s:s}, s:O}", "apiVersion", RESOURCE_API_VERSION, "kind",
        RESOURCE_KIND, "metadata", "name",
        kube_object_text(writing->connector, "metadata.name", ""), "namespace", space_of(writing),
        "uid", kube_object_text(writing->connector, "metadata.uid", ""), "status", status);
    return write_of(KUBE_PATCH, own_path(writing),
                    "/status?fieldManager=" RESOURCE_STATUS_MANAGER "&force=true", body,
                    APPLY_PATCH);
}

static struct write patch_finalizers(const struct writing *writing, json_t *patch)
{
    return write_of(KUBE_PATCH, own_path(writing), BY, json_incref(patch), MERGE_PATCH);
}

static bool puts_finalizer_on(const struct reconcile_plan *plan)
{
    size_t i;
    const json_t *name;
    json_array_foreach(kube_object_find(plan->finalizers, "metadata.finalizers"), i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), RESOURCE_FINALIZER) == 0)
            return true;
    }
    return false;
}

/* The stages, in their order: what each writes, one item after the other. */

static json_t *finalizer_on(const struct reconcile_plan *plan)
{
    return puts_finalizer_on(plan) ? plan->finalizers : NULL;
}

static json_t *finalizer_off(const struct reconcile_plan *plan)
{
    return puts_finalizer_on(plan) ? NULL : plan->finalizers;
}

static json_t *stopped(const struct reconcile_plan *plan)
{
    return plan->stop;
}

static json_t *job(const struct reconcile_plan *plan)
{
    return plan->job;
}

static json_t *applied(const struct reconcile_plan *plan)
{
    return plan->apply;
}

static json_t *removed(const struct reconcile_plan *plan)
{
    return plan->remove;
}

static json_t *patched_pods(const struct reconcile_plan *plan)
{
    return plan->pod_patches;
}

static json_t *new_status(const struct reconcile_plan *plan)
{
    return plan->status;
}

static const struct stage {
    json_t *(*items)(const struct reconcile_plan *plan); /* an array, or one object, or NULL */
    struct write (*make)(const struct writing *writing, json_t *item);
    bool absence_is_good;  /* 404: there is nothing to do there any more */
    bool conflict_is_good; /* 409: what has the name is another */
} stages[] = {
    { finalizer_on, patch_finalizers, true, false },
    { stopped, stop_pods, true, false },
    { applied, apply, false, false },
    { job, apply, false, false },
    { removed, remove_it, true, true },
    { patched_pods, patch_pod, true, false },
    { new_status, apply_status, true, true },
    { finalizer_off, patch_finalizers, true, false },
};

enum { STAGE_OF_JOB = 3, STAGE_OF_STATUS = 6 };

static bool has_failed(const struct writing *writing)
{
    return writing->result.err.class != ERROR_NONE;
}

/* What is to be told of a plan that was not carried out is another plan's. */
static json_t *item_of(const struct writing *writing)
{
    if (writing->stage == STAGE_OF_STATUS && has_failed(writing))
        return NULL;
    json_t *items = stages[writing->stage].items(&writing->plan);
    if (json_is_array(items))
        return json_array_get(items, writing->item);
    return writing->item == 0 ? items : NULL;
}

bool writer_is_needed(const struct reconcile_plan *plan)
{
    return plan->stop != NULL || json_array_size(plan->apply) > 0 ||
           json_array_size(plan->job) > 0 || json_array_size(plan->remove) > 0 ||
           json_array_size(plan->pod_patches) > 0 || json_array_size(plan->events) > 0 ||
           plan->status != NULL || plan->finalizers != NULL;
}

/* Events. */

void writer_post_event(const struct writer_options *options, const json_t *connector,
                       const json_t *event)
{
    const struct kube_event post = {
        .regarding = {
            .api_version = RESOURCE_API_VERSION,
            .kind = RESOURCE_KIND,
            .namespace_name = kube_object_text(connector, "metadata.namespace", ""),
            .name = kube_object_text(connector, "metadata.name", ""),
            .uid = kube_object_text(connector, "metadata.uid", ""),
        },
        .reason = kube_object_text(event, "reason", "Unknown"),
        .action = kube_object_text(event, "action", "Reconcile"),
        .warning = json_is_true(json_object_get(event, "warning")),
        .note = kube_object_text(event, "note", ""),
    };
    options->on_event(options->self, connector, event);
    if (options->events != NULL)
        kube_event_post(options->events, &post);
}

/* They tell what the status says: they follow it. */
static void post_events(struct writing *writing)
{
    size_t i;
    const json_t *event;
    json_array_foreach(writing->plan.events, i, event)
        writer_post_event(writing->with, writing->connector, event);
    json_array_clear(writing->plan.events);
}

/* One after the other. */

static void writing_free(struct writing *writing)
{
    kube_client_cancel(writing->call);
    loop_timer_remove(writing->timer);
    json_decref(writing->connector);
    json_decref(writing->result.written);
    reconcile_plan_done(&writing->plan);
    memory_free(writing);
}

static void finish(struct writing *writing, enum writer_end end)
{
    writing->result.end = end;
    writing->done(writing->self, &writing->result);
    writing_free(writing);
}

static void go_on(struct writing *writing);

static bool is_good(const struct writing *writing, const struct kube_answer *answer)
{
    const struct stage *stage = &stages[writing->stage];
    return answer->outcome == KUBE_OK ||
           (answer->outcome == KUBE_NOT_FOUND && stage->absence_is_good) ||
           (answer->outcome == KUBE_CONFLICT && stage->conflict_is_good);
}

static void note(struct writing *writing, const struct kube_answer *answer)
{
    bool lives = stages[writing->stage].make != remove_it &&
                 kube_object_find(answer->object, "metadata.resourceVersion") != NULL;
    if (answer->outcome != KUBE_OK)
        return;
    writing->result.writes++;
    if (lives)
        CHECK(json_array_append(writing->result.written, answer->object) == 0);
}

/* One that its API does not exist for keeps nothing else from being written. */
static bool is_unknown(struct writing *writing, const struct kube_answer *answer)
{
    const json_t *item = stages[writing->stage].make == apply ? item_of(writing) : NULL;
    const char *name = kube_object_text(item, "kind", "");
    const struct kind *kind = kinds_find(kube_object_text(item, "apiVersion", ""), name);
    if (answer->outcome != KUBE_NOT_FOUND || kind == NULL || kind->everywhere)
        return false;
    return !error_set(&writing->result.err, ERROR_WAIT, "kind_unknown",
                      "this cluster does not know kind %s of %s", name, kind->api_version);
}

static void go_on_behind(struct writing *writing)
{
    writing->item++;
    writing->looked = false;
    go_on(writing);
}

/* What was refused of the template may be left out of the Job. */
static bool has_alternative(struct writing *writing, const struct kube_answer *answer)
{
    if (writing->stage != STAGE_OF_JOB || answer->outcome != KUBE_INVALID ||
        writing->item + 1 >= json_array_size(writing->plan.job))
        return false;
    writing->result.err = ERROR_INIT;
    return true;
}

static void fail(struct writing *writing, const struct kube_answer *answer)
{
    writing->result.err = answer->err;
    writing->result.is_news =
        answer->outcome != KUBE_CONFLICT && answer->outcome != KUBE_UNREACHABLE;
    if (is_unknown(writing, answer) || has_alternative(writing, answer))
        go_on_behind(writing);
    else
        finish(writing, answer->outcome == KUBE_INVALID ? WRITER_REFUSED : WRITER_FAILED);
}

static void on_answer(void *self, const struct kube_answer *answer)
{
    struct writing *writing = self;
    writing->call = NULL;
    (void)FAULT(operator_after_write);
    if (!is_good(writing, answer)) {
        fail(writing, answer);
        return;
    }
    note(writing, answer);
    if (writing->stage == STAGE_OF_JOB) /* one is enough */
        (void)json_array_clear(writing->plan.job);
    go_on_behind(writing);
}

/* What was not seen may be there all the same, as somebody else's: watches see what has our label.
 */

static bool is_unseen(const struct writing *writing, const json_t *item)
{
    return stages[writing->stage].make == apply && !has_uid(item) && !writing->looked;
}

/* A Connector that was just made under the name of one that was just deleted. */
static bool is_moment(const struct writing *writing)
{
    const char *made = kube_object_text(writing->connector, "metadata.creationTimestamp", "");
    return strcmp(writing->result.err.code, "name_leftover") == 0 &&
           objects_age_s(made, kube_client_wall_us(writing->with->client)) < LEFTOVER_SECONDS;
}

static void on_looked(void *self, const struct kube_answer *answer)
{
    struct writing *writing = self;
    writing->call = NULL;
    if (answer->outcome == KUBE_NOT_FOUND) {
        writing->looked = true;
        go_on(writing);
    } else if (answer->outcome != KUBE_OK) {
        fail(writing, answer);
    } else if (workload_may_take(writing->connector, answer->object, &writing->result.err)) {
        const char *uid = kube_object_text(answer->object, "metadata.uid", "");
        json_t *metadata = kube_object_child(item_of(writing), "metadata");
        writing->looked = true;
        CHECK(json_object_set_new(metadata, "uid", json_string(uid)) == 0);
        go_on(writing);
    } else {
        writing->result.is_news = !is_moment(writing);
        finish(writing, WRITER_FAILED);
    }
}

static void look(struct writing *writing, const json_t *item)
{
    AUTO(char *, memory_free_p) path = path_of(item, space_of(writing));
    const struct kube_request request = { .verb = KUBE_GET, .path = path };
    writing->call = kube_client_call(writing->with->client, &request, on_looked, writing);
}

static void make_write(struct writing *writing, json_t *item)
{
    if (is_unseen(writing, item)) {
        look(writing, item);
        return;
    }
    AUTO(struct write, write_done) write = stages[writing->stage].make(writing, item);
    const struct kube_request request = { .verb = write.verb,
                                          .path = write.path,
                                          .body = write.body,
                                          .content_type = write.content_type };
    (void)FAULT(operator_before_write);
    writing->call = kube_client_call(writing->with->client, &request, on_answer, writing);
}

static void go_on(struct writing *writing)
{
    while (writing->stage < COUNT_OF(stages)) {
        json_t *item = item_of(writing);
        if (item != NULL && !writing->with->may_write(writing->with->self)) {
            finish(writing, WRITER_STOPPED);
            return;
        }
        if (item != NULL) {
            make_write(writing, item);
            return;
        }
        if (writing->stage == STAGE_OF_STATUS && !has_failed(writing))
            post_events(writing);
        writing->stage++;
        writing->item = 0;
    }
    finish(writing, has_failed(writing) ? WRITER_FAILED : WRITER_DONE);
}

static void on_begin(void *self)
{
    go_on(self);
}

struct writing *writer_start(const struct writer_options *options, const json_t *connector,
                             struct reconcile_plan *plan, writer_done_fn *done, void *self)
{
    struct writing *writing = memory_alloc(sizeof(*writing));
    *writing = (struct writing){
        .with = options,
        .connector = json_deep_copy(connector),
        .plan = *plan,
        .done = done,
        .self = self,
        .result = { .written = json_array() },
    };
    CHECK(writing->connector != NULL);
    *plan = (struct reconcile_plan){ .apply = NULL };
    writing->timer = loop_timer_add(kube_client_loop(options->client), on_begin, writing);
    loop_timer_set(writing->timer, kube_client_now(options->client));
    return writing;
}

void writer_cancel(struct writing *writing)
{
    if (writing != NULL)
        writing_free(writing);
}
