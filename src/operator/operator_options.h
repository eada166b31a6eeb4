/* The operator's command line and its twins in the environment, from operator_options.def. A flag
 * wins over the environment. One thread, at start. */
#ifndef OPERATOR_OPERATOR_OPTIONS_H
#define OPERATOR_OPERATOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/error.h"
#include "base/log.h"

/* Texts are borrowed from arguments and environment. */
struct operator_options {
#define OPERATOR_OPTION_TEXT     const char *
#define OPERATOR_OPTION_NUMBER   int64_t
#define OPERATOR_OPTION_DURATION int64_t
#define OPERATOR_OPTION_BOOLEAN  bool
#define OPERATOR_OPTION(field, kind, flag, value, default_, least, most, help)                     \
    OPERATOR_OPTION_##kind field;
#include "operator/operator_options.def"
#undef OPERATOR_OPTION
#undef OPERATOR_OPTION_TEXT
#undef OPERATOR_OPTION_NUMBER
#undef OPERATOR_OPTION_DURATION
#undef OPERATOR_OPTION_BOOLEAN
    bool help, version;
    enum log_level level;
    enum log_format format;
    char **namespaces; /* owned */
    size_t namespace_count;
};

/* False: ERROR_CONFIG; its code is "usage" when the command line itself is wrong, else "option".
 * out_options is set in any case: operator_options_done() it. environment: as environ. */
MUST_CHECK bool operator_options_read(int count, const char *const *words,
                                      const char *const *environment,
                                      struct operator_options *out_options, struct error *err);
void operator_options_done(struct operator_options *options);

void operator_options_help(struct buf *out);

#endif
