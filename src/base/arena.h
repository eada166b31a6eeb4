/* Memory that is released all at once: an arena belongs to one message or one relation.
 *
 * Not thread-safe. Blocks grow by doubling; arena_reset() keeps the first block (at most
 * keep_bytes, so one giant row does not stay) and frees the rest. Alignment is 16 bytes.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t keep_bytes;
};

struct arena arena_init(size_t keep_bytes);
void arena_done(struct arena *arena);
void arena_reset(struct arena *arena);

__attribute__((returns_nonnull)) void *arena_alloc(struct arena *arena, size_t size_bytes);
__attribute__((returns_nonnull)) void *arena_array(struct arena *arena, size_t count,
                                                   size_t item_bytes);
struct slice arena_copy(struct arena *arena, struct slice bytes); /* NUL follows; null stays null */

/* Gives the tail of the newest allocation back: `pointer` was allocated with old_bytes and needs
 * only new_bytes. No effect when something was allocated since. */
void arena_shrink(struct arena *arena, void *pointer, size_t old_bytes, size_t new_bytes);

/* Bytes held from the system. */
size_t arena_footprint(const struct arena *arena);

#endif
