#include "postgres/tls_probe.h"

#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/cleanup.h"

enum { STEP_LIMIT_S = 2 };

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

/* The limit holds for connect() as well. */
static int connect_to(const struct addrinfo *address)
{
    const struct timeval limit = { .tv_sec = STEP_LIMIT_S };
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0 &&
        connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int connect_host(const char *host, const char *port)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_to(at);
    freeaddrinfo(found);
    return fd;
}

static bool ask_for_tls(int fd)
{
    char answer = '\0';
    return send(fd, ssl_request, sizeof(ssl_request), MSG_NOSIGNAL) == sizeof(ssl_request) &&
           recv(fd, &answer, 1, 0) == 1 && answer == 'S';
}

/* SSL_VERIFY_NONE of a client checks and goes on: the verdict is kept. */
static long verdict_of(SSL_CTX *context, int fd)
{
    AUTO(SSL *, free_ssl) ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        return X509_V_OK;
    return SSL_get_verify_result(ssl);
}

bool tls_probe(const char *host, const char *port, const char *root_cert, char *out, size_t size)
{
    AUTO(int, close_fd) fd = -1;
    AUTO(SSL_CTX *, free_context) context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_load_verify_locations(context, root_cert, NULL) != 1)
        return false;
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    fd = connect_host(host, port);
    if (fd < 0 || !ask_for_tls(fd))
        return false;
    long verdict = verdict_of(context, fd);
    if (verdict == X509_V_OK)
        return false;
    (void)snprintf(out, size, "%s", X509_verify_cert_error_string(verdict));
    return true;
}
