#include "operator/kinds.h"

#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"
#include "operator/resource.h"

static const struct kind kinds[] = {
#define KIND(api_version_, name_, plural_, role_, everywhere_)                                     \
    { .api_version = (api_version_),                                                               \
      .name = (name_),                                                                             \
      .plural = (plural_),                                                                         \
      .role = (role_),                                                                             \
      .everywhere = (everywhere_) },
#include "operator/kinds.def"
#undef KIND
};

const struct kind *kinds_all(size_t *out_count)
{
    *out_count = COUNT_OF(kinds);
    return kinds;
}

const struct kind *kinds_find(const char *api_version, const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i].name, name) == 0 && strcmp(kinds[i].api_version, api_version) == 0)
            return &kinds[i];
    return NULL;
}

char *kinds_api_path(const struct kind *kind)
{
    bool grouped = strchr(kind->api_version, '/') != NULL;
    return text_format("%s%s", grouped ? "/apis/" : "/api/", kind->api_version);
}

char *kinds_path(const struct kind *kind, const char *namespace_name, const char *name)
{
    AUTO(char *, memory_free_p) api = kinds_api_path(kind);
    AUTO(char *, memory_free_p) space =
        kube_object_escape(namespace_name != NULL ? namespace_name : "");
    AUTO(char *, memory_free_p) leaf = kube_object_escape(name != NULL ? name : "");
    return text_format("%s%s%s/%s%s%s", api, namespace_name != NULL ? "/namespaces/" : "", space,
                       kind->plural, name != NULL ? "/" : "", leaf);
}

char *kinds_key(const json_t *object)
{
    return text_format("%s/%s", kube_object_text(object, "metadata.namespace", ""),
                       kube_object_text(object, "metadata.name", ""));
}

/* What stands between a prefix and a suffix; size 0 = it is another name. */
static struct slice between(const char *name, const char *prefix, const char *suffix)
{
    size_t size = strlen(name), before = strlen(prefix), behind = strlen(suffix);
    if (size <= before + behind || strncmp(name, prefix, before) != 0 ||
        strcmp(name + size - behind, suffix) != 0)
        return SLICE_TEXT("");
    return (struct slice){ name + before, size - before - behind };
}

static struct slice label_of(const json_t *object, const char *name)
{
    const json_t *labels = kube_object_find(object, "metadata.labels");
    const char *text = json_string_value(json_object_get(labels, name));
    return slice_of(text != NULL ? text : "");
}

char *kinds_owner(const struct kind *kind, const json_t *object)
{
    static const char *const suffixes[] = { [KINDS_CHILD] = "", [KINDS_JOB] = "-drop" };
    const char *name = kube_object_text(object, "metadata.name", "");
    struct slice owner;
    if (kind->role == KINDS_CONNECTOR)
        owner = slice_of(name);
    else if (kind->role == KINDS_POD)
        owner = label_of(object, RESOURCE_LABEL);
    else
        owner = between(name, "pqcdc-", suffixes[kind->role]);
    if (owner.size == 0)
        return NULL;
    return text_format("%s/%.*s", kube_object_text(object, "metadata.namespace", ""),
                       SLICE_ARGS(owner));
}

static void set(json_t *object, const char *name, json_t *value)
{
    CHECK(json_object_set_new(object, name, value) == 0);
}

static json_t *images_of(const json_t *pod)
{
    json_t *images = json_array();
    size_t i;
    const json_t *container;
    json_array_foreach(kube_object_find(pod, "spec.containers"), i, container)
    {
        json_t *image = json_pack("{s:s, s:s}", "name", kube_object_text(container, "name", ""),
                                  "image", kube_object_text(container, "image", ""));
        CHECK(json_array_append_new(images, image) == 0);
    }
    return images;
}

/* Nothing in a pod's spec is ours to compare; its volumes name what it waits for. */
static void trim_pod(json_t *pod)
{
    json_t *spec = json_pack("{s:s, s:o}", "nodeName", kube_object_text(pod, "spec.nodeName", ""),
                             "containers", images_of(pod));
    CHECK(spec != NULL);
    json_t *volumes = kube_object_find(pod, "spec.volumes");
    if (volumes != NULL)
        set(spec, "volumes", json_incref(volumes));
    set(pod, "spec", spec);
}

void kinds_trim(const struct kind *kind, json_t *object)
{
    set(object, "apiVersion", json_string(kind->api_version));
    set(object, "kind", json_string(kind->name));
    (void)json_object_del(kube_object_child(object, "metadata"), "managedFields");
    (void)json_object_del(kube_object_find(object, "metadata.annotations"),
                          "kubectl.kubernetes.io/last-applied-configuration");
    if (kind->role == KINDS_POD)
        trim_pod(object);
}
