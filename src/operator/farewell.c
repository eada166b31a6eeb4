#include "operator/farewell.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "kube/kube_object.h"
#include "operator/objects.h"
#include "operator/workload.h"

enum { NOTE_MAX_BYTES = 2048, SOON_MS = 2000 };

json_t *farewell_finalizers(const struct resource *resource, bool present)
{
    const json_t *all = kube_object_find(resource->object, "metadata.finalizers");
    json_t *wanted = json_array();
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *one = json_array_get(all, i);
        const char *name = json_string_value(one);
        if (name == NULL || strcmp(name, RESOURCE_FINALIZER) != 0)
            objects_append(wanted, json_incref(one));
    }
    if (present)
        objects_append(wanted, json_string(RESOURCE_FINALIZER));
    const char *version = kube_object_text(resource->object, "metadata.resourceVersion", "");
    return objects_pack("{s:{s:o, s:s}}", "metadata", "finalizers", wanted, "resourceVersion",
                        version);
}

/* PostgreSQL's quoting: the quote itself is doubled. */
static void quote(struct buf *out, char mark, const char *text)
{
    buf_append_byte(out, mark);
    for (; *text != '\0'; text++) {
        if (*text == mark)
            buf_append_byte(out, mark);
        buf_append_byte(out, *text);
    }
    buf_append_byte(out, mark);
}

static void tell(json_t *events, const char *reason, const char *action, bool warning,
                 const char *note)
{
    objects_append(events, objects_pack("{s:s, s:s, s:b, s:s}", "reason", reason, "action", action,
                                        "warning", (int)warning, "note", note));
}

static bool has_own_publication(const struct resource *resource)
{
    return json_is_true(kube_object_find(resource->spec, "cdc.publication.createIfNotExists"));
}

void farewell_tell_kept(const struct resource *resource, const char *reason, bool warning,
                        const char *why, json_t *events)
{
    AUTO(struct buf, buf_done) note = buf_init(NOTE_MAX_BYTES);
    bool is_ours = has_own_publication(resource);
    buf_append_format(&note,
                      "%s: replication slot%s in database \"%s\" on %s, and "
                      "the slot keeps WAL. To drop %s: SELECT pg_drop_replication_slot(",
                      why, is_ours ? " and publication stay" : " stays", resource->database,
                      resource->host, is_ours ? "them" : "it");
    quote(&note, '\'', resource->slot);
    buf_append_text(&note, ");");
    if (is_ours) {
        buf_append_text(&note, " DROP PUBLICATION ");
        quote(&note, '"', resource->publication);
        buf_append_byte(&note, ';');
    }
    tell(events, reason, "Delete", warning, buf_text(&note));
}

void farewell_tell_shared(const struct resource *resource, const json_t *other, json_t *events)
{
    AUTO(struct buf, buf_done) note = buf_init(NOTE_MAX_BYTES);
    buf_append_format(&note,
                      "replication slot \"%s\" and its publication stay in database \"%s\" on %s: "
                      "Connector %s/%s names the same slot",
                      resource->slot, resource->database, resource->host,
                      kube_object_text(other, "metadata.namespace", ""),
                      kube_object_text(other, "metadata.name", ""));
    tell(events, "SlotKept", "Delete", false, buf_text(&note));
}

/* The Job. */

static bool job_is(const json_t *job, const char *type)
{
    const json_t *all = kube_object_find(job, "status.conditions");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (strcmp(kube_object_text(one, "type", ""), type) == 0 &&
            strcmp(kube_object_text(one, "status", ""), "True") == 0)
            return true;
    }
    return false;
}

static bool has_ended_as(const struct reconcile_seen *seen, const struct resource *resource,
                         const char *type)
{
    return workload_is_ours(resource, seen->job) && job_is(seen->job, type);
}

static bool is_dropped(const struct reconcile_seen *seen, const struct resource *resource)
{
    return has_ended_as(seen, resource, "Complete");
}

static bool is_under_way(const struct reconcile_seen *seen, const struct resource *resource)
{
    return workload_is_ours(resource, seen->job) && !is_dropped(seen, resource) &&
           !has_ended_as(seen, resource, "Failed");
}

/* Reasons to let go without dropping. */

static bool in_dying_namespace(const struct reconcile_seen *seen,
                               const struct resource *resource UNUSED)
{
    return seen->namespace_terminating;
}

static bool is_abandoned(const struct reconcile_seen *seen UNUSED, const struct resource *resource)
{
    return resource->abandoned;
}

