#include "kube/kube_client.h"

#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

static void a_get_brings_an_object(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .body = "{\"kind\":\"Pod\"}" });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/api/v1/x?a=b%20c");
    assert_int_equal(answer.outcome, KUBE_OK);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.err.class, ERROR_NONE);
    assert_int_equal(answer.retry_after_ms, -1);
    assert_string_equal(json_string_value(json_object_get(answer.object, "kind")), "Pod");
    const struct fake_request *request = fake_api_seen(&scene->api, 0);
    assert_string_equal(request->line, "GET /api/v1/x?a=b%20c");
    assert_string_equal(request->authorization, "Bearer first-token");
    assert_string_equal(request->content_type, "");
    assert_string_equal(request->agent, "pqcdc/" PQCDC_VERSION);
    assert_int_equal(fake_api_count(&scene->api), 1);
}

static void each_verb_carries_its_body(void **state)
{
    static const struct {
        enum kube_verb verb;
        const char *type;
        const char *line, *shown_type;
        bool with_body;
    } rows[] = {
        { KUBE_POST, NULL, "POST /a", "application/json", true },
        { KUBE_PUT, NULL, "PUT /a", "application/json", true },
        { KUBE_PATCH, "application/merge-patch+json", "PATCH /a", "application/merge-patch+json",
          true },
        { KUBE_DELETE, NULL, "DELETE /a", "application/json", true },
        { KUBE_DELETE, NULL, "DELETE /a", "", false },
        { KUBE_GET, NULL, "GET /a", "", false },
    };
    struct scene *scene = *state;
    AUTO(json_t *, json_decrefp) body = json_pack("{s:s}", "text", "\xc3\xbc");
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        fake_api_push(&scene->api, (struct fake_answer){ .status = 201 });
        struct kube_request request = { .verb = rows[i].verb,
                                        .path = "/a",
                                        .content_type = rows[i].type,
                                        .body = rows[i].with_body ? body : NULL };
        AUTO(struct kube_answer, kube_answer_done) answer = scene_call(scene, &request);
        assert_int_equal(answer.outcome, KUBE_OK);
        assert_int_equal(answer.status, 201);
        const struct fake_request *seen = fake_api_seen(&scene->api, i);
        assert_string_equal(seen->line, rows[i].line);
        assert_string_equal(seen->content_type, rows[i].shown_type);
        assert_string_equal(seen->body, rows[i].with_body ? "{\"text\":\"\xc3\xbc\"}" : "");
    }
}

static void a_path_is_sent_as_it_is(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 404 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a/../b/./c//d");
    assert_int_equal(answer.outcome, KUBE_NOT_FOUND);
    assert_string_equal(fake_api_seen(&scene->api, 0)->line, "GET /a/../b/./c//d");
}

static void a_status_becomes_an_error(void **state)
{
    static const struct {
        unsigned status;
        enum kube_outcome outcome;
        const char *code;
    } rows[] = {
        { 400, KUBE_INVALID, "api_invalid" },   { 401, KUBE_DENIED, "api_denied" },
        { 403, KUBE_DENIED, "api_denied" },     { 404, KUBE_NOT_FOUND, "api_not_found" },
        { 409, KUBE_CONFLICT, "api_conflict" }, { 410, KUBE_GONE, "api_gone" },
        { 422, KUBE_INVALID, "api_invalid" },   { 429, KUBE_BUSY, "api_busy" },
        { 500, KUBE_BUSY, "api_busy" },         { 503, KUBE_BUSY, "api_busy" },
        { 504, KUBE_BUSY, "api_busy" },         { 301, KUBE_INVALID, "api_invalid" },
    };
    struct scene *scene = *state;
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        fake_api_push(&scene->api,
                      (struct fake_answer){ .status = rows[i].status,
                                            .body = "{\"kind\":\"Status\",\"reason\":\"Why\","
                                                    "\"message\":\"because of it\"}" });
        struct kube_request request = { .verb = KUBE_PUT, .path = "/apis/x" };
        AUTO(struct kube_answer, kube_answer_done) answer = scene_call(scene, &request);
        assert_int_equal(answer.outcome, rows[i].outcome);
        assert_int_equal(answer.status, rows[i].status);
        assert_string_equal(answer.err.code, rows[i].code);
        char text[128];
        snprintf(text, sizeof(text), "PUT /apis/x: %u Why: because of it", rows[i].status);
        assert_string_equal(answer.err.text, text);
        assert_non_null(answer.object);
        assert_int_equal(answer.err.advice[0] != '\0', rows[i].outcome == KUBE_DENIED);
    }
    /* A refusal is not tried again with the same token. */
    assert_int_equal(fake_api_count(&scene->api), COUNT_OF(rows));
}

