/* The smallest client: bytes to a server on loopback, and what it says until it closes. */
#ifndef UNIT_HTTP_HTTP_CLIENT_H
#define UNIT_HTTP_HTTP_CLIENT_H

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"

enum { HTTP_CLIENT_PATIENCE_MS = 30000 };

/* -1 = refused. family AF_INET or AF_INET6. */
static inline int http_client_connect(int family, uint16_t port)
{
    struct sockaddr_in four = { .sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                .sin6_port = htons(port),
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int connected = family == AF_INET ? connect(fd, (const struct sockaddr *)&four, sizeof(four))
                                      : connect(fd, (const struct sockaddr *)&six, sizeof(six));
    if (fd >= 0 && connected == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* What does not arrive because the server closed already is no failure here. */
static inline void http_client_send(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        size -= (size_t)sent;
    }
}

static inline void http_client_say(int fd, const char *text)
{
    http_client_send(fd, text, strlen(text));
}

/* The next bytes; 0 = closed or reset. Ends the test program when nothing comes for too long. */
static inline size_t http_client_receive(int fd, char *out, size_t size)
{
    struct pollfd polled = { .fd = fd, .events = POLLIN };
    if (poll(&polled, 1, HTTP_CLIENT_PATIENCE_MS) != 1) {
        fprintf(stderr, "the server is silent\n");
        abort();
    }
    ssize_t got = recv(fd, out, size, 0);
    return got > 0 ? (size_t)got : 0;
}

/* All until the server closes. Closes fd. */
static inline struct buf http_client_rest(int fd)
{
    struct buf all = buf_init(64 * 1024 * 1024);
    char part[8192];
    for (size_t size; (size = http_client_receive(fd, part, sizeof(part))) > 0;)
        buf_append(&all, part, size);
    close(fd);
    return all;
}

/* One whole answer on a connection that stays open; needs its Content-Length. */
static inline struct buf http_client_answer(int fd)
{
    struct buf all = buf_init(64 * 1024 * 1024);
    size_t wanted = SIZE_MAX;
    char part[8192];
    while (all.size < wanted) {
        size_t size = http_client_receive(fd, part, sizeof(part));
        if (size == 0)
            break;
        buf_append(&all, part, size);
        const char *text = buf_text(&all);
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strstr(text, "Content-Length: ");
        if (end != NULL && length != NULL)
            wanted = (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10);
    }
    return all;
}

static inline struct buf http_client_request(uint16_t port, const char *method, const char *target)
{
    char head[512];
    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
             method, target);
    int fd = http_client_connect(AF_INET, port);
    if (fd < 0)
        return buf_init(0);
    http_client_say(fd, head);
    return http_client_rest(fd);
}

static inline unsigned http_client_status(struct buf *answer)
{
    unsigned status = 0;
    return sscanf(buf_text(answer), "HTTP/1.1 %u", &status) == 1 ? status : 0;
}

static inline const char *http_client_body(struct buf *answer)
{
    const char *end = strstr(buf_text(answer), "\r\n\r\n");
    return end != NULL ? end + 4 : "";
}

static inline bool http_client_has_header(struct buf *answer, const char *line)
{
    const char *at = strstr(buf_text(answer), line);
    return at != NULL && at < http_client_body(answer) && at[-1] == '\n' &&
           at[strlen(line)] == '\r';
}

#endif
