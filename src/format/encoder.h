/* Step 4: a change becomes 0..n records, their values encoded by a format chosen once by name.
 *
 * Formats are rows of encoders.def: ENCODER(name, ops, doc). An encoder is immutable after new();
 * it writes keys, values and headers into the list's arena. */
#ifndef FORMAT_ENCODER_H
#define FORMAT_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "change/change.h"
#include "change/record.h"
#include "format/table_plan.h"

/* Which headers a record carries; bits in the order of headers.def. */
enum encoder_header {
    ENCODER_HEADER_POS = 1,        /* "<commit_lsn>/<ordinal>", both decimal */
    ENCODER_HEADER_LSN = 2,        /* commit LSN in PostgreSQL's form */
    ENCODER_HEADER_XID = 4,        /* decimal */
    ENCODER_HEADER_COMMIT_TS = 8,  /* RFC 3339 with microseconds, UTC */
    ENCODER_HEADER_TABLE = 16,     /* schema.table */
    ENCODER_HEADER_OPERATION = 32, /* INSERT, UPDATE, DELETE, TRUNCATE */
};

struct encoder_options {
    uint32_t headers;          /* bits of encoder_header */
    bool tombstones;           /* a null value after each delete, for compacted topics */
    bool truncate;             /* one keyless record per truncated table */
    uint64_t max_record_bytes; /* a value above it is ERROR_HALT naming table and LSN */
};

struct encoder_ops {
    const char *name;
    /* Appends the records of INSERT, UPDATE, DELETE or TRUNCATE (one plan per truncated table:
     * called once each with `plan` of that table); other changes and plans that are not routed give
     * none. On an error the list is as it was. */
    bool (*encode)(const struct encoder_options *options, const struct table_plan *plan,
                   const struct txn *txn, const struct change *change, struct record_list *list,
                   struct error *err);
};

const struct encoder_ops *encoder_find(const char *name); /* NULL = unknown */
const char *const *encoder_names(uint32_t *out_count);    /* static, in the order of the table */
MUST_CHECK bool encoder_header_parse(const char *name, uint32_t *out_bit); /* false = unknown */

/* Shared by formats: fills record->headers from the options (encoder_headers.c). Values live in the
 * list's arena, in the plan, or for ever (operation must). */
void encoder_headers_add(uint32_t headers, const struct table_plan *plan, const struct txn *txn,
                         const char *operation, struct record_list *list, struct record *record);

#endif
