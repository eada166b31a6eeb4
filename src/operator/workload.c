#include "operator/workload.h"

#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "kube/kube_object.h"
#include "operator/pod.h"

enum { JOB_TRIES = 3, JOB_DEADLINE_S = 600 };

struct making {
    const struct resource *resource;
    const struct operator_settings *settings;
    const struct rendering *rendering;
    int64_t replicas;
};

static json_t *owner(const struct resource *resource)
{
    return objects_pack("[{s:s, s:s, s:s, s:s, s:b, s:b}]", "apiVersion", RESOURCE_API_VERSION,
                        "kind", RESOURCE_KIND, "name", resource->name, "uid", resource->uid,
                        "controller", 1, "blockOwnerDeletion", 1);
}

static json_t *object_of(const struct resource *resource, const char *api_version, const char *kind,
                         const char *name)
{
    return objects_pack("{s:s, s:s, s:{s:s, s:s, s:o, s:o}}", "apiVersion", api_version, "kind",
                        kind, "metadata", "name", name, "namespace", resource->namespace_name,
                        "labels", pod_labels(resource, "worker"), "ownerReferences",
                        owner(resource));
}

static json_t *child(const struct making *making, const char *api_version, const char *kind)
{
    return object_of(making->resource, api_version, kind, making->resource->child);
}

static json_t *service_account(const struct making *making)
{
    if (making->resource->service_account != NULL)
        return NULL;
    json_t *made = child(making, "v1", "ServiceAccount");
    objects_set(made, "automountServiceAccountToken", json_false());
    return made;
}

/* The same as charts/pqcdc/files/worker-role-rules.yaml, which a test holds it to. */
static json_t *role(const struct making *making)
{
    json_t *made = child(making, "rbac.authorization.k8s.io/v1", "Role");
    objects_set(made, "rules",
                objects_pack("[{s:[s], s:[s], s:[s], s:[s,s,s,s]},"
                             " {s:[s], s:[s], s:[s]},"
                             " {s:[s], s:[s], s:[s,s]}]",
                             "apiGroups", "coordination.k8s.io", "resources", "leases",
                             "resourceNames", making->resource->child, "verbs", "get", "list",
                             "watch", "update", "apiGroups", "coordination.k8s.io", "resources",
                             "leases", "verbs", "create", "apiGroups", "events.k8s.io", "resources",
                             "events", "verbs", "create", "patch"));
    return made;
}

static json_t *role_binding(const struct making *making)
{
    const struct resource *resource = making->resource;
    const char *account = resource->service_account;
    json_t *made = child(making, "rbac.authorization.k8s.io/v1", "RoleBinding");
    objects_set(made, "roleRef",
                objects_pack("{s:s, s:s, s:s}", "apiGroup", "rbac.authorization.k8s.io", "kind",
                             "Role", "name", resource->child));
    objects_set(made, "subjects",
                objects_pack("[{s:s, s:s, s:s}]", "kind", "ServiceAccount", "name",
                             account != NULL ? account : resource->child, "namespace",
                             resource->namespace_name));
    return made;
}

static json_t *config_map(const struct making *making)
{
    json_t *made = child(making, "v1", "ConfigMap");
    objects_set(made, "data", objects_pack("{s:s}", RENDERING_FILE, making->rendering->text));
    return made;
}

/* Headless: it is there to be scraped, not to spread load. */
static json_t *service(const struct making *making)
{
    json_t *made = child(making, "v1", "Service");
    objects_set(made, "spec",
                objects_pack("{s:s, s:b, s:o, s:[{s:s, s:i, s:s, s:s}]}", "clusterIP", "None",
                             "publishNotReadyAddresses", 1, "selector",
                             pod_selector(making->resource, "worker"), "ports", "name", "http",
                             "port", (int)making->settings->worker_port, "targetPort", "http",
                             "protocol", "TCP"));
    return made;
}

static json_t *disruption_budget(const struct making *making)
{
    if (making->resource->replicas < 2)
        return NULL;
    json_t *made = child(making, "policy/v1", "PodDisruptionBudget");
    objects_set(made, "spec",
                objects_pack("{s:i, s:s, s:{s:o}}", "maxUnavailable", 1,
                             "unhealthyPodEvictionPolicy", "AlwaysAllow", "selector", "matchLabels",
                             pod_selector(making->resource, "worker")));
    return made;
}

