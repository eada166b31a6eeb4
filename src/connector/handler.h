/* Steps 3 and 4: a change becomes 0..n records. A table of handlers: built-in (route, key,
 * encoder), a C callback (pqcdc.h); plug-ins come later. */
#ifndef CONNECTOR_HANDLER_H
#define CONNECTOR_HANDLER_H

#include "base/error.h"
#include "change/change.h"
#include "change/record.h"

/* WAIT: something must be looked up first (a key): the list is as it was; call again with the same
 * arguments. */
enum emit { EMIT_OK, EMIT_WAIT, EMIT_FAILED };

struct handler_ops {
    enum emit (*relation)(void *self, struct relation *relation, struct error *err);
    enum emit (*begin)(void *self, const struct txn *txn, struct record_list *list,
                       struct error *err);
    enum emit (*change)(void *self, const struct txn *txn, const struct change *change,
                        struct record_list *list, struct error *err);
    enum emit (*commit)(void *self, const struct txn *txn, struct record_list *list,
                        struct error *err);
    void (*free)(void *self);
};

struct handler {
    const struct handler_ops *ops;
    void *self;
};

#endif
