/* Memory that is released all at once: an arena belongs to one message or one relation.
 *
 * Not thread-safe. Blocks grow by doubling; arena_reset() keeps the largest block of at most
 * keep_bytes (so one giant row does not stay) and frees the rest. Alignment is 16 bytes. What is
 * handed out is not zeroed.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    char *position;             /* where the newest block goes on */
    size_t left_bytes;          /* in the newest block; a multiple of ARENA_ALIGN_BYTES */
    size_t keep_bytes;
};

enum { ARENA_ALIGN_BYTES = 16 };

struct arena arena_init(size_t keep_bytes);
void arena_done(struct arena *arena);
void arena_reset(struct arena *arena);

/* From a new block. For arena_alloc() only. */
__attribute__((returns_nonnull)) void *arena_alloc_block(struct arena *arena, size_t size_bytes);

static inline __attribute__((returns_nonnull)) void *arena_alloc(struct arena *arena,
                                                                 size_t size_bytes)
{
    /* Size 0 wraps around and takes the slow path, so that the result is never NULL. */
    if (UNLIKELY(size_bytes - 1 >= arena->left_bytes))
        return arena_alloc_block(arena, size_bytes);
    size_t taken = (size_bytes + ARENA_ALIGN_BYTES - 1) & ~(size_t)(ARENA_ALIGN_BYTES - 1);
    char *bytes = arena->position;
    arena->position += taken;
    arena->left_bytes -= taken;
    return bytes;
}

__attribute__((returns_nonnull)) void *arena_array(struct arena *arena, size_t count,
                                                   size_t item_bytes);
struct slice arena_copy(struct arena *arena, struct slice bytes); /* NUL follows; null stays null */

/* Gives the tail of the newest allocation back: `pointer` was allocated with old_bytes and needs
 * only new_bytes. No effect when something was allocated since. */
void arena_shrink(struct arena *arena, void *pointer, size_t old_bytes, size_t new_bytes);

/* Makes the newest allocation larger where it stands; false = not the newest, or no room. */
bool arena_extend(struct arena *arena, void *pointer, size_t old_bytes, size_t new_bytes);

/* Whether those bytes are the arena's own. */
bool arena_holds(const struct arena *arena, const void *bytes);

/* Bytes held from the system. */
size_t arena_footprint(const struct arena *arena);

#endif
