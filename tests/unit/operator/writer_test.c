#include "operator/writer.h"

#include "kube/kube_object.h"
#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN        "/apis/pqcdc.io/v1alpha1/namespaces/shop/connectors/orders"

struct writing_scene {
    struct scene *scene;
    struct writer_options options;
    json_t *connector;
    struct writing *writing;
    struct writer_result result;
    char *versions; /* of what was written, with blanks behind each */
    bool ended, may;
    unsigned events;
};

static bool may_write(void *self)
{
    return ((struct writing_scene *)self)->may;
}

static void on_event(void *self, const json_t *connector, const json_t *event)
{
    struct writing_scene *scene = self;
    assert_ptr_not_equal(connector, NULL);
    assert_string_equal(kube_object_text(event, "reason", ""), "Known");
    scene->events++;
}

static int setup(void **state)
{
    struct writing_scene *scene = memory_alloc(sizeof(*scene));
    void *inner;
    (void)scene_setup(&inner);
    scene->scene = inner;
    scene->may = true;
    scene->options = (struct writer_options){
        .client = scene->scene->client, .self = scene, .may_write = may_write, .on_event = on_event
    };
    scene->connector = kube_object_load(
        slice_of("{\"metadata\":{\"name\":\"orders\",\"namespace\":\"shop\",\"uid\":\"u-1\"}}"));
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct writing_scene *scene = *state;
    void *inner = scene->scene;
    json_decref(scene->connector);
    memory_free(scene->versions);
    memory_free(scene);
    return scene_teardown(&inner);
}

static json_t *json_of(const char *text)
{
    json_t *value = kube_object_load(slice_of(text));
    assert_non_null(value);
    return value;
}

static struct reconcile_plan plan_of(const char *apply, const char *remove)
{
    return (struct reconcile_plan){ .apply = json_of(apply),
                                    .remove = json_of(remove),
                                    .pod_patches = json_array(),
                                    .events = json_array() };
}

static void on_done(void *self, const struct writer_result *result)
{
    struct writing_scene *scene = self;
    size_t i;
    const json_t *object;
    assert_false(scene->ended);
    scene->ended = true;
    scene->result = *result;
    scene->versions = memory_text("");
    json_array_foreach(result->written, i, object)
    {
        AUTO(char *, memory_free_p) before = scene->versions;
        scene->versions =
            text_format("%s%s ", before, kube_object_text(object, "metadata.resourceVersion", ""));
    }
}

static void start(struct writing_scene *scene, struct reconcile_plan *plan)
{
    scene->ended = false;
    memory_free(TAKE(scene->versions));
    scene->writing = writer_start(&scene->options, scene->connector, plan, on_done, scene);
    assert_null(plan->apply); /* it is taken over */
}

static void run(struct writing_scene *scene, struct reconcile_plan *plan)
{
    start(scene, plan);
    assert_false(scene->ended); /* not from inside */
    scene_until(scene->scene, scene->ended);
}

static void answer(struct writing_scene *scene, const char *match, unsigned status,
                   const char *body)
{
    fake_api_push(&scene->scene->api,
                  (struct fake_answer){ .match = match, .status = status, .body = body });
}

static void expect_request(struct writing_scene *scene, unsigned at, const char *line,
                           const char *type, const char *body)
{
    const struct fake_request *request = fake_api_seen(&scene->scene->api, at);
    assert_string_equal(request->line, line);
    assert_string_equal(request->content_type, type);
    AUTO(json_t *, json_decrefp) seen = json_of(request->body);
    AUTO(json_t *, json_decrefp) wanted = json_of(body);
    if (!json_equal(seen, wanted))
        fail_msg("%s", request->body);
}

#define CONFIG_MAP                                                                                 \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"pqcdc-orders\"},"      \
    "\"data\":{\"a\":\"b\"}}"
#define OURS                                                                                       \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"pqcdc-orders\","       \
    "\"uid\":\"u-7\"},\"data\":{\"a\":\"b\"}}"
