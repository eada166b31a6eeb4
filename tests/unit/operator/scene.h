/* Scenes of tests: what the operator sees, by name from scenes.json.
 *
 * "from": the scene that it begins with; "seen": a merge patch (RFC 7386) onto what that one sees;
 * "children": "applied" = what the operator wants of it is there already, with "patch_children" by
 * kind; "seen_later": a merge patch after that, so that something is to be done; "gone": it was
 * deleted. "now" is written as a time, "failure" as a text, with a "failure_code". */
#ifndef TESTS_OPERATOR_SCENE_H
#define TESTS_OPERATOR_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "kube/kube_object.h"
#include "kube/kube_time.h"
#include "operator/objects.h"
#include "operator/reconcile.h"
#include "operator/rendering.h"
#include "operator/resource.h"
#include "operator/workload.h"

#define SCENE_DIRECTORY TEST_DATA "/../unit/operator/"

static const struct operator_settings scene_settings = {
    .worker_image = "registry.example:5000/pqcdc:0.1.0",
    .image_pull_policy = "IfNotPresent",
    .worker_port = 8080,
    .resync_ms = 120000,
    .status_interval_ms = 10000,
};

struct scene {
    json_t *seen; /* as in scenes.json, children in it */
    bool gone;
    struct error failure;
};

static inline json_t *scene_load_file(const char *path)
{
    json_error_t error;
    json_t *loaded = json_load_file(path, 0, &error);
    if (loaded == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return loaded;
}

/* RFC 7386. */
static inline json_t *scene_merge(json_t *target, const json_t *patch)
{
    const char *key;
    json_t *value;
    if (!json_is_object(patch)) {
        json_decref(target);
        return json_deep_copy(patch);
    }
    if (!json_is_object(target)) {
        json_decref(target);
        target = json_object();
    }
    json_object_foreach((json_t *)(uintptr_t)patch, key, value)
    {
        if (json_is_null(value))
            (void)json_object_del(target, key);
        else
            objects_set(target, key, scene_merge(json_incref(json_object_get(target, key)), value));
    }
    return target;
}

/* The scene with all that it begins with. */
static inline json_t *scene_flatten(const json_t *scenes, const char *name)
{
    const json_t *scene = json_object_get(scenes, name);
    if (scene == NULL)
        fail_msg("there is no scene \"%s\"", name);
    const char *from = kube_object_text(scene, "from", NULL);
    return scene_merge(from != NULL ? scene_flatten(scenes, from) : json_object(), scene);
}

static inline json_t *scene_applied(const json_t *seen)
{
    struct resource resource;
    struct rendering rendering;
    struct error err = ERROR_INIT;
    if (!resource_read(json_object_get(seen, "connector"), &resource, &err) ||
        !rendering_make(&resource, &scene_settings, &rendering, &err))
        fail_msg("%s", err.text);
    json_t *made = workload_wanted(&resource, &scene_settings, &rendering,
                                   resource.paused ? 0 : resource.replicas);
    rendering_done(&rendering);
    return made;
}

static inline void scene_patch_children(json_t *children, const json_t *patches)
{
    for (size_t i = 0; i < json_array_size(children); i++) {
        json_t *child = json_array_get(children, i);
        const json_t *patch = json_object_get(patches, kube_object_text(child, "kind", ""));
        if (patch != NULL)
            CHECK(json_array_set_new(children, i, scene_merge(json_incref(child), patch)) == 0);
    }
}

/* Its own patches after those of what it begins with: merged beforehand, their nulls would be lost.
 */
static inline void scene_patch(const json_t *scenes, const char *name, json_t *seen, bool later)
{
    const json_t *scene = json_object_get(scenes, name);
    const char *from = kube_object_text(scene, "from", NULL);
    if (from != NULL)
        scene_patch(scenes, from, seen, later);
    const json_t *patch = json_object_get(scene, later ? "seen_later" : "patch_children");
    if (!later)
        scene_patch_children(json_object_get(seen, "children"), patch);
    else if (patch != NULL)
        json_decref(scene_merge(json_incref(seen), patch));
}

static inline struct scene scene_open(const json_t *scenes, const char *name)
{
    AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, name);
    struct scene scene = { .seen = json_incref(json_object_get(flat, "seen")) };
    scene.gone = json_is_true(json_object_get(flat, "gone"));
    bool are_applied = json_object_get(flat, "children") != NULL;
    objects_set(scene.seen, "children", are_applied ? scene_applied(scene.seen) : json_array());
    scene_patch(scenes, name, scene.seen, false);
    scene_patch(scenes, name, scene.seen, true);
    return scene;
}

static inline void scene_close(struct scene *scene)
{
    json_decref(scene->seen);
}

static inline void scene_plan(struct scene *scene, struct reconcile_plan *out_plan)
{
    const json_t *seen = scene->seen;
    const char *failure = kube_object_text(seen, "failure", NULL);
    struct reconcile_seen look = {
        .connector = json_object_get(seen, "connector"),
        .children = json_object_get(seen, "children"),
        .pods = json_object_get(seen, "pods"),
        .reports = json_object_get(seen, "reports"),
        .job = json_object_get(seen, "job"),
        .twin = json_object_get(seen, "twin"),
        .sharer = json_object_get(seen, "sharer"),
        .namespace_terminating = json_is_true(json_object_get(seen, "namespace_terminating")),
        .no_pod_monitors = json_is_true(json_object_get(seen, "no_pod_monitors")),
        .settings = &scene_settings,
    };
    assert_true(kube_time_parse(kube_object_text(seen, "now", ""), &look.now_us));
    if (failure != NULL) {
        (void)error_set(&scene->failure, ERROR_RETRY,
                        kube_object_text(seen, "failure_code", "apply"), "%s", failure);
        (void)error_advise(&scene->failure, "do something");
        look.failure = &scene->failure;
    }
    (scene->gone ? reconcile_gone : reconcile_plan)(&look, out_plan);
}

#endif
