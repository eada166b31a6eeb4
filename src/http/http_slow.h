/* The answer that takes its time: one at a time, on a thread of its own, while its connection is
 * suspended and all others are served. Of http_server.c alone, on the server's thread, or when that
 * is over; only http_slow_wait() is called by the answer's own. */
#ifndef HTTP_HTTP_SLOW_H
#define HTTP_HTTP_SLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "http/http_server.h"

struct http_slow *http_slow_new(void);
void http_slow_free(struct http_slow *slow);

/* Suspends the connection and calls the route's handler on the other thread. False: another answer
 * is being made, or there is no thread. */
MUST_CHECK bool http_slow_begin(struct http_slow *slow, const struct http_route *route,
                                const struct http_request *request,
                                struct MHD_Connection *connection);
/* Readable when the answer is made: for http_slow_resume(), after which the library wants a turn.
 */
int http_slow_made_fd(const struct http_slow *slow);
void http_slow_resume(struct http_slow *slow);
/* Before the daemon is stopped: the answer that is being made is told to end, and waited for. */
void http_slow_stop(struct http_slow *slow);

/* Is it this connection's answer that is being made, or was? */
bool http_slow_is_of(const struct http_slow *slow, const struct MHD_Connection *connection);
/* What the handler answered, once the connection was resumed; lives until http_slow_end(). */
struct http_response *http_slow_response(struct http_slow *slow);
/* Another may begin. */
void http_slow_end(struct http_slow *slow);

bool http_slow_wait(struct http_slow *slow, int64_t ms);

#endif
