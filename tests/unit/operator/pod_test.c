#include "operator/pod.h"

#include "scene.h"

#include <string.h>

static json_t *scenes;

static int load_scenes(void **state)
{
    (void)state;
    scenes = scene_load_file(SCENE_DIRECTORY "scenes.json");
    return 0;
}

static int unload_scenes(void **state)
{
    (void)state;
    json_decref(scenes);
    return 0;
}

typedef json_t *make_fn(const struct resource *resource, const struct operator_settings *settings,
                        const struct rendering *rendering);

static json_t *made_of(make_fn *make, const json_t *connector)
{
    struct resource resource;
    struct rendering rendering;
    struct error err = ERROR_INIT;
    if (!resource_read(connector, &resource, &err) ||
        !rendering_make(&resource, &scene_settings, &rendering, &err))
        fail_msg("%s", err.text);
    json_t *pod = make(&resource, &scene_settings, &rendering);
    rendering_done(&rendering);
    return pod;
}

static json_t *connector_of(const char *scene)
{
    AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, scene);
    return json_incref(kube_object_find(flat, "seen.connector"));
}

static json_t *pod_of(make_fn *make, const char *scene)
{
    AUTO(json_t *, json_decrefp) connector = connector_of(scene);
    return made_of(make, connector);
}

static const json_t *only_container(const json_t *pod)
{
    const json_t *all = kube_object_find(pod, "spec.containers");
    assert_int_equal(json_array_size(all), 1);
    return json_array_get(all, 0);
}

static bool is_true(const json_t *object, const char *path)
{
    return json_is_true(kube_object_find(object, path));
}

static bool is_false(const json_t *object, const char *path)
{
    return json_is_false(kube_object_find(object, path));
}

/* https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted */
static void every_pod_is_restricted(void **state)
{
    static make_fn *const makers[] = { pod_worker, pod_drop };
    static const char *const names[] = { "minimal", "everything" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(makers) * COUNT_OF(names); i++) {
        AUTO(json_t *, json_decrefp) pod = pod_of(makers[i / 2], names[i % 2]);
        const json_t *container = only_container(pod);
        assert_true(is_true(pod, "spec.securityContext.runAsNonRoot"));
        assert_string_equal(kube_object_text(pod, "spec.securityContext.seccompProfile.type", ""),
                            "RuntimeDefault");
        assert_true(is_false(container, "securityContext.allowPrivilegeEscalation"));
        assert_true(is_true(container, "securityContext.readOnlyRootFilesystem"));
        const json_t *dropped = kube_object_find(container, "securityContext.capabilities.drop");
        assert_string_equal(json_string_value(json_array_get(dropped, 0)), "ALL");
        assert_true(is_false(pod, "spec.enableServiceLinks"));
    }
}

static void both_pods_see_the_same_configuration_and_secrets(void **state)
{
    AUTO(json_t *, json_decrefp) connector = connector_of("everything");
    (void)json_object_del(kube_object_find(connector, "spec.handler"), "volume");
    AUTO(json_t *, json_decrefp) worker = made_of(pod_worker, connector);
    AUTO(json_t *, json_decrefp) drop = made_of(pod_drop, connector);
    static const char *const same[] = { "image",           "env",
                                        "envFrom",         "volumeMounts",
                                        "securityContext", "imagePullPolicy" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(same); i++)
        assert_true(json_equal(json_object_get(only_container(worker), same[i]),
                               json_object_get(only_container(drop), same[i])));
    assert_true(json_equal(kube_object_find(worker, "spec.volumes"),
                           kube_object_find(drop, "spec.volumes")));
    assert_string_equal(kube_object_text(drop, "spec.restartPolicy", ""), "Never");
    AUTO(json_t *, json_decrefp)
    words = objects_pack("[s,s,s,s,s]", "slot", "drop", "--with-publication", "--config",
                         "/etc/pqcdc/config.yaml");
    assert_true(json_equal(json_object_get(only_container(drop), "args"), words));
}

static const json_t *named(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (strcmp(kube_object_text(json_array_get(list, i), "name", ""), name) == 0)
            return json_array_get(list, i);
    }
    return NULL;
}

