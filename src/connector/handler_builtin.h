/* The built-in handler: route, key and encoder. What the ancestor's users wrote as a Go program. */
#ifndef CONNECTOR_HANDLER_BUILTIN_H
#define CONNECTOR_HANDLER_BUILTIN_H

#include "base/check.h"
#include "base/log.h"
#include "connector/handler.h"
#include "connector/status.h"
#include "format/encoder.h"
#include "format/topic_route.h"
#include "kafka/delivery.h"
#include "postgres/watcher.h"

/* The configured key of a table; count 0 = none configured. */
struct handler_builtin_key {
    const char *schema, *table;
    const char *const *columns;
    uint32_t column_count;
};

struct handler_builtin_options {
    const struct encoder_ops *encoder;
    struct encoder_options encoding;
    const struct topic_route *route;        /* not owned, as all below */
    const struct handler_builtin_key *keys; /* copied by reference: must outlive the handler */
    uint32_t key_count;
    struct delivery *delivery;
    struct watcher *watcher;
    struct status *status;
    struct log *log;
    bool decides; /* its records are written; else a handler around it decides, and may ask for them
                   */
};

struct handler handler_builtin_new(const struct handler_builtin_options *options);

/* Routes a relation and attaches its plan, once; self is the built-in handler's. WAIT: the key is
 * being looked up. */
MUST_CHECK enum emit handler_builtin_prepare(void *self, struct relation *relation,
                                             struct error *err);

/* What the built-in handler attaches to a relation; other handlers use it for the default route. */
struct handler_builtin_table {
    struct table_plan *plan;
    struct status_table *status;
    char *topic; /* NULL = skipped */
    void *guest; /* what a handler around this one keeps for the table, freed with it */
    void (*guest_free)(void *guest);
};
/* NULL = not prepared yet. */
const struct handler_builtin_table *handler_builtin_table(const struct relation *relation);
/* Once for a relation that is prepared. */
void handler_builtin_keep(struct relation *relation, void *guest, void (*guest_free)(void *));

#endif
