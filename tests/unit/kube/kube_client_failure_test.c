/* Peers that do not answer as they should, and what is tried again. */
#include "kube/kube_client.h"

#include <netinet/tcp.h>

#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

static void no_whole_answer_is_unreachable(void **state)
{
    static const struct fake_answer rows[] = {
        { .manner = FAKE_CUT, .body = "{\"kind\":\"a body that is cut in its middle\"}" },
        { .manner = FAKE_CUT, .status = 409, .body = "{\"kind\":\"a body that is cut\"}" },
        { .manner = FAKE_CLOSED },
        { .body = "{\"kind\":" },
        { .body = "{} {}" },
        { .body = "\"text\"" },
        { .body = "" },
    };
    static const char *const codes[] = { "api_unreachable",   "api_unreachable",
                                         "api_unreachable",   "answer_unreadable",
                                         "answer_unreadable", "answer_unreadable",
                                         "answer_unreadable" };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fake_api_push(&scene->api, rows[i]);
        AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/apis/x");
        assert_int_equal(answer.outcome, KUBE_UNREACHABLE);
        assert_string_equal(answer.err.code, codes[i]);
        assert_int_equal(answer.err.class, ERROR_RETRY);
        assert_memory_equal(answer.err.text, "GET /apis/x: ", strlen("GET /apis/x: "));
        assert_null(answer.object);
    }
}

static void a_huge_body_is_refused(void **state)
{
    struct scene *scene = *state;
    kube_client_free(scene->client);
    scene_connect(scene, 10000);
    fake_api_push(&scene->api, (struct fake_answer){ .padding_bytes = 10000 - 2 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_OK);
    fake_api_push(&scene->api, (struct fake_answer){ .padding_bytes = 10000 - 1 });
    AUTO(struct kube_answer, kube_answer_done) refused = scene_get(scene, "/a");
    assert_int_equal(refused.outcome, KUBE_UNREACHABLE);
    assert_string_equal(refused.err.code, "answer_too_large");
    assert_string_equal(refused.err.text,
                        "GET /a: the answer, or a line of it, is larger than 10000 bytes");
}

static void the_default_limit_is_8_mib(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .padding_bytes = 8 * 1024 * 1024 - 2 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_OK);
    fake_api_push(&scene->api, (struct fake_answer){ .padding_bytes = 8 * 1024 * 1024 - 1 });
    AUTO(struct kube_answer, kube_answer_done) refused = scene_get(scene, "/a");
    assert_string_equal(refused.err.code, "answer_too_large");
}

static void a_silent_peer_is_given_up_when_the_time_is_over(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a", .timeout_ms = 5000 },
                     scene_on_answer, &got);
    scene_until(scene, fake_api_count(&scene->api) == 1);
    scene_pass(scene, 4000);
    scene_settle(scene);
    assert_int_equal(got.count, 0);
    scene_pass(scene, 1000);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.answer.outcome, KUBE_UNREACHABLE);
    assert_int_equal(got.answer.status, 0);
    assert_string_equal(got.answer.err.code, "api_timeout");
    assert_string_equal(got.answer.err.text, "GET /a: no whole answer within 5000 ms");
}

static void a_call_without_a_limit_has_10_s(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer, &got);
    scene_until(scene, fake_api_count(&scene->api) == 1);
    scene_pass(scene, 9000);
    assert_int_equal(got.count, 0);
    scene_pass(scene, 1000);
    assert_int_equal(got.count, 1);
}

/* Its kernel accepts, nobody else does. */
static void a_peer_that_only_accepts_is_given_up(void **state)
{
    struct scene *scene = *state;
    static const char *const schemes[] = { "http", "https" };
    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        int fd = scene_listen(scene, schemes[i], "{}");
        struct kube_request request = { .path = "/a", .timeout_ms = 100 };
        AUTO(struct kube_answer, kube_answer_done) answer = scene_call(scene, &request);
        assert_int_equal(answer.outcome, KUBE_UNREACHABLE);
        assert_string_equal(answer.err.code, "api_timeout");
        close(fd);
    }
}

/* The peer says that to a request, and then closes. */
static void expect_unreachable(struct scene *scene, const char *said, const char *code)
{
    int fd = scene_listen(scene, "http", "{}");
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer, &got);
    scene_settle(scene);
    int peer = accept(fd, NULL, NULL);
    assert_true(peer >= 0);
    scene_settle(scene);
    assert_int_equal(send(peer, said, strlen(said), MSG_NOSIGNAL), strlen(said));
    scene_settle(scene);
    shutdown(peer, SHUT_WR);
    scene_until(scene, got.count == 1);
    assert_int_equal(got.answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(got.answer.err.code, code);
    close(peer);
    close(fd);
}

