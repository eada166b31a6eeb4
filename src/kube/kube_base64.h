/* Base64 (RFC 4648, section 4), as a kubeconfig embeds certificates and keys. Any thread. */
#ifndef KUBE_KUBE_BASE64_H
#define KUBE_KUBE_BASE64_H

#include <stdbool.h>

#include "base/check.h"

/* White space may stand anywhere. The result ends with a NUL; it may be a secret: secret_free() it.
 * False = not base64, or it has a NUL inside. */
MUST_CHECK bool kube_base64_decode(const char *text, char **out_bytes);

#endif
