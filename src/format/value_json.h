/* PostgreSQL's text of a value -> JSON, by type OID, through one table (value_json.def).
 *
 * The mapping is that of the ancestor where that is sane JSON (bool, ints, floats, numeric with its
 * digits kept, text, timestamps as RFC 3339, date as midnight UTC, bytea as base64, arrays nested,
 * json copied verbatim); docs/formats.md lists every difference. An unknown type is text. Text that
 * does not fit its type's grammar is written as a JSON string: never lost, never invalid JSON. */
#ifndef FORMAT_VALUE_JSON_H
#define FORMAT_VALUE_JSON_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

typedef void value_json_fn(struct buf *out, struct slice text);

value_json_fn *value_json_for(uint32_t type_oid);    /* never NULL; looked up once per relation */
const char *value_json_type_name(uint32_t type_oid); /* NULL = not in the table */

#endif
