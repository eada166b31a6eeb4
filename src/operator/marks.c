#include "operator/marks.h"

#include <string.h>

#include "kube/kube_object.h"
#include "operator/objects.h"
#include "operator/resource.h"
#include "operator/workers.h"

#define DELETION_COST "controller.kubernetes.io/pod-deletion-cost"

/* NULL = it is as it should be. absent: what it counts as when it is not there; wanting it where
 * something else stands writes `wanted`, which may be NULL. */
static json_t *change(const json_t *have, const char *name, const char *wanted, const char *absent)
{
    const char *value = json_string_value(json_object_get(have, name));
    const char *is = value != NULL ? value : absent;
    return strcmp(is, wanted != NULL ? wanted : absent) == 0 ? NULL
                                                             : objects_pack("{s:s?}", name, wanted);
}

static void compare(const json_t *pod, const char *name, bool leads, json_t *patches)
{
    const json_t *labels = kube_object_find(pod, "metadata.labels");
    const json_t *annotations = kube_object_find(pod, "metadata.annotations");
    json_t *label = change(labels, RESOURCE_ROLE_LABEL, leads ? "leader" : NULL, "");
    json_t *cost = change(annotations, DELETION_COST, leads ? "1000" : "0", "0");
    if (label == NULL && cost == NULL)
        return;
    json_t *patch = objects_pack("{s:s}", "name", name);
    objects_set(patch, "labels", label);
    objects_set(patch, "annotations", cost);
    objects_append(patches, patch);
}

void marks_compare(const json_t *pods, const char *leader, json_t *patches)
{
    for (size_t i = 0; i < json_array_size(pods) && leader[0] != '\0'; i++) {
        const json_t *pod = json_array_get(pods, i);
        const char *name = kube_object_text(pod, "metadata.name", "");
        bool is_leaving = kube_object_text(pod, "metadata.deletionTimestamp", NULL) != NULL;
        if (workers_is_worker(pod) && !is_leaving)
            compare(pod, name, strcmp(name, leader) == 0, patches);
    }
}