#define APPLY "application/apply-patch+yaml"
#define MERGE "application/merge-patch+json"

static void a_whole_plan_in_its_order(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan =
        plan_of("[" OURS "]", "[{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"name\":\"s\","
                              "\"uid\":\"u-9\"}]");
    json_decref(plan.pod_patches);
    plan.pod_patches = json_of("[{\"name\":\"p\",\"labels\":{\"l\":null}}]");
    plan.status = json_of("{\"observedGeneration\":3}");
    json_decref(plan.events);
    plan.events = json_of("[{\"reason\":\"Known\",\"note\":\"n\"}]");
    plan.finalizers = json_of("{\"metadata\":{\"finalizers\":[],\"resourceVersion\":\"5\"}}");
    answer(scene, "PATCH", 200, "{\"metadata\":{\"resourceVersion\":\"11\"}}");
    answer(scene, "DELETE", 200, "{\"metadata\":{\"resourceVersion\":\"12\"}}");
    answer(scene, "PATCH", 200, "{\"metadata\":{\"resourceVersion\":\"13\"}}");
    answer(scene, "PATCH", 200, "{\"metadata\":{\"resourceVersion\":\"14\"}}");
    answer(scene, "PATCH", 200, "{\"metadata\":{\"resourceVersion\":\"15\"}}");
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_DONE);
    assert_int_equal(scene->result.writes, 5);
    assert_string_equal(scene->versions, "11 13 14 15 "); /* what was deleted is not waited for */
    assert_int_equal(scene->events, 1);
    expect_request(scene, 0,
                   "PATCH /api/v1/namespaces/shop/configmaps/pqcdc-orders"
                   "?fieldManager=pqcdc-operator&force=true",
                   APPLY, OURS);
    expect_request(scene, 1, "DELETE /api/v1/namespaces/shop/services/s", "application/json",
                   "{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"propagationPolicy\":"
                   "\"Background\",\"preconditions\":{\"uid\":\"u-9\"}}");
    expect_request(scene, 2, "PATCH /api/v1/namespaces/shop/pods/p?fieldManager=pqcdc-operator",
                   MERGE, "{\"metadata\":{\"labels\":{\"l\":null}}}");
    expect_request(scene, 3, "PATCH " OWN "/status?fieldManager=pqcdc-operator-status&force=true",
                   APPLY,
                   "{\"apiVersion\":\"pqcdc.io/v1alpha1\",\"kind\":\"Connector\",\"metadata\":{"
                   "\"name\":\"orders\",\"namespace\":\"shop\",\"uid\":\"u-1\"},\"status\":{"
                   "\"observedGeneration\":3}}");
    expect_request(scene, 4, "PATCH " OWN "?fieldManager=pqcdc-operator", MERGE,
                   "{\"metadata\":{\"finalizers\":[],\"resourceVersion\":\"5\"}}");
}

static void our_finalizer_comes_first(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" OURS "]", "[]");
    plan.finalizers = json_of("{\"metadata\":{\"finalizers\":[\"other\",\"pqcdc.io/slot\"]}}");
    fake_api_push(&scene->scene->api, (struct fake_answer){ .match = "PATCH", .times = 2 });
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_DONE);
    assert_non_null(strstr(fake_api_seen(&scene->scene->api, 0)->line, "/connectors/orders?"));
    assert_non_null(strstr(fake_api_seen(&scene->scene->api, 1)->line, "/configmaps/"));
}

static void an_empty_plan_needs_nothing(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[]", "[]");
    assert_false(writer_is_needed(&plan));
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_DONE);
    assert_int_equal(fake_api_count(&scene->scene->api), 0);
}