/* The drop needs no handler, and must not wait for a volume that is gone. */
static void the_worker_alone_has_the_handlers_volume(void **state)
{
    AUTO(json_t *, json_decrefp) worker = pod_of(pod_worker, "everything");
    AUTO(json_t *, json_decrefp) drop = pod_of(pod_drop, "everything");
    AUTO(json_t *, json_decrefp)
    volume = objects_pack("{s:s, s:{s:s}}", "name", "pqcdc-handler", "configMap", "name",
                          "outbox-handler");
    AUTO(json_t *, json_decrefp)
    mount = objects_pack("{s:s, s:s, s:b}", "name", "pqcdc-handler", "mountPath",
                         "/var/lib/pqcdc-handler", "readOnly", 1);
    (void)state;
    assert_true(
        json_equal(named(kube_object_find(worker, "spec.volumes"), "pqcdc-handler"), volume));
    assert_true(json_equal(
        named(json_object_get(only_container(worker), "volumeMounts"), "pqcdc-handler"), mount));
    assert_null(named(kube_object_find(drop, "spec.volumes"), "pqcdc-handler"));
    assert_null(named(json_object_get(only_container(drop), "volumeMounts"), "pqcdc-handler"));
}

static void the_users_null_takes_our_default_away(void **state)
{
    AUTO(json_t *, json_decrefp) connector = connector_of("everything");
    json_t *context = kube_object_find(connector, "spec.template.podSecurityContext");
    objects_set(context, "runAsUser", json_null());
    objects_set(context, "runAsGroup", json_integer(7));
    AUTO(json_t *, json_decrefp) pod = made_of(pod_worker, connector);
    (void)state;
    assert_null(kube_object_find(pod, "spec.securityContext.runAsUser"));
    assert_int_equal(kube_object_integer(pod, "spec.securityContext.runAsGroup", 0), 7);
    assert_int_equal(kube_object_integer(pod, "spec.securityContext.fsGroup", 0), 2000);
    assert_true(is_true(pod, "spec.securityContext.runAsNonRoot"));
}

static void the_grace_covers_the_shutdown(void **state)
{
    static const struct {
        const char *timeout;
        int64_t seconds;
    } rows[] = { { "0s", 10 }, { "1ms", 11 }, { "20s", 30 }, { "1h", 3610 } };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(json_t *, json_decrefp) connector = connector_of("minimal");
        objects_set(kube_object_find(connector, "spec.cdc"), "shutdownTimeout",
                    json_string(rows[i].timeout));
        AUTO(json_t *, json_decrefp) pod = made_of(pod_worker, connector);
        assert_int_equal(kube_object_integer(pod, "spec.terminationGracePeriodSeconds", 0),
                         rows[i].seconds);
    }
}

static void what_selects_pods_cannot_be_given(void **state)
{
    AUTO(json_t *, json_decrefp) pod = pod_of(pod_worker, "everything");
    const json_t *labels = kube_object_find(pod, "metadata.labels");
    (void)state;
    assert_string_equal(json_string_value(json_object_get(labels, "pqcdc.io/connector")), "orders");
    assert_string_equal(json_string_value(json_object_get(labels, "tier")), "data");
    assert_string_not_equal(kube_object_annotation(pod, POD_CONFIG_HASH), "not ours");
    assert_string_equal(kube_object_annotation(pod, "team"), "shop");
}

static unsigned count_keys(const json_t *tolerations, const char *key)
{
    unsigned count = 0;
    for (size_t i = 0; i < json_array_size(tolerations); i++)
        count += strcmp(kube_object_text(json_array_get(tolerations, i), "key", ""), key) == 0;
    return count;
}

static void a_toleration_of_the_users_takes_the_place_of_ours(void **state)
{
    AUTO(json_t *, json_decrefp) pod = pod_of(pod_worker, "everything");
    const json_t *all = kube_object_find(pod, "spec.tolerations");
    (void)state;
    assert_int_equal(json_array_size(all), 3);
    assert_int_equal(count_keys(all, "node.kubernetes.io/unreachable"), 1);
    assert_int_equal(count_keys(all, "node.kubernetes.io/not-ready"), 1);
    assert_int_equal(count_keys(all, "dedicated"), 1);
}

static void without_references_there_is_no_volume_of_them(void **state)
{
    AUTO(json_t *, json_decrefp) pod = pod_of(pod_worker, "path_references");
    (void)state;
    assert_int_equal(json_array_size(kube_object_find(pod, "spec.volumes")), 2);
    assert_int_equal(json_array_size(json_object_get(only_container(pod), "volumeMounts")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pod_is_restricted),
        cmocka_unit_test(both_pods_see_the_same_configuration_and_secrets),
        cmocka_unit_test(the_worker_alone_has_the_handlers_volume),
        cmocka_unit_test(the_users_null_takes_our_default_away),
        cmocka_unit_test(the_grace_covers_the_shutdown),
        cmocka_unit_test(what_selects_pods_cannot_be_given),
        cmocka_unit_test(a_toleration_of_the_users_takes_the_place_of_ours),
        cmocka_unit_test(without_references_there_is_no_volume_of_them),
    };
    return cmocka_run_group_tests(tests, load_scenes, unload_scenes);
}
