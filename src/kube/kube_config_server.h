/* The URL of an API server. Any thread. */
#ifndef KUBE_KUBE_CONFIG_SERVER_H
#define KUBE_KUBE_CONFIG_SERVER_H

#include <stdbool.h>

#include "base/check.h"
#include "base/error.h"

/* http or https, host, port, perhaps a path, and nothing else. *out_server has the port and no
 * slash at its end. memory_free() it. */
MUST_CHECK bool kube_config_server_check(const char *server, char **out_server, struct error *err);

/* The server under another name, for the TLS of a server whose certificate names another host:
 * *out_url = the server's with the host replaced, *out_authority = the server's "host:port". */
void kube_config_server_rename(const char *server, const char *name, char **out_url,
                               char **out_authority);

#endif
