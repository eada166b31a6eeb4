#include "http/http_listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slice.h"

enum { BACKLOG = SOMAXCONN }; /* a crowd waits here for milliseconds, else for a second SYN */

static bool unusable(const char *address, uint16_t port, int error_number, struct error *err)
{
    const char *shown = address[0] != '\0' ? address : "every address";
    if (error_number == EADDRINUSE) {
        error_set(err, ERROR_CONFIG, "port_taken", "cannot listen on port %u of %s: %s", port,
                  shown, strerrordesc_np(error_number));
        return error_advise(err, "Another process listens there: stop it, or set another port with "
                                 "cdc.metric.port.");
    }
    error_set(err, ERROR_CONFIG, "address_unusable", "cannot listen on port %u of %s: %s", port,
              shown, strerrordesc_np(error_number));
    return error_advise(err, "Set an address of this machine with cdc.metric.address (empty = "
                             "every address), and a port that this user may open with "
                             "cdc.metric.port.");
}

/* -1 = errno tells. */
static int listen_on(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    const int on = 1;
    const int off = 0;
    bool both = address->sa_family != AF_INET6 ||
                setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) == 0;
    if (both && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
        bind(fd, address, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

static int listen_everywhere(uint16_t port)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6,
                                .sin6_port = htons(port),
                                .sin6_addr = IN6ADDR_ANY_INIT };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = listen_on((const struct sockaddr *)&six, sizeof(six));
    if (fd < 0 && errno != EADDRINUSE)
        fd = listen_on((const struct sockaddr *)&four, sizeof(four));
    return fd;
}

static bool listen_at(const char *address, uint16_t port, int *out_fd, struct error *err)
{
    char port_text[8];
    snprintf(port_text, sizeof(port_text), "%u", port);
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(address, port_text, &hints, &found);
    if (failure != 0) {
        error_set(err, ERROR_CONFIG, "address_unusable", "cannot listen on \"%s\": %s", address,
                  gai_strerror(failure));
        return error_advise(err, "Set an address of this machine with cdc.metric.address, or leave "
                                 "it empty for every address.");
    }
    int fd = -1;
    int error_number = 0;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = listen_on(at->ai_addr, at->ai_addrlen);
        error_number = errno;
    }
    freeaddrinfo(found);
    if (fd < 0)
        return unusable(address, port, error_number, err);
    *out_fd = fd;
    return true;
}

bool http_listener_open(const char *address, uint16_t port, int *out_fd, struct error *err)
{
    if (address != NULL && address[0] != '\0')
        return listen_at(address, port, out_fd, err);
    int fd = listen_everywhere(port);
    if (fd < 0)
        return unusable("", port, errno, err);
    *out_fd = fd;
    return true;
}

uint16_t http_listener_port(int fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t size = sizeof(address);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    in_port_t port = address.ss_family == AF_INET6
                         ? ((const struct sockaddr_in6 *)&address)->sin6_port
                         : ((const struct sockaddr_in *)&address)->sin_port;
    return ntohs(port);
}
