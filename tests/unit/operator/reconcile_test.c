/* Every scene of scenes.json against its golden, golden/NAME.json, exactly. To write the goldens
 * anew (and then read the difference):
 *
 *     GOLDEN=write build/tests/unit_operator_reconcile
 */
#include "operator/reconcile.h"

#include "scene.h"

#include <dirent.h>
#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

enum { ROUNDS_MAX = 4, PATH_SIZE = 512 };

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

static json_t *or_null(json_t *value)
{
    return value != NULL ? json_incref(value) : json_null();
}

/* What few plans have is left out of the others. */
static void add_of_the_end(json_t *all, const struct reconcile_plan *plan)
{
    objects_set(all, "stop", json_incref(plan->stop));
    if (json_array_size(plan->job) > 0)
        objects_set(all, "job", json_incref(plan->job));
}

static char *plan_text(const struct reconcile_plan *plan)
{
    AUTO(json_t *, json_decrefp)
    all = objects_pack("{s:O, s:O, s:O, s:o, s:O, s:o, s:I}", "apply", plan->apply, "remove",
                       plan->remove, "pod_patches", plan->pod_patches, "status",
                       or_null(plan->status), "events", plan->events, "finalizers",
                       or_null(plan->finalizers), "again_ms", (json_int_t)plan->again_ms);
    add_of_the_end(all, plan);
    char *text = json_dumps(all, JSON_INDENT(2) | JSON_SORT_KEYS);
    char *line = text_format("%s\n", text);
    free(text);
    return line;
}

static char *read_whole(const char *path)
{
    AUTO(struct buf, buf_done) text = buf_init(16 * 1024 * 1024);
    char chunk[4096];
    size_t size;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return memory_text("");
    while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0)
        buf_append(&text, chunk, size);
    fclose(file);
    return memory_text(buf_text(&text));
}

