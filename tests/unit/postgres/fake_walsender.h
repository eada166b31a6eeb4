/* A scripted walsender on loopback. A thread speaks the greeting and answers START_REPLICATION with
 * what `answers` says; then the test itself is the server: fake_walsender_send_*() and
 * fake_walsender_receive(). The client's library and the server share the test's thread from there
 * on, so the order of events is the test's own. */
#ifndef TESTS_UNIT_POSTGRES_FAKE_WALSENDER_H
#define TESTS_UNIT_POSTGRES_FAKE_WALSENDER_H

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"

enum { FAKE_PATIENCE_MS = 10 * 1000, FAKE_MESSAGE_MAX = 4096 };

/* What a START_REPLICATION gets. Everything but an error ends the greeting. */
enum fake_answer { FAKE_COPY, FAKE_BUSY, FAKE_SILENCE, FAKE_CUT };

struct fake_walsender {
    int listen_fd;
    int fd; /* -1 until the client came */
    char port[8];
    pthread_t thread;
    bool greeting;
    int receive_buffer_bytes; /* 0 = the system's */
    const enum fake_answer *answers;
    char command[FAKE_MESSAGE_MAX]; /* the last query of the client */
};

/* ---- bytes ---- */

/* A client that is gone is no failure here: the next read says so. */
static inline void fake_write(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t written = send(fd, at, size, MSG_NOSIGNAL);
        if (written <= 0)
            return;
        at += written;
        size -= (size_t)written;
    }
}

/* False at the end of the connection; a peer that stays silent fails the test. */
static inline bool fake_read(int fd, void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        CHECK(poll(&ready, 1, FAKE_PATIENCE_MS) == 1);
        ssize_t got = recv(fd, at, size, 0);
        if (got <= 0)
            return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static inline void fake_send(int fd, char type, const void *body, size_t size)
{
    char head[5] = { type };
    uint32_t length = htobe32((uint32_t)size + 4);
    memcpy(head + 1, &length, sizeof(length));
    fake_write(fd, head, sizeof(head));
    fake_write(fd, body, size);
}

/* One message of the client: its type, 0 at the end of the connection. */
static inline char fake_receive(int fd, char *out_body, size_t *out_size)
{
    char type;
    uint32_t length;
    if (!fake_read(fd, &type, 1) || !fake_read(fd, &length, sizeof(length)))
        return 0;
    size_t size = be32toh(length) - sizeof(length);
    CHECK(size < FAKE_MESSAGE_MAX); /* and a NUL */
    if (!fake_read(fd, out_body, size))
        return 0;
    out_body[size] = '\0';
    *out_size = size;
    return type;
}

static inline void fake_send_parameter(int fd, const char *name, const char *value)
{
    char body[128];
    int size = snprintf(body, sizeof(body), "%s%c%s", name, '\0', value);
    fake_send(fd, 'S', body, (size_t)size + 1);
}

static inline void fake_send_error(int fd, const char *severity, const char *sqlstate,
                                   const char *message)
{
    char body[512];
    int size = snprintf(body, sizeof(body), "S%s%cV%s%cC%s%cM%s%c", severity, '\0', severity, '\0',
                        sqlstate, '\0', message, '\0');
    fake_send(fd, 'E', body, (size_t)size + 1);
}

static inline void fake_send_ready(int fd)
{
    fake_send(fd, 'Z', "I", 1);
}

/* ---- the greeting ---- */

static inline bool fake_read_startup(int fd)
{
    uint32_t length;
    char body[FAKE_MESSAGE_MAX];
    if (!fake_read(fd, &length, sizeof(length)))
        return false;
    size_t size = be32toh(length) - sizeof(length);
    CHECK(size <= sizeof(body));
    return fake_read(fd, body, size);
}

static inline void fake_greet(int fd)
{
    fake_send(fd, 'R', "\0\0\0\0", 4);
    fake_send_parameter(fd, "server_version", "15.20");
    fake_send_parameter(fd, "server_encoding", "UTF8");
    fake_send_parameter(fd, "client_encoding", "UTF8");
    fake_send_parameter(fd, "DateStyle", "ISO, MDY");
    fake_send_parameter(fd, "TimeZone", "UTC");
    fake_send_parameter(fd, "integer_datetimes", "on");
    fake_send_parameter(fd, "standard_conforming_strings", "on");
    fake_send(fd, 'K', "\0\0\0\1\0\0\0\2", 8);
    fake_send_ready(fd);
}

static inline int fake_accept(int listen_fd)
{
    struct pollfd ready = { .fd = listen_fd, .events = POLLIN };
    CHECK(poll(&ready, 1, FAKE_PATIENCE_MS) == 1);
    int fd = accept(listen_fd, NULL, NULL);
    CHECK(fd >= 0);
    return fd;
}

static inline int fake_listen(int receive_buffer_bytes, char out_port[8])
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    /* Small writes shall not wait for each other; accepted sockets inherit it. */
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) == 0);
    if (receive_buffer_bytes > 0)
        CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                         sizeof(receive_buffer_bytes)) == 0);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    CHECK(listen(fd, 8) == 0);
    (void)snprintf(out_port, 8, "%u", (unsigned)ntohs(address.sin_port));
    return fd;
}

