/* Who is connected: at most HTTP_GUESTS_MAX in all, and HTTP_GUESTS_PER_ADDRESS from one address
 * that is not loopback. Belongs to the server's thread. */
#ifndef HTTP_HTTP_GUESTS_H
#define HTTP_HTTP_GUESTS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { HTTP_GUESTS_MAX = 64, HTTP_GUESTS_PER_ADDRESS = 8 };

struct http_guest {
    struct in6_addr address; /* IPv4 mapped into IPv6 */
    bool present;
};

struct http_guests {
    struct http_guest places[HTTP_GUESTS_MAX];
    uint32_t count;
};

/* Whether one more from there may come in. */
bool http_guests_may_enter(const struct http_guests *guests, const struct sockaddr *address);

/* The place of one that came in, NULL when none is free. */
struct http_guest *http_guests_enter(struct http_guests *guests, const struct sockaddr *address);
void http_guests_leave(struct http_guests *guests, struct http_guest *guest); /* NULL allowed */

#endif
