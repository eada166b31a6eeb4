/* What the tests of this room share: a writer's output as text, and jansson as the judge of it. */
#ifndef UNIT_FORMAT_ORACLE_H
#define UNIT_FORMAT_ORACLE_H

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "format/value_json.h"

enum { ORACLE_LIMIT_BYTES = 16 * 1024 * 1024 };

static inline struct buf oracle_write(value_json_fn *write, struct slice text)
{
    struct buf out = buf_init(ORACLE_LIMIT_BYTES);
    write(&out, text);
    return out;
}

/* NULL = jansson refuses it, *out_code says why. Integers of any size are taken as reals. */
static inline json_t *oracle_parse(struct slice json, enum json_error_code *out_code)
{
    json_error_t error;
    memset(&error, 0, sizeof(error));
    json_t *value = json_loadb(json.data, json.size,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    *out_code = value == NULL ? json_error_code(&error) : json_error_unknown;
    return value;
}

/* Valid JSON: jansson reads it, or refuses only a number that no double can hold. */
static inline bool oracle_accepts(struct slice json)
{
    enum json_error_code code;
    json_t *value = oracle_parse(json, &code);
    bool accepted = value != NULL || code == json_error_numeric_overflow;
    json_decref(value);
    return accepted;
}

/* The same for a value of a type. Documents are copied verbatim, so they may hold escapes that the
 * grammar allows and jansson does not: half a surrogate, NUL in a name. */
static inline bool oracle_accepts_of(uint32_t oid, struct slice json)
{
    bool document = oid == 114 || oid == 199 || oid == 3802 || oid == 3807;
    return oracle_accepts(json) || (document && memmem(json.data, json.size, "\\u", 2) != NULL);
}

static inline bool oracle_is_string(struct slice json, struct slice expected)
{
    enum json_error_code code;
    json_t *value = oracle_parse(json, &code);
    bool same = json_is_string(value) && json_string_length(value) == expected.size &&
                memcmp(json_string_value(value), expected.data, expected.size) == 0;
    json_decref(value);
    return same;
}

#endif
