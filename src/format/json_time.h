/* PostgreSQL's dates and times of day (datestyle ISO) as RFC 3339 strings. What RFC 3339 cannot say
 * (years past 9999 or BC, infinity, zones with seconds) stays PostgreSQL's text. Any thread. */
#ifndef FORMAT_JSON_TIME_H
#define FORMAT_JSON_TIME_H

#include "base/buf.h"
#include "base/slice.h"

/* The zeros at a fraction's end are dropped, as the ancestor does. */
void json_time_timestamp(struct buf *out, struct slice text);   /* taken as UTC: "...Z" */
void json_time_timestamptz(struct buf *out, struct slice text); /* +00 = "Z", others "+05:30" */
void json_time_date(struct buf *out, struct slice text);        /* midnight UTC */

#endif
