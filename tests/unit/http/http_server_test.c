#include "http/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "unit/http/http_client.h"

struct scene {
    struct http_server *server;
    uint16_t port;
    atomic_int calls;
};

static void serve_metrics(void *self, const struct http_request *request,
                          struct http_response *response)
{
    struct scene *scene = self;
    atomic_fetch_add(&scene->calls, 1);
    response->content_type = "text/plain; version=0.0.4";
    buf_append_format(response->body, "path %s verbose %d\n", request->path, request->verbose);
}

static void serve_status(void *self, const struct http_request *request UNUSED,
                         struct http_response *response)
{
    (void)self;
    response->status = 503;
    response->content_type = "application/json";
    buf_append_text(response->body, "{\"up\":false}");
}

static void serve_nothing(void *self UNUSED, const struct http_request *request UNUSED,
                          struct http_response *response UNUSED)
{
}

enum { IDLE_TIMEOUT_MS = 5000, LARGE_BYTES = HTTP_BODY_LIMIT_BYTES };

static void serve_large(void *self UNUSED, const struct http_request *request,
                        struct http_response *response)
{
    if (!buf_reserve(response->body, LARGE_BYTES))
        return;
    memset(response->body->data, 'x', LARGE_BYTES);
    response->body->size = LARGE_BYTES;
    if (request->verbose) {
        response->status = 201;
        response->content_type = "application/json";
        buf_append_byte(response->body, 'y');
    }
}

static void serve_posted(void *self UNUSED, const struct http_request *request,
                         struct http_response *response)
{
    buf_append_format(response->body, "%zu ", request->body.size);
    buf_append_slice(response->body, request->body);
}

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    char path[] = "/metrics";
    struct http_route routes[] = {
        { path, serve_metrics, scene, HTTP_QUICK },
        { "/status", serve_status, scene, HTTP_QUICK },
        { "/empty", serve_nothing, scene, HTTP_QUICK },
        { "/large", serve_large, scene, HTTP_QUICK },
        { "/posted", serve_posted, scene, HTTP_POSTS },
    };
    struct error err = ERROR_INIT;
    struct http_server_options options = { .routes = routes, .route_count = COUNT_OF(routes) };
    if (!http_server_start(&options, &scene->server, &err))
        return -1;
    scene->port = http_server_port(scene->server);
    /* The routes were copied. */
    path[0] = '?';
    memset(routes, 0, sizeof(routes));
    *state = scene;
    return 0;
}

static int stop(void **state)
{
    struct scene *scene = *state;
    http_server_stop(scene->server);
    free(scene);
    return 0;
}

static void a_route_answers(void **state)
{
    struct scene *scene = *state;
    AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", "/metrics");
    assert_int_equal(http_client_status(&answer), 200);
    assert_true(http_client_has_header(&answer, "Content-Type: text/plain; version=0.0.4"));
    assert_true(http_client_has_header(&answer, "Cache-Control: no-store"));
    assert_string_equal(http_client_body(&answer), "path /metrics verbose 0\n");
}

static void a_handler_sets_status_and_type(void **state)
{
    struct scene *scene = *state;
    AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", "/status");
    assert_int_equal(http_client_status(&answer), 503);
    assert_true(http_client_has_header(&answer, "Content-Type: application/json"));
    assert_string_equal(http_client_body(&answer), "{\"up\":false}");
}

static void a_handler_that_does_nothing_answers_200(void **state)
{
    struct scene *scene = *state;
    AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", "/empty");
    assert_int_equal(http_client_status(&answer), 200);
    assert_true(http_client_has_header(&answer, "Content-Type: text/plain; charset=utf-8"));
    assert_true(http_client_has_header(&answer, "Content-Length: 0"));
    assert_string_equal(http_client_body(&answer), "");
}

static void verbose_is_told_by_its_presence(void **state)
{
    static const struct {
        const char *target;
        bool verbose;
    } rows[] = {
        { "/metrics?verbose", true },
        { "/metrics?verbose=1", true },
        { "/metrics?verbose=", true },
        { "/metrics?a=b&verbose", true },
        { "/metrics?", false },
        { "/metrics?verbos", false },
        { "/metrics?verbosely=1", false },
        { "/metrics?a=verbose", false },
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", rows[i].target);
        assert_string_equal(http_client_body(&answer), rows[i].verbose
                                                           ? "path /metrics verbose 1\n"
                                                           : "path /metrics verbose 0\n");
    }
}

static void head_is_get_without_the_body(void **state)
{
    struct scene *scene = *state;
    AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "HEAD", "/status");
    assert_int_equal(http_client_status(&answer), 503);
    assert_true(http_client_has_header(&answer, "Content-Length: 12"));
    assert_string_equal(http_client_body(&answer), "");
}

