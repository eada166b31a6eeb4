#include "operator/marks.h"

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

#define WORKER "'app.kubernetes.io/component':'worker'"
#define COST   "'controller.kubernetes.io/pod-deletion-cost'"

static void a_pod_is_patched_only_where_it_differs(void **state)
{
    static const struct {
        const char *pod, *leader, *patches;
    } rows[] = {
        { "{'name':'a','labels':{" WORKER "}}", "a",
          "[{'name':'a','labels':{'pqcdc.io/role':'leader'},'annotations':{" COST ":'1000'}}]" },
        { "{'name':'a','labels':{" WORKER ",'pqcdc.io/role':'leader'},'annotations':{" COST
          ":'1000'}}",
          "a", "[]" },
        { "{'name':'a','labels':{" WORKER ",'pqcdc.io/role':'leader'},'annotations':{" COST
          ":'1000'}}",
          "b", "[{'name':'a','labels':{'pqcdc.io/role':null},'annotations':{" COST ":'0'}}]" },
        { "{'name':'a','labels':{" WORKER "}}", "b", "[]" },
        { "{'name':'a','labels':{" WORKER "},'annotations':{" COST ":'0'}}", "b", "[]" },
        { "{'name':'a','labels':{" WORKER "},'annotations':{" COST ":'5'}}", "b",
          "[{'name':'a','annotations':{" COST ":'0'}}]" },
        { "{'name':'a','labels':{" WORKER ",'pqcdc.io/role':'boss'}}", "b",
          "[{'name':'a','labels':{'pqcdc.io/role':null}}]" },
        /* nobody is known to lead, or it goes away, or it is the Job's */
        { "{'name':'a','labels':{" WORKER ",'pqcdc.io/role':'leader'}}", "", "[]" },
        { "{'name':'a','deletionTimestamp':'t','labels':{" WORKER "}}", "a", "[]" },
        { "{'name':'a','labels':{'app.kubernetes.io/component':'drop'}}", "a", "[]" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(json_t *, json_decrefp) metadata = load(rows[i].pod);
        AUTO(json_t *, json_decrefp) pods = objects_pack("[{s:O}]", "metadata", metadata);
        AUTO(json_t *, json_decrefp) patches = json_array();
        AUTO(json_t *, json_decrefp) expected = load(rows[i].patches);
        marks_compare(pods, rows[i].leader, patches);
        if (json_equal(patches, expected) == 0)
            fail_msg("%s, %s leads: not %s", rows[i].pod, rows[i].leader, rows[i].patches);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pod_is_patched_only_where_it_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
