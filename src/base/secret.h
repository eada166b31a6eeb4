/* Secrets: read from files, wiped when released, never printed. Any thread. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/check.h"
#include "base/error.h"

enum { SECRET_MAX_BYTES = 64 * 1024 };

/* The file's content without trailing newlines; secret_free() it. An error (ERROR_CONFIG, code
 * "secret_unreadable") names the file and the reason, never the content. */
MUST_CHECK bool secret_read(const char *path, char **out_secret, struct error *err);
void secret_free(char *secret); /* wipes; NULL allowed */

static inline __attribute__((unused)) void secret_free_p(char **secret)
{
    secret_free(*secret);
}

#endif