static json_t *pod_monitor(const struct making *making)
{
    const struct resource *resource = making->resource;
    if (!resource->pod_monitor)
        return NULL;
    json_t *made = child(making, "monitoring.coreos.com/v1", "PodMonitor");
    json_t *labels = json_object();
    objects_overlay(labels, kube_object_find(resource->spec, "podMonitor.labels"));
    objects_overlay(labels, kube_object_find(made, "metadata.labels"));
    objects_set(kube_object_child(made, "metadata"), "labels", labels);
    json_t *endpoint = objects_pack("{s:s, s:s}", "port", "http", "path", "/metrics");
    const char *interval = kube_object_text(resource->spec, "podMonitor.interval", "");
    if (interval[0] != '\0')
        objects_set(endpoint, "interval", json_string(interval));
    objects_set(made, "spec",
                objects_pack("{s:{s:o}, s:[o]}", "selector", "matchLabels",
                             pod_selector(resource, "worker"), "podMetricsEndpoints", endpoint));
    return made;
}

/* A standby stays while pods are replaced one by one; of one pod, the new one comes first. */
static json_t *strategy(const struct resource *resource)
{
    int unavailable = resource->replicas > 1 ? 1 : 0;
    return objects_pack("{s:s, s:{s:i, s:i}}", "type", "RollingUpdate", "rollingUpdate", "maxSurge",
                        1, "maxUnavailable", unavailable);
}

static json_t *deployment(const struct making *making)
{
    const struct resource *resource = making->resource;
    json_t *made = child(making, "apps/v1", "Deployment");
    objects_set(made, "spec",
                objects_pack("{s:I, s:o, s:{s:o}, s:o}", "replicas", (json_int_t)making->replicas,
                             "strategy", strategy(resource), "selector", "matchLabels",
                             pod_selector(resource, "worker"), "template",
                             pod_worker(resource, making->settings, making->rendering)));
    return made;
}

/* In the order in which they are made. */
static const struct row {
    const char *kind;
    json_t *(*make)(const struct making *making); /* NULL = not wanted */
    bool of_drop;                                 /* the Job needs it too */
} rows[] = {
    { "ServiceAccount", service_account, true },
    { "Role", role, true },
    { "RoleBinding", role_binding, true },
    { "ConfigMap", config_map, true },
    { "Deployment", deployment, false },
    { "Service", service, false },
    { "PodDisruptionBudget", disruption_budget, false },
    { "PodMonitor", pod_monitor, false },
};

static void stamp(json_t *object)
{
    char hash[OBJECTS_HASH_SIZE];
    objects_hash(object, hash);
    kube_object_annotate(object, OBJECTS_APPLIED, hash);
}

static json_t *make_all(const struct making *making, bool of_drop)
{
    json_t *wanted = json_array();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        json_t *made = rows[i].of_drop || !of_drop ? rows[i].make(making) : NULL;
        if (made == NULL)
            continue;
        stamp(made);
        objects_append(wanted, made);
    }
    return wanted;
}

json_t *workload_wanted(const struct resource *resource, const struct operator_settings *settings,
                        const struct rendering *rendering, int64_t replicas)
{
    const struct making making = { resource, settings, rendering, replicas };
    return make_all(&making, false);
}

json_t *workload_wanted_of_drop(const struct resource *resource,
                                const struct operator_settings *settings,
                                const struct rendering *rendering)
{
    const struct making making = { resource, settings, rendering, 0 };
    return make_all(&making, true);
}

/* What decides whom the Job reaches, and as whom, stays. */
static json_t *plain_template(const json_t *template)
{
    static const char *const kept[] = {
        "env", "envFrom", "volumes", "volumeMounts", "serviceAccountName", "imagePullSecrets"
    };
    json_t *made = json_object();
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        objects_set(made, kept[i], json_incref(json_object_get(template, kept[i])));
    return made;
}

json_t *workload_drop_job(const struct resource *resource, const struct operator_settings *settings,
                          const struct rendering *rendering, bool plain)
{
    struct resource with = *resource;
    AUTO(json_t *, json_decrefp) template = plain ? plain_template(resource->template) : NULL;
    if (plain)
        with.template = template;
    json_t *made = object_of(resource, "batch/v1", "Job", resource->drop);
    objects_set(kube_object_child(made, "metadata"), "labels", pod_labels(resource, "drop"));
    objects_set(made, "spec",
                objects_pack("{s:i, s:i, s:o}", "backoffLimit", JOB_TRIES, "activeDeadlineSeconds",
                             JOB_DEADLINE_S, "template", pod_drop(&with, settings, rendering)));
    stamp(made);
    return made;
}

