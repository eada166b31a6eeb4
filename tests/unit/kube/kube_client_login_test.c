/* Tokens that change. */
#include "kube/kube_client.h"

#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

static void expect_token(struct scene *scene, const char *shown)
{
    fake_api_push(&scene->api, (struct fake_answer){ .status = 200 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_OK);
    const struct fake_request *seen = fake_api_seen(&scene->api, fake_api_count(&scene->api) - 1);
    assert_string_equal(seen->authorization, shown);
}

static void a_token_is_read_again_after_60_s(void **state)
{
    struct scene *scene = *state;
    expect_token(scene, "Bearer first-token");
    scene_write(scene, "token", "second-token");
    scene_pass(scene, 55000);
    expect_token(scene, "Bearer first-token");
    scene_pass(scene, 5000);
    expect_token(scene, "Bearer second-token");
    scene_write(scene, "token", "third-token");
    scene_pass(scene, 55000);
    expect_token(scene, "Bearer second-token");
    scene_pass(scene, 5000);
    expect_token(scene, "Bearer third-token");
}

static void a_token_is_read_again_when_it_is_refused(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "token", "  second-token \r\n");
    fake_api_push(&scene->api, (struct fake_answer){ .status = 401 });
    fake_api_push(&scene->api, (struct fake_answer){ .status = 201 });
    AUTO(json_t *, json_decrefp) body = json_pack("{s:i}", "n", 1);
    struct kube_request request = { .verb = KUBE_PUT, .path = "/a", .body = body };
    AUTO(struct kube_answer, kube_answer_done) answer = scene_call(scene, &request);
    assert_int_equal(answer.outcome, KUBE_OK);
    assert_int_equal(answer.status, 201);
    assert_int_equal(fake_api_count(&scene->api), 2);
    const struct fake_request *first = fake_api_seen(&scene->api, 0);
    const struct fake_request *second = fake_api_seen(&scene->api, 1);
    assert_string_equal(first->authorization, "Bearer first-token");
    assert_string_equal(second->authorization, "Bearer second-token");
    assert_string_equal(second->line, "PUT /a");
    assert_string_equal(second->body, "{\"n\":1}");
    expect_token(scene, "Bearer second-token");
}

static void the_new_token_may_be_refused_as_well(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "token", "second-token");
    fake_api_push(&scene->api, (struct fake_answer){ .status = 401, .times = 2 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_DENIED);
    assert_int_equal(answer.status, 401);
    assert_int_equal(fake_api_count(&scene->api), 2);
    assert_non_null(strstr(answer.err.advice, "token"));
    assert_null(strstr(answer.err.text, "second-token"));
}

/* The next request at the raw peer is refused. */
static void refuse_next(struct scene *scene, int peer)
{
    static const char answer[] = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}";
    char request[4096];
    ssize_t size;
    while ((size = recv(peer, request, sizeof(request), MSG_DONTWAIT)) < 0 && errno == EAGAIN)
        (void)loop_turn(scene->loop, 10);
    assert_true(size > 0);
    assert_int_equal(send(peer, answer, sizeof(answer) - 1, MSG_NOSIGNAL), sizeof(answer) - 1);
}

static void a_token_that_changes_all_the_time_is_shown_twice(void **state)
{
    struct scene *scene = *state;
    int fd = scene_listen(scene, "http", "{tokenFile: token}");
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    scene_write(scene, "token", "second-token");
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer, &got);
    scene_settle(scene);
    int peer = accept(fd, NULL, NULL);
    refuse_next(scene, peer);
    scene_settle(scene);
    scene_write(scene, "token", "third-token");
    refuse_next(scene, peer);
    scene_until(scene, got.count == 1);
    assert_int_equal(got.answer.outcome, KUBE_DENIED);
    close(peer);
    close(fd);
}

static void the_same_token_is_not_shown_twice(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 401 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_DENIED);
    assert_int_equal(fake_api_count(&scene->api), 1);
}

static void what_is_forbidden_is_not_tried_again(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "token", "second-token");
    fake_api_push(&scene->api, (struct fake_answer){ .status = 403 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_DENIED);
    assert_int_equal(fake_api_count(&scene->api), 1);
    assert_non_null(strstr(answer.err.advice, "Role"));
}

static void an_unusable_token_file_changes_nothing(void **state)
{
    static const char *const contents[] = {
        "", "\n", "two words", "line\nline", "\x7f", "\xc3\xbc"
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        scene_write(scene, "token", contents[i]);
        scene_pass(scene, 60000);
        expect_token(scene, "Bearer first-token");
    }
    AUTO(char *, memory_free_p) path = scene_path(scene, "token");
    assert_int_equal(unlink(path), 0);
    scene_pass(scene, 60000);
    expect_token(scene, "Bearer first-token");
    scene_write(scene, "token", "second-token");
    scene_pass(scene, 60000);
    expect_token(scene, "Bearer second-token");
}

static void a_stream_logs_in_again_too(void **state)
{
    struct scene *scene = *state;
    scene_write(scene, "token", "second-token");
    fake_api_push(&scene->api, (struct fake_answer){ .status = 401 });
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_STREAM });
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_stream(scene->client, &(struct kube_request){ .path = "/w" },
                       (kube_client_line_fn *)(void (*)(void))abort, scene_on_answer, &got);
    scene_until(scene, fake_api_streams(&scene->api) == 1);
    fake_api_end_stream(&scene->api);
    scene_until(scene, got.count == 1);
    assert_int_equal(got.answer.outcome, KUBE_OK);
    assert_string_equal(fake_api_seen(&scene->api, 1)->authorization, "Bearer second-token");
}

static void refuse_new_client(struct scene *scene, const char *user, const char *code,
                              const char *text)
{
    struct error err = ERROR_INIT;
    struct kube_client *client = NULL;
    kube_config_free(TAKE(scene->config));
    scene_load(scene, "{server: \"https://127.0.0.1:1\"}", user);
    struct kube_client_options options = { .config = scene->config,
                                           .loop = scene->loop,
                                           .clock = scene->clock };
    assert_false(kube_client_new(&options, &client, &err));
    assert_null(client);
    assert_string_equal(err.code, code);
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_non_null(strstr(err.text, text));
    assert_null(strstr(err.text, "s3cret"));
}

static void a_client_needs_its_files(void **state)
{
    struct scene *scene = *state;
    kube_client_free(TAKE(scene->client));
    refuse_new_client(scene, "{tokenFile: missing}", "file_unreadable", "missing\": No such file");
    scene_write(scene, "token", "a s3cret");
    refuse_new_client(scene, "{tokenFile: token}", "token_invalid", "token holds no token");
    refuse_new_client(scene, "{token: \"a s3cret\"}", "token_invalid",
                      "the kubeconfig holds no token");
    refuse_new_client(scene, "{client-certificate: token, client-key: token}", "pem_invalid",
                      "token holds no certificate or key in PEM");
    refuse_new_client(scene, "{client-certificate-data: czNjcmV0, client-key-data: czNjcmV0}",
                      "pem_invalid", "the kubeconfig holds no certificate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_read_again_after_60_s),
        TEST(a_token_is_read_again_when_it_is_refused),
        TEST(the_new_token_may_be_refused_as_well),
        TEST(the_same_token_is_not_shown_twice),
        TEST(what_is_forbidden_is_not_tried_again),
        TEST(an_unusable_token_file_changes_nothing),
        TEST(a_token_that_changes_all_the_time_is_shown_twice),
        TEST(a_stream_logs_in_again_too),
        TEST(a_client_needs_its_files),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
