#include "postgres/tls_probe.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"

enum { LIMIT_MS = 1000 };

/* https://www.postgresql.org/docs/current/protocol-message-formats.html: SSLRequest */
static const uint8_t ssl_request[] = { 0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static void free_context(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

static void free_ssl(SSL **ssl)
{
    SSL_free(*ssl);
}

static bool wait_for(int fd, short events, mono_ms_t until)
{
    const struct clock clock = clock_system();
    struct pollfd polled = { .fd = fd, .events = events };
    for (;;) {
        int64_t left_ms = mono_ms_since(until, clock_now(&clock));
        int ready = left_ms > 0 ? poll(&polled, 1, (int)left_ms) : 0;
        if (ready >= 0)
            return ready > 0;
        CHECK(errno == EINTR);
    }
}

/* -1 = it could not be done in time. */
static int connect_to(const char *address, const char *port, mono_ms_t until)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    if (getaddrinfo(address, port, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int failure = 0;
    socklen_t size = sizeof(failure);
    bool connected =
        fd >= 0 && (connect(fd, found->ai_addr, found->ai_addrlen) == 0 ||
                    (errno == EINPROGRESS && wait_for(fd, POLLOUT, until) &&
                     getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0));
    freeaddrinfo(found);
    if (!connected)
        close_fd(&fd);
    return connected ? fd : -1;
}

static bool ask_for_tls(int fd, mono_ms_t until)
{
    char answer = '\0';
    return send(fd, ssl_request, sizeof(ssl_request), MSG_NOSIGNAL) == sizeof(ssl_request) &&
           wait_for(fd, POLLIN, until) && recv(fd, &answer, 1, 0) == 1 && answer == 'S';
}

static bool shake_hands(SSL *ssl, int fd, mono_ms_t until)
{
    for (;;) {
        int done = SSL_connect(ssl);
        int wanted = SSL_get_error(ssl, done);
        if (done == 1)
            return true;
        if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE)
            return false;
        if (!wait_for(fd, wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until))
            return false;
    }
}

/* SSL_VERIFY_NONE of a client checks and goes on: the verdict is kept. */
static long verdict_of(SSL_CTX *context, int fd, mono_ms_t until)
{
    AUTO(SSL *, free_ssl) ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || !shake_hands(ssl, fd, until))
        return X509_V_OK;
    return SSL_get_verify_result(ssl);
}

/* OpenSSL writes without MSG_NOSIGNAL. */
static long verdict_without_signal(SSL_CTX *context, int fd, mono_ms_t until)
{
    const struct timespec at_once = { 0 };
    sigset_t pipe, before;
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    CHECK(pthread_sigmask(SIG_BLOCK, &pipe, &before) == 0);
    long verdict = verdict_of(context, fd, until);
    if (sigismember(&before, SIGPIPE) == 0)
        (void)sigtimedwait(&pipe, NULL, &at_once); /* else it would come now */
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return verdict;
}

bool tls_probe(const char *address, const char *port, const char *root_cert, char *out, size_t size)
{
    const struct clock clock = clock_system();
    mono_ms_t until = mono_ms_add(clock_now(&clock), LIMIT_MS);
    AUTO(int, close_fd) fd = -1;
    AUTO(SSL_CTX *, free_context) context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_load_verify_locations(context, root_cert, NULL) != 1)
        return false;
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    fd = connect_to(address, port, until);
    if (fd < 0 || !ask_for_tls(fd, until))
        return false;
    long verdict = verdict_without_signal(context, fd, until);
    if (verdict == X509_V_OK)
        return false;
    (void)snprintf(out, size, "%s", X509_verify_cert_error_string(verdict));
    return true;
}