static bool is_retained(const struct reconcile_seen *seen UNUSED, const struct resource *resource)
{
    return !resource->delete_slot;
}

static const struct way_out {
    bool (*applies)(const struct reconcile_seen *seen, const struct resource *resource);
    const char *reason; /* of the event */
    bool warning;
    const char *why;
} ways_out[] = {
    { in_dying_namespace, "SlotKept", true, "the namespace is being deleted" },
    { is_abandoned, "SlotAbandoned", true, "given up by annotation " RESOURCE_ABANDON },
    { is_retained, "SlotKept", false, "spec.deletionPolicy is Retain" },
};

static void let_go(const struct resource *resource, struct reconcile_plan *plan,
                   struct farewell *out)
{
    plan->finalizers = farewell_finalizers(resource, false);
    out->over = true;
}

/* The Job drops no publication that somebody else made, and is content when it has no right to. */
static void dropped(const struct resource *resource, struct reconcile_plan *plan,
                    struct farewell *out)
{
    AUTO(struct buf, buf_done) note = buf_init(NOTE_MAX_BYTES);
    bool is_ours = has_own_publication(resource);
    buf_append_format(&note, "dropped replication slot \"%s\"", resource->slot);
    if (is_ours)
        buf_append_format(&note, " and, where its user may, publication \"%s\"",
                          resource->publication);
    buf_append_format(&note, " of database \"%s\" on %s", resource->database, resource->host);
    if (!is_ours)
        buf_append_format(&note,
                          "; publication \"%s\" stays: cdc.publication.createIfNotExists is false",
                          resource->publication);
    tell(plan->events, "SlotDropped", "Delete", false, buf_text(&note));
    let_go(resource, plan, out);
}

static const struct way_out *way_out_of(const struct reconcile_seen *seen,
                                        const struct resource *resource)
{
    for (size_t i = 0; i < COUNT_OF(ways_out); i++) {
        if (ways_out[i].applies(seen, resource))
            return &ways_out[i];
    }
    return NULL;
}

/* Whoever else uses the slot wins over all other reasons: nobody is told how to drop it. A Job that
 * is under way is not called back: how it ends decides. */
static bool leave_to_another(const struct reconcile_seen *seen, const struct resource *resource,
                             const struct way_out *way, struct reconcile_plan *plan,
                             struct farewell *out)
{
    const json_t *other = seen->twin != NULL ? seen->twin : seen->sharer;
    if (other == NULL || (way == NULL && is_under_way(seen, resource)))
        return false;
    farewell_tell_shared(resource, other, plan->events);
    let_go(resource, plan, out);
    return true;
}

static bool leave_early(const struct reconcile_seen *seen, const struct resource *resource,
                        const struct way_out *way, struct reconcile_plan *plan,
                        struct farewell *out)
{
    char why[NOTE_MAX_BYTES / 2];
    if (way == NULL)
        return false;
    (void)snprintf(why, sizeof(why), "%s%s%s%s", way->why,
                   is_under_way(seen, resource) ? ", while Job " : "",
                   is_under_way(seen, resource) ? resource->drop : "",
                   is_under_way(seen, resource) ? " is under way and may still drop it" : "");
    farewell_tell_kept(resource, way->reason, way->warning, why, plan->events);
    let_go(resource, plan, out);
    return true;
}

/* What is dropped already is not said to stay. */
static bool leave(const struct reconcile_seen *seen, const struct resource *resource,
                  struct reconcile_plan *plan, struct farewell *out)
{
    const struct way_out *way = way_out_of(seen, resource);
    bool leaves = way != NULL || seen->twin != NULL || seen->sharer != NULL;
    if (leaves && is_dropped(seen, resource)) {
        dropped(resource, plan, out);
        return true;
    }
    return leave_to_another(seen, resource, way, plan, out) ||
           leave_early(seen, resource, way, plan, out);
}

static void failed(const struct resource *resource, const char *why, const char *retry,
                   struct farewell *out)
{
    (void)snprintf(
        out->failed, sizeof(out->failed),
        "slot \"%s\" was not dropped: %s; to try again: %s; to give the slot up: kubectl "
        "annotate connector %s " RESOURCE_ABANDON "=true",
        resource->slot, why, retry, resource->name);
    (void)snprintf(out->waits, sizeof(out->waits), "%s", out->failed);
}

static void failed_job(const struct resource *resource, const char *why, struct farewell *out)
{
    char retry[RESOURCE_CHILD_SIZE * 2];
    (void)snprintf(retry, sizeof(retry), "kubectl delete job %s", resource->drop);
    failed(resource, why[0] != '\0' ? why : "its Job failed", retry, out);
}

