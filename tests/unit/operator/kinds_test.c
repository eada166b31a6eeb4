#include "operator/kinds.h"

#include "scene.h"

/* JSON with "'" for each quote. */
static json_t *load(const char *text)
{
    char copy[2048];
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *at = copy; *at != '\0'; at++)
        *at = (char)(*at == '\'' ? '"' : *at);
    json_t *loaded = json_loads(copy, 0, NULL);
    if (loaded == NULL)
        fail_msg("%s is no JSON", copy);
    return loaded;
}

/* Of a pod stay its name, its state, and what its volumes need: a condition names that. */
static void of_a_pod_stays_what_is_read(void **state)
{
    AUTO(json_t *, json_decrefp)
    pod = load("{'metadata':{'name':'p','managedFields':[1],'annotations':{"
               "'kubectl.kubernetes.io/last-applied-configuration':'x','a':'b'}},"
               "'spec':{'nodeName':'n','serviceAccountName':'s','volumes':[{'name':'credentials'}],"
               "'containers':[{'name':'worker','image':'i','env':[1]}]},'status':{'phase':'P'}}");
    AUTO(json_t *, json_decrefp)
    expected =
        load("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','annotations':{'a':'b'}},"
             "'spec':{'nodeName':'n','volumes':[{'name':'credentials'}],"
             "'containers':[{'name':'worker','image':'i'}]},'status':{'phase':'P'}}");
    (void)state;
    kinds_trim(kinds_find("v1", "Pod"), pod);
    assert_true(json_equal(pod, expected));
}

static void of_a_child_stays_all_that_may_be_compared(void **state)
{
    AUTO(json_t *, json_decrefp)
    role = load("{'metadata':{'name':'r','managedFields':[1]},'rules':[1]}");
    AUTO(json_t *, json_decrefp)
    expected = load("{'apiVersion':'rbac.authorization.k8s.io/v1','kind':'Role',"
                    "'metadata':{'name':'r'},'rules':[1]}");
    (void)state;
    kinds_trim(kinds_find("rbac.authorization.k8s.io/v1", "Role"), role);
    assert_true(json_equal(role, expected));
}

/* Whatever the core wants to be written, the writer knows where. */
static void every_child_of_the_core_is_known(void **state)
{
    AUTO(json_t *, json_decrefp) scenes = scene_load_file(SCENE_DIRECTORY "scenes.json");
    static const char *const names[] = { "minimal", "everything" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTO(json_t *, json_decrefp) flat = scene_flatten(scenes, names[i]);
        AUTO(json_t *, json_decrefp) made = scene_applied(json_object_get(flat, "seen"));
        for (size_t j = 0; j < json_array_size(made); j++) {
            const json_t *child = json_array_get(made, j);
            const char *kind = kube_object_text(child, "kind", "");
            if (kinds_find(kube_object_text(child, "apiVersion", ""), kind) == NULL)
                fail_msg("%s is not known", kind);
        }
    }
    assert_non_null(kinds_find("batch/v1", "Job"));
    assert_null(kinds_find("v1", "Secret"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_pod_stays_what_is_read),
        cmocka_unit_test(of_a_child_stays_all_that_may_be_compared),
        cmocka_unit_test(every_child_of_the_core_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
