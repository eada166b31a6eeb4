#include "operator/store.h"

#include "kube/kube_object.h"
#include "operator/freshness.h"
#include "operator/kinds.h"
#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN        "/apis/pqcdc.io/v1alpha1/namespaces/shop/connectors"
#define SELECTED   "?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dpqcdc-operator"

static const char *const spaces[] = { "shop", "lost" };

struct seeing {
    struct scene *scene;
    struct store *store;
    struct buf told; /* "key " of each change, "-key " of each that is gone */
    unsigned failures;
};

static void on_changed(void *self, const char *key)
{
    buf_append_format(&((struct seeing *)self)->told, "%s ", key);
}

static void on_gone(void *self, const char *key, const json_t *connector)
{
    assert_string_equal(kube_object_text(connector, "kind", ""), "Connector");
    buf_append_format(&((struct seeing *)self)->told, "-%s ", key);
}

static void on_failed(void *self, const struct error *err)
{
    assert_int_not_equal(err->class, ERROR_NONE);
    ((struct seeing *)self)->failures++;
}

static void on_listed(void *self UNUSED)
{
}

static int setup(void **state)
{
    struct seeing *seeing = memory_alloc(sizeof(*seeing));
    void *scene;
    (void)scene_setup(&scene);
    seeing->scene = scene;
    seeing->told = buf_init(1 << 20);
    *state = seeing;
    return 0;
}

static int teardown(void **state)
{
    struct seeing *seeing = *state;
    void *scene = seeing->scene;
    store_stop(seeing->store);
    buf_done(&seeing->told);
    memory_free(seeing);
    return scene_teardown(&scene);
}

static void start_with(struct seeing *seeing, size_t namespace_count)
{
    seeing->store = store_start(&(struct store_options){
        .client = seeing->scene->client,
        .namespaces = spaces,
        .namespace_count = namespace_count,
        .callbacks = { seeing, on_changed, on_gone, on_failed, on_listed } });
}

static void start(struct seeing *seeing)
{
    start_with(seeing, 1);
}

static void push(struct seeing *seeing, const char *match, const char *body,
                 enum fake_manner manner)
{
    fake_api_push(&seeing->scene->api,
                  (struct fake_answer){ .match = match, .body = body, .manner = manner });
}

#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"10\"},\"items\":[" items "]}"
#define CONNECTOR(name, version, slot)                                                             \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"u-" name                \
    "\",\"resourceVersion\":\"" version "\",\"creationTimestamp\":\"2026-01-01T00:00:0" version    \
    "Z\",\"managedFields\":[{}]},\"spec\":{\"cdc\":{\"host\":\"h\",\"database\":\"d\","            \
    "\"slot\":{\"name\":\"" slot "\"}}}}"
#define ELSEWHERE(name, host)                                                                      \
    "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"" name                               \
    "\",\"namespace\":\"other\",\"resourceVersion\":\"8\","                                        \
    "\"creationTimestamp\":\"2025-01-01T00:00:00Z\"},"                                             \
    "\"spec\":{\"cdc\":{\"host\":\"" host "\",\"database\":\"d\","                                 \
    "\"slot\":{\"name\":\"s\"}}}}}\n"
#define THING(name, version, labels)                                                               \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"u-" name                \
    "\",\"resourceVersion\":\"" version "\",\"labels\":{" labels "}},\"spec\":{\"affinity\":{}}}"

/* Lists of all kinds that every cluster has, empty but for those; one kind's stream can speak. */
static void script(struct seeing *seeing, const char *connectors, const char *deployments,
                   const char *pods, const char *speaking)
{
    size_t count;
    const struct kind *kinds = kinds_all(&count);
    static char matches[64][160]; /* the fake server borrows them */
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        AUTO(char *, memory_free_p) path = kinds_path(&kinds[i], "shop", NULL);
        bool own = kinds[i].role == KINDS_CONNECTOR;
        const char *body = own                                        ? connectors
                           : strcmp(kinds[i].name, "Deployment") == 0 ? deployments
                           : strcmp(kinds[i].name, "Pod") == 0        ? pods
                                                                      : LIST("");
        if (!kinds[i].everywhere)
            continue;
        (void)snprintf(matches[at], sizeof(matches[at]), "GET %s%s$", path, own ? "" : SELECTED);
        push(seeing, matches[at++], body, FAKE_WHOLE);
        (void)snprintf(matches[at], sizeof(matches[at]), "GET %s%s%swatch=", path,
                       own ? "" : SELECTED, own ? "?" : "&");
        push(seeing, matches[at++], NULL,
             strcmp(kinds[i].name, speaking) == 0 ? FAKE_STREAM : FAKE_SILENT);
    }
}

