/* Why a server's certificate is not trusted: libpq only says that it is not. */
#ifndef POSTGRES_TLS_PROBE_H
#define POSTGRES_TLS_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* Connects once more to that numeric address and asks for TLS, checking against that file of
 * authorities; nothing is sent beyond the handshake. True: *out says what is wrong, in OpenSSL's
 * words: "certificate has expired". Blocks for a second at most,
 * and raises no SIGPIPE. */
bool tls_probe(const char *address, const char *port, const char *root_cert, char *out,
               size_t size);

#endif
