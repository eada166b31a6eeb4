#include "operator/pod_status.h"

#include "kube/kube_object.h"
#include "operator/visit.h"
#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define KEY        "shop/orders"

enum { INTERVAL_MS = 10000 };

struct asking {
    struct scene *scene;
    struct pod_status *status;
    unsigned changes;
};

static void on_changed(void *self, const char *key)
{
    assert_string_equal(key, KEY);
    ((struct asking *)self)->changes++;
}

static int setup(void **state)
{
    struct asking *asking = memory_alloc(sizeof(*asking));
    void *scene;
    (void)scene_setup(&scene);
    asking->scene = scene;
    asking->status = pod_status_new(&(struct pod_status_options){ .loop = asking->scene->loop,
                                                                  .clock = asking->scene->clock,
                                                                  .interval_ms = INTERVAL_MS,
                                                                  .timeout_ms = 2000,
                                                                  .port = asking->scene->api.port,
                                                                  .on_changed = on_changed,
                                                                  .self = asking });
    *state = asking;
    return 0;
}

static int teardown(void **state)
{
    struct asking *asking = *state;
    void *scene = asking->scene;
    pod_status_free(asking->status);
    memory_free(asking);
    return scene_teardown(&scene);
}

#define POD(name, address, phase, labels)                                                          \
    "{\"metadata\":{\"name\":\"" name "\",\"labels\":{" labels                                     \
    "}},\"status\":{\"podIP\":\"" address "\",\"phase\":\"" phase "\"}}"

static void watch(struct asking *asking, const char *pods)
{
    AUTO(json_t *, json_decrefp) array = kube_object_load(slice_of(pods));
    assert_non_null(array);
    pod_status_watch(asking->status, KEY, array);
}

static void push(struct asking *asking, const char *body, enum fake_manner manner, unsigned status)
{
    fake_api_push(&asking->scene->api,
                  (struct fake_answer){
                      .match = "GET /status$", .body = body, .manner = manner, .status = status });
}

static void await(struct asking *asking, unsigned requests)
{
    scene_until(asking->scene, fake_api_count(&asking->scene->api) >= requests);
}

static void pass(struct asking *asking, int64_t ms)
{
    asking->scene->ahead_ms += ms;
}

static void expect_report(struct asking *asking, const char *name, const char *path,
                          const char *text)
{
    AUTO(json_t *, json_decrefp) reports = pod_status_reports(asking->status, KEY);
    const json_t *report = json_object_get(reports, name);
    assert_non_null(report);
    if (strstr(kube_object_text(report, path, "absent"), text) == NULL)
        fail_msg("%s is %s", path, kube_object_text(report, path, "absent"));
}

static void a_pod_is_asked_each_interval(void **state)
{
    struct asking *asking = *state;
    push(asking, "{\"state\":\"standby\"}", FAKE_WHOLE, 503); /* it counts all the same */
    watch(asking, "[" POD("a", "127.0.0.1", "Running", "") "]");
    assert_true(pod_status_is_pending(asking->status, KEY));
    assert_false(pod_status_is_pending(asking->status, "shop/other"));
    scene_until(asking->scene, asking->changes == 1);
    assert_false(pod_status_is_pending(asking->status, KEY));
    expect_report(asking, "a", "body.state", "standby");
    push(asking, "{\"state\":\"streaming\"}", FAKE_WHOLE, 200);
    pass(asking, INTERVAL_MS);
    scene_until(asking->scene, asking->changes == 2);
    expect_report(asking, "a", "body.state", "streaming");
    watch(asking, "[" POD("a", "127.0.0.1", "Running", "") "]"); /* the same: nothing begins anew */
    assert_false(pod_status_is_pending(asking->status, KEY));
    assert_int_equal(fake_api_count(&asking->scene->api), 2);
}

static void what_does_not_matter_wakes_rarely(void **state)
{
    struct asking *asking = *state;
    watch(asking, "[" POD("a", "127.0.0.1", "Running", "") "]");
    static const char *const bodies[] = { "{\"state\":\"s\",\"lag_bytes\":1}",
                                          "{\"state\":\"s\",\"lag_bytes\":2}",
                                          "{\"state\":\"s\",\"lag_bytes\":3}",
                                          "{\"state\":\"s\",\"lag_bytes\":4}" };
    static const unsigned changes[] = { 1, 1, 1, 2 };
    for (unsigned i = 0; i < COUNT_OF(bodies); i++) {
        push(asking, bodies[i], FAKE_WHOLE, 200);
        await(asking, i + 1);
        AUTO(json_t *, json_decrefp) seen = NULL;
        do {
            (void)loop_turn(asking->scene->loop, 20);
            json_decref(seen);
            seen = pod_status_reports(asking->status, KEY);
        } while (kube_object_integer(seen, "a.body.lag_bytes", 0) != i + 1);
        assert_int_equal(asking->changes, changes[i]);
        pass(asking, INTERVAL_MS);
    }
}

