#include "http/http_server.h"

#include <microhttpd.h>
#include <poll.h>
#include <string.h>

#include "base/loop.h"
#include "base/memory.h"
#include "base/thread.h"
#include "http/http_guests.h"
#include "http/http_listener.h"
#include "http/http_slow.h"

enum { IDLE_TIMEOUT_S = 5, CONNECTION_BYTES = 16 * 1024, SHORTAGE_PAUSE_MS = 100 };

struct route {
    char *path;
    struct http_route with; /* its path is that one */
};

/* What is kept of a request until its answer. */
struct exchange {
    struct buf body;
};

struct http_server {
    struct MHD_Daemon *daemon;
    uint16_t port;
    struct route *routes;
    uint32_t route_count;
    struct loop *loop;
    pthread_t thread;
    struct http_slow *slow;
    /* of the thread */
    struct loop_watch *readiness;
    struct loop_timer *timeout;
    struct loop_timer *pause;
    struct http_guests guests;
    uint64_t arrivals;
};

const char *http_server_purpose(const char *path)
{
    static const struct {
        const char *path;
        const char *purpose;
    } purposes[] = {
#define ROUTE(path, purpose) { path, purpose },
#include "http/routes.def"
#undef ROUTE
    };
    for (size_t i = 0; i < COUNT_OF(purposes); i++)
        if (strcmp(purposes[i].path, path) == 0)
            return purposes[i].purpose;
    return "";
}

static void describe_routes(const struct http_server *server, struct http_response *response)
{
    response->status = MHD_HTTP_NOT_FOUND;
    buf_append_text(response->body, "404: no such path. There are:\n");
    for (uint32_t i = 0; i < server->route_count; i++) {
        const char *path = server->routes[i].path;
        const char *purpose = http_server_purpose(path);
        buf_append_format(response->body, purpose[0] != '\0' ? "%-22s %s\n" : "%s%s\n", path,
                          purpose);
    }
}

static const struct http_route *find_route(const struct http_server *server, const char *path)
{
    for (uint32_t i = 0; i < server->route_count; i++)
        if (strcmp(server->routes[i].path, path) == 0)
            return &server->routes[i].with;
    return NULL;
}

static bool takes(enum http_kind kind, const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
           (kind != HTTP_SLOW && strcmp(method, MHD_HTTP_METHOD_HEAD) == 0) ||
           (kind == HTTP_POSTS && strcmp(method, MHD_HTTP_METHOD_POST) == 0);
}

static void replace(struct http_response *response, unsigned status, const char *text)
{
    buf_clear(response->body);
    response->status = status;
    response->content_type = "text/plain; charset=utf-8";
    buf_append_text(response->body, text);
}

/* Takes the body's memory. allow NULL = the request had a method that the path takes. */
static enum MHD_Result send_response(struct MHD_Connection *connection,
                                     struct http_response *response, const char *allow)
{
    struct buf *body = response->body;
    if (body->failed)
        replace(response, MHD_HTTP_INTERNAL_SERVER_ERROR, "500: the answer is too large.\n");
    struct MHD_Response *sent =
        MHD_create_response_from_buffer(body->size, body->data, MHD_RESPMEM_MUST_FREE);
    if (sent == NULL)
        return MHD_NO;
    *body = buf_init(HTTP_BODY_LIMIT_BYTES);
    enum MHD_Result added =
        MHD_add_response_header(sent, MHD_HTTP_HEADER_CONTENT_TYPE, response->content_type);
    if (added == MHD_YES)
        added = MHD_add_response_header(sent, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (added == MHD_YES && allow != NULL)
        added = MHD_add_response_header(sent, MHD_HTTP_HEADER_ALLOW, allow);
    enum MHD_Result queued =
        added == MHD_YES ? MHD_queue_response(connection, response->status, sent) : MHD_NO;
    MHD_destroy_response(sent);
    return queued;
}

static enum MHD_Result refuse_method(struct MHD_Connection *connection, enum http_kind kind)
{
    static const struct {
        const char *allow;
        const char *text;
    } kinds[] = {
#define X(kind, allow, text) { allow, "405: only " text " served.\n" },
        HTTP_KINDS(X)
#undef X
    };
    AUTO(struct buf, buf_done) body = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .body = &body };
    replace(&response, MHD_HTTP_METHOD_NOT_ALLOWED, kinds[kind].text);
    return send_response(connection, &response, kinds[kind].allow);
}

