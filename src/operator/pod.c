#include "operator/pod.h"

#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "kube/kube_object.h"

enum { IMAGE_MAX_BYTES = 2048, FILE_MODE = 0440, TOLERATION_SECONDS = 30 };

json_t *pod_selector(const struct resource *resource, const char *component)
{
    return objects_pack("{s:s, s:s, s:s, s:s}", "app.kubernetes.io/name", "pqcdc",
                        "app.kubernetes.io/instance", resource->name, "app.kubernetes.io/component",
                        component, RESOURCE_LABEL, resource->name);
}

json_t *pod_labels(const struct resource *resource, const char *component)
{
    json_t *labels = pod_selector(resource, component);
    objects_set(labels, "app.kubernetes.io/managed-by", json_string("pqcdc-operator"));
    return labels;
}

static const json_t *of_template(const struct resource *resource, const char *name)
{
    return json_object_get(resource->template, name);
}

/* What the user gives comes after ours, so that his environment and mounts win. */
static json_t *extended(json_t *ours, const struct resource *resource, const char *name)
{
    const json_t *theirs = of_template(resource, name);
    for (size_t i = 0; i < json_array_size(theirs); i++)
        objects_append(ours, json_deep_copy(json_array_get(theirs, i)));
    return ours;
}

static json_t *overlaid(json_t *ours, const struct resource *resource, const char *name)
{
    objects_overlay(ours, of_template(resource, name));
    return ours;
}

/* As it is given, or ours; NULL = neither. */
static json_t *given_or(const struct resource *resource, const char *name, json_t *ours)
{
    const json_t *theirs = of_template(resource, name);
    if (theirs == NULL || json_is_null(theirs))
        return ours;
    json_decref(ours);
    return json_deep_copy(theirs);
}

/* Containers. */

static json_t *environment(const struct resource *resource)
{
    json_t *ours =
        objects_pack("[{s:s, s:{s:{s:s}}}, {s:s, s:{s:{s:s}}}]", "name", "POD_NAME", "valueFrom",
                     "fieldRef", "fieldPath", "metadata.name", "name", "POD_NAMESPACE", "valueFrom",
                     "fieldRef", "fieldPath", "metadata.namespace");
    return extended(ours, resource, "env");
}

static json_t *mount(const char *name, const char *path, bool read_only)
{
    json_t *made = objects_pack("{s:s, s:s}", "name", name, "mountPath", path);
    if (read_only)
        objects_set(made, "readOnly", json_true());
    return made;
}

static json_t *mounts(const struct resource *resource, const struct rendering *rendering)
{
    json_t *ours = json_array();
    objects_append(ours, mount("config", RENDERING_DIRECTORY, true));
    objects_append(ours, mount("tmp", "/tmp", false));
    if (json_array_size(rendering->sources) > 0)
        objects_append(ours, mount("credentials", RENDERING_SECRETS, true));
    if (rendering->handler != NULL)
        objects_append(ours, mount(RENDERING_HANDLER_VOLUME, RENDERING_HANDLER, true));
    return extended(ours, resource, "volumeMounts");
}

static json_t *container_security(const struct resource *resource)
{
    json_t *ours = objects_pack("{s:b, s:b, s:{s:[s]}}", "allowPrivilegeEscalation", 0,
                                "readOnlyRootFilesystem", 1, "capabilities", "drop", "ALL");
    return overlaid(ours, resource, "securityContext");
}

static json_t *resources(const struct resource *resource)
{
    return given_or(resource, "resources",
                    objects_pack("{s:{s:s, s:s}, s:{s:s}}", "requests", "cpu", "100m", "memory",
                                 "64Mi", "limits", "memory", "128Mi"));
}

static json_t *probe(const char *path, int period_s, int failures)
{
    return objects_pack("{s:{s:s, s:s}, s:i, s:i, s:i}", "httpGet", "path", path, "port", "http",
                        "periodSeconds", period_s, "timeoutSeconds", 3, "failureThreshold",
                        failures);
}

