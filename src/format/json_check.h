/* Whether a text is one JSON value, by the grammar of RFC 8259 and in UTF-8. Any thread. */
#ifndef FORMAT_JSON_CHECK_H
#define FORMAT_JSON_CHECK_H

#include <stdbool.h>

#include "base/slice.h"

enum { JSON_CHECK_DEPTH = 1000 }; /* objects and arrays in each other; deeper is not valid here */

bool json_check_value(struct slice text); /* white space around it is allowed */

/* -?(0|[1-9][0-9]*) and the same with (.[0-9]+)?: whole text, no exponent. */
bool json_check_integer(struct slice text);
bool json_check_decimal(struct slice text);

#endif