static void begin(struct seeing *seeing)
{
    fake_api_push(&seeing->scene->api,
                  (struct fake_answer){ .match = "GET /apis/monitoring", .status = 404 });
    start(seeing);
    assert_false(store_is_complete(seeing->store));
    scene_until(seeing->scene, store_is_complete(seeing->store));
    scene_until(seeing->scene, fake_api_unused(&seeing->scene->api) == 0);
    assert_int_equal(seeing->failures, 0);
    buf_clear(&seeing->told);
}

static void say(struct seeing *seeing, const char *line, const char *told)
{
    fake_api_say(&seeing->scene->api, line);
    scene_until(seeing->scene, seeing->told.size >= strlen(told));
    assert_string_equal(buf_text(&seeing->told), told);
    buf_clear(&seeing->told);
}

static void what_belongs_together_is_found(void **state)
{
    struct seeing *seeing = *state;
    script(seeing, LIST(CONNECTOR("orders", "3", "s") "," CONNECTOR("other", "4", "t")),
           LIST(THING("pqcdc-orders", "5", "")),
           LIST(THING("pqcdc-orders-x", "6", "\"pqcdc.io/connector\":\"orders\"")), "Connector");
    begin(seeing);
    assert_int_equal(store_count(seeing->store), 2);
    const json_t *connector = store_connector(seeing->store, "shop/orders");
    assert_string_equal(kube_object_text(connector, "kind", ""), "Connector");
    assert_null(kube_object_find(connector, "metadata.managedFields"));
    AUTO(json_t *, json_decrefp) children = store_children(seeing->store, "shop/orders");
    AUTO(json_t *, json_decrefp) pods = store_pods(seeing->store, "shop/orders");
    assert_int_equal(json_array_size(children), 1);
    assert_string_equal(kube_object_text(json_array_get(children, 0), "apiVersion", ""), "apps/v1");
    assert_int_equal(json_array_size(pods), 1);
    assert_null(kube_object_find(json_array_get(pods, 0), "spec.affinity"));
    AUTO(json_t *, json_decrefp) none = store_children(seeing->store, "shop/other");
    assert_int_equal(json_array_size(none), 0);
    assert_null(store_connector(seeing->store, "shop/unknown"));
    assert_null(store_job(seeing->store, "shop/orders"));
    assert_true(store_knows(seeing->store, "shop/orders", "Deployment"));
    scene_until(seeing->scene, !store_knows(seeing->store, "shop/orders", "PodMonitor"));
    assert_non_null(store_object(seeing->store, "shop/orders", "Deployment", "pqcdc-orders"));
    size_t cursor = 0, keys = 0;
    while (store_next(seeing->store, &cursor) != NULL)
        keys++;
    assert_int_equal(keys, 2);
}

static void twins_wake_each_other(void **state)
{
    struct seeing *seeing = *state;
    script(seeing, LIST(CONNECTOR("first", "3", "s")), LIST(""), LIST(""), "Connector");
    begin(seeing);
    assert_null(store_twin(seeing->store, "shop/first"));
    say(seeing, "{\"type\":\"ADDED\",\"object\":" CONNECTOR("second", "5", "s") "}\n",
        "shop/first shop/second ");
    assert_null(store_twin(seeing->store, "shop/first"));
    assert_string_equal(
        kube_object_text(store_twin(seeing->store, "shop/second"), "metadata.name", ""), "first");
    say(seeing, "{\"type\":\"DELETED\",\"object\":" CONNECTOR("first", "7", "s") "}\n",
        "shop/second -shop/first ");
    assert_null(store_twin(seeing->store, "shop/second"));
    assert_int_equal(store_count(seeing->store), 1);
    assert_null(store_connector(seeing->store, "shop/first"));
}

