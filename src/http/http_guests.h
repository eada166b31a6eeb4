/* Who is connected: at most HTTP_GUESTS_MAX in all, and HTTP_GUESTS_PER_ADDRESS from one address
 * that is not loopback. Nobody is refused: whoever said nothing for the longest time makes room, so
 * that connections which only sit there never keep a probe out. Belongs to the server's thread. */
#ifndef HTTP_HTTP_GUESTS_H
#define HTTP_HTTP_GUESTS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

enum { HTTP_GUESTS_MAX = 64, HTTP_GUESTS_PER_ADDRESS = 8 };

struct http_guest {
    void *visitor;           /* NULL: the place is free */
    struct in6_addr address; /* IPv4 mapped into IPv6 */
    uint64_t heard;          /* when it came or asked last, as a number that only grows */
};

struct http_guests {
    struct http_guest places[HTTP_GUESTS_MAX];
    uint64_t last_heard;
};

/* Gives a place to the visitor. The answer is who lost it and must go, or NULL. */
void *http_guests_enter(struct http_guests *guests, const struct sockaddr *address, void *visitor);

/* These mean nothing for a visitor that has lost its place. */
void http_guests_hear(struct http_guests *guests, const void *visitor); /* a whole request came */
void http_guests_leave(struct http_guests *guests, const void *visitor);

#endif