static void what_is_no_http_is_no_answer(void **state)
{
    struct scene *scene = *state;
    static const char *const rows[][2] = {
        { "SSH-2.0-OpenSSH_9.2\r\n", "api_unreachable" },
        { "HTTP/1.1 200 OK\r\nContent-Le", "api_unreachable" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}", "api_unreachable" },
        { "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", "api_unreachable" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "api_unreachable" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "api_unreachable" },
        { "HTTP/1.1 100 Continue\r\n\r\n", "api_unreachable" },
        { "HTTP/2.0 200 OK\r\n\r\n", "answer_unreadable" },
        { "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{", "answer_unreadable" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        expect_unreachable(scene, rows[i][0], rows[i][1]);
}

static void an_answer_in_drops_has_no_more_time(void **state)
{
    struct scene *scene = *state;
    int fd = scene_listen(scene, "http", "{}");
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer, &got);
    scene_settle(scene);
    int peer = accept(fd, NULL, NULL);
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    assert_true(send(peer, head, sizeof(head) - 1, MSG_NOSIGNAL) > 0);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(send(peer, " ", 1, MSG_NOSIGNAL), 1);
        scene_settle(scene);
        scene_pass(scene, 1000);
        assert_int_equal(got.count, 0);
    }
    scene_pass(scene, 1000);
    assert_int_equal(got.count, 1);
    assert_string_equal(got.answer.err.code, "api_timeout");
    close(peer);
    close(fd);
}

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, name, &value, &size), 0);
    return value;
}

static void the_kernel_notices_a_dead_peer(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 200 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_OK);
    int fd = -1;
    assert_int_equal(scene_connections(scene, &fd), 1);
    assert_int_equal(option_of(fd, TCP_USER_TIMEOUT), 10000);
    assert_int_equal(option_of(fd, TCP_KEEPIDLE), 5);
    assert_int_equal(option_of(fd, TCP_KEEPINTVL), 2);
    assert_int_equal(option_of(fd, TCP_KEEPCNT), 3);
}

static void a_closed_port_is_unreachable_at_once(void **state)
{
    struct scene *scene = *state;
    kube_client_free(scene->client);
    kube_config_free(scene->config);
    scene_load(scene, "{server: \"https://127.0.0.1:1\"}", "{token: the-secret}");
    scene_connect(scene, 0);
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(answer.err.code, "api_unreachable");
    assert_non_null(strstr(answer.err.text, "127.0.0.1 port 1"));
    assert_null(strstr(answer.err.text, "the-secret"));
}

static uint16_t port_of_call(struct scene *scene, enum kube_outcome expected)
{
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, expected);
    return fake_api_seen(&scene->api, fake_api_count(&scene->api) - 1)->from_port;
}

/* Whatever else was open: it may be as dead. */
static void after_a_timeout_a_new_connection_is_opened(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /s", .manner = FAKE_SILENT });
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /a", .times = 4 });
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    uint16_t first = port_of_call(scene, KUBE_OK);
    kube_client_call(scene->client, &(struct kube_request){ .path = "/s" }, scene_on_answer, &got);
    scene_until(scene, fake_api_count(&scene->api) == 2);
    assert_int_equal(fake_api_seen(&scene->api, 1)->from_port, first);
    uint16_t second = port_of_call(scene, KUBE_OK);
    assert_true(second != first);
    scene_pass(scene, KUBE_CLIENT_TIMEOUT_MS);
    assert_int_equal(got.count, 1);
    assert_int_equal(scene_connections(scene, NULL), 0);
    uint16_t third = port_of_call(scene, KUBE_OK);
    assert_true(third != first && third != second);
    assert_int_equal(port_of_call(scene, KUBE_OK), third);
    assert_int_equal(scene_connections(scene, NULL), 1);
}

static void what_is_busy_is_tried_again(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 500 });
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_CLOSED });
    fake_api_push(&scene->api, (struct fake_answer){ .body = "{\"n\":3}" });
    struct kube_request request = { .path = "/a", .retry_for_ms = 60000 };
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &request, scene_on_answer, &got);
    scene_until(scene, got.count == 1);
    assert_int_equal(got.answer.outcome, KUBE_OK);
    assert_int_equal(json_integer_value(json_object_get(got.answer.object, "n")), 3);
    assert_int_equal(fake_api_count(&scene->api), 3);
}