static void assert_twin(const struct seeing *seeing, const char *key, const char *name)
{
    const json_t *twin = store_twin(seeing->store, key);
    assert_string_equal(kube_object_text(twin, "metadata.name", ""), name);
}

static void a_twin_of_the_same_namespace_comes_first(void **state)
{
    struct seeing *seeing = *state;
    script(seeing, LIST(CONNECTOR("first", "3", "s") "," CONNECTOR("second", "5", "s")), LIST(""),
           LIST(""), "Connector");
    begin(seeing);
    say(seeing, ELSEWHERE("a", "h"), "other/a "); /* another server */
    assert_twin(seeing, "shop/first", "");
    fake_api_say(&seeing->scene->api, ELSEWHERE("b", "h.shop"));
    scene_until(seeing->scene, store_count(seeing->store) == 4);
    assert_twin(seeing, "shop/first", "b");
    assert_twin(seeing, "shop/second", "first");
    assert_twin(seeing, "other/a", "");
    assert_twin(seeing, "other/b", "");
}

/* Which is what the lists of a namespace are that was deleted with the rights in it. */
static void deny_lost(struct seeing *seeing)
{
    static const char *const denied[] = { "GET /apis/pqcdc.io/v1alpha1/namespaces/lost/",
                                          "GET /apis/rbac.authorization.k8s.io/v1/namespaces/lost/",
                                          "GET /apis/apps/v1/namespaces/lost/",
                                          "GET /apis/policy/v1/namespaces/lost/",
                                          "GET /apis/batch/v1/namespaces/lost/",
                                          "GET /api/v1/namespaces/lost/" };
    for (size_t i = 0; i < COUNT_OF(denied); i++)
        fake_api_push(&seeing->scene->api,
                      (struct fake_answer){ .match = denied[i], .status = 403, .times = 1000 });
}

static void a_namespace_that_is_denied_holds_back_only_its_own(void **state)
{
    struct seeing *seeing = *state;
    deny_lost(seeing);
    script(seeing, LIST(CONNECTOR("first", "3", "s")), LIST(""), LIST(""), "Connector");
    fake_api_push(
        &seeing->scene->api,
        (struct fake_answer){ .match = "GET /apis/monitoring", .status = 404, .times = 2 });
    start_with(seeing, 2);
    scene_until(seeing->scene, store_is_complete(seeing->store));
    assert_true(store_sees(seeing->store, "shop/first"));
    assert_false(store_sees(seeing->store, "lost/first"));
    assert_false(store_sees(seeing->store, "lost"));
}

static void who_is_denied_everywhere_sees_nothing(void **state)
{
    struct seeing *seeing = *state;
    deny_lost(seeing);
    start_with(seeing, 2);
    scene_until(seeing->scene, seeing->failures >= 9); /* each of its collections */
    assert_false(store_is_complete(seeing->store));    /* nothing else was listed */
}

static void a_pod_may_change_its_owner(void **state)
{
    struct seeing *seeing = *state;
    script(seeing, LIST(CONNECTOR("a", "3", "s") "," CONNECTOR("b", "4", "t")), LIST(""),
           LIST(THING("p", "6", "\"pqcdc.io/connector\":\"a\"")), "Pod");
    begin(seeing);
    say(seeing,
        "{\"type\":\"MODIFIED\",\"object\":" THING("p", "8", "\"pqcdc.io/connector\":\"b\"") "}\n",
        "shop/a shop/b ");
    AUTO(json_t *, json_decrefp) before = store_pods(seeing->store, "shop/a");
    AUTO(json_t *, json_decrefp) after = store_pods(seeing->store, "shop/b");
    assert_int_equal(json_array_size(before), 0);
    assert_int_equal(json_array_size(after), 1);
    say(seeing, "{\"type\":\"DELETED\",\"object\":" THING("p", "9", "") "}\n", "shop/b ");
    AUTO(json_t *, json_decrefp) gone = store_pods(seeing->store, "shop/b");
    assert_int_equal(json_array_size(gone), 0);
}