static void an_error_needs_no_status_object(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 502, .body = "<html>Bad gateway" });
    fake_api_push(&scene->api, (struct fake_answer){ .status = 409, .body = "" });
    fake_api_push(&scene->api, (struct fake_answer){ .status = 409, .body = "[1]" });
    static const enum kube_outcome outcomes[] = { KUBE_BUSY, KUBE_CONFLICT, KUBE_CONFLICT };
    static const char *const texts[] = { "GET /a: 502", "GET /a: 409", "GET /a: 409" };
    for (unsigned i = 0; i < COUNT_OF(outcomes); i++) {
        AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
        assert_int_equal(answer.outcome, outcomes[i]);
        assert_string_equal(answer.err.text, texts[i]);
    }
}

static void a_redirect_is_not_followed(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){
                                   .status = 307, .header = "Location", .value = "/elsewhere" });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_INVALID);
    assert_int_equal(fake_api_count(&scene->api), 1);
}

static void retry_after_is_told_in_two_ways(void **state)
{
    struct scene *scene = *state;
    static const struct {
        const char *value, *body;
        int64_t ms;
    } rows[] = {
        { "7", "{}", 7000 },
        { NULL, "{\"details\":{\"retryAfterSeconds\":3}}", 3000 },
        { "7", "{\"details\":{\"retryAfterSeconds\":3}}", 7000 },
        { NULL, "{\"details\":{\"retryAfterSeconds\":-3}}", -1 },
        { NULL, "{\"details\":{\"retryAfterSeconds\":9223372036854775807}}", 3600000 },
        { "999999", "{}", 3600000 },
        { "soon", "{}", -1 },
        { NULL, "{}", -1 },
    };
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        struct fake_answer fake = { .status = 429, .body = rows[i].body, .value = rows[i].value };
        fake.header = rows[i].value != NULL ? "Retry-After" : NULL;
        fake_api_push(&scene->api, fake);
        AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
        assert_int_equal(answer.outcome, KUBE_BUSY);
        assert_int_equal(answer.retry_after_ms, rows[i].ms);
    }
}

static void calls_share_one_kept_connection(void **state)
{
    struct scene *scene = *state;
    for (unsigned i = 0; i < 5; i++) {
        fake_api_push(&scene->api, (struct fake_answer){ .status = i == 2 ? 404 : 200 });
        AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
        assert_int_equal(answer.outcome, i == 2 ? KUBE_NOT_FOUND : KUBE_OK);
        assert_int_equal(fake_api_seen(&scene->api, i)->from_port,
                         fake_api_seen(&scene->api, 0)->from_port);
    }
}

static void calls_run_side_by_side(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /slow", .manner = FAKE_SILENT });
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /fast" });
    AUTO(struct scene_answer, scene_answer_done) slow = { .count = 0 };
    struct kube_call *call = kube_client_call(
        scene->client, &(struct kube_request){ .path = "/slow" }, scene_on_answer, &slow);
    scene_until(scene, fake_api_count(&scene->api) == 1);
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/fast");
    assert_int_equal(answer.outcome, KUBE_OK);
    assert_int_equal(slow.count, 0);
    kube_client_cancel(call);
    scene_settle(scene);
    assert_int_equal(slow.count, 0);
}

static void an_answer_comes_from_a_turn_of_the_loop(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 200 });
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer, &got);
    assert_int_equal(got.count, 0);
    usleep(20000);
    assert_int_equal(got.count, 0);
    scene_until(scene, got.count == 1);
    assert_int_equal(got.answer.outcome, KUBE_OK);
}

/* Callbacks that do what callbacks may do. */
struct acting {
    struct scene *scene;
    struct kube_call *own, *other;
    struct scene_answer next, of_other;
    int count;
};

static void cancel_both_and_call(void *self, const struct kube_answer *answer UNUSED)
{
    struct acting *acting = self;
    acting->count++;
    kube_client_cancel(acting->own); /* it ends anyway */
    if (acting->of_other.count == 0) /* else it was faster, and is no more */
        kube_client_cancel(acting->other);
    kube_client_call(acting->scene->client, &(struct kube_request){ .path = "/next" },
                     scene_on_answer, &acting->next);
}

