#include "operator/rendering.h"

#include "scene.h"

#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/config.h"
#include "config/config_option.h"

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

static json_t *connector_of(const char *scene)
{
    AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, scene);
    return json_incref(kube_object_find(flat, "seen.connector"));
}

static void render(const json_t *connector, struct rendering *out_rendering)
{
    struct resource resource;
    struct error err = ERROR_INIT;
    if (!resource_read(connector, &resource, &err) ||
        !rendering_make(&resource, &scene_settings, out_rendering, &err))
        fail_msg("%s", err.text);
}

/* The worker's own reader takes it. Files of the pod are not here: one that is stands for each. */
static struct config *understood(const char *text)
{
    static const char *const sets[] = {
        "cdc.passwordFile=" SCENE_DIRECTORY "scenes.json",
        "cdc.sslRootCert=" SCENE_DIRECTORY "scenes.json",
        "cdc.sslCert=" SCENE_DIRECTORY "scenes.json",
        "cdc.sslKey=" SCENE_DIRECTORY "scenes.json",
        "kafka.propertyFiles={ssl.ca.location: " SCENE_DIRECTORY "scenes.json}",
        "handler.optionFiles={token: " SCENE_DIRECTORY "scenes.json}",
    };
    const struct config_sources sources = { .file = "config.yaml",
                                            .sets = sets,
                                            .set_count = COUNT_OF(sets) };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct buf, buf_done) lines = buf_init(65536);
    struct config *config = NULL;
    if (!config_load_text(&sources, slice_of(text), &config, &problems)) {
        config_problems_write(&problems, &lines);
        fail_msg("%s\n%s", buf_text(&lines), text);
    }
    return config;
}

static void the_worker_understands_what_is_rendered(void **state)
{
    struct rendering rendering;
    AUTO(json_t *, json_decrefp) connector = connector_of("everything");
    (void)state;
    render(connector, &rendering);
    AUTO(struct config *, config_free_p) config = understood(rendering.text);
    assert_int_equal(config->election_mode, CONFIG_ELECTION_MODE_LEASE);
    assert_string_equal(config->election_lease_name, "pqcdc-orders");
    assert_int_equal(config->election_lease_duration_ms, 6000);
    assert_int_equal(config->cdc_metric_port, 8080);
    assert_int_equal(config->cdc_on_halt, CONFIG_ON_HALT_EXIT);
    assert_int_equal(config->cdc_shutdown_timeout_ms, 60500);
    assert_string_equal(config->cdc_port, "5433");
    assert_int_equal(config->format_headers, CONFIG_HEADER_LSN | CONFIG_HEADER_TABLE);
    assert_true(config->format_tombstones);
    assert_int_equal(config->cdc_publication_tables.count, 1);
    assert_string_equal(config->handler_path, RENDERING_HANDLER "/outbox.so");
    assert_string_equal(config->handler_options.pairs[0].value, "public.outbox");
    rendering_done(&rendering);
}

static void a_halt_waits_and_a_standby_wants_positions(void **state)
{
    struct rendering rendering;
    AUTO(json_t *, json_decrefp) connector = connector_of("minimal");
    (void)state;
    render(connector, &rendering);
    AUTO(struct config *, config_free_p) config = understood(rendering.text);
    assert_int_equal(config->cdc_on_halt, CONFIG_ON_HALT_WAIT);
    assert_int_equal(config->format_headers, CONFIG_HEADER_POS);
    rendering_done(&rendering);
}

static void to_be_scaled_changes_nothing(void **state)
{
    struct rendering one, two;
    AUTO(json_t *, json_decrefp) connector_of_one = connector_of("one_replica");
    AUTO(json_t *, json_decrefp) connector_of_two = connector_of("minimal");
    (void)state;
    render(connector_of_one, &one);
    render(connector_of_two, &two);
    assert_string_equal(one.text, two.text);
    assert_string_equal(one.hash, two.hash);
    rendering_done(&one);
    rendering_done(&two);
}

static void every_reference_is_a_file_of_the_volume(void **state)
{
    struct rendering rendering;
    AUTO(json_t *, json_decrefp) connector = connector_of("everything");
    (void)state;
    render(connector, &rendering);
    for (size_t i = 0; i < json_array_size(rendering.sources); i++) {
        const json_t *source = json_array_get(rendering.sources, i);
        const json_t *any = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)source));
        const json_t *item = json_array_get(json_object_get(any, "items"), 0);
        char path[256];
        snprintf(path, sizeof(path), "\"" RENDERING_SECRETS "/%s\"",
                 kube_object_text(item, "path", "?"));
        if (strstr(rendering.text, path) == NULL)
            fail_msg("%s is not in\n%s", path, rendering.text);
    }
    assert_int_equal(json_array_size(rendering.sources), 7);
    assert_null(strstr(rendering.text, "Ref"));
    rendering_done(&rendering);
}