static void a_key_rests_until_what_was_written_is_seen(void **state)
{
    struct seeing *seeing = *state;
    AUTO(struct freshness *, freshness_free_p) freshness = freshness_new();
    AUTO(json_t *, json_decrefp)
    written = kube_object_load(SLICE_TEXT(
        "[{\"kind\":\"Connector\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"5\"}},"
        "{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"pqcdc-a\","
        "\"resourceVersion\":\"6\"}}]"));
    script(seeing, LIST(CONNECTOR("a", "3", "s")), LIST(THING("pqcdc-a", "6", "")), LIST(""),
           "Connector");
    begin(seeing);
    const mono_ms_t now = { 1000 };
    assert_int_equal(freshness_rest_ms(freshness, "shop/a", seeing->store, now), 0);
    freshness_note(freshness, "shop/a", seeing->store, written, now);
    assert_int_equal(freshness_rest_ms(freshness, "shop/a", seeing->store, now),
                     FRESHNESS_LIMIT_MS);
    assert_int_equal(freshness_rest_ms(freshness, "shop/b", seeing->store, now), 0);
    say(seeing, "{\"type\":\"MODIFIED\",\"object\":" CONNECTOR("a", "5", "s") "}\n", "shop/a ");
    assert_int_equal(freshness_rest_ms(freshness, "shop/a", seeing->store, now), 0);
    json_t *metadata = json_object_get(json_array_get(written, 0), "metadata");
    assert_int_equal(json_object_set_new(metadata, "resourceVersion", json_string("99")), 0);
    freshness_note(freshness, "shop/a", seeing->store, written, now); /* which is never seen */
    mono_ms_t late = mono_ms_add(now, FRESHNESS_LIMIT_MS - 1);
    assert_int_equal(freshness_rest_ms(freshness, "shop/a", seeing->store, late), 1);
    late = mono_ms_add(now, FRESHNESS_LIMIT_MS);
    assert_int_equal(freshness_rest_ms(freshness, "shop/a", seeing->store, late), 0);
    freshness_note(freshness, "shop/a", seeing->store, written, now);
    freshness_forget(freshness, "shop/a");
    assert_int_equal(freshness_rest_ms(freshness, "shop/a", seeing->store, now), 0);
}

/* It may go while it is written: nobody would forget it again. */
static void what_was_written_of_one_that_is_gone_is_not_kept(void **state)
{
    struct seeing *seeing = *state;
    AUTO(struct freshness *, freshness_free_p) freshness = freshness_new();
    AUTO(json_t *, json_decrefp)
    written = kube_object_load(SLICE_TEXT(
        "[{\"kind\":\"Connector\",\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"99\"}}]"));
    script(seeing, LIST(CONNECTOR("a", "3", "s")), LIST(""), LIST(""), "Connector");
    begin(seeing);
    const mono_ms_t now = { 1000 };
    freshness_note(freshness, "shop/b", seeing->store, written, now);
    assert_int_equal(freshness_rest_ms(freshness, "shop/b", seeing->store, now), 0);
    freshness_note(freshness, "shop/a", seeing->store, written, now);
    assert_int_equal(freshness_rest_ms(freshness, "shop/a", seeing->store, now),
                     FRESHNESS_LIMIT_MS);
}

static void assert_shared(const struct seeing *seeing, const char *key, const char *name)
{
    const json_t *sharer = store_sharer(seeing->store, store_connector(seeing->store, key));
    assert_string_equal(kube_object_text(sharer, "metadata.name", ""), name);
}

#define LEAVING(name, version, slot)                                                               \
    "{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"" name                            \
    "\",\"namespace\":\"shop\",\"uid\":\"u-" name "\",\"resourceVersion\":\"" version              \
    "\",\"creationTimestamp\":\"2026-01-01T00:00:06Z\","                                           \
    "\"deletionTimestamp\":\"2026-01-01T00:00:07Z\"},"                                             \
    "\"spec\":{\"cdc\":{\"host\":\"h\",\"database\":\"d\",\"slot\":{\"name\":\"" slot "\"}}}}}\n"

