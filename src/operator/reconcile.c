#include "operator/reconcile.h"

#include <string.h>

#include "base/check.h"
#include "kube/kube_object.h"
#include "operator/conditions.h"
#include "operator/farewell.h"
#include "operator/marks.h"
#include "operator/objects.h"
#include "operator/rendering.h"
#include "operator/resource.h"
#include "operator/standing.h"
#include "operator/workers.h"
#include "operator/workload.h"

enum { AT_ONCE_MS = 1 };

/* One look, and what is made of it. */
struct look {
    const struct reconcile_seen *seen;
    struct reconcile_plan *plan;
    struct resource resource;
    struct workers workers;
    const json_t *twin; /* the one that stops it */
    bool lacks_monitor; /* it wants one, and no PodMonitor can be made */
    bool understood;
    struct error invalid; /* why not */
};

static void begin(struct reconcile_plan *plan)
{
    *plan = (struct reconcile_plan){
        .apply = json_array(),
        .job = json_array(),
        .remove = json_array(),
        .pod_patches = json_array(),
        .events = json_array(),
    };
}

static const struct error *invalid_of(const struct look *look)
{
    return look->understood ? NULL : &look->invalid;
}

/* Whoever may write in another namespace could otherwise stop a Connector that runs, by giving an
 * older one of his the same host. */
static const json_t *stopping_twin(const struct reconcile_seen *seen)
{
    const char *here = kube_object_text(seen->connector, "metadata.namespace", "");
    const char *there = kube_object_text(seen->twin, "metadata.namespace", "");
    bool stops = strcmp(here, there) == 0 || !standing_was_admitted(seen->connector);
    return stops ? seen->twin : NULL;
}

/* The slot is another's, or nobody is to read it now. */
static int64_t wanted_replicas(const struct look *look)
{
    const struct resource *resource = &look->resource;
    return look->twin != NULL || resource->paused ? 0 : resource->replicas;
}

static void plan_workload(struct look *look)
{
    const struct reconcile_seen *seen = look->seen;
    struct rendering rendering;
    look->understood = rendering_make(&look->resource, seen->settings, &rendering, &look->invalid);
    if (!look->understood)
        return;
    int64_t replicas = wanted_replicas(look);
    if (replicas == 0)
        look->plan->stop = workload_stop(
            seen->connector, objects_find(seen->children, "Deployment", look->resource.child));
    AUTO(json_t *, json_decrefp) wanted =
        workload_wanted(&look->resource, seen->settings, &rendering, replicas);
    workload_lacking(&look->resource, seen->children, wanted, look->plan->apply);
    workload_surplus(&look->resource, seen->children, wanted, look->plan->remove);
    rendering_done(&rendering);
}

static void plan_status(struct look *look, const struct farewell *farewell)
{
    const struct reconcile_seen *seen = look->seen;
    const json_t *before = json_object_get(seen->connector, "status");
    const struct conditions_input input = {
        .resource = &look->resource,
        .invalid = invalid_of(look),
        .failure = seen->failure,
        .twin = look->twin,
        .unknown_kind = look->lacks_monitor ? "PodMonitor" : NULL,
        .deployment = objects_find(seen->children, "Deployment", look->resource.child),
        .workers = &look->workers,
        .deleting = farewell != NULL ? farewell->waits : NULL,
        .drop_failed = farewell != NULL && farewell->failed[0] != '\0' ? farewell->failed : NULL,
    };
    AUTO(json_t *, json_decrefp) status = standing_compose(&input, seen->settings, seen->now_us);
    if (!standing_is_news(before, status, seen->now_us))
        return;
    standing_announce(before, status, look->plan->events);
    look->plan->status = json_incref(status);
}

static void plan_end(struct look *look)
{
    struct farewell farewell;
    if (!look->resource.has_finalizer)
        return;
    farewell_plan(look->seen, &look->resource, invalid_of(look), &look->workers, look->plan,
                  &farewell);
    if (!farewell.over)
        plan_status(look, &farewell);
}

/* The finalizer is there before the first worker can create a slot. */
static bool plan_finalizer(struct look *look)
{
    const struct resource *resource = &look->resource;
    bool wanted = resource->delete_slot && !look->seen->namespace_terminating;
    if (wanted == resource->has_finalizer)
        return false;
    look->plan->finalizers = farewell_finalizers(resource, wanted);
    look->plan->again_ms = AT_ONCE_MS;
    return wanted;
}

static void plan_life(struct look *look)
{
    const struct reconcile_seen *seen = look->seen;
    if (plan_finalizer(look) || seen->namespace_terminating)
        return;
    if (look->understood)
        plan_workload(look);
    marks_compare(seen->pods, look->workers.leader, look->plan->pod_patches);
    plan_status(look, NULL);
    bool is_down = wanted_replicas(look) == 0 && look->workers.pods == 0;
    if (look->plan->again_ms == 0 && !is_down)
        look->plan->again_ms = seen->settings->status_interval_ms;
}

void reconcile_plan(const struct reconcile_seen *seen, struct reconcile_plan *out_plan)
{
    struct look look = { .seen = seen, .plan = out_plan, .invalid = ERROR_INIT };
    begin(out_plan);
    look.understood = resource_read(seen->connector, &look.resource, &look.invalid);
    look.twin = stopping_twin(seen);
    look.lacks_monitor = look.resource.pod_monitor && seen->no_pod_monitors;
    look.resource.pod_monitor = look.resource.pod_monitor && !seen->no_pod_monitors;
    workers_read(seen->pods, seen->reports, seen->now_us, &look.workers);
    if (look.resource.deleting)
        plan_end(&look);
    else
        plan_life(&look);
}

void reconcile_gone(const struct reconcile_seen *seen, struct reconcile_plan *out_plan)
{
    struct resource resource;
    struct error invalid = ERROR_INIT;
    begin(out_plan);
    if (!resource_read(seen->connector, &resource, &invalid) || resource.delete_slot ||
        seen->twin != NULL || standing_is(seen->connector, "DuplicateSlot"))
        return;
    if (seen->sharer != NULL)
        farewell_tell_shared(&resource, seen->sharer, out_plan->events);
    else
        farewell_tell_kept(&resource, "SlotKept", false, "spec.deletionPolicy is Retain",
                           out_plan->events);
}

/* Events that follow no status are of the slot. */
void reconcile_plan_silence(struct reconcile_plan *plan)
{
    CHECK(json_array_clear(plan->pod_patches) == 0);
    if (plan->status != NULL)
        CHECK(json_array_clear(plan->events) == 0);
    json_decref(TAKE(plan->status));
}

void reconcile_plan_done(struct reconcile_plan *plan)
{
    json_decref(plan->stop);
    json_decref(plan->apply);
    json_decref(plan->job);
    json_decref(plan->remove);
    json_decref(plan->pod_patches);
    json_decref(plan->status);
    json_decref(plan->events);
    json_decref(plan->finalizers);
    *plan = (struct reconcile_plan){ 0 };
}