static void follow_job(const struct reconcile_seen *seen, const struct resource *resource,
                       struct reconcile_plan *plan, struct farewell *out)
{
    char why[WORKERS_TEXT_SIZE];
    workers_read_drop(seen->pods, seen->now_us, why);
    plan->again_ms = SOON_MS;
    if (!workload_is_ours(resource, seen->job)) {
        (void)snprintf(out->waits, sizeof(out->waits),
                       "Job %s belongs to somebody else: it must go first", resource->drop);
    } else if (job_is(seen->job, "Complete")) {
        dropped(resource, plan, out);
    } else if (job_is(seen->job, "Failed")) {
        plan->again_ms = 0;
        failed_job(resource, why, out);
    } else {
        (void)snprintf(out->waits, sizeof(out->waits), "Job %s drops slot \"%s\"%s%s",
                       resource->drop, resource->slot, why[0] != '\0' ? ": " : "", why);
    }
}

/* A pod may be on its way that was not seen yet: the Deployment's controller says when it has read
 * the 0 and has none any more. */
static bool still_runs(const json_t *deployment, const struct workers *workers)
{
    int64_t observed = kube_object_integer(deployment, "status.observedGeneration", 0);
    bool is_behind =
        observed > 0 && observed < kube_object_integer(deployment, "metadata.generation", 0);
    return workers->pods > 0 || is_behind ||
           kube_object_integer(deployment, "spec.replicas", 0) != 0 ||
           kube_object_integer(deployment, "status.replicas", 0) > 0;
}

static const json_t *own_deployment(const struct reconcile_seen *seen,
                                    const struct resource *resource)
{
    const json_t *deployment = objects_find(seen->children, "Deployment", resource->child);
    return workload_may_take(seen->connector, deployment, NULL) ? deployment : NULL;
}

static void start_job(const struct reconcile_seen *seen, const struct resource *resource,
                      const struct rendering *rendering, struct reconcile_plan *plan,
                      struct farewell *out)
{
    objects_append(plan->job, workload_drop_job(resource, seen->settings, rendering, false));
    if (resource->template != NULL)
        objects_append(plan->job, workload_drop_job(resource, seen->settings, rendering, true));
    (void)snprintf(out->waits, sizeof(out->waits), "Job %s drops slot \"%s\"", resource->drop,
                   resource->slot);
}

/* Pods whose Deployment is not seen were taken from it, or it lost its labels: made anew, with 0
 * pods, it takes them up. */
static json_t *wanted_of_end(const struct reconcile_seen *seen, const struct resource *resource,
                             const struct rendering *rendering, bool has_lost_pods)
{
    return has_lost_pods ? workload_wanted(resource, seen->settings, rendering, 0)
                         : workload_wanted_of_drop(resource, seen->settings, rendering);
}

static void stop_and_drop(const struct reconcile_seen *seen, const struct resource *resource,
                          const struct rendering *rendering, const struct workers *workers,
                          struct reconcile_plan *plan, struct farewell *out)
{
    const json_t *deployment = own_deployment(seen, resource);
    AUTO(json_t *, json_decrefp)
    wanted = wanted_of_end(seen, resource, rendering, deployment == NULL && workers->pods > 0);
    workload_lacking(resource, seen->children, wanted, plan->apply);
    plan->stop = workload_stop(seen->connector, deployment);
    plan->again_ms = SOON_MS;
    if (still_runs(deployment, workers))
        (void)snprintf(out->waits, sizeof(out->waits),
                       "its workers stop, then slot \"%s\" is dropped", resource->slot);
    else if (seen->job == NULL)
        start_job(seen, resource, rendering, plan, out);
    else
        follow_job(seen, resource, plan, out);
}

void farewell_plan(const struct reconcile_seen *seen, const struct resource *resource,
                   const struct error *invalid, const struct workers *workers,
                   struct reconcile_plan *plan, struct farewell *out_farewell)
{
    struct rendering rendering;
    struct error err = ERROR_INIT;
    *out_farewell = (struct farewell){ 0 };
    if (leave(seen, resource, plan, out_farewell))
        return;
    if (invalid != NULL) {
        failed(resource, invalid->text, "mend the resource", out_farewell);
    } else if (!rendering_make(resource, seen->settings, &rendering, &err)) {
        failed(resource, err.text, "mend the resource", out_farewell);
    } else {
        stop_and_drop(seen, resource, &rendering, workers, plan, out_farewell);
        rendering_done(&rendering);
    }
}