/* Whatever its age, and from another namespace too; but not while it goes itself. */
static void a_slot_is_shared_with_whoever_names_it(void **state)
{
    struct seeing *seeing = *state;
    script(seeing, LIST(CONNECTOR("first", "3", "s") "," CONNECTOR("third", "5", "t")), LIST(""),
           LIST(""), "Connector");
    begin(seeing);
    assert_shared(seeing, "shop/first", "");
    AUTO(json_t *, json_decrefp) gone =
        json_incref((json_t *)(uintptr_t)store_connector(seeing->store, "shop/first"));
    say(seeing, "{\"type\":\"ADDED\",\"object\":" CONNECTOR("second", "6", "s") "}\n",
        "shop/first shop/second ");
    assert_shared(seeing, "shop/first", "second");
    assert_shared(seeing, "shop/second", "first");
    assert_shared(seeing, "shop/third", "");
    say(seeing, LEAVING("second", "7", "s"), "shop/second ");
    assert_shared(seeing, "shop/first", "");
    assert_shared(seeing, "shop/second", "first");
    say(seeing, ELSEWHERE("b", "h.shop"), "shop/second shop/first other/b ");
    assert_shared(seeing, "shop/first", "b");
    say(seeing, "{\"type\":\"DELETED\",\"object\":" CONNECTOR("first", "8", "s") "}\n",
        "shop/second other/b -shop/first ");
    assert_string_equal(kube_object_text(store_sharer(seeing->store, gone), "metadata.name", ""),
                        "b");
}

static void kinds_say_where_and_whose(void **state UNUSED)
{
    const struct kind *role = kinds_find("rbac.authorization.k8s.io/v1", "Role");
    const struct kind *pod = kinds_find("v1", "Pod"), *job = kinds_find("batch/v1", "Job");
    AUTO(char *, memory_free_p) one = kinds_path(role, "shop", "a/b");
    AUTO(char *, memory_free_p) all = kinds_path(pod, NULL, NULL);
    assert_string_equal(one, "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles/a%2Fb");
    assert_string_equal(all, "/api/v1/pods");
    assert_null(kinds_find("v1", "Secret"));
    static const struct {
        const char *name, *owner_of_role, *owner_of_job;
    } rows[] = {
        { "pqcdc-orders", "s/orders", NULL },
        { "pqcdc-a-drop", "s/a-drop", "s/a" },
        { "pqcdc-", NULL, NULL },
        { "orders", NULL, NULL },
        { "pqcdc--drop", "s/-drop", NULL },
        { "pqcdc-drop-drop", "s/drop-drop", "s/drop" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(json_t *, json_decrefp)
        object = json_pack("{s:{s:s, s:s}}", "metadata", "namespace", "s", "name", rows[i].name);
        AUTO(char *, memory_free_p) of_role = kinds_owner(role, object);
        AUTO(char *, memory_free_p) of_job = kinds_owner(job, object);
        AUTO(char *, memory_free_p) of_pod = kinds_owner(pod, object);
        assert_string_equal(of_role != NULL ? of_role : "none",
                            rows[i].owner_of_role != NULL ? rows[i].owner_of_role : "none");
        assert_string_equal(of_job != NULL ? of_job : "none",
                            rows[i].owner_of_job != NULL ? rows[i].owner_of_job : "none");
        assert_null(of_pod);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_belongs_together_is_found),
        TEST(twins_wake_each_other),
        TEST(a_twin_of_the_same_namespace_comes_first),
        TEST(a_namespace_that_is_denied_holds_back_only_its_own),
        TEST(who_is_denied_everywhere_sees_nothing),
        TEST(a_pod_may_change_its_owner),
        TEST(a_key_rests_until_what_was_written_is_seen),
        TEST(what_was_written_of_one_that_is_gone_is_not_kept),
        TEST(a_slot_is_shared_with_whoever_names_it),
        cmocka_unit_test(kinds_say_where_and_whose),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