static json_t *image(const struct resource *resource, const struct operator_settings *settings)
{
    AUTO(struct buf, buf_done) text = buf_init(IMAGE_MAX_BYTES);
    resource_image(resource, settings, &text);
    return json_string(buf_text(&text));
}

static json_t *pull_policy(const struct resource *resource,
                           const struct operator_settings *settings)
{
    const char *ours = settings->image_pull_policy != NULL ? settings->image_pull_policy : "";
    const char *policy = kube_object_text(resource->spec, "image.pullPolicy", ours);
    return policy[0] != '\0' ? json_string(policy) : NULL;
}

/* What both pods have in common. */
static json_t *container(const struct resource *resource, const struct operator_settings *settings,
                         const struct rendering *rendering, json_t *arguments)
{
    json_t *made = objects_pack("{s:s, s:o, s:o}", "name", POD_CONTAINER, "image",
                                image(resource, settings), "args", arguments);
    objects_set(made, "imagePullPolicy", pull_policy(resource, settings));
    objects_set(made, "env", environment(resource));
    objects_set(made, "envFrom", given_or(resource, "envFrom", NULL));
    objects_set(made, "resources", resources(resource));
    objects_set(made, "securityContext", container_security(resource));
    objects_set(made, "volumeMounts", mounts(resource, rendering));
    objects_set(made, "terminationMessagePolicy", json_string("FallbackToLogsOnError"));
    return made;
}

/* A start that is slow (a loaded node, a cold disk) has two minutes; a loop that stands still is
 * known to /livez after 10 s. */
static void add_probes(json_t *made, const struct operator_settings *settings)
{
    objects_set(
        made, "ports",
        objects_pack("[{s:s, s:i}]", "name", "http", "containerPort", (int)settings->worker_port));
    objects_set(made, "startupProbe", probe("/startupz", 2, 60));
    objects_set(made, "livenessProbe", probe("/livez", 10, 3));
    objects_set(made, "readinessProbe", probe("/readyz", 5, 2));
}

/* Pods. */

static bool tolerates(const json_t *tolerations, const char *key)
{
    for (size_t i = 0; i < json_array_size(tolerations); i++) {
        const char *other = kube_object_text(json_array_get(tolerations, i), "key", "");
        if (other[0] == '\0' || strcmp(other, key) == 0)
            return true;
    }
    return false;
}

/* Instead of Kubernetes' five minutes: another pod takes over long before, and a standby is missed.
 */
static json_t *tolerations(const struct resource *resource)
{
    static const char *const keys[] = { "node.kubernetes.io/not-ready",
                                        "node.kubernetes.io/unreachable" };
    json_t *made = extended(json_array(), resource, "tolerations");
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        if (!tolerates(of_template(resource, "tolerations"), keys[i]))
            objects_append(made, objects_pack("{s:s, s:s, s:s, s:i}", "key", keys[i], "operator",
                                              "Exists", "effect", "NoExecute", "tolerationSeconds",
                                              TOLERATION_SECONDS));
    }
    return made;
}

static json_t *spread(const struct resource *resource)
{
    json_t *ours = objects_pack("[{s:i, s:s, s:s, s:{s:o}}]", "maxSkew", 1, "topologyKey",
                                "kubernetes.io/hostname", "whenUnsatisfiable", "ScheduleAnyway",
                                "labelSelector", "matchLabels", pod_selector(resource, "worker"));
    return given_or(resource, "topologySpreadConstraints", ours);
}

static json_t *volumes(const struct resource *resource, const struct rendering *rendering)
{
    json_t *ours = objects_pack("[{s:s, s:{s:s}}, {s:s, s:{}}]", "name", "config", "configMap",
                                "name", resource->child, "name", "tmp", "emptyDir");
    if (json_array_size(rendering->sources) > 0)
        objects_append(ours, objects_pack("{s:s, s:{s:i, s:O}}", "name", "credentials", "projected",
                                          "defaultMode", FILE_MODE, "sources", rendering->sources));
    if (rendering->handler != NULL)
        objects_append(ours, json_deep_copy(rendering->handler));
    return extended(ours, resource, "volumes");
}