/* Every option that names a file or a secret is taken care of, whichever are added to the table. */
static void no_option_of_a_file_is_forgotten(void **state)
{
    uint32_t count, files = 0;
    const struct config_option *options = config_option_all(&count);
    (void)state;
    for (uint32_t i = 0; i < count; i++) {
        if ((options[i].flags & (CONFIG_FILE | CONFIG_SECRET)) == 0)
            continue;
        assert_true(options[i].kind == CONFIG_TEXT || options[i].kind == CONFIG_MAP);
        files++;
    }
    assert_true(files >= 5);
}

static json_t *reversed(const json_t *value)
{
    if (!json_is_object(value))
        return json_deep_copy(value);
    size_t count = 0;
    const char *keys[64], *key;
    json_t *member, *made = json_object();
    json_object_foreach((json_t *)(uintptr_t)value, key, member) keys[count++] = key;
    while (count-- > 0)
        objects_set(made, keys[count], reversed(json_object_get(value, keys[count])));
    return made;
}

static void the_order_of_members_rolls_no_pod(void **state)
{
    struct rendering one, other;
    AUTO(json_t *, json_decrefp) connector = connector_of("everything");
    AUTO(json_t *, json_decrefp) turned = reversed(connector);
    (void)state;
    render(connector, &one);
    render(turned, &other);
    assert_string_equal(one.text, other.text);
    assert_string_equal(one.hash, other.hash);
    rendering_done(&one);
    rendering_done(&other);
}

static void what_the_operator_decides_cannot_be_given(void **state)
{
    struct rendering rendering;
    AUTO(json_t *, json_decrefp) connector = connector_of("minimal");
    json_t *cdc = kube_object_find(connector, "spec.cdc");
    (void)state;
    objects_set(cdc, "passwordFile", json_string("/etc/passwd"));
    objects_set(json_object_get(connector, "spec"), "election",
                objects_pack("{s:s, s:s, s:s, s:s}", "mode", "slot", "leaseName", "x", "namespace",
                             "kube-system", "kubeconfig", "/k"));
    render(connector, &rendering);
    assert_null(strstr(rendering.text, "passwd"));
    assert_null(strstr(rendering.text, "kube-system"));
    assert_null(strstr(rendering.text, "kubeconfig"));
    assert_non_null(strstr(rendering.text, "\"mode\": \"lease\""));
    rendering_done(&rendering);
}

static void what_is_no_reference_is_refused(void **state)
{
    static const char *const wrong[] = {
        "{}",
        "{\"path\":\"\"}",
        "{\"path\":1}",
        "{\"secretRef\":{\"name\":\"a\"}}",
        "{\"secretRef\":{\"name\":\"\",\"key\":\"k\"}}",
        "{\"secretRef\":1}",
        "{\"other\":{}}",
        "{\"path\":\"/a\",\"secretRef\":{\"name\":\"a\",\"key\":\"k\"}}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct resource resource;
        struct rendering rendering;
        struct error err = ERROR_INIT;
        AUTO(json_t *, json_decrefp) connector = connector_of("minimal");
        objects_set(kube_object_find(connector, "spec.kafka"), "propertyFiles",
                    objects_pack("{s:o}", "sasl.password", json_loads(wrong[i], 0, NULL)));
        assert_true(resource_read(connector, &resource, &err));
        assert_false(rendering_make(&resource, &scene_settings, &rendering, &err));
        assert_int_equal(err.class, ERROR_CONFIG);
        assert_string_equal(err.text,
                            "spec.kafka.propertyFiles.sasl.password: expected one of path, "
                            "secretRef {name, key} and configMapRef {name, key}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worker_understands_what_is_rendered),
        cmocka_unit_test(a_halt_waits_and_a_standby_wants_positions),
        cmocka_unit_test(to_be_scaled_changes_nothing),
        cmocka_unit_test(every_reference_is_a_file_of_the_volume),
        cmocka_unit_test(no_option_of_a_file_is_forgotten),
        cmocka_unit_test(the_order_of_members_rolls_no_pod),
        cmocka_unit_test(what_the_operator_decides_cannot_be_given),
        cmocka_unit_test(what_is_no_reference_is_refused),
    };
    return cmocka_run_group_tests(tests, load_scenes, unload_scenes);
}
