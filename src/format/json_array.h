/* PostgreSQL's text of an array as a JSON array, nested as its dimensions are; lower bounds are
 * dropped. Text that is not an array becomes a JSON string. Any thread; an element with escapes
 * costs one allocation an array. */
#ifndef FORMAT_JSON_ARRAY_H
#define FORMAT_JSON_ARRAY_H

#include "base/buf.h"
#include "base/slice.h"
#include "format/value_json.h"

enum { JSON_ARRAY_DIMENSIONS = 6 }; /* PostgreSQL's MAXDIM */

/* delimiter: pg_type.typdelim of the element, ',' but for box. */
void json_array_write(struct buf *out, struct slice text, char delimiter, value_json_fn *element);

#endif