static void an_unknown_path_is_404_with_the_list(void **state)
{
    struct scene *scene = *state;
    static const char *const paths[] = { "/", "/metric", "/metrics/", "/Metrics", "/../metrics" };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", paths[i]);
        assert_int_equal(http_client_status(&answer), 404);
        assert_string_equal(
            http_client_body(&answer),
            "404: no such path. There are:\n"
            "/metrics               metrics in the Prometheus text format\n"
            "/status                200 when PostgreSQL answers, else 503; role, positions, lag "
            "and tables as JSON\n"
            "/empty\n"
            "/large\n"
            "/posted\n");
    }
    assert_int_equal(atomic_load(&scene->calls), 0);
}

static void other_methods_are_405(void **state)
{
    struct scene *scene = *state;
    static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get" };
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        AUTO(struct buf, buf_done) answer =
            http_client_request(scene->port, methods[i], "/metrics");
        assert_int_equal(http_client_status(&answer), 405);
        assert_true(http_client_has_header(&answer, "Allow: GET, HEAD"));
        assert_string_equal(http_client_body(&answer), "405: only GET and HEAD are served.\n");
    }
    assert_int_equal(atomic_load(&scene->calls), 0);
}

static void assert_alive(struct scene *scene)
{
    AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", "/metrics");
    assert_int_equal(http_client_status(&answer), 200);
}

static void a_posted_body_is_not_read(void **state)
{
    struct scene *scene = *state;
    int fd = http_client_connect(AF_INET, scene->port);
    http_client_say(fd, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    AUTO(struct buf, buf_done) answer = http_client_answer(fd);
    assert_int_equal(http_client_status(&answer), 405);
    close(fd);
    assert_alive(scene);
}

static void assert_posted(struct scene *scene, const char *request, unsigned status,
                          const char *expected)
{
    int fd = http_client_connect(AF_INET, scene->port);
    http_client_say(fd, request);
    AUTO(struct buf, buf_done) answer = http_client_rest(fd);
    assert_int_equal(http_client_status(&answer), status);
    assert_string_equal(http_client_body(&answer), expected);
}

#define POST_HEAD "POST /posted HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static void a_route_that_takes_posts_gets_the_body(void **state)
{
    struct scene *scene = *state;
    assert_posted(scene, POST_HEAD "Content-Length: 5\r\n\r\nhello", 200, "5 hello");
    assert_posted(scene, POST_HEAD "Content-Length: 0\r\n\r\n", 200, "0 ");
    assert_posted(scene,
                  POST_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
                  200, "5 hello");
    AUTO(struct buf, buf_done) get = http_client_request(scene->port, "GET", "/posted");
    assert_string_equal(http_client_body(&get), "0 ");
    AUTO(struct buf, buf_done) put = http_client_request(scene->port, "PUT", "/posted");
    assert_int_equal(http_client_status(&put), 405);
    assert_true(http_client_has_header(&put, "Allow: GET, HEAD, POST"));
}

/* HTTP_POST_LIMIT_BYTES pass, one more does not. */
static void a_posted_body_past_the_limit_is_413(void **state)
{
    struct scene *scene = *state;
    for (size_t more = 0; more <= 1; more++) {
        AUTO(struct buf, buf_done) request = buf_init(1 << 20);
        buf_append_format(&request, POST_HEAD "Content-Length: %zu\r\n\r\n",
                          HTTP_POST_LIMIT_BYTES + more);
        for (size_t i = 0; i < HTTP_POST_LIMIT_BYTES + more; i++)
            buf_append_byte(&request, 'a');
        int fd = http_client_connect(AF_INET, scene->port);
        http_client_send(fd, request.data, request.size);
        AUTO(struct buf, buf_done) answer = http_client_rest(fd);
        assert_int_equal(http_client_status(&answer), more == 0 ? 200 : 413);
    }
    assert_alive(scene);
}

static void a_get_with_a_body_is_cut_off(void **state)
{
    struct scene *scene = *state;
    int fd = http_client_connect(AF_INET, scene->port);
    http_client_say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    AUTO(struct buf, buf_done) answer = http_client_rest(fd);
    assert_string_equal(buf_text(&answer), "");
    assert_int_equal(atomic_load(&scene->calls), 0);
    assert_alive(scene);
}

static void garbage_is_refused(void **state)
{
    struct scene *scene = *state;
    int fd = http_client_connect(AF_INET, scene->port);
    http_client_send(fd, "\x16\x03\x01\x02\x00 hello\r\n\r\n\r\n", 16);
    shutdown(fd, SHUT_WR);
    AUTO(struct buf, buf_done) answer = http_client_rest(fd);
    assert_int_not_equal(http_client_status(&answer), 200);
    assert_int_equal(atomic_load(&scene->calls), 0);
    assert_alive(scene);
}

static void a_connection_serves_many_requests(void **state)
{
    struct scene *scene = *state;
    int fd = http_client_connect(AF_INET, scene->port);
    for (int i = 0; i < 20; i++) {
        http_client_say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        AUTO(struct buf, buf_done) answer = http_client_answer(fd);
        assert_int_equal(http_client_status(&answer), 200);
    }
    close(fd);
    assert_int_equal(atomic_load(&scene->calls), 20);
}

/* 8 KiB of head pass, 16 KiB do not: a long header, and a long target. */
static void a_head_past_16_kib_is_refused(void **state)
{
    struct scene *scene = *state;
    static const char *const starts[] = { "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Long: ",
                                          "GET /metrics?" };
    static const char *const ends[] = { "\r\nConnection: close\r\n\r\n",
                                        " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" };
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        for (size_t size = 8 * 1024; size <= 17 * 1024; size += 9 * 1024) {
            AUTO(struct buf, buf_done) head = buf_init(1 << 20);
            buf_append_text(&head, starts[i]);
            while (head.size < size)
                buf_append_byte(&head, 'a');
            buf_append_text(&head, ends[i]);
            int fd = http_client_connect(AF_INET, scene->port);
            http_client_send(fd, head.data, head.size);
            AUTO(struct buf, buf_done) answer = http_client_rest(fd);
            unsigned status = http_client_status(&answer);
            if (size == 8 * 1024)
                assert_int_equal(status, 200);
            else
                assert_true(status == 431 || status == 414 || status == 413 || answer.size == 0);
        }
    }
    assert_alive(scene);
}