/* NULL = nobody. */
static const json_t *controller_of(const json_t *object)
{
    const json_t *owners = kube_object_find(object, "metadata.ownerReferences");
    for (size_t i = 0; i < json_array_size(owners); i++) {
        const json_t *one = json_array_get(owners, i);
        if (json_is_true(json_object_get(one, "controller")))
            return one;
    }
    return NULL;
}

static bool is_text(const json_t *object, const char *path, const char *text)
{
    return text[0] != '\0' && strcmp(kube_object_text(object, path, ""), text) == 0;
}

bool workload_is_ours(const struct resource *resource, const json_t *object)
{
    return is_text(controller_of(object), "uid", resource->uid);
}

static bool was_made_for(const json_t *object, const char *name)
{
    const json_t *labels = kube_object_find(object, "metadata.labels");
    const char *label = json_string_value(json_object_get(labels, RESOURCE_LABEL));
    return label != NULL && strcmp(label, name) == 0 &&
           kube_object_annotation(object, OBJECTS_APPLIED)[0] != '\0';
}

bool workload_may_take(const json_t *connector, const json_t *object, struct error *err)
{
    const json_t *controller = controller_of(object);
    const char *connector_name = kube_object_text(connector, "metadata.name", "");
    const char *kind = kube_object_text(object, "kind", "object");
    const char *name = kube_object_text(object, "metadata.name", "");
    if (controller == NULL
            ? was_made_for(object, connector_name)
            : is_text(controller, "uid", kube_object_text(connector, "metadata.uid", "")))
        return true;
    if (is_text(controller, "apiVersion", RESOURCE_API_VERSION) &&
        is_text(controller, "kind", RESOURCE_KIND) && is_text(controller, "name", connector_name)) {
        (void)error_set(err, ERROR_WAIT, "name_leftover",
                        "%s %s belongs to an earlier Connector %s and goes with it", kind, name,
                        connector_name);
        return error_advise(err, "if it stays, delete it");
    }
    (void)error_set(err, ERROR_RETRY, "name_taken",
                    "%s %s exists and was not made for this Connector: it is left as it is", kind,
                    name);
    return error_advise(err, "delete or rename it, or give the Connector another name; it is "
                             "looked at again within a minute");
}

json_t *workload_stop(const json_t *connector, const json_t *deployment)
{
    if (!workload_may_take(connector, deployment, NULL) ||
        kube_object_integer(deployment, "spec.replicas", 0) == 0)
        return NULL;
    return objects_pack("{s:s, s:s}", "name", kube_object_text(deployment, "metadata.name", ""),
                        "resourceVersion",
                        kube_object_text(deployment, "metadata.resourceVersion", ""));
}

static bool is_made_here(const char *kind)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (strcmp(rows[i].kind, kind) == 0)
            return true;
    }
    return false;
}

static void give_up(const json_t *object, json_t *remove)
{
    objects_append(remove, objects_pack("{s:s, s:s, s:s, s:s}", "apiVersion",
                                        kube_object_text(object, "apiVersion", ""), "kind",
                                        kube_object_text(object, "kind", ""), "name",
                                        kube_object_text(object, "metadata.name", ""), "uid",
                                        kube_object_text(object, "metadata.uid", "")));
}

/* The uid keeps the server from writing over what takes the name meanwhile. */
static json_t *with_uid(json_t *want, const json_t *have)
{
    const char *uid = kube_object_text(have, "metadata.uid", "");
    json_t *made = json_deep_copy(want);
    CHECK(made != NULL);
    if (uid[0] != '\0')
        objects_set(kube_object_child(made, "metadata"), "uid", json_string(uid));
    return made;
}

void workload_lacking(const struct resource *resource, const json_t *children, const json_t *wanted,
                      json_t *apply)
{
    for (size_t i = 0; i < json_array_size(wanted); i++) {
        json_t *want = json_array_get(wanted, i);
        const char *kind = kube_object_text(want, "kind", "");
        const json_t *have = objects_find(children, kind, resource->child);
        if (!objects_hold(have, want))
            objects_append(apply, with_uid(want, workload_is_ours(resource, have) ? have : NULL));
    }
}

void workload_surplus(const struct resource *resource, const json_t *children, const json_t *wanted,
                      json_t *remove)
{
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *have = json_array_get(children, i);
        const char *kind = kube_object_text(have, "kind", "");
        const char *name = kube_object_text(have, "metadata.name", "");
        if (is_made_here(kind) && workload_is_ours(resource, have) &&
            objects_find(wanted, kind, name) == NULL &&
            kube_object_text(have, "metadata.deletionTimestamp", NULL) == NULL)
            give_up(have, remove);
    }
}