/* Called twice: to begin, and when the answer is made and the connection resumed. */
static enum MHD_Result respond_slowly(struct http_server *server, const struct http_route *route,
                                      const struct http_request *request,
                                      struct MHD_Connection *connection)
{
    if (http_slow_is_of(server->slow, connection)) {
        enum MHD_Result sent = send_response(connection, http_slow_response(server->slow), NULL);
        http_slow_end(server->slow);
        return sent;
    }
    if (http_slow_begin(server->slow, route, request, connection))
        return MHD_YES;
    AUTO(struct buf, buf_done) body = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .body = &body };
    replace(&response, MHD_HTTP_SERVICE_UNAVAILABLE,
            "503: one such request at a time is served, and one is. Ask again when it is over.\n");
    return send_response(connection, &response, NULL);
}

static enum MHD_Result respond(struct http_server *server, const struct http_route *route,
                               const struct http_request *request,
                               struct MHD_Connection *connection, bool too_large)
{
    if (route != NULL && route->kind == HTTP_SLOW)
        return respond_slowly(server, route, request, connection);
    AUTO(struct buf, buf_done) body = buf_init(HTTP_BODY_LIMIT_BYTES);
    struct http_response response = { .status = MHD_HTTP_OK,
                                      .content_type = "text/plain; charset=utf-8",
                                      .body = &body };
    if (too_large)
        replace(&response, MHD_HTTP_CONTENT_TOO_LARGE, "413: the request's body is too large.\n");
    else if (route != NULL)
        route->handle(route->self, request, &response);
    else
        describe_routes(server, &response);
    return send_response(connection, &response, NULL);
}

static const char *argument(struct MHD_Connection *connection, const char *name, bool *out_there)
{
    const char *value = NULL;
    *out_there = MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, name,
                                               strlen(name), &value, NULL) == MHD_YES;
    return value;
}

static struct exchange *exchange_new(void)
{
    struct exchange *exchange = memory_alloc(sizeof(*exchange));
    exchange->body = buf_init(HTTP_POST_LIMIT_BYTES);
    return exchange;
}

