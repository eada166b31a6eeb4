#include "operator/resource.h"

#include "scene.h"

#include <string.h>

#include "base/text.h"

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

/* The Connector of the scene "minimal" with a merge patch, "'" for each quote. */
static json_t *connector(const char *patch)
{
    char text[1024];
    json_error_t error;
    snprintf(text, sizeof(text), "%s", patch);
    for (char *at = text; *at != '\0'; at++)
        *at = (char)(*at == '\'' ? '"' : *at);
    AUTO(json_t *, json_decrefp) loaded = json_loads(text, 0, &error);
    if (loaded == NULL)
        fail_msg("%s: %s", text, error.text);
    AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, "minimal");
    return scene_merge(json_deep_copy(kube_object_find(flat, "seen.connector")), loaded);
}

static void what_the_others_need_is_read(void **state)
{
    struct resource resource;
    struct error err = ERROR_INIT;
    AUTO(json_t *, json_decrefp)
    object = connector("{'metadata':{'finalizers':['pqcdc.io/slot'],'deletionTimestamp':'t',"
                       "'annotations':{'pqcdc.io/abandon-slot':'true'}},'spec':{'replicas':3,"
                       "'paused':true,'deletionPolicy':'Delete','podMonitor':{'enabled':true},"
                       "'cdc':{'shutdownTimeout':'1m'},'template':{'serviceAccountName':'sa'}}}");
    (void)state;
    assert_true(resource_read(object, &resource, &err));
    assert_string_equal(resource.name, "orders");
    assert_string_equal(resource.namespace_name, "shop");
    assert_string_equal(resource.uid, "c0ffee00-0001");
    assert_int_equal(resource.generation, 1);
    assert_string_equal(resource.child, "pqcdc-orders");
    assert_string_equal(resource.drop, "pqcdc-orders-drop");
    assert_string_equal(resource.host, "db");
    assert_string_equal(resource.database, "shop");
    assert_string_equal(resource.slot, "orders_slot");
    assert_string_equal(resource.publication, "orders_pub");
    assert_string_equal(resource.service_account, "sa");
    assert_int_equal(resource.replicas, 3);
    assert_int_equal(resource.shutdown_ms, 60000);
    assert_true(resource.paused && resource.delete_slot && resource.pod_monitor);
    assert_true(resource.deleting && resource.has_finalizer && resource.abandoned);
}

static void what_is_not_given_has_its_default(void **state)
{
    struct resource resource;
    struct error err = ERROR_INIT;
    AUTO(json_t *, json_decrefp) object = connector("{}");
    (void)state;
    assert_true(resource_read(object, &resource, &err));
    assert_int_equal(resource.replicas, 2);
    assert_int_equal(resource.shutdown_ms, 20000);
    assert_null(resource.service_account);
    assert_false(resource.paused || resource.delete_slot || resource.pod_monitor);
    assert_false(resource.deleting || resource.has_finalizer || resource.abandoned);
}