static inline bool fake_answer_start(struct fake_walsender *fake, enum fake_answer answer)
{
    switch (answer) {
    case FAKE_BUSY:
        fake_send_error(fake->fd, "ERROR", "55006",
                        "replication slot \"orders\" is active for PID 4711");
        fake_send_ready(fake->fd);
        return true;
    case FAKE_COPY:
        fake_send(fake->fd, 'W', "\0\0\0", 3);
        break;
    case FAKE_SILENCE:
        break;
    case FAKE_CUT:
        (void)shutdown(fake->fd, SHUT_RDWR);
        break;
    }
    return false;
}

static inline void *fake_walsender_main(void *self)
{
    struct fake_walsender *fake = self;
    size_t size;
    fake->fd = fake_accept(fake->listen_fd);
    CHECK(fake_read_startup(fake->fd));
    fake_greet(fake->fd);
    const enum fake_answer *answer = fake->answers;
    do {
        CHECK(fake_receive(fake->fd, fake->command, &size) == 'Q');
    } while (fake_answer_start(fake, *answer++));
    return NULL;
}

/* ---- for the tests ---- */

static inline void fake_walsender_start(struct fake_walsender *fake,
                                        const enum fake_answer *answers, int receive_buffer_bytes)
{
    *fake = (struct fake_walsender){ .fd = -1, .answers = answers, .greeting = true };
    fake->listen_fd = fake_listen(receive_buffer_bytes, fake->port);
    CHECK(pthread_create(&fake->thread, NULL, fake_walsender_main, fake) == 0);
}

/* From here on the calling thread is the server. */
static inline void fake_walsender_take_over(struct fake_walsender *fake)
{
    if (fake->greeting)
        CHECK(pthread_join(fake->thread, NULL) == 0);
    fake->greeting = false;
}

static inline void fake_walsender_cut(struct fake_walsender *fake)
{
    fake_walsender_take_over(fake);
    if (fake->fd >= 0)
        (void)close(fake->fd);
    fake->fd = -1;
}

static inline void fake_walsender_stop(struct fake_walsender *fake)
{
    fake_walsender_cut(fake);
    (void)close(fake->listen_fd);
}

static inline size_t fake_put_u64(char *body, size_t at, uint64_t value)
{
    uint64_t wire = htobe64(value);
    memcpy(body + at, &wire, sizeof(wire));
    return at + sizeof(wire);
}

static inline void fake_walsender_send_data(struct fake_walsender *fake, uint64_t start,
                                            uint64_t end, int64_t sent_at, const void *payload,
                                            size_t size)
{
    char *body = memory_alloc(25 + size);
    size_t at = 1;
    body[0] = 'w';
    at = fake_put_u64(body, at, start);
    at = fake_put_u64(body, at, end);
    at = fake_put_u64(body, at, (uint64_t)sent_at);
    memcpy(body + at, payload, size);
    fake_send(fake->fd, 'd', body, at + size);
    memory_free(body);
}

static inline void fake_walsender_send_keepalive(struct fake_walsender *fake, uint64_t end,
                                                 int64_t sent_at, bool reply)
{
    char body[18] = { 'k' };
    size_t at = 1;
    at = fake_put_u64(body, at, end);
    at = fake_put_u64(body, at, (uint64_t)sent_at);
    body[at++] = (char)reply;
    fake_send(fake->fd, 'd', body, at);
}

/* One message of the client: its type, 0 at the end of the connection. */
static inline char fake_walsender_receive(struct fake_walsender *fake, char *out_body,
                                          size_t *out_size)
{
    return fake_receive(fake->fd, out_body, out_size);
}

#endif
