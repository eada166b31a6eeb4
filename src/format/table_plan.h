/* Everything about one version of a table that is worked out once, when its Relation arrives, so
 * that a row needs no look-up: the topic, the key's columns, the columns in JSON order with their
 * names escaped and their value writers chosen. It is what a handler attaches to a relation. */
#ifndef FORMAT_TABLE_PLAN_H
#define FORMAT_TABLE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "change/relation.h"
#include "format/value_json.h"

struct table_plan_column {
    uint16_t index;        /* in the relation */
    struct slice fragment; /* "name": escaped, with the colon */
    value_json_fn *write;
    bool identity;
};

struct table_plan {
    const struct relation *relation;
    uint32_t topic;
    bool routed;                           /* false: no topic, and unmapped tables are skipped */
    struct table_plan_column *key_columns; /* in key order */
    uint16_t key_count;                    /* 0 = null keys */
    struct table_plan_column *columns; /* sorted by name; a column named "operation" is left out */
    uint16_t column_count;
    uint16_t operation_at;       /* before which of `columns` "operation" stands in sorted order */
    struct slice qualified_name; /* schema.table */
    struct arena arena;
};

/* key_names: the columns of the key in order (may be NULL with count 0: null keys). A name that the
 * relation does not have, or that is given twice, is an ERROR_HALT that names table and column
 * ("key_column_missing", "key_column_repeated"). The plan views the relation and must not outlive
 * it; topic and routed are the caller's to fill. A plan that a thread only reads may be shared. */
MUST_CHECK bool table_plan_new(const struct relation *relation, const struct slice *key_names,
                               uint16_t key_count, struct table_plan **out_plan, struct error *err);
void table_plan_free(struct table_plan *plan); /* NULL allowed */
CLEANUP_POINTER(struct table_plan, table_plan_free)

#endif
