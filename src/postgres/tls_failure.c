#include "postgres/tls_failure.h"

#include <string.h>

#include "base/check.h"

static const struct tls_failure failures[] = {
#define TLS_FAILURE(part, code, advice) { part, code, advice },
#include "postgres/tls_failure.def"
#undef TLS_FAILURE
};

const struct tls_failure *tls_failure_find(const char *message)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++)
        if (strstr(message, failures[i].part) != NULL)
            return &failures[i];
    return NULL;
}

bool tls_failure_is(const struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(failures); i++)
        if (strcmp(err->code, failures[i].code) == 0)
            return true;
    return false;
}

bool tls_failure_advise(const struct tls_failure *failure, const char *host, const char *port,
                        struct error *err)
{
    const char *place = strstr(failure->advice, "%s");
    if (place == NULL)
        return error_advise(err, "%s", failure->advice);
    return error_advise(err, "%.*s%s:%s%s", (int)(place - failure->advice), failure->advice, host,
                        port, place + 2);
}