static void callbacks_start_and_cancel_calls(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /a" });
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /b" });
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /next" });
    struct acting acting = { .scene = scene };
    acting.other = kube_client_call(scene->client, &(struct kube_request){ .path = "/b" },
                                    scene_on_answer, &acting.of_other);
    acting.own = kube_client_call(scene->client, &(struct kube_request){ .path = "/a" },
                                  cancel_both_and_call, &acting);
    (void)usleep(20000);
    scene_until(scene, acting.count == 1);
    int answered = acting.of_other.count;
    scene_until(scene, acting.next.count == 1);
    scene_settle(scene);
    assert_int_equal(acting.count, 1);
    assert_int_equal(acting.of_other.count, answered); /* no more after it was cancelled */
    scene_answer_done(&acting.of_other);
    scene_answer_done(&acting.next);
}

static void cancel_itself(void *self, const struct kube_answer *answer UNUSED)
{
    struct acting *acting = self;
    acting->count++;
    kube_client_cancel(acting->own);
}

static void a_call_may_be_cancelled_in_its_own_callback(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 200 });
    struct acting acting = { .scene = scene };
    acting.own = kube_client_call(scene->client, &(struct kube_request){ .path = "/a" },
                                  cancel_itself, &acting);
    scene_until(scene, acting.count == 1);
    scene_settle(scene);
    assert_int_equal(acting.count, 1);
}

static void what_runs_is_cancelled_with_the_client(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_SILENT, .times = 3 });
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    for (int i = 0; i < 3; i++)
        kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer,
                         &got);
    scene_until(scene, fake_api_count(&scene->api) == 3);
    kube_client_free(TAKE(scene->client));
    scene_settle(scene);
    assert_int_equal(got.count, 0);
    kube_client_free(NULL);
    kube_client_cancel(NULL);
}

static void a_stop_ends_the_wait(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
    loop_stop(scene->loop);
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_UNREACHABLE);
    assert_int_equal(answer.err.class, ERROR_STOPPED);
    assert_string_equal(answer.err.text, "GET /a: stopped while it ran");
}

static void a_user_agent_is_shown(void **state)
{
    struct scene *scene = *state;
    kube_client_free(scene->client);
    struct error err = ERROR_INIT;
    struct kube_client_options options = {
        .config = scene->config, .loop = scene->loop, .clock = scene->clock, .user_agent = "me/1"
    };
    assert_true(kube_client_new(&options, &scene->client, &err));
    fake_api_push(&scene->api, (struct fake_answer){ .status = 200 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_OK);
    assert_string_equal(fake_api_seen(&scene->api, 0)->agent, "me/1");
    assert_ptr_equal(kube_client_loop(scene->client), scene->loop);
    assert_int_equal(kube_client_wall_us(scene->client), scene_wall_us(scene));
    assert_true(kube_client_seed(scene->client) != kube_client_seed(scene->client));
}

static void the_path_of_the_server_comes_first(void **state)
{
    struct scene *scene = *state;
    kube_client_free(scene->client);
    kube_config_free(scene->config);
    AUTO(char *, memory_free_p)
    cluster = text_format("{server: \"http://127.0.0.1:%u/k8s/c-1/\"}", scene->api.port);
    scene_load(scene, cluster, "{}");
    scene_connect(scene, 0);
    fake_api_push(&scene->api, (struct fake_answer){ .status = 200 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/api/v1");
    assert_int_equal(answer.outcome, KUBE_OK);
    assert_string_equal(fake_api_seen(&scene->api, 0)->line, "GET /k8s/c-1/api/v1");
    assert_string_equal(fake_api_seen(&scene->api, 0)->authorization, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_get_brings_an_object),
        TEST(each_verb_carries_its_body),
        TEST(a_path_is_sent_as_it_is),
        TEST(a_status_becomes_an_error),
        TEST(an_error_needs_no_status_object),
        TEST(a_redirect_is_not_followed),
        TEST(retry_after_is_told_in_two_ways),
        TEST(calls_share_one_kept_connection),
        TEST(calls_run_side_by_side),
        TEST(an_answer_comes_from_a_turn_of_the_loop),
        TEST(callbacks_start_and_cancel_calls),
        TEST(a_call_may_be_cancelled_in_its_own_callback),
        TEST(what_runs_is_cancelled_with_the_client),
        TEST(a_stop_ends_the_wait),
        TEST(a_user_agent_is_shown),
        TEST(the_path_of_the_server_comes_first),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
