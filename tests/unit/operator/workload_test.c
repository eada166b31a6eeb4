#include "operator/workload.h"

#include "scene.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define RULES_FILE TEST_DATA "/../../charts/pqcdc/files/worker-role-rules.yaml"

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

/* YAML of lists, maps and texts as JSON; `lease` stands for LEASE_NAME. */
static json_t *json_of(yaml_document_t *document, int index, const char *lease)
{
    const yaml_node_t *node = yaml_document_get_node(document, index);
    json_t *made = NULL;
    if (node->type == YAML_SCALAR_NODE) {
        const char *text = (const char *)node->data.scalar.value;
        made = json_string(strcmp(text, "LEASE_NAME") == 0 ? lease : text);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        made = json_array();
        for (const yaml_node_item_t *item = node->data.sequence.items.start;
             item < node->data.sequence.items.top; item++)
            objects_append(made, json_of(document, *item, lease));
    } else {
        made = json_object();
        for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
             pair < node->data.mapping.pairs.top; pair++) {
            const yaml_node_t *key = yaml_document_get_node(document, pair->key);
            objects_set(made, (const char *)key->data.scalar.value,
                        json_of(document, pair->value, lease));
        }
    }
    return made;
}

static json_t *rules_of_the_chart(const char *lease)
{
    yaml_parser_t parser;
    yaml_document_t document;
    FILE *file = fopen(RULES_FILE, "r");
    assert_non_null(file);
    assert_int_equal(yaml_parser_initialize(&parser), 1);
    yaml_parser_set_input_file(&parser, file);
    assert_int_equal(yaml_parser_load(&parser, &document), 1);
    json_t *rules = json_of(&document, 1, lease);
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    fclose(file);
    return rules;
}

static json_t *applied(const char *scene)
{
    AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, scene);
    return scene_applied(json_object_get(flat, "seen"));
}

static void the_role_is_that_of_the_chart(void **state)
{
    AUTO(json_t *, json_decrefp) made = applied("minimal");
    AUTO(json_t *, json_decrefp) rules = rules_of_the_chart("pqcdc-orders");
    (void)state;
    const json_t *role = objects_find(made, "Role", "pqcdc-orders");
    assert_true(json_equal(json_object_get(role, "rules"), rules));
}

/* Whose it is, and that it goes when the Connector goes. */
static void every_child_has_our_labels_and_its_owner(void **state)
{
    static const char *const labels[][2] = {
        { "app.kubernetes.io/name", "pqcdc" },
        { "app.kubernetes.io/instance", "orders" },
        { "app.kubernetes.io/component", "worker" },
        { "app.kubernetes.io/managed-by", "pqcdc-operator" },
        { "pqcdc.io/connector", "orders" },
    };
    AUTO(json_t *, json_decrefp) made = applied("everything");
    (void)state;
    assert_int_equal(json_array_size(made), 7);
    for (size_t i = 0; i < json_array_size(made); i++) {
        const json_t *child = json_array_get(made, i);
        const json_t *have = kube_object_find(child, "metadata.labels");
        const json_t *owner =
            json_array_get(kube_object_find(child, "metadata.ownerReferences"), 0);
        for (size_t j = 0; j < COUNT_OF(labels); j++)
            assert_string_equal(json_string_value(json_object_get(have, labels[j][0])),
                                labels[j][1]);
        assert_string_equal(kube_object_text(child, "metadata.name", ""), "pqcdc-orders");
        assert_string_equal(kube_object_text(child, "metadata.namespace", ""), "shop");
        assert_string_equal(kube_object_text(owner, "uid", ""), "c0ffee00-0001");
        assert_true(json_is_true(json_object_get(owner, "controller")));
        assert_true(json_is_true(json_object_get(owner, "blockOwnerDeletion")));
        assert_int_equal(strlen(kube_object_annotation(child, OBJECTS_APPLIED)), 16);
    }
}

/* Each member of each child, changed by hand, is mended; so is one that was taken away. */

static json_t *broken(const json_t *value)
{
    return json_is_string(value) ? json_string("by hand") : json_string("another type by hand");
}

static unsigned unmended(const struct resource *resource, const json_t *wanted, json_t *children,
                         json_t *at);

static unsigned unmended_member(const struct resource *resource, const json_t *wanted,
                                json_t *children, json_t *at, const char *key)
{
    unsigned count = 0;
    json_t *kept = json_incref(json_object_get(at, key));
    AUTO(json_t *, json_decrefp) apply = json_array();
    if (strcmp(key, "name") != 0 && strcmp(key, "kind") != 0) {
        objects_set(at, key, broken(kept));
        workload_lacking(resource, children, wanted, apply);
        if (json_array_size(apply) != 1) {
            print_error("%s changed by hand is not mended\n", key);
            count++;
        }
    }
    objects_set(at, key, json_incref(kept));
    count += unmended(resource, wanted, children, kept);
    json_decref(kept);
    return count;
}

static unsigned unmended(const struct resource *resource, const json_t *wanted, json_t *children,
                         json_t *at)
{
    const char *key;
    void *next;
    size_t index;
    json_t *value;
    unsigned count = 0;
    json_array_foreach(at, index, value) count += unmended(resource, wanted, children, value);
    json_object_foreach_safe(at, next, key, value) count +=
        unmended_member(resource, wanted, children, at, key);
    return count;
}

static void whatever_is_changed_by_hand_is_mended(void **state)
{
    struct resource resource;
    struct error err = ERROR_INIT;
    AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, "everything");
    AUTO(json_t *, json_decrefp) wanted = applied("everything");
    AUTO(json_t *, json_decrefp) children = json_deep_copy(wanted);
    (void)state;
    assert_true(resource_read(kube_object_find(flat, "seen.connector"), &resource, &err));
    assert_int_equal(unmended(&resource, wanted, children, children), 0);
}

static void the_job_has_no_selector_of_the_workers(void **state)
{
    struct resource resource;
    struct rendering rendering;
    struct error err = ERROR_INIT;
    AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, "everything");
    (void)state;
    assert_true(resource_read(kube_object_find(flat, "seen.connector"), &resource, &err) &&
                rendering_make(&resource, &scene_settings, &rendering, &err));
    AUTO(json_t *, json_decrefp) job =
        workload_drop_job(&resource, &scene_settings, &rendering, false);
    const json_t *labels = kube_object_find(job, "spec.template.metadata.labels");
    assert_string_equal(json_string_value(json_object_get(labels, "app.kubernetes.io/component")),
                        "drop");
    assert_string_equal(json_string_value(json_object_get(labels, "pqcdc.io/connector")), "orders");
    assert_int_equal(kube_object_integer(job, "spec.backoffLimit", 0), 3);
    assert_int_equal(kube_object_integer(job, "spec.activeDeadlineSeconds", 0), 600);
    assert_true(workload_is_ours(&resource, job));
    rendering_done(&rendering);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_role_is_that_of_the_chart),
        cmocka_unit_test(every_child_has_our_labels_and_its_owner),
        cmocka_unit_test(whatever_is_changed_by_hand_is_mended),
        cmocka_unit_test(the_job_has_no_selector_of_the_workers),
    };
    return cmocka_run_group_tests(tests, load_scenes, unload_scenes);
}
