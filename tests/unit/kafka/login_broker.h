/* A broker that does nothing but let in who knows its password (SASL PLAIN): scripted answers to
 * ApiVersions, SaslHandshake and SaslAuthenticate, on loopback, on a thread of its own. */
#ifndef UNIT_KAFKA_LOGIN_BROKER_H
#define UNIT_KAFKA_LOGIN_BROKER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/slice.h"
#include "unit/kafka/kafka_fixture.h"

enum { API_SASL_HANDSHAKE = 17, API_VERSIONS = 18, API_SASL_AUTHENTICATE = 36 };

struct login_broker {
    const char *password; /* that lets in */
    int listener;
    char address[32]; /* host:port */
    pthread_t thread;
    _Atomic int refused, admitted, stopping;
};

static inline void login_put(struct buf *out, uint32_t value, int bytes)
{
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
        buf_append_byte(out, (char)(value >> shift));
}

static inline void login_versions(struct buf *out)
{
    static const uint32_t rows[][3] = { { API_SASL_HANDSHAKE, 0, 1 },
                                        { API_VERSIONS, 0, 3 },
                                        { API_SASL_AUTHENTICATE, 0, 0 } };
    login_put(out, 0, 2); /* no error */
    login_put(out, COUNT_OF(rows) + 1, 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        for (int column = 0; column < 3; column++)
            login_put(out, rows[i][column], 2);
        login_put(out, 0, 1);
    }
    login_put(out, 0, 4); /* not throttled */
    login_put(out, 0, 1);
}

static inline void login_handshake(struct buf *out)
{
    login_put(out, 0, 2);
    login_put(out, 1, 4);
    login_put(out, strlen("PLAIN"), 2);
    buf_append_text(out, "PLAIN");
}

/* The request ends with NUL user NUL password. */
static inline void login_authenticate(struct login_broker *broker, struct slice request,
                                      struct buf *out)
{
    size_t size = strlen(broker->password);
    bool admitted = request.size > size && request.data[request.size - size - 1] == '\0' &&
                    memcmp(request.data + request.size - size, broker->password, size) == 0;
    atomic_fetch_add(admitted ? &broker->admitted : &broker->refused, 1);
    login_put(out, admitted ? 0 : RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, 2);
    login_put(out, UINT16_MAX, 2); /* no text */
    login_put(out, 0, 4);          /* no further bytes */
}

static inline bool login_read(int fd, char *data, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = recv(fd, data + have, size - have, 0);
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

/* False: the connection is over. */
static inline bool login_answer(struct login_broker *broker, int fd)
{
    uint32_t size = 0;
    char request[4096];
    if (!login_read(fd, (char *)&size, sizeof size))
        return false;
    size = ntohl(size);
    if (size < 8 || size > sizeof request || !login_read(fd, request, size))
        return false;
    AUTO(struct buf, buf_done) body = buf_init(4096);
    buf_append(&body, request + 4, 4); /* its number */
    int api = request[1];
    if (api == API_VERSIONS)
        login_versions(&body);
    else if (api == API_SASL_HANDSHAKE)
        login_handshake(&body);
    else if (api == API_SASL_AUTHENTICATE)
        login_authenticate(broker, (struct slice){ request, size }, &body);
    else
        return false;
    AUTO(struct buf, buf_done) answer = buf_init(8192);
    login_put(&answer, (uint32_t)body.size, 4);
    buf_append_slice(&answer, buf_slice(&body));
    return send(fd, answer.data, answer.size, MSG_NOSIGNAL) == (ssize_t)answer.size;
}

static inline void *login_run(void *self)
{
    struct login_broker *broker = self;
    while (atomic_load(&broker->stopping) == 0) {
        int fd = accept(broker->listener, NULL, NULL);
        if (fd < 0)
            continue;
        while (login_answer(broker, fd))
            continue;
        close(fd);
    }
    return NULL;
}

static inline void login_broker_start(struct login_broker *broker, const char *password)
{
    *broker = (struct login_broker){ .password = password };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    broker->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(broker->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(broker->listener, 16), 0);
    assert_int_equal(getsockname(broker->listener, (struct sockaddr *)&address, &size), 0);
    snprintf(broker->address, sizeof broker->address, "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&broker->thread, NULL, login_run, broker), 0);
}

/* When no client is connected any more. */
static inline void login_broker_stop(struct login_broker *broker)
{
    atomic_store(&broker->stopping, 1);
    shutdown(broker->listener, SHUT_RDWR);
    pthread_join(broker->thread, NULL);
    close(broker->listener);
}

#endif
