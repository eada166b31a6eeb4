#include "http/http_slow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>

#include "unit/http/http_client.h"

enum { LONG_MS = 600 * 1000, TRY_PAUSE_MS = 5, TRIES = 6000 };

struct scene {
    struct http_server *server;
    uint16_t port;
    atomic_int begun, cut_short;
};

/* ?seconds=0 is answered at once; else it takes until nobody wants it any more. */
static void serve_slowly(void *self, const struct http_request *request,
                         struct http_response *response)
{
    struct scene *scene = self;
    atomic_fetch_add(&scene->begun, 1);
    int64_t ms = request->seconds != NULL ? 1 : LONG_MS;
    if (!http_server_wait(request, ms))
        atomic_fetch_add(&scene->cut_short, 1);
    response->content_type = "application/octet-stream";
    response->status = 203;
    buf_append_format(response->body, "%s %s\n", request->path,
                      request->seconds != NULL ? request->seconds : "-");
}

static void serve_quickly(void *self UNUSED, const struct http_request *request,
                          struct http_response *response)
{
    assert_null(request->slow);
    buf_append_text(response->body, "quick\n");
}

static int start(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    const struct http_route routes[] = { { "/slow", serve_slowly, scene, HTTP_SLOW },
                                         { "/quick", serve_quickly, scene, HTTP_QUICK } };
    const struct http_server_options options = { .routes = routes,
                                                 .route_count = COUNT_OF(routes) };
    struct error err = ERROR_INIT;
    if (!http_server_start(&options, &scene->server, &err))
        return -1;
    scene->port = http_server_port(scene->server);
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

static int ask_slow(struct scene *scene)
{
    int fd = http_client_connect(AF_INET, scene->port);
    assert_true(fd >= 0);
    http_client_say(fd, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return fd;
}

static void wait_for(atomic_int *counter, int value)
{
    for (int i = 0; i < TRIES && atomic_load(counter) != value; i++)
        (void)poll(NULL, 0, TRY_PAUSE_MS);
    assert_int_equal(atomic_load(counter), value);
}

static void assert_served(struct scene *scene)
{
    AUTO(struct buf, buf_done) quick = http_client_request(scene->port, "GET", "/quick");
    assert_string_equal(http_client_body(&quick), "quick\n");
}

static void its_answer_arrives(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < 20; i++) {
        AUTO(struct buf, buf_done)
        answer = http_client_request(scene->port, "GET", "/slow?seconds=0");
        assert_int_equal(http_client_status(&answer), 203);
        assert_true(http_client_has_header(&answer, "Content-Type: application/octet-stream"));
        assert_string_equal(http_client_body(&answer), "/slow 0\n");
    }
    assert_int_equal(atomic_load(&scene->cut_short), 0);
}

static void a_connection_goes_on_after_it(void **state)
{
    struct scene *scene = *state;
    int fd = http_client_connect(AF_INET, scene->port);
    for (int i = 0; i < 3; i++) {
        http_client_say(fd, "GET /slow?seconds=2 HTTP/1.1\r\nHost: localhost\r\n\r\n");
        AUTO(struct buf, buf_done) slow = http_client_answer(fd);
        assert_string_equal(http_client_body(&slow), "/slow 2\n");
        http_client_say(fd, "GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n");
        AUTO(struct buf, buf_done) quick = http_client_answer(fd);
        assert_string_equal(http_client_body(&quick), "quick\n");
    }
    close(fd);
}

static void meanwhile_others_are_served_and_a_second_is_refused(void **state)
{
    struct scene *scene = *state;
    int fd = ask_slow(scene);
    wait_for(&scene->begun, 1);
    assert_served(scene);
    AUTO(struct buf, buf_done) second = http_client_request(scene->port, "GET", "/slow");
    assert_int_equal(http_client_status(&second), 503);
    assert_non_null(strstr(http_client_body(&second), "one such request at a time"));
    assert_int_equal(atomic_load(&scene->begun), 1);
    assert_int_equal(atomic_load(&scene->cut_short), 0);
    close(fd);
}

/* By an end of what it says, and by a reset. */
static void a_client_that_goes_makes_room(void **state)
{
    struct scene *scene = *state;
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    for (int i = 1; i <= 4; i++) {
        int fd = ask_slow(scene);
        wait_for(&scene->begun, i);
        if (i % 2 == 0)
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
        close(fd);
        wait_for(&scene->cut_short, i);
        /* It is over when the server has seen so: a moment later. */
        unsigned status = 503;
        for (int tries = 0; tries < TRIES && status == 503; tries++) {
            AUTO(struct buf, buf_done)
            next = http_client_request(scene->port, "GET", "/slow?seconds=0");
            status = http_client_status(&next);
        }
        assert_int_equal(status, 203);
        atomic_store(&scene->begun, i);
    }
}

static void other_methods_are_405(void **state)
{
    struct scene *scene = *state;
    static const char *const methods[] = { "HEAD", "POST", "PUT" };
    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        AUTO(struct buf, buf_done) answer = http_client_request(scene->port, methods[i], "/slow");
        assert_int_equal(http_client_status(&answer), 405);
        assert_true(http_client_has_header(&answer, "Allow: GET"));
    }
    assert_int_equal(atomic_load(&scene->begun), 0);
}

/* The most silent of 64 is closed for a 65th, and it is the one that waits. */
static void a_crowd_ends_it(void **state)
{
    struct scene *scene = *state;
    int slow = ask_slow(scene);
    int fds[64];
    wait_for(&scene->begun, 1);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = http_client_connect(AF_INET, scene->port);
    wait_for(&scene->cut_short, 1);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    close(slow);
    assert_served(scene);
}

static void a_stop_ends_it(void **state)
{
    struct scene *scene = *state;
    int fd = ask_slow(scene);
    wait_for(&scene->begun, 1);
    http_server_stop(scene->server);
    scene->server = NULL;
    assert_int_equal(atomic_load(&scene->cut_short), 1);
    close(fd);
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(its_answer_arrives),
        SCENE_TEST(a_connection_goes_on_after_it),
        SCENE_TEST(meanwhile_others_are_served_and_a_second_is_refused),
        SCENE_TEST(a_client_that_goes_makes_room),
        SCENE_TEST(other_methods_are_405),
        SCENE_TEST(a_crowd_ends_it),
        SCENE_TEST(a_stop_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