static void the_first_failure_ends_it(void **state)
{
    struct writing_scene *scene = *state;
    static const struct {
        unsigned status;
        enum writer_end end;
        bool is_news;
    } rows[] = {
        { 422, WRITER_REFUSED, true }, { 400, WRITER_REFUSED, true }, { 403, WRITER_FAILED, true },
        { 404, WRITER_FAILED, true },  { 409, WRITER_FAILED, false }, { 500, WRITER_FAILED, true },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reconcile_plan plan = plan_of("[" OURS "," OURS "]", "[]");
        plan.status = json_of("{}");
        answer(scene, "PATCH", rows[i].status, "{\"message\":\"because\"}");
        run(scene, &plan);
        assert_int_equal(scene->result.end, rows[i].end);
        assert_int_equal(scene->result.is_news, rows[i].is_news);
        assert_non_null(strstr(scene->result.err.text, "because"));
        assert_int_equal(scene->result.writes, 0);
        assert_int_equal(fake_api_count(&scene->scene->api), i + 1);
    }
}

/* What has the name of a child that was not seen. */

#define PATH "/api/v1/namespaces/shop/configmaps/pqcdc-orders"
#define HELD(metadata)                                                                             \
    "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"pqcdc-orders\",\"uid\":\"u-7\"," metadata "}}"
#define CONTROLLED_BY(api, kind, name, uid)                                                        \
    "\"ownerReferences\":[{\"controller\":true,\"apiVersion\":\"" api "\",\"kind\":\"" kind        \
    "\",\"name\":\"" name "\",\"uid\":\"" uid "\"}]"
#define CONTROLLED(name, uid) CONTROLLED_BY("pqcdc.io/v1alpha1", "Connector", name, uid)
#define MADE(connector)                                                                            \
    "\"labels\":{\"pqcdc.io/connector\":\"" connector "\"},"                                       \
    "\"annotations\":{\"pqcdc.io/applied\":\"0123456789abcdef\"}"

static void what_is_not_there_is_made_without_force(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" CONFIG_MAP "," CONFIG_MAP "]", "[]");
    for (unsigned i = 0; i < 2; i++) {
        answer(scene, "GET " PATH, 404, "{}");
        answer(scene, "PATCH " PATH, 201, "{}");
    }
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_DONE);
    assert_int_equal(fake_api_count(&scene->scene->api), 4);
    for (unsigned i = 1; i < 4; i += 2)
        expect_request(scene, i, "PATCH " PATH "?fieldManager=pqcdc-operator", APPLY, CONFIG_MAP);
}

static void what_is_ours_is_written_over_with_its_uid(void **state)
{
    struct writing_scene *scene = *state;
    static const char *const held[] = { HELD(CONTROLLED("orders", "u-1")), HELD(MADE("orders")) };
    for (unsigned i = 0; i < COUNT_OF(held); i++) {
        struct reconcile_plan plan = plan_of("[" CONFIG_MAP "]", "[]");
        answer(scene, "GET " PATH, 200, held[i]);
        answer(scene, "PATCH " PATH, 200, "{}");
        run(scene, &plan);
        assert_int_equal(scene->result.end, WRITER_DONE);
        expect_request(scene, 2 * i + 1, "PATCH " PATH "?fieldManager=pqcdc-operator&force=true",
                       APPLY, OURS);
    }
}

static void what_is_anothers_is_left_as_it_is(void **state)
{
    struct writing_scene *scene = *state;
    static const struct {
        const char *held, *code;
        bool is_news;
    } rows[] = {
        { HELD("\"labels\":{}"), "name_taken", true },
        { HELD(MADE("others")), "name_taken", true },
        { HELD("\"labels\":{\"pqcdc.io/connector\":\"orders\"}"), "name_taken", true },
        { HELD(CONTROLLED_BY("pqcdc.io/v1alpha1", "Release", "orders", "u-2")), "name_taken",
          true },
        { HELD(CONTROLLED_BY("others.io/v1", "Connector", "orders", "u-2")), "name_taken", true },
        { HELD(CONTROLLED("others", "u-2")), "name_taken", true },
        { HELD(MADE("orders") "," CONTROLLED("orders", "u-2")), "name_leftover", false },
    };
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        struct reconcile_plan plan = plan_of("[" CONFIG_MAP "," OURS "]", "[]");
        plan.status = json_of("{}");
        answer(scene, "GET " PATH, 200, rows[i].held);
        run(scene, &plan);
        assert_int_equal(scene->result.end, WRITER_FAILED);
        assert_string_equal(scene->result.err.code, rows[i].code);
        assert_int_equal(scene->result.is_news, rows[i].is_news);
        assert_non_null(strstr(scene->result.err.text, "ConfigMap pqcdc-orders"));
        assert_int_equal(fake_api_count(&scene->scene->api), i + 1);
    }
}

