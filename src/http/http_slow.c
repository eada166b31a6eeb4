#include "http/http_slow.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"

struct http_slow {
    int stop_fd, made_fd;

    /* The answer; NULL = none. */
    struct MHD_Connection *connection;
    bool suspended;
    pthread_t thread; /* while it is suspended */
    int client_fd;
    struct http_route route;
    struct http_request request;
    char *seconds;
    struct buf body;
    struct http_response response;
};

static int new_eventfd(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(fd >= 0);
    return fd;
}

struct http_slow *http_slow_new(void)
{
    struct http_slow *slow = memory_alloc(sizeof(*slow));
    slow->stop_fd = new_eventfd();
    slow->made_fd = new_eventfd();
    return slow;
}

void http_slow_free(struct http_slow *slow)
{
    CHECK(slow->connection == NULL);
    close(slow->stop_fd);
    close(slow->made_fd);
    memory_free(slow);
}

static void *make(void *self)
{
    struct http_slow *slow = self;
    slow->route.handle(slow->route.self, &slow->request, &slow->response);
    CHECK(eventfd_write(slow->made_fd, 1) == 0);
    return NULL;
}

static void prepare(struct http_slow *slow, const struct http_route *route,
                    const struct http_request *request, struct MHD_Connection *connection)
{
    slow->client_fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    slow->route = *route;
    slow->seconds = memory_text(request->seconds);
    slow->request = *request;
    slow->request.path = route->path;
    slow->request.seconds = slow->seconds;
    slow->request.slow = slow;
    slow->body = buf_init(HTTP_BODY_LIMIT_BYTES);
    slow->response = (struct http_response){ .status = MHD_HTTP_OK,
                                             .content_type = "text/plain; charset=utf-8",
                                             .body = &slow->body };
}

bool http_slow_begin(struct http_slow *slow, const struct http_route *route,
                     const struct http_request *request, struct MHD_Connection *connection)
{
    if (slow->connection != NULL)
        return false;
    prepare(slow, route, request, connection);
    if (!thread_start("http-slow", make, slow, &slow->thread)) {
        memory_free(TAKE(slow->seconds));
        return false;
    }
    slow->connection = connection;
    slow->suspended = true;
    MHD_suspend_connection(connection);
    return true;
}

int http_slow_made_fd(const struct http_slow *slow)
{
    return slow->made_fd;
}

void http_slow_resume(struct http_slow *slow)
{
    eventfd_t made;
    (void)eventfd_read(slow->made_fd, &made);
    if (!slow->suspended)
        return;
    CHECK(pthread_join(slow->thread, NULL) == 0);
    slow->suspended = false;
    MHD_resume_connection(slow->connection);
}

void http_slow_stop(struct http_slow *slow)
{
    CHECK(eventfd_write(slow->stop_fd, 1) == 0);
    http_slow_resume(slow);
}

bool http_slow_is_of(const struct http_slow *slow, const struct MHD_Connection *connection)
{
    return slow->connection == connection;
}

struct http_response *http_slow_response(struct http_slow *slow)
{
    return &slow->response;
}

void http_slow_end(struct http_slow *slow)
{
    CHECK(!slow->suspended);
    buf_done(&slow->body);
    memory_free(TAKE(slow->seconds));
    slow->connection = NULL;
}

bool http_slow_wait(struct http_slow *slow, int64_t ms)
{
    const struct clock clock = clock_system();
    const mono_ms_t until = mono_ms_add(clock_now(&clock), ms);
    for (;;) {
        int64_t left_ms = mono_ms_since(until, clock_now(&clock));
        if (left_ms <= 0)
            return true;
        struct pollfd fds[] = { { .fd = slow->stop_fd, .events = POLLIN },
                                { .fd = slow->client_fd, .events = POLLRDHUP } };
        /* A profiler's signals interrupt it. */
        if (poll(fds, COUNT_OF(fds), left_ms < INT32_MAX ? (int)left_ms : INT32_MAX) > 0)
            return false;
    }
}
