/* The socket that a server listens on. Any thread. */
#ifndef HTTP_HTTP_LISTENER_H
#define HTTP_HTTP_LISTENER_H

#include <stdint.h>

#include "base/check.h"
#include "base/error.h"

/* address NULL or "" = every address, IPv6 and IPv4 (IPv4 alone where the machine has no IPv6);
 * port 0 = any free one. The socket does not block; the caller closes it. A busy port is
 * ERROR_CONFIG "port_taken", an address that is not this machine's "address_unusable". */
MUST_CHECK bool http_listener_open(const char *address, uint16_t port, int *out_fd,
                                   struct error *err);

/* The port it was given. */
uint16_t http_listener_port(int fd);

#endif