/* It should be gone within a moment. */
static void a_leftover_that_stays_is_told(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" CONFIG_MAP "]", "[]");
    CHECK(json_object_set_new(json_object_get(scene->connector, "metadata"), "creationTimestamp",
                              json_string("1970-01-01T00:00:00Z")) == 0);
    answer(scene, "GET " PATH, 200, HELD(CONTROLLED("orders", "u-2")));
    run(scene, &plan);
    assert_string_equal(scene->result.err.code, "name_leftover");
    assert_true(scene->result.is_news);
}

static void who_may_not_look_does_not_write(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" CONFIG_MAP "]", "[]");
    answer(scene, "GET " PATH, 403, "{\"message\":\"because\"}");
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_FAILED);
    assert_true(scene->result.is_news);
    assert_string_equal(scene->result.err.code, "api_denied");
}

#define MONITOR                                                                                    \
    "{\"apiVersion\":\"monitoring.coreos.com/v1\",\"kind\":\"PodMonitor\","                        \
    "\"metadata\":{\"name\":\"pqcdc-orders\"}}"

static void what_the_cluster_does_not_know_keeps_nothing_else_up(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" MONITOR "," OURS "]", "[]");
    plan.status = json_of("{}");
    json_decref(plan.events);
    plan.events = json_of("[{\"reason\":\"Known\"}]");
    answer(scene, "GET /apis/monitoring.coreos.com/v1/", 404, "{}");
    answer(scene, "PATCH /apis/monitoring.coreos.com/v1/", 404, "{\"message\":\"because\"}");
    answer(scene, "PATCH /api/v1/namespaces/shop/configmaps/", 200, "{}");
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_FAILED);
    assert_true(scene->result.is_news);
    assert_string_equal(scene->result.err.code, "kind_unknown");
    assert_int_equal(scene->result.writes, 1);
    assert_int_equal(scene->events, 0); /* the plan that tells of it comes next */
    assert_int_equal(fake_api_count(&scene->scene->api), 3);
}

#define JOB(size)                                                                                  \
    "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"pqcdc-orders-drop\","  \
    "\"uid\":\"u-8\"},\"spec\":{\"size\":" size "}}"
#define JOB_PATCH                                                                                  \
    "PATCH /apis/batch/v1/namespaces/shop/jobs/pqcdc-orders-drop"                                  \
    "?fieldManager=pqcdc-operator&force=true"

static void start_jobs(struct writing_scene *scene, unsigned first, unsigned second)
{
    struct reconcile_plan plan = plan_of("[]", "[]");
    plan.job = json_of("[" JOB("2") "," JOB("1") "]");
    answer(scene, "PATCH", first, "{\"message\":\"because\"}");
    if (second != 0)
        answer(scene, "PATCH", second, "{\"message\":\"because\"}");
    run(scene, &plan);
}