/* With the group, files that only root and the group may read are readable: libpq takes a key of no
 * other mode. */
static json_t *pod_security(const struct resource *resource)
{
    json_t *ours = objects_pack("{s:b, s:i, s:i, s:i, s:{s:s}}", "runAsNonRoot", 1, "runAsUser",
                                POD_USER, "runAsGroup", POD_USER, "fsGroup", POD_USER,
                                "seccompProfile", "type", "RuntimeDefault");
    return overlaid(ours, resource, "podSecurityContext");
}

static json_t *pod_spec(const struct resource *resource, const struct rendering *rendering,
                        json_t *only_container)
{
    const char *account = resource->service_account;
    json_t *made = objects_pack("{s:s, s:b, s:[o]}", "serviceAccountName",
                                account != NULL ? account : resource->child, "enableServiceLinks",
                                0, "containers", only_container);
    objects_set(made, "securityContext", pod_security(resource));
    objects_set(made, "volumes", volumes(resource, rendering));
    objects_set(made, "tolerations", tolerations(resource));
    static const char *const passed[] = { "nodeSelector", "affinity", "priorityClassName",
                                          "imagePullSecrets" };
    for (size_t i = 0; i < COUNT_OF(passed); i++)
        objects_set(made, passed[i], given_or(resource, passed[i], NULL));
    return made;
}

/* Labels and annotations of the user's, ours on top: selectors depend on them. */
static json_t *pod_metadata(const struct resource *resource, const struct rendering *rendering,
                            const char *component)
{
    json_t *labels = overlaid(json_object(), resource, "labels");
    json_t *annotations = overlaid(json_object(), resource, "annotations");
    AUTO(json_t *, json_decrefp) ours = pod_labels(resource, component);
    objects_overlay(labels, ours);
    objects_set(annotations, POD_CONFIG_HASH, json_string(rendering->hash));
    return objects_pack("{s:o, s:o}", "labels", labels, "annotations", annotations);
}

static json_t *command(const char *first, const char *second, const char *third)
{
    json_t *made = json_array();
    const char *const words[] = { first, second, third, "--config",
                                  RENDERING_DIRECTORY "/" RENDERING_FILE };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (words[i] != NULL)
            objects_append(made, json_string(words[i]));
    }
    return made;
}

json_t *pod_worker(const struct resource *resource, const struct operator_settings *settings,
                   const struct rendering *rendering)
{
    json_t *only = container(resource, settings, rendering, command("run", NULL, NULL));
    add_probes(only, settings);
    json_t *spec = pod_spec(resource, rendering, only);
    int64_t grace = (resource->shutdown_ms + 999) / 1000 + POD_GRACE_SECONDS;
    objects_set(spec, "terminationGracePeriodSeconds", json_integer(grace));
    objects_set(spec, "topologySpreadConstraints", spread(resource));
    objects_set(spec, "automountServiceAccountToken", json_true());
    return objects_pack("{s:o, s:o}", "metadata", pod_metadata(resource, rendering, "worker"),
                        "spec", spec);
}

json_t *pod_drop(const struct resource *resource, const struct operator_settings *settings,
                 const struct rendering *rendering)
{
    json_t *words = command("slot", "drop", "--with-publication");
    /* A volume that is not there any more must not keep the slot. */
    struct rendering without_handler = *rendering;
    without_handler.handler = NULL;
    json_t *only = container(resource, settings, &without_handler, words);
    json_t *spec = pod_spec(resource, &without_handler, only);
    objects_set(spec, "restartPolicy", json_string("Never"));
    objects_set(spec, "automountServiceAccountToken", json_true());
    return objects_pack("{s:o, s:o}", "metadata", pod_metadata(resource, rendering, "drop"), "spec",
                        spec);
}
