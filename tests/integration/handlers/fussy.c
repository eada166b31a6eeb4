/* A plug-in that does what its options say; otherwise it passes rows on.
 *
 *     failAt  the id of a row that it fails for     slowAt  one that it takes 150 ms for
 *     refuse  it does not start, and says so        token   it starts only with the right one
 *
 * Compiled with one of the macros below it is none that the worker could load. */
#include "pqcdc.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#ifdef OTHER_VERSION
#define VERSION 99
#else
#define VERSION PQCDC_API_VERSION
#endif

#define MAYBE_UNUSED __attribute__((unused))

MAYBE_UNUSED static bool open_fussy(struct pqcdc_host *host, void **out_self, char *problem,
                                    size_t problem_size)
{
    const char *token = pqcdc_option(host, "token");
    const struct pqcdc_field fields[] = { { "failAt", pqcdc_option(host, "failAt"),
                                            PQCDC_FIELD_NUMBER },
                                          { "sure", "true", PQCDC_FIELD_BOOL } };
    *out_self = host;
    if (pqcdc_option(host, "refuse") != NULL) {
        snprintf(problem, problem_size, "option refuse: %s", pqcdc_option(host, "refuse"));
        return false;
    }
    if (token != NULL && strcmp(token, "s3cret") != 0)
        return false;
    pqcdc_log(host, PQCDC_LEVEL_INFO, "fussy is open", fields, 2);
    return true;
}

MAYBE_UNUSED static void close_fussy(void *self)
{
    pqcdc_log(self, PQCDC_LEVEL_INFO, "fussy is closed", NULL, 0);
}

static bool is_at(struct pqcdc_host *host, const char *option, struct pqcdc_text id)
{
    const char *at = pqcdc_option(host, option);
    return at != NULL && strlen(at) == id.size && memcmp(at, id.data, id.size) == 0;
}

MAYBE_UNUSED static bool handle(void *self, const struct pqcdc_message *message,
                                struct pqcdc_emitter *emitter)
{
    static const struct timespec pause = { .tv_nsec = 150 * 1000 * 1000 };
    struct pqcdc_text id = pqcdc_value_find(message, PQCDC_ROW_LAST, "id")->text;
    if (!pqcdc_emit_default(emitter))
        return false;
    if (is_at(self, "slowAt", id))
        nanosleep(&pause, NULL);
    if (is_at(self, "failAt", id))
        return pqcdc_fail(emitter, "row %.*s is not to my taste", (int)id.size, id.data);
    return true;
}

#ifdef UNKNOWN_FUNCTION
void pqcdc_of_a_later_version(void);
__attribute__((used)) static void (*later)(void) = pqcdc_of_a_later_version;
#endif

#ifndef NO_SYMBOL
PQCDC_PLUGIN = {
    .api_version = VERSION,
    .name = "fussy",
    .open = open_fussy,
#ifndef NO_FUNCTIONS
    .handle = handle,
#endif
    .close = close_fussy,
#ifdef RESERVED
    .reserved = { "later" },
#endif
};
#endif
