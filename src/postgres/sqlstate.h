/* SQLSTATE -> error class and advice, from sqlstate.def: the one place where they are classified.
 */
#ifndef POSTGRES_SQLSTATE_H
#define POSTGRES_SQLSTATE_H

#include <stdbool.h>

#include "base/error.h"

struct sqlstate_rule {
    const char *sqlstate; /* five characters, or two for a whole class */
    enum error_class class;
    const char *name;
    const char *advice; /* "" = none */
};

/* The most specific rule; unknown states are ERROR_RETRY with no advice. NULL or "" (libpq's own
 * errors: the connection) is ERROR_RECONNECT. */
const struct sqlstate_rule *sqlstate_find(const char *sqlstate);

/* Whether an error's code is a SQLSTATE: five of 0-9 and A-Z; our own names and Kafka's are not. */
bool sqlstate_is(const char *code);

#endif
