/* A row as a JSON object with members of a handler's own, as the flat format writes rows: members
 * in the order of their names' bytes, values that were not sent left out. */
#ifndef FORMAT_ROW_JSON_H
#define FORMAT_ROW_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "change/relation.h"
#include "change/value.h"

/* What is worked out once for a version of a table. */
struct row_json;

/* Views the relation and must not outlive it. Rows may be written by several threads. */
struct row_json *row_json_new(const struct relation *relation);
void row_json_free(struct row_json *json); /* NULL allowed */
CLEANUP_POINTER(struct row_json, row_json_free)

enum { ROW_JSON_MEMBERS_MAX = 64 };

struct row_json_member {
    struct slice name;
    struct slice text; /* data NULL = null */
    bool is_json;      /* the text as it stands; else the content of a string */
};

/* row: as wide as the relation, in text form; identity_only: its other columns mean nothing. Of
 * members of one name the last counts, and it takes the place of a column of that name. At most
 * ROW_JSON_MEMBERS_MAX members (CHECKed). */
void row_json_write(const struct row_json *json, const struct tuple *row, bool identity_only,
                    const struct row_json_member *members, size_t member_count, struct buf *out);

/* Enough bytes when nothing has to be escaped. */
size_t row_json_hint(const struct row_json *json, const struct tuple *row,
                     const struct row_json_member *members, size_t member_count);

#endif
