/* A small HTTP/1.1 server for probes, metrics and status. Knows no business: routes are functions.
 *
 * One thread of its own serves it, on libmicrohttpd's epoll. Limits: a route's methods only (405),
 * 64 connections, 8 per address unless loopback (one more: the one that was silent longest is
 * closed), 16 KiB of request head, HTTP_POST_LIMIT_BYTES of body (413), 5 s idle time-out; an
 * unknown path is 404 with the list of paths. Handlers run on that thread and read atomics only,
 * but for slow ones: each has a thread of its own, one at a time in a server (503 for a second). */
#ifndef HTTP_HTTP_SERVER_H
#define HTTP_HTTP_SERVER_H

#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/slice.h"

enum { HTTP_BODY_LIMIT_BYTES = 8 * 1024 * 1024, HTTP_POST_LIMIT_BYTES = 256 * 1024 };

/* kind, the methods that it takes as `Allow:` has them, and as a person says it */
#define HTTP_KINDS(X)                                                                              \
    X(HTTP_QUICK, "GET, HEAD", "GET and HEAD are")                                                 \
    X(HTTP_POSTS, "GET, HEAD, POST", "GET, HEAD and POST are")                                     \
    X(HTTP_SLOW, "GET", "GET is")

enum http_kind {
#define X(kind, allow, text) kind,
    HTTP_KINDS(X)
#undef X
};

struct http_slow;

struct http_request {
    const char *path;
    bool verbose;           /* ?verbose */
    const char *seconds;    /* of ?seconds=N; NULL = not there */
    struct slice body;      /* of a POST; "" otherwise */
    struct http_slow *slow; /* of a HTTP_SLOW route, else NULL: for http_server_wait() */
};

struct http_response {
    unsigned status;          /* 200 when the handler is called */
    const char *content_type; /* "text/plain; charset=utf-8" when the handler is called */
    struct buf *body;         /* empty, limited to HTTP_BODY_LIMIT_BYTES */
};

typedef void http_handler_fn(void *self, const struct http_request *request,
                             struct http_response *response);

struct http_route {
    const char *path; /* exact match, "/status" */
    http_handler_fn *handle;
    void *self;
    enum http_kind kind;
};

/* In the handler of a HTTP_SLOW route: sleeps. False: the client has gone or the server stops, and
 * the answer will reach nobody. */
bool http_server_wait(const struct http_request *request, int64_t ms);

struct http_server_options {
    const char *address;             /* NULL or "" = every address, IPv6 and IPv4 */
    uint16_t port;                   /* 0 = any free one */
    const struct http_route *routes; /* copied */
    uint32_t route_count;
};

struct http_server;
/* A busy port is ERROR_CONFIG "port_taken" that names address and port and says how to change it.
 */
MUST_CHECK bool http_server_start(const struct http_server_options *options,
                                  struct http_server **out_server, struct error *err);
/* What routes.def says of the path, or "". */
const char *http_server_purpose(const char *path);
uint16_t http_server_port(const struct http_server *server);
void http_server_stop(struct http_server *server); /* NULL allowed */
CLEANUP_POINTER(struct http_server, http_server_stop)

#endif
