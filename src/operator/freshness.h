/* What was written and is not seen yet. A watch tells a write some time after its answer came; who
 * looks in between sees what was before, and writes it once more, or takes it back. So a key rests
 * until what was written to it is seen, or for FRESHNESS_LIMIT_MS, should it never be. One owner.
 */
#ifndef OPERATOR_FRESHNESS_H
#define OPERATOR_FRESHNESS_H

#include <jansson.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "operator/store.h"

enum { FRESHNESS_LIMIT_MS = 2000 };

struct freshness;

struct freshness *freshness_new(void);
void freshness_free(struct freshness *freshness); /* NULL allowed */
CLEANUP_POINTER(struct freshness, freshness_free)

/* written: the objects as the server answered, an array; of them kind, name and resourceVersion are
 * kept, unless the store has no such Connector any more. */
void freshness_note(struct freshness *freshness, const char *key, const struct store *store,
                    const json_t *written, mono_ms_t now);
void freshness_forget(struct freshness *freshness, const char *key);
/* How long the key shall rest still, unless a change of it is told; 0 = everything is seen. */
int64_t freshness_rest_ms(struct freshness *freshness, const char *key, const struct store *store,
                          mono_ms_t now);

#endif
