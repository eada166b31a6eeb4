/* Which columns make a record's key, and the key's bytes.
 *
 * Columns: the configured keyColumns; else, with replica identity DEFAULT or INDEX, the flagged
 * ones; else (FULL, NOTHING: FULL flags every column) the primary key, which must be asked of the
 * database. Bytes: one column: its text, as the ancestor's strconv.Itoa(id); several: a compact
 * JSON object in key order, values as in the flat format. No columns, or a null in a one-column
 * key: a null key. */
#ifndef FORMAT_KEY_H
#define FORMAT_KEY_H

#include <stdbool.h>

#include "base/buf.h"
#include "change/relation.h"
#include "change/value.h"
#include "format/table_plan.h"

/* True: the primary key must be looked up before a plan can be made. */
bool key_needs_primary_key(const struct relation *relation, bool configured);

/* Writes the key of a tuple into an arena and returns it (data NULL = null key). An unchanged TOAST
 * value in a key column is an error: false, ERROR_HALT (a key must be known). */
MUST_CHECK bool key_encode(const struct table_plan *plan, const struct tuple *tuple,
                           struct arena *arena, struct slice *out_key, struct error *err);

/* Whether two tuples differ in a key column (old may be key-only). */
bool key_changed(const struct table_plan *plan, const struct tuple *old_tuple,
                 const struct tuple *new_tuple);

#endif