static void write_whole(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void print_first_difference(const char *path, const char *golden, const char *made)
{
    size_t line = 1, begin = 0;
    for (size_t i = 0; golden[i] == made[i] && golden[i] != '\0'; i++) {
        if (golden[i] == '\n') {
            line++;
            begin = i + 1;
        }
    }
    print_error("%s:%zu: expected %.*s\n    made %.*s\n", path, line,
                (int)strcspn(golden + begin, "\n"), golden + begin,
                (int)strcspn(made + begin, "\n"), made + begin);
}

static bool is_golden(const char *name, const char *made)
{
    char path[PATH_SIZE];
    const char *mode = getenv("GOLDEN");
    snprintf(path, sizeof(path), SCENE_DIRECTORY "golden/%s.json", name);
    if (mode != NULL && strcmp(mode, "write") == 0)
        write_whole(path, made);
    AUTO(char *, memory_free_p) golden = read_whole(path);
    if (strcmp(golden, made) == 0)
        return true;
    print_first_difference(path, golden, made);
    return false;
}

static void every_scene_gives_its_golden_plan(void **state)
{
    const char *name;
    json_t *entry;
    unsigned differ = 0;
    (void)state;
    json_object_foreach(scenes, name, entry)
    {
        struct reconcile_plan plan;
        struct scene scene = scene_open(scenes, name);
        scene_plan(&scene, &plan);
        AUTO(char *, memory_free_p) made = plan_text(&plan);
        differ += !is_golden(name, made);
        reconcile_plan_done(&plan);
        scene_close(&scene);
    }
    assert_int_equal(differ, 0);
}

static void no_golden_is_left_over(void **state)
{
    unsigned count = 0;
    const struct dirent *entry;
    DIR *directory = opendir(SCENE_DIRECTORY "golden");
    (void)state;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    assert_int_equal(count, json_object_size(scenes));
}

/* What a cluster does with a plan. */

static size_t index_of(const json_t *children, const json_t *named)
{
    for (size_t i = 0; i < json_array_size(children); i++) {
        const json_t *child = json_array_get(children, i);
        if (strcmp(kube_object_text(child, "kind", ""), kube_object_text(named, "kind", "")) == 0)
            return i;
    }
    return json_array_size(children);
}

static void apply(json_t *seen, const json_t *object)
{
    json_t *children = json_object_get(seen, "children");
    size_t at = index_of(children, object);
    if (strcmp(kube_object_text(object, "kind", ""), "Job") == 0)
        objects_set(seen, "job", json_deep_copy(object));
    else if (at < json_array_size(children))
        CHECK(json_array_set_new(children, at, json_deep_copy(object)) == 0);
    else
        objects_append(children, json_deep_copy(object));
}

static json_t *pod_of(const json_t *seen, const char *name)
{
    const json_t *pods = json_object_get(seen, "pods");
    for (size_t i = 0; i < json_array_size(pods); i++) {
        json_t *pod = json_array_get(pods, i);
        if (strcmp(kube_object_text(pod, "metadata.name", ""), name) == 0)
            return pod;
    }
    return NULL;
}

static void patch_pod(const json_t *seen, const json_t *patch)
{
    json_t *pod = pod_of(seen, kube_object_text(patch, "name", ""));
    assert_non_null(pod);
    json_t *metadata = json_object_get(pod, "metadata");
    AUTO(json_t *, json_decrefp) change = json_deep_copy(patch);
    (void)json_object_del(change, "name");
    json_decref(scene_merge(json_incref(metadata), change));
}

static json_t *deployment_of(const json_t *children)
{
    AUTO(json_t *, json_decrefp) named = objects_pack("{s:s}", "kind", "Deployment");
    return json_array_get(children, index_of(children, named));
}

static void carry_out(const struct scene *scene, const struct reconcile_plan *plan)
{
    json_t *children = json_object_get(scene->seen, "children");
    json_t *connector = json_object_get(scene->seen, "connector");
    for (size_t i = 0; i < json_array_size(plan->apply); i++)
        apply(scene->seen, json_array_get(plan->apply, i));
    if (plan->stop != NULL)
        objects_set(kube_object_find(deployment_of(children), "spec"), "replicas", json_integer(0));
    if (json_array_size(plan->job) > 0)
        apply(scene->seen, json_array_get(plan->job, 0));
    for (size_t i = 0; i < json_array_size(plan->remove); i++)
        (void)json_array_remove(children, index_of(children, json_array_get(plan->remove, i)));
    for (size_t i = 0; i < json_array_size(plan->pod_patches); i++)
        patch_pod(scene->seen, json_array_get(plan->pod_patches, i));
    if (plan->status != NULL)
        CHECK(json_object_set(connector, "status", plan->status) == 0);
    if (plan->finalizers != NULL)
        json_decref(scene_merge(json_incref(connector), plan->finalizers));
}

static bool is_quiet(const struct reconcile_plan *plan)
{
    return plan->stop == NULL && json_array_size(plan->job) == 0 &&
           json_array_size(plan->apply) == 0 && json_array_size(plan->remove) == 0 &&
           json_array_size(plan->pod_patches) == 0 && plan->status == NULL &&
           plan->finalizers == NULL && json_array_size(plan->events) == 0;
}

static unsigned rounds_until_quiet(const char *name)
{
    unsigned rounds = 0;
    bool quiet = false;
    struct scene scene = scene_open(scenes, name);
    while (!quiet && rounds <= ROUNDS_MAX && !scene.gone) {
        struct reconcile_plan plan;
        scene_plan(&scene, &plan);
        quiet = is_quiet(&plan);
        rounds++;
        carry_out(&scene, &plan);
        reconcile_plan_done(&plan);
    }
    scene_close(&scene);
    return rounds;
}

/* Level-triggered and idempotent: what was carried out is not written again. */
static void a_plan_that_was_carried_out_leaves_nothing_to_do(void **state)
{
    const char *name;
    json_t *entry;
    (void)state;
    json_object_foreach(scenes, name, entry)
    {
        if (rounds_until_quiet(name) > ROUNDS_MAX)
            fail_msg("%s: writes for ever", name);
    }
}

static void expect_silenced(const char *name, size_t events)
{
    struct reconcile_plan plan;
    struct scene scene = scene_open(scenes, name);
    scene_plan(&scene, &plan);
    assert_true(json_array_size(plan.events) > 0);
    bool lets_go = plan.finalizers != NULL;
    reconcile_plan_silence(&plan);
    assert_int_equal(json_array_size(plan.events), events);
    assert_int_equal(json_array_size(plan.pod_patches), 0);
    assert_null(plan.status);
    assert_int_equal(plan.finalizers != NULL, lets_go);
    reconcile_plan_done(&plan);
    scene_close(&scene);
}

/* Right after a restart no worker was heard yet; the slot that stays is named all the same. */
static void one_that_is_let_go_is_not_silenced(void **state)
{
    (void)state;
    expect_silenced("deleting_abandoned", 1);
    expect_silenced("deleting_namespace", 1);
    expect_silenced("standby_and_leader", 0);
}

/* Broken resources: each value of a full one is replaced by each kind of value. */

static const char *const nonsense[] = { "null",     "0",    "-9223372036854775808", "1.5",
                                        "true",     "\"\"", "\"\xc3\xa4'\\\"\"",    "[]",
                                        "[[null]]", "{}",   "{\"path\":1}" };

static void plan_nonsense(struct scene *scene)
{
    struct reconcile_plan plan;
    scene_plan(scene, &plan);
    carry_out(scene, &plan);
    reconcile_plan_done(&plan);
}

static void twist(const json_t *whole, struct scene *scene, json_t *at);

static void twist_value(const json_t *whole, struct scene *scene, json_t *parent, const char *key)
{
    AUTO(json_t *, json_decrefp) kept = json_incref(json_object_get(parent, key));
    for (size_t i = 0; i < COUNT_OF(nonsense); i++) {
        objects_set(parent, key, json_loads(nonsense[i], JSON_DECODE_ANY, NULL));
        struct scene copy = { .seen = json_deep_copy(whole) };
        plan_nonsense(&copy);
        scene_close(&copy);
    }
    objects_set(parent, key, json_incref(kept));
    twist(whole, scene, kept);
}

static void twist(const json_t *whole, struct scene *scene, json_t *at)
{
    const char *key;
    void *next;
    json_t *value;
    size_t index;
    json_array_foreach(at, index, value) twist(whole, scene, value);
    json_object_foreach_safe(at, next, key, value) twist_value(whole, scene, at, key);
}

static void nonsense_anywhere_never_ends_the_operator(void **state)
{
    static const char *const names[] = { "everything",          "standby_and_leader",
                                         "deleting_job_failed", "pods_creating_long",
                                         "pods_crash",          "halted" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct scene scene = scene_open(scenes, names[i]);
        static const char *const parts[] = { "connector", "pods", "reports", "job" };
        for (size_t j = 0; j < COUNT_OF(parts); j++)
            twist(scene.seen, &scene, json_object_get(scene.seen, parts[j]));
        scene_close(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scene_gives_its_golden_plan),
        cmocka_unit_test(no_golden_is_left_over),
        cmocka_unit_test(a_plan_that_was_carried_out_leaves_nothing_to_do),
        cmocka_unit_test(one_that_is_let_go_is_not_silenced),
        cmocka_unit_test(nonsense_anywhere_never_ends_the_operator),
    };
    return cmocka_run_group_tests(tests, load_scenes, unload_scenes);
}
