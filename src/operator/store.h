/* What exists: the Connectors and all that belongs to them, kept in sight by watches, in the given
 * namespaces or in all. Belongs to the thread of the client's loop.
 *
 * A change of anything is told as a change of the Connector whose it is; a Connector that comes,
 * changes or goes also wakes those that name the same slot. What is returned is as it was seen
 * last, less what nobody reads. */
#ifndef OPERATOR_STORE_H
#define OPERATOR_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "kube/kube_client.h"

/* Called from turns of the loop; they must not stop the store. Keys are "namespace/name". */
struct store_callbacks {
    void *self;
    void (*on_changed)(void *self, const char *key);
    /* The Connector does not exist any more; this is what it was. */
    void (*on_gone)(void *self, const char *key, const json_t *connector);
    /* A watch failed; it goes on by itself. */
    void (*on_failed)(void *self, const struct error *err);
    /* A collection was listed: now, perhaps, everything is seen, or seen again. */
    void (*on_listed)(void *self);
};

struct store_options {
    struct kube_client *client;
    const char *const *namespaces; /* borrowed */
    size_t namespace_count;        /* 0 = all */
    struct store_callbacks callbacks;
};

struct store;
struct store *store_start(const struct store_options *options);
void store_stop(struct store *store); /* before the client is freed; NULL allowed */
CLEANUP_POINTER(struct store, store_stop)

/* Everything was listed once, but for namespaces of several whose lists are denied, as those of one
 * that does not exist any more are. */
bool store_is_complete(const struct store *store);
bool store_sees(const struct store *store, const char *key); /* all of its namespace was listed */
/* False: the server said that it has no API of that kind, which is asked again and again. */
bool store_knows(const struct store *store, const char *key, const char *kind);
size_t store_count(const struct store *store); /* Connectors */
/* Every key of a Connector; *cursor begins at 0; NULL at the end. */
const char *store_next(const struct store *store, size_t *cursor);

/* Borrowed until the next turn; NULL = there is none. */
const json_t *store_connector(const struct store *store, const char *key);
const json_t *store_object(const struct store *store, const char *key, const char *kind,
                           const char *name); /* of it or of what belongs to it */
const json_t *store_job(const struct store *store, const char *key);
/* The oldest of the Connectors that name the same slot, when it is another one: of the same
 * namespace, else of the others. */
const json_t *store_twin(const struct store *store, const char *key);
/* Any other that names the same slot as this one, which may be gone itself, and is not being
 * deleted. */
const json_t *store_sharer(const struct store *store, const json_t *connector);
/* New arrays of the objects: json_decref() them. */
json_t *store_children(const struct store *store, const char *key);
json_t *store_pods(const struct store *store, const char *key);

#endif
