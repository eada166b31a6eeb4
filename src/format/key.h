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
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "change/change.h"
#include "change/relation.h"
#include "change/value.h"
#include "format/table_plan.h"

enum { KEY_LIMIT_BYTES = 1024 * 1024 };

/* True: the primary key must be looked up before a plan can be made. */
bool key_needs_primary_key(const struct relation *relation, bool configured);

/* Whether every key column is known from the old tuple of an UPDATE or DELETE. One that is not
 * could change without a word of it (no old tuple is sent then), and the old key's last record
 * would stay: false, ERROR_HALT "key_not_in_identity", at the first such row, so that a table that
 * only ever sees INSERT may have any key. */
MUST_CHECK bool key_in_identity(const struct table_plan *plan, enum old_tuple old_kind,
                                struct error *err);

/* Writes the key of a tuple into an arena and returns it (data NULL = null key). False, ERROR_HALT:
 * an unchanged TOAST value in a key column ("key_unknown"; a key must be known), or a key above
 * KEY_LIMIT_BYTES ("key_too_large"). */
MUST_CHECK bool key_encode(const struct table_plan *plan, const struct tuple *tuple,
                           struct arena *arena, struct slice *out_key, struct error *err);

/* Whether two tuples differ in a key column. The old one must hold every key column (see
 * key_in_identity); a value that is unchanged in the new one does not differ. */
bool key_changed(const struct table_plan *plan, const struct tuple *old_tuple,
                 const struct tuple *new_tuple);

#endif
