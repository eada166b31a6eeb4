/* PostgreSQL's numbers as JSON numbers. What is no number (NaN, Infinity, text that does not fit)
 * becomes a JSON string. Any thread. */
#ifndef FORMAT_JSON_NUMBER_H
#define FORMAT_JSON_NUMBER_H

#include "base/buf.h"
#include "base/slice.h"

void json_number_integer(struct buf *out, struct slice text);
void json_number_decimal(struct buf *out, struct slice text); /* every digit is kept */

/* The shortest digits that PostgreSQL sends with extra_float_digits >= 1, in the form that the
 * ancestor writes: an exponent below 1e-6 and from 1e21 on, plain digits between. */
void json_number_float(struct buf *out, struct slice text);

#endif