static void what_is_refused_is_not_tried_again(void **state)
{
    static const unsigned statuses[] = { 400, 401, 403, 404, 409, 410, 422 };
    struct scene *scene = *state;
    for (unsigned i = 0; i < COUNT_OF(statuses); i++) {
        fake_api_push(&scene->api, (struct fake_answer){ .status = statuses[i] });
        struct kube_request request = { .path = "/a", .retry_for_ms = 60000 };
        AUTO(struct kube_answer, kube_answer_done) answer = scene_call(scene, &request);
        assert_int_equal(answer.status, statuses[i]);
        assert_int_equal(fake_api_count(&scene->api), i + 1);
    }
}

static void retry_after_is_waited_for(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api,
                  (struct fake_answer){ .status = 429, .header = "Retry-After", .value = "20" });
    fake_api_push(&scene->api, (struct fake_answer){ .status = 200 });
    struct kube_request request = { .path = "/a", .retry_for_ms = 60000 };
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &request, scene_on_answer, &got);
    scene_until(scene, fake_api_count(&scene->api) == 1);
    scene_settle(scene);
    scene_pass(scene, 18000);
    scene_settle(scene);
    assert_int_equal(fake_api_count(&scene->api), 1);
    scene_pass(scene, 2000);
    scene_until(scene, got.count == 1);
    assert_int_equal(got.answer.outcome, KUBE_OK);
}

static void when_the_time_is_over_the_last_answer_counts(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 503, .times = 200 });
    struct kube_request request = { .path = "/a", .retry_for_ms = 5000 };
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &request, scene_on_answer, &got);
    for (int i = 0; i < 100 && got.count == 0; i++) {
        scene_pass(scene, 100);
        scene_settle(scene);
    }
    assert_int_equal(got.count, 1);
    assert_int_equal(got.answer.outcome, KUBE_BUSY);
    assert_in_range(fake_api_count(&scene->api), 3, 20);
}

/* A pause that would end behind the limit is not begun. */
static void a_long_retry_after_ends_the_tries(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api,
                  (struct fake_answer){ .status = 429, .header = "Retry-After", .value = "20" });
    struct kube_request request = { .path = "/a", .retry_for_ms = 15000 };
    AUTO(struct kube_answer, kube_answer_done) answer = scene_call(scene, &request);
    assert_int_equal(answer.outcome, KUBE_BUSY);
    assert_int_equal(answer.retry_after_ms, 20000);
    assert_int_equal(fake_api_count(&scene->api), 1);
}

static void without_retries_there_is_one_try(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 500 });
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_BUSY);
    assert_int_equal(fake_api_count(&scene->api), 1);
}

static void a_pause_can_be_cancelled(void **state)
{
    struct scene *scene = *state;
    fake_api_push(&scene->api, (struct fake_answer){ .status = 500, .times = 9 });
    struct kube_request request = { .path = "/a", .retry_for_ms = 60000 };
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    struct kube_call *call = kube_client_call(scene->client, &request, scene_on_answer, &got);
    scene_until(scene, fake_api_count(&scene->api) == 1);
    scene_settle(scene);
    kube_client_cancel(call);
    scene_pass(scene, 60000);
    scene_settle(scene);
    assert_int_equal(got.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_whole_answer_is_unreachable),
        TEST(a_huge_body_is_refused),
        TEST(the_default_limit_is_8_mib),
        TEST(a_silent_peer_is_given_up_when_the_time_is_over),
        TEST(a_call_without_a_limit_has_10_s),
        TEST(a_peer_that_only_accepts_is_given_up),
        TEST(what_is_no_http_is_no_answer),
        TEST(an_answer_in_drops_has_no_more_time),
        TEST(the_kernel_notices_a_dead_peer),
        TEST(a_closed_port_is_unreachable_at_once),
        TEST(after_a_timeout_a_new_connection_is_opened),
        TEST(what_is_busy_is_tried_again),
        TEST(what_is_refused_is_not_tried_again),
        TEST(retry_after_is_waited_for),
        TEST(when_the_time_is_over_the_last_answer_counts),
        TEST(a_long_retry_after_ends_the_tries),
        TEST(without_retries_there_is_one_try),
        TEST(a_pause_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
