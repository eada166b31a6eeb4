/* Any bytes as what a client says to the server: it answers well-formed HTTP or closes; a route's
 * handler is called with its path alone, and ?verbose is seen. */
#include <stdatomic.h>
#include <stdint.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"
#include "http/http_guests.h"
#include "http/http_server.h"
#include "unit/http/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX_BYTES = 64 * 1024,
    ANSWERS_MAX_BYTES = 64 * 1024 * 1024,
    SILENCE_MS = 20,
    LONG_MS = 600 * 1000,
    CONNECT_PAUSE_MS = 100,
    CONNECT_TURNS = 900
};

#define LARGE  "/large"
#define POSTED "/posted"
#define SLOW   "/slow"

static const char *const paths[] = { "/status", "/livez", "/metrics", LARGE, POSTED, SLOW };

static atomic_int slow_count;

static void wait_slowly(const struct http_request *request)
{
    atomic_fetch_add(&slow_count, 1);
    (void)http_server_wait(request, request->seconds != NULL ? LONG_MS : 1);
}

static void on_any(void *self, const struct http_request *request, struct http_response *response)
{
    const char *path = self;
    CHECK(strcmp(request->path, path) == 0);
    CHECK(response->status == 200 && response->body->size == 0);
    buf_append_text(response->body, request->verbose ? "verbose\n" : "brief\n");
    CHECK(request->body.size <= HTTP_POST_LIMIT_BYTES);
    CHECK(request->body.size == 0 || strcmp(path, POSTED) == 0);
    if (strcmp(path, SLOW) == 0)
        wait_slowly(request);
    if (strcmp(path, LARGE) == 0)
        (void)buf_reserve(response->body, HTTP_BODY_LIMIT_BYTES + 1);
}

static enum http_kind kind_of(const char *path)
{
    if (strcmp(path, POSTED) == 0)
        return HTTP_POSTS;
    return strcmp(path, SLOW) == 0 ? HTTP_SLOW : HTTP_QUICK;
}

static struct http_server *server;

static void start(void)
{
    static char selves[COUNT_OF(paths)][16];
    struct http_route routes[COUNT_OF(paths)];
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        (void)snprintf(selves[i], sizeof(selves[i]), "%s", paths[i]);
        routes[i] = (struct http_route){ paths[i], on_any, selves[i], kind_of(paths[i]) };
    }
    const struct http_server_options options = { .address = "127.0.0.1",
                                                 .routes = routes,
                                                 .route_count = COUNT_OF(routes) };
    CHECK(http_server_start(&options, &server, &err));
    struct http_server_options taken = options;
    struct http_server *second = NULL;
    taken.port = http_server_port(server);
    CHECK(!http_server_start(&taken, &second, &err));
    http_server_stop(second);
}

/* What ends a head that the input left open, and asks the server to close. */
static const char last_words[] =
    "\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/* Loopback's ports run out for a while when thousands of connections a second were made. */
static int connect_patiently(uint16_t port)
{
    int fd = http_client_connect(AF_INET, port);
    for (int turns = 0; fd < 0 && turns < CONNECT_TURNS; turns++) {
        (void)poll(NULL, 0, CONNECT_PAUSE_MS);
        fd = http_client_connect(AF_INET, port);
    }
    CHECK(fd >= 0);
    return fd;
}

/* What the server says; false = it waits for more, such as a body that never comes. The connection
 * leaves no trace in the kernel's tables. */
static bool talk(uint16_t port, const uint8_t *data, size_t size, struct buf *answers)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    char part[4096];
    ssize_t got = 1;
    int fd = connect_patiently(port);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
    http_client_send(fd, (const char *)data, size);
    http_client_say(fd, last_words);
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    while (got > 0 && poll(&polled, 1, SILENCE_MS) == 1) {
        got = recv(fd, part, sizeof(part), 0);
        buf_append(answers, part, got > 0 ? (size_t)got : 0);
    }
    close(fd);
    return got == 0;
}

static size_t body_size(const char *head)
{
    static const char name[] = "\r\nContent-Length: ";
    const char *at = strcasestr(head, name);
    return at != NULL ? strtoul(at + sizeof(name) - 1, NULL, 10) : 0;
}

/* A request by HEAD has no body, and what a request was cannot be known here: a body is either
 * whole or not there. */
static const char *check_answer(const char *answer, const char *end)
{
    unsigned status = 0;
    CHECK(sscanf(answer, "HTTP/1.%*1[01] %3u", &status) == 1);
    CHECK(status >= 100 && status <= 599);
    const char *body = strstr(answer, "\r\n\r\n");
    CHECK(body != NULL);
    body += strlen("\r\n\r\n");
    AUTO(char *, memory_free_p) head = memory_text_n(answer, (size_t)(body - answer));
    if (status == 405)
        CHECK(strstr(head, "\r\nAllow: GET") != NULL);
    size_t size = body_size(head);
    bool no_body = body == end || strncmp(body, "HTTP/1.", strlen("HTTP/1.")) == 0;
    CHECK(no_body || (size_t)(end - body) >= size);
    return no_body ? body : body + size;
}

/* More silent connections than there may be: the oldest makes room, and is closed. */
static void crowd(uint16_t port)
{
    int fds[HTTP_GUESTS_MAX + 1];
    char byte;
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = connect_patiently(port);
    CHECK(recv(fds[0], &byte, 1, 0) <= 0);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
}

static void expect_status(uint16_t port, const struct buf *request, unsigned status)
{
    int fd = connect_patiently(port);
    http_client_send(fd, request->data, request->size);
    AUTO(struct buf, buf_done) answer = http_client_rest(fd);
    CHECK(http_client_status(&answer) == status);
}

/* A slow answer is asked for, and is being made now. */
static int begin_slowly(uint16_t port)
{
    int before = atomic_load(&slow_count);
    for (;;) {
        int fd = connect_patiently(port);
        struct pollfd polled = { .fd = fd, .events = POLLIN };
        http_client_say(fd, "GET " SLOW "?seconds=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        while (atomic_load(&slow_count) == before && poll(&polled, 1, 1) == 0)
            ;
        if (atomic_load(&slow_count) != before)
            return fd;
        close(fd); /* another one is being made still */
    }
}

static void stop(void)
{
    int fd = begin_slowly(http_server_port(server));
    http_server_stop(server);
    close(fd);
}

/* While a slow answer is made there is no other; its client goes. And a body that is too large. */
static void excess(uint16_t port)
{
    AUTO(struct buf, buf_done) second = buf_init(1024);
    AUTO(struct buf, buf_done) large = buf_init(1024 * 1024);
    int fd = begin_slowly(port);
    buf_append_text(&second, "GET " SLOW " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect_status(port, &second, 503);
    close(fd);
    buf_append_format(&large,
                      "POST " POSTED " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                      "Content-Length: %d\r\n\r\n%*s",
                      HTTP_POST_LIMIT_BYTES + 1, HTTP_POST_LIMIT_BYTES + 1, "");
    expect_status(port, &large, 413);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (server == NULL) {
        start();
        crowd(http_server_port(server));
        excess(http_server_port(server));
        CHECK(atexit(stop) == 0);
    }
    AUTO(struct buf, buf_done) answers = buf_init(ANSWERS_MAX_BYTES);
    if (!talk(http_server_port(server), data, size < INPUT_MAX_BYTES ? size : INPUT_MAX_BYTES,
              &answers))
        return 0;
    const char *at = buf_text(&answers), *end = at + answers.size;
    while (at < end)
        at = check_answer(at, end);
    return 0;
}
