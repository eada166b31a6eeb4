/* Failures of TLS and of what the login was asked to prove: what a person must mend. */
#ifndef POSTGRES_TLS_FAILURE_H
#define POSTGRES_TLS_FAILURE_H

#include <stdbool.h>

#include "base/error.h"

struct tls_failure {
    const char *part, *code, *advice; /* see tls_failure.def */
};

/* What libpq's text is about; NULL = something else. */
const struct tls_failure *tls_failure_find(const char *message);
/* True: an error has one of these codes. It is about one host: another one may have none. */
bool tls_failure_is(const struct error *err);
bool tls_failure_advise(const struct tls_failure *failure, const char *host, const char *port,
                        struct error *err); /* returns false */

#endif