/* Called when the head is there, then for each part of a body, then once more. */
static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version UNUSED,
                                  const char *upload, size_t *upload_size, void **request_state)
{
    struct http_server *server = self;
    const struct http_route *route = find_route(server, path);
    enum http_kind kind = route != NULL ? route->kind : HTTP_QUICK;
    struct exchange *exchange = *request_state;
    if (!takes(kind, method))
        return refuse_method(connection, kind);
    if (exchange == NULL) {
        *request_state = exchange_new();
        http_guests_hear(&server->guests, connection);
        return MHD_YES;
    }
    if (*upload_size != 0) {
        /* Nobody sends a body with other methods in good faith: the connection is closed. */
        if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
            return MHD_NO;
        buf_append(&exchange->body, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    bool there;
    struct http_request request = { .path = path, .body = buf_slice(&exchange->body) };
    request.seconds = argument(connection, "seconds", &there);
    (void)argument(connection, "verbose", &request.verbose);
    return respond(server, route, &request, connection, exchange->body.failed);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **request_state,
                         enum MHD_RequestTerminationCode code UNUSED)
{
    struct http_server *server = self;
    struct exchange *exchange = *request_state;
    if (http_slow_is_of(server->slow, connection)) /* it did not get its answer */
        http_slow_end(server->slow);
    if (exchange != NULL)
        buf_done(&exchange->body);
    memory_free(exchange);
    *request_state = NULL;
}

static void turn_away(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    /* The library closes it when it sees the end; what it still had to say is lost. */
    (void)shutdown(info->connect_fd, SHUT_RDWR);
}

static void on_connection(void *self, struct MHD_Connection *connection, void **context UNUSED,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = self;
    switch (code) {
    case MHD_CONNECTION_NOTIFY_STARTED: {
        server->arrivals++;
        struct MHD_Connection *leaver = http_guests_enter(
            &server->guests,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
            connection);
        if (leaver != NULL)
            turn_away(leaver);
        return;
    }
    case MHD_CONNECTION_NOTIFY_CLOSED:
        http_guests_leave(&server->guests, connection);
        return;
    }
}

static bool nobody_is_connected(const struct http_server *server)
{
    return MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
               ->num_connections == 0;
}

/* Lets the library do what it can, and then sleep for as long as it may. */
static void turn(void *self)
{
    struct http_server *server = self;
    CHECK(MHD_run(server->daemon) == MHD_YES);
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    if (MHD_get_timeout(server->daemon, &wait_ms) == MHD_YES)
        loop_timer_set(server->timeout, mono_ms_add(loop_now(server->loop), (int64_t)wait_ms));
    else
        loop_timer_clear(server->timeout);
}

/* Somebody waits and cannot be let in while no descriptor is to be had. The library tries again at
 * once, and for ever, when nobody is connected whose leaving would help. */
static void on_ready(void *self, short revents UNUSED)
{
    struct http_server *server = self;
    uint64_t arrivals = server->arrivals;
    bool nobody = nobody_is_connected(server);
    turn(server);
    if (!nobody || server->arrivals != arrivals)
        return;
    loop_watch_set(server->readiness, 0);
    loop_timer_set(server->pause, mono_ms_add(loop_now(server->loop), SHORTAGE_PAUSE_MS));
}

static void on_pause_over(void *self)
{
    struct http_server *server = self;
    loop_watch_set(server->readiness, POLLIN);
}

static void on_slow_made(void *self, short revents UNUSED)
{
    struct http_server *server = self;
    http_slow_resume(server->slow);
    turn(server);
}

static void *serve(void *self)
{
    struct http_server *server = self;
    while (loop_turn(server->loop, -1))
        ;
    return NULL;
}

static bool start_thread(struct http_server *server)
{
    int fd = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    server->readiness = loop_watch_add(server->loop, fd, POLLIN, on_ready, server);
    (void)loop_watch_add(server->loop, http_slow_made_fd(server->slow), POLLIN, on_slow_made,
                         server);
    server->timeout = loop_timer_add(server->loop, turn, server);
    server->pause = loop_timer_add(server->loop, on_pause_over, server);
    return thread_start("http", serve, server, &server->thread);
}

static void server_free(struct http_server *server)
{
    if (server->daemon != NULL)
        MHD_stop_daemon(server->daemon);
    loop_free(server->loop);
    for (uint32_t i = 0; i < server->route_count; i++)
        memory_free(server->routes[i].path);
    memory_free(server->routes);
    http_slow_free(server->slow);
    memory_free(server);
}

static struct http_server *server_new(const struct http_server_options *options)
{
    struct http_server *server = memory_alloc(sizeof(*server));
    const struct clock clock = clock_system();
    server->loop = loop_new(&clock);
    server->routes = memory_array(options->route_count, sizeof(*server->routes));
    server->route_count = options->route_count;
    for (uint32_t i = 0; i < options->route_count; i++) {
        struct route *route = &server->routes[i];
        *route = (struct route){ memory_text(options->routes[i].path), options->routes[i] };
        route->with.path = route->path;
    }
    server->slow = http_slow_new();
    return server;
}

bool http_server_wait(const struct http_request *request, int64_t ms)
{
    CHECK(request->slow != NULL);
    return http_slow_wait(request->slow, ms);
}

bool http_server_start(const struct http_server_options *options, struct http_server **out_server,
                       struct error *err)
{
    int fd;
    if (!http_listener_open(options->address, options->port, &fd, err))
        return false;
    struct http_server *server = server_new(options);
    server->port = http_listener_port(fd);
    /* Twice the guests: who was turned away counts until the library has closed the connection; at
     * its limit it lets others wait. The daemon closes the socket. */
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, server->port, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, 2U * HTTP_GUESTS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_END);
    if (server->daemon == NULL || !start_thread(server)) {
        server_free(server);
        return error_set(err, ERROR_RETRY, "http_start",
                         "cannot start the HTTP server: out of threads or descriptors");
    }
    *out_server = server;
    return true;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

void http_server_stop(struct http_server *server)
{
    if (server == NULL)
        return;
    loop_stop(server->loop);
    CHECK(pthread_join(server->thread, NULL) == 0);
    http_slow_stop(server->slow);
    server_free(server);
}
