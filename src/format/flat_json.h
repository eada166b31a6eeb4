/* The format `flat`: the row as one JSON object with sorted keys and its `operation`, written
 * straight into the record's bytes. docs/formats.md describes it.
 *
 * INSERT and UPDATE carry the new row. An unchanged TOAST value is taken from the old tuple where
 * that holds it (FULL, or a column of the identity), else the column is absent. A changed key gives
 * a delete of the old key and an insert of the new one. DELETE carries what the old tuple holds. */
#ifndef FORMAT_FLAT_JSON_H
#define FORMAT_FLAT_JSON_H

#include "format/encoder.h"

extern const struct encoder_ops flat_json_ops;

#endif