static void of_several_jobs_the_first_that_is_not_refused_is_made(void **state)
{
    struct writing_scene *scene = *state;
    static const struct {
        unsigned first, second, requests;
        enum writer_end end;
    } rows[] = {
        { 201, 0, 1, WRITER_DONE },
        { 422, 201, 2, WRITER_DONE },
        { 422, 422, 2, WRITER_REFUSED },
        { 403, 0, 1, WRITER_FAILED }, /* that is not the template's fault */
    };
    unsigned seen = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        start_jobs(scene, rows[i].first, rows[i].second);
        assert_int_equal(scene->result.end, rows[i].end);
        assert_int_equal(fake_api_count(&scene->scene->api), seen + rows[i].requests);
        expect_request(scene, seen, JOB_PATCH, APPLY, JOB("2"));
        if (rows[i].requests == 2)
            expect_request(scene, seen + 1, JOB_PATCH, APPLY, JOB("1"));
        seen += rows[i].requests;
    }
}

static void pods_are_stopped_before_anything_is_applied(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" OURS "]", "[]");
    plan.stop = json_of("{\"name\":\"pqcdc-orders\",\"resourceVersion\":\"77\"}");
    assert_true(writer_is_needed(&plan));
    answer(scene, "PATCH /apis/apps/v1/", 200, "{\"metadata\":{\"resourceVersion\":\"78\"}}");
    answer(scene, "PATCH " PATH, 200, "{}");
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_DONE);
    assert_string_equal(scene->versions, "78 ");
    expect_request(scene, 0,
                   "PATCH /apis/apps/v1/namespaces/shop/deployments/pqcdc-orders"
                   "?fieldManager=pqcdc-operator",
                   MERGE, "{\"metadata\":{\"resourceVersion\":\"77\"},\"spec\":{\"replicas\":0}}");
}

static void what_is_gone_is_as_good(void **state)
{
    struct writing_scene *scene = *state;
    static const char *const row = "[{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"name\":\"s\"}]";
    static const unsigned statuses[] = { 404, 409 };
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        struct reconcile_plan plan = plan_of("[]", row);
        plan.status = json_of("{}");
        answer(scene, "DELETE", statuses[i], "{}");
        answer(scene, "PATCH", 404, "{}"); /* the Connector too */
        run(scene, &plan);
        assert_int_equal(scene->result.end, WRITER_DONE);
        assert_int_equal(scene->result.writes, 0);
    }
}

static void who_may_not_write_any_more_stops(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" CONFIG_MAP "]", "[]");
    scene->may = false;
    run(scene, &plan);
    assert_int_equal(scene->result.end, WRITER_STOPPED);
    assert_int_equal(fake_api_count(&scene->scene->api), 0);
}

static void a_cancelled_one_says_nothing(void **state)
{
    struct writing_scene *scene = *state;
    struct reconcile_plan plan = plan_of("[" OURS "]", "[]");
    fake_api_push(&scene->scene->api,
                  (struct fake_answer){ .match = "PATCH", .manner = FAKE_SILENT });
    start(scene, &plan);
    scene_until(scene->scene, fake_api_count(&scene->scene->api) == 1);
    writer_cancel(scene->writing);
    writer_cancel(NULL);
    assert_false(scene->ended);
    plan = plan_of("[" CONFIG_MAP "]", "[]");
    start(scene, &plan); /* before its first turn */
    writer_cancel(scene->writing);
    assert_false(scene->ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_plan_in_its_order),
        TEST(our_finalizer_comes_first),
        TEST(an_empty_plan_needs_nothing),
        TEST(the_first_failure_ends_it),
        TEST(what_is_not_there_is_made_without_force),
        TEST(what_is_ours_is_written_over_with_its_uid),
        TEST(what_is_anothers_is_left_as_it_is),
        TEST(a_leftover_that_stays_is_told),
        TEST(who_may_not_look_does_not_write),
        TEST(what_the_cluster_does_not_know_keeps_nothing_else_up),
        TEST(of_several_jobs_the_first_that_is_not_refused_is_made),
        TEST(pods_are_stopped_before_anything_is_applied),
        TEST(what_is_gone_is_as_good),
        TEST(who_may_not_write_any_more_stops),
        TEST(a_cancelled_one_says_nothing),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
