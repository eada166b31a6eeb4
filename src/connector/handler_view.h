/* A table as the public header shows it, worked out once for each version of it: names, where a
 * column stands by its name, how a row is written as JSON. Implements include/pqcdc/pqcdc.h. */
#ifndef CONNECTOR_HANDLER_VIEW_H
#define CONNECTOR_HANDLER_VIEW_H

#include "base/arena.h"
#include "change/change.h"
#include "format/row_json.h"
#include "pqcdc/pqcdc.h"

struct handler_view {
    struct pqcdc_table table; /* first: found again from it */
    struct row_json *json;
    uint16_t *slots; /* open addressing by hash of the name: position + 1, 0 = free */
    uint32_t slot_mask;
    struct arena arena;
};

/* Views the relation and must not outlive it. */
struct handler_view *handler_view_new(const struct relation *relation, uint64_t serial);
void handler_view_free(void *view);

/* Any thread. -1 = there is no such column. */
int handler_view_column(const struct pqcdc_table *table, struct slice name);

/* The values as the public header has them, in the arena; identity_only: the others are absent. */
const struct pqcdc_value *handler_view_values(const struct relation *relation,
                                              const struct tuple *row, bool identity_only,
                                              struct arena *arena);

#endif