static void a_large_body_arrives_whole(void **state)
{
    struct scene *scene = *state;
    AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", "/large");
    assert_int_equal(http_client_status(&answer), 200);
    const char *body = http_client_body(&answer);
    assert_int_equal(strspn(body, "x"), LARGE_BYTES);
    assert_int_equal(strlen(body), LARGE_BYTES);
}

static void a_body_past_the_limit_is_500(void **state)
{
    struct scene *scene = *state;
    AUTO(struct buf, buf_done) answer = http_client_request(scene->port, "GET", "/large?verbose");
    assert_int_equal(http_client_status(&answer), 500);
    assert_true(http_client_has_header(&answer, "Content-Type: text/plain; charset=utf-8"));
    assert_string_equal(http_client_body(&answer), "500: the answer is too large.\n");
}

static int64_t now_ms(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock).value;
}

/* One that sends half a head, and one that does not read its answer: others are served at once, and
 * the silent ones are closed in the end. */
static void slow_clients_block_nobody_and_idle_out(void **state)
{
    struct scene *scene = *state;
    int64_t start = now_ms();
    int half = http_client_connect(AF_INET, scene->port);
    http_client_say(half, "GET /metrics HTTP/1.1\r\nHost: lo");
    int silent = http_client_connect(AF_INET, scene->port);
    int deaf = http_client_connect(AF_INET, scene->port);
    http_client_say(deaf, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (int i = 0; i < 10; i++)
        assert_alive(scene);
    struct pollfd polled = { .fd = half, .events = POLLIN };
    bool waits = poll(&polled, 1, 0) == 0;
    /* The others were served while it waited, unless they took longer than it may wait. */
    assert_true(waits || now_ms() - start >= IDLE_TIMEOUT_MS * 9 / 10);
    char byte;
    AUTO(struct buf, buf_done) answer = http_client_rest(half);
    assert_int_not_equal(http_client_status(&answer), 200);
    assert_int_equal(http_client_receive(silent, &byte, 1), 0);
    close(silent);
    close(deaf);
    assert_alive(scene);
}

static void ask(int fd)
{
    http_client_say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    AUTO(struct buf, buf_done) answer = http_client_answer(fd);
    assert_int_equal(http_client_status(&answer), 200);
}

static int open_and_ask(struct scene *scene)
{
    int fd = http_client_connect(AF_INET, scene->port);
    assert_true(fd >= 0);
    ask(fd);
    return fd;
}

static bool is_closed(int fd)
{
    char byte;
    return http_client_receive(fd, &byte, 1) == 0;
}

static void the_65th_connection_takes_the_place_of_the_most_silent(void **state)
{
    struct scene *scene = *state;
    int fds[66];
    for (size_t i = 0; i < 64; i++)
        fds[i] = open_and_ask(scene); /* more than 8 from loopback, too */
    ask(fds[0]);
    fds[64] = open_and_ask(scene);
    assert_true(is_closed(fds[1]));
    fds[65] = open_and_ask(scene);
    assert_true(is_closed(fds[2]));
    assert_int_equal(atomic_load(&scene->calls), 67);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (i != 1 && i != 2)
            ask(fds[i]);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

/* Many that only sit there, and one of them that speaks in the middle of its head: others are
 * served, each at once. */
static void a_crowd_that_says_nothing_keeps_nobody_out(void **state)
{
    struct scene *scene = *state;
    int fds[300];
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        fds[i] = http_client_connect(AF_INET, scene->port);
        assert_true(fds[i] >= 0);
        if (i % 2 == 0)
            http_client_say(fds[i], "GET /metrics HTTP/1.1\r\nHost: lo");
        if (i % 10 == 0)
            assert_alive(scene);
    }
    assert_alive(scene);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    assert_alive(scene);
}

static int64_t processor_ms(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* Nobody else is there whose leaving would help: the server must not ask again and again. */
static void who_comes_while_descriptors_are_short_waits_in_peace(void **state)
{
    enum { SHORTAGE_MS = 600 };
    struct scene *scene = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct rlimit none = { .rlim_cur = 3, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons(scene->port),
                                         .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    http_client_say(fd, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    int64_t used = processor_ms();
    struct pollfd silence = { .fd = fd, .events = POLLIN };
    int heard = poll(&silence, 1, SHORTAGE_MS);
    used = processor_ms() - used;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(heard, 0);
    assert_true(used < SHORTAGE_MS / 6);
    AUTO(struct buf, buf_done) answer = http_client_rest(fd);
    assert_int_equal(http_client_status(&answer), 200);
}

static void a_busy_port_is_named(void **state)
{
    struct scene *scene = *state;
    struct http_server *second = NULL;
    static const char *const addresses[] = { NULL, "", "127.0.0.1" };
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct http_server_options options = { .address = addresses[i], .port = scene->port };
        struct error err = ERROR_INIT;
        assert_false(http_server_start(&options, &second, &err));
        assert_null(second);
        assert_int_equal(err.class, ERROR_CONFIG);
        assert_string_equal(err.code, "port_taken");
        char expected[128];
        snprintf(expected, sizeof(expected), "port %u of %s: Address already in use", scene->port,
                 i < 2 ? "every address" : "127.0.0.1");
        assert_non_null(strstr(err.text, expected));
        assert_non_null(strstr(err.advice, "cdc.metric.port"));
    }
    assert_alive(scene);
}

static void stop_ends_open_connections_and_frees_the_port(void **state)
{
    struct scene *scene = *state;
    int fd = open_and_ask(scene);
    http_server_stop(scene->server);
    scene->server = NULL;
    char byte;
    assert_int_equal(http_client_receive(fd, &byte, 1), 0);
    close(fd);
    assert_int_equal(http_client_connect(AF_INET, scene->port), -1);
    const struct http_route route = { "/metrics", serve_metrics, scene, HTTP_QUICK };
    struct http_server_options options = { .port = scene->port,
                                           .routes = &route,
                                           .route_count = 1 };
    struct error err = ERROR_INIT;
    assert_true(http_server_start(&options, &scene->server, &err));
    assert_int_equal(http_server_port(scene->server), scene->port);
    assert_alive(scene);
    http_server_stop(NULL);
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(a_route_answers),
        SCENE_TEST(a_handler_sets_status_and_type),
        SCENE_TEST(a_handler_that_does_nothing_answers_200),
        SCENE_TEST(verbose_is_told_by_its_presence),
        SCENE_TEST(head_is_get_without_the_body),
        SCENE_TEST(an_unknown_path_is_404_with_the_list),
        SCENE_TEST(other_methods_are_405),
        SCENE_TEST(a_posted_body_is_not_read),
        SCENE_TEST(a_route_that_takes_posts_gets_the_body),
        SCENE_TEST(a_posted_body_past_the_limit_is_413),
        SCENE_TEST(a_get_with_a_body_is_cut_off),
        SCENE_TEST(garbage_is_refused),
        SCENE_TEST(a_connection_serves_many_requests),
        SCENE_TEST(a_head_past_16_kib_is_refused),
        SCENE_TEST(a_large_body_arrives_whole),
        SCENE_TEST(a_body_past_the_limit_is_500),
        SCENE_TEST(slow_clients_block_nobody_and_idle_out),
        SCENE_TEST(the_65th_connection_takes_the_place_of_the_most_silent),
        SCENE_TEST(a_crowd_that_says_nothing_keeps_nobody_out),
        SCENE_TEST(who_comes_while_descriptors_are_short_waits_in_peace),
        SCENE_TEST(a_busy_port_is_named),
        SCENE_TEST(stop_ends_open_connections_and_frees_the_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