static void what_is_wrong_is_said_with_its_path(void **state)
{
    static const struct {
        const char *patch, *code, *text;
    } rows[] = {
        { "{'spec':null}", "missing", "spec is missing" },
        { "{'spec':{'cdc':{'host':null}}}", "missing", "spec.cdc.host is missing" },
        { "{'spec':{'cdc':{'host':''}}}", "missing", "spec.cdc.host is missing" },
        { "{'spec':{'cdc':{'slot':'s'}}}", "wrong_type", "spec.cdc.slot: expected an object" },
        { "{'spec':{'cdc':{'port':true}}}", "wrong_type",
          "spec.cdc.port: expected a text or a whole number" },
        { "{'spec':{'replicas':1.5}}", "wrong_type", "spec.replicas: expected a whole number" },
        { "{'spec':{'replicas':11}}", "out_of_range", "spec.replicas: expected 0 to 10" },
        { "{'spec':{'replicas':-1}}", "out_of_range", "spec.replicas: expected 0 to 10" },
        { "{'spec':{'paused':'yes'}}", "wrong_type", "spec.paused: expected true or false" },
        { "{'spec':{'deletionPolicy':'delete'}}", "wrong_value",
          "spec.deletionPolicy: expected Retain or Delete" },
        { "{'spec':{'cdc':{'shutdownTimeout':'soon'}}}", "out_of_range",
          "spec.cdc.shutdownTimeout: expected a duration from 0s to 1h" },
        { "{'spec':{'cdc':{'shutdownTimeout':3600001}}}", "out_of_range",
          "spec.cdc.shutdownTimeout: expected a duration from 0s to 1h" },
        { "{'spec':{'template':{'env':{}}}}", "wrong_type", "spec.template.env: expected a list" },
        { "{'metadata':{'uid':null}}", "missing", "metadata lacks name, namespace or uid" },
        { "{'metadata':{'name':'x12345678901234567890123456789012345678901234567890'}}",
          "name_too_long", "metadata.name has 51 bytes, of which 49 may be" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct resource resource;
        struct error err = ERROR_INIT;
        AUTO(json_t *, json_decrefp) object = connector(rows[i].patch);
        assert_false(resource_read(object, &resource, &err));
        assert_int_equal(err.class, ERROR_CONFIG);
        assert_string_equal(err.code, rows[i].code);
        assert_string_equal(err.text, rows[i].text);
        assert_ptr_equal(resource.object, object);
    }
}

static void null_is_as_good_as_absent(void **state)
{
    struct resource resource;
    struct error err = ERROR_INIT;
    AUTO(json_t *, json_decrefp) object = connector("{}");
    json_t *spec = json_object_get(object, "spec");
    (void)state;
    static const char *const names[] = { "replicas",   "paused",   "deletionPolicy", "image",
                                         "podMonitor", "template", "format",         "election" };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        objects_set(spec, names[i], json_null());
    assert_true(resource_read(object, &resource, &err));
    assert_int_equal(resource.replicas, 2);
}

static void parts_of_the_image_replace_the_operators(void **state)
{
    static const struct {
        const char *own, *image, *expected;
    } rows[] = {
        { "pqcdc:0.1.0", "{}", "pqcdc:0.1.0" },
        { "pqcdc:0.1.0", "{'tag':'0.2.0'}", "pqcdc:0.2.0" },
        { "reg:5000/a/pqcdc", "{'tag':'0.2.0'}", "reg:5000/a/pqcdc:0.2.0" },
        { "reg:5000/a/pqcdc:1@sha256:f", "{}", "reg:5000/a/pqcdc:1@sha256:f" },
        { "reg:5000/a/pqcdc:1@sha256:f", "{'tag':'2'}", "reg:5000/a/pqcdc:2" },
        { "pqcdc:0.1.0", "{'repository':'my/pqcdc'}", "my/pqcdc:0.1.0" },
        { "pqcdc:0.1.0", "{'repository':'my/pqcdc','tag':'x'}", "my/pqcdc:x" },
        { "pqcdc:0.1.0", "{'digest':'sha256:a'}", "pqcdc@sha256:a" },
        { "pqcdc:0.1.0", "{'tag':'t','digest':'sha256:a'}", "pqcdc:t@sha256:a" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct resource resource;
        struct error err = ERROR_INIT;
        AUTO(struct buf, buf_done) made = buf_init(256);
        char patch[256];
        snprintf(patch, sizeof(patch), "{'spec':{'image':%s}}", rows[i].image);
        AUTO(json_t *, json_decrefp) object = connector(patch);
        const struct operator_settings settings = { .worker_image = rows[i].own };
        assert_true(resource_read(object, &resource, &err));
        resource_image(&resource, &settings, &made);
        assert_string_equal(buf_text(&made), rows[i].expected);
    }
}

static void assert_key(const char *patch, const char *expected)
{
    AUTO(struct buf, buf_done) key = buf_init(256);
    AUTO(json_t *, json_decrefp) object = connector(patch);
    resource_slot_key(object, &key);
    assert_string_equal(buf_text(&key), expected);
}

static void the_same_slot_has_the_same_key(void **state)
{
    (void)state;
    assert_key("{}", "db.shop\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'host':'DB','port':5432}}}", "db.shop\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'port':'5432'}}}", "db.shop\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'port':5433}}}", "db.shop\n5433\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'database':'Shop'}}}", "db.shop\n5432\nShop\norders_slot");
    assert_key("{'spec':{'cdc':{'host':null}}}", "");
    assert_key("{'spec':null}", "");
}

static void hosts_of_a_namespace_are_no_others(void **state)
{
    (void)state;
    assert_key("{'metadata':{'namespace':'b'}}", "db.b\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'host':'/run/pg.sock'}}}",
               "/run/pg.sock@shop\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'host':'db.b'}}}", "db.b\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'host':'10.0.0.1'}}}", "10.0.0.1\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'host':'fd00::1'}}}", "fd00::1\n5432\nshop\norders_slot");
    assert_key("{'spec':{'cdc':{'host':'a,B.example,c'}}}",
               "a.shop,b.example,c.shop\n5432\nshop\norders_slot");
}

static void who_came_first_is_older(void **state)
{
    AUTO(json_t *, json_decrefp) a = connector("{}");
    AUTO(json_t *, json_decrefp)
    later = connector("{'metadata':{'creationTimestamp':'2026-03-01T12:00:00Z','name':'a'}}");
    AUTO(json_t *, json_decrefp) b = connector("{'metadata':{'name':'p'}}");
    AUTO(json_t *, json_decrefp) elsewhere = connector("{'metadata':{'namespace':'a','name':'z'}}");
    (void)state;
    assert_true(resource_is_older(a, later));
    assert_false(resource_is_older(later, a));
    assert_true(resource_is_older(a, b));
    assert_true(resource_is_older(elsewhere, a));
    assert_false(resource_is_older(a, a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_others_need_is_read),
        cmocka_unit_test(what_is_not_given_has_its_default),
        cmocka_unit_test(what_is_wrong_is_said_with_its_path),
        cmocka_unit_test(null_is_as_good_as_absent),
        cmocka_unit_test(parts_of_the_image_replace_the_operators),
        cmocka_unit_test(the_same_slot_has_the_same_key),
        cmocka_unit_test(hosts_of_a_namespace_are_no_others),
        cmocka_unit_test(who_came_first_is_older),
    };
    return cmocka_run_group_tests(tests, load_scenes, unload_scenes);
}