static void one_silence_is_no_news(void **state)
{
    struct asking *asking = *state;
    push(asking, "{\"state\":\"s\"}", FAKE_WHOLE, 200);
    watch(asking, "[" POD("a", "127.0.0.1", "Running", "") "]");
    scene_until(asking->scene, asking->changes == 1);
    push(asking, NULL, FAKE_CLOSED, 0);
    push(asking, NULL, FAKE_SILENT, 0); /* asked once more, soon */
    pass(asking, INTERVAL_MS);
    await(asking, 2);
    pass(asking, 1000);
    await(asking, 3);
    assert_int_equal(asking->changes, 1);
    expect_report(asking, "a", "body.state", "s");
    scene_until(asking->scene, asking->changes == 2);
    expect_report(asking, "a", "error", "/status");
}

static void nonsense_is_silence(void **state)
{
    struct asking *asking = *state;
    static const char *const bodies[] = { "", "[1]", "{\"a\":", "nothing is JSON here" };
    for (unsigned i = 0; i < COUNT_OF(bodies); i++) {
        push(asking, bodies[i], FAKE_WHOLE, 200);
        push(asking, bodies[i], FAKE_WHOLE, 200);
        watch(asking, "[" POD("a", "127.0.0.1", "Running", "") "]");
        await(asking, 2 * i + 1);
        pass(asking, 1000);
        scene_until(asking->scene, asking->changes == i + 1);
        expect_report(asking, "a", "error", "HTTP 200 without JSON");
        watch(asking, "[]");
        assert_int_equal(pod_status_count(asking->status), 0);
    }
}

static void an_answer_has_its_limit(void **state)
{
    struct asking *asking = *state;
    for (unsigned i = 0; i < 2; i++)
        fake_api_push(
            &asking->scene->api,
            (struct fake_answer){ .match = "GET /status$", .padding_bytes = VISIT_BODY_MAX_BYTES });
    watch(asking, "[" POD("a", "127.0.0.1", "Running", "") "]");
    await(asking, 1);
    pass(asking, 1000);
    scene_until(asking->scene, asking->changes == 1);
    expect_report(asking, "a", "error", "too large");
}

static void only_workers_that_run_are_asked(void **state)
{
    struct asking *asking = *state;
    watch(asking, "[" POD("pending", "127.0.0.1", "Pending", "") "," POD(
                      "homeless", "", "Running",
                      "") "," POD("job", "127.0.0.1", "Running",
                                  "\"job-name\":\"j\"") "," POD("evil", "127.0.0.1@elsewhere/",
                                                                "Running", "") ",{},7]");
    assert_int_equal(pod_status_count(asking->status), 0);
    watch(asking,
          "[" POD("six", "::1", "Running", "") "," POD("a", "127.0.0.2", "Running", "") "]");
    assert_int_equal(pod_status_count(asking->status), 2);
    pod_status_watch(asking->status, "shop/other", NULL);
    assert_int_equal(pod_status_count(asking->status), 2);
    pod_status_watch(asking->status, KEY, NULL);
    assert_int_equal(pod_status_count(asking->status), 0);
}

static void a_pod_with_another_address_is_another(void **state)
{
    struct asking *asking = *state;
    push(asking, "{\"state\":\"s\"}", FAKE_WHOLE, 200);
    watch(asking, "[" POD("a", "127.0.0.1", "Running", "") "]");
    scene_until(asking->scene, asking->changes == 1);
    watch(asking, "[" POD("a", "127.0.0.9", "Running", "") "]");
    assert_true(pod_status_is_pending(asking->status, KEY));
    pod_status_clear(asking->status);
    AUTO(json_t *, json_decrefp) reports = pod_status_reports(asking->status, KEY);
    assert_int_equal(json_object_size(reports), 0);
}

static void one_visit_without_a_loop(void **state)
{
    struct asking *asking = *state;
    struct error err = ERROR_INIT;
    int status = 0;
    AUTO(char *, memory_free_p)
    url = text_format("http://127.0.0.1:%u/readyz", asking->scene->api.port);
    fake_api_push(&asking->scene->api,
                  (struct fake_answer){ .match = "GET /readyz$", .status = 503 });
    assert_true(visit_wait(url, 5000, &status, &err));
    assert_int_equal(status, 503);
    assert_false(visit_wait("http://127.0.0.1:1/", 5000, &status, &err));
    assert_string_equal(err.code, "unreachable");
    assert_false(visit_wait("file:///etc/passwd", 5000, &status, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pod_is_asked_each_interval),
        TEST(what_does_not_matter_wakes_rarely),
        TEST(one_silence_is_no_news),
        TEST(nonsense_is_silence),
        TEST(an_answer_has_its_limit),
        TEST(only_workers_that_run_are_asked),
        TEST(a_pod_with_another_address_is_another),
        TEST(one_visit_without_a_loop),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
