#include "base/arena.h"

#include <stdint.h>

#include "base/memory.h"

enum { FIRST_BLOCK_BYTES = 1024, LARGEST_DOUBLING_BYTES = 1024 * 1024 };

struct arena_block {
    struct arena_block *older;
    size_t capacity; /* of bytes[] */
    _Alignas(ARENA_ALIGN_BYTES) char bytes[];
};

static size_t aligned(size_t size_bytes)
{
    size_t sum;
    CHECK(!__builtin_add_overflow(size_bytes, ARENA_ALIGN_BYTES - 1, &sum));
    size_t size = sum & ~(size_t)(ARENA_ALIGN_BYTES - 1);
    return size > 0 ? size : ARENA_ALIGN_BYTES;
}

struct arena arena_init(size_t keep_bytes)
{
    return (struct arena){ .keep_bytes = keep_bytes };
}

static void use_block(struct arena *arena, struct arena_block *block)
{
    arena->blocks = block;
    arena->position = block != NULL ? block->bytes : NULL;
    arena->left_bytes = block != NULL ? block->capacity : 0;
}

void arena_done(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *older = block->older;
        memory_free(block);
        block = older;
    }
    use_block(arena, NULL);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *older = block->older;
        if (block->capacity <= arena->keep_bytes &&
            (kept == NULL || block->capacity > kept->capacity)) {
            memory_free(kept);
            kept = block;
            kept->older = NULL;
        } else {
            memory_free(block);
        }
        block = older;
    }
    use_block(arena, kept);
}

void *arena_alloc_block(struct arena *arena, size_t size_bytes)
{
    size_t taken = aligned(size_bytes);
    if (taken > arena->left_bytes) {
        size_t capacity = arena->blocks != NULL ? arena->blocks->capacity : FIRST_BLOCK_BYTES / 2;
        capacity = capacity < LARGEST_DOUBLING_BYTES / 2 ? 2 * capacity : LARGEST_DOUBLING_BYTES;
        if (capacity < taken)
            capacity = taken;
        size_t block_bytes;
        CHECK(!__builtin_add_overflow(sizeof(struct arena_block), capacity, &block_bytes));
        /* Not zeroed: realloc of nothing is malloc. */
        struct arena_block *block = memory_resize(NULL, block_bytes);
        *block = (struct arena_block){ .older = arena->blocks, .capacity = capacity };
        use_block(arena, block);
    }
    char *bytes = arena->position;
    arena->position += taken;
    arena->left_bytes -= taken;
    return bytes;
}

void *arena_array(struct arena *arena, size_t count, size_t item_bytes)
{
    size_t size_bytes;
    CHECK(!__builtin_mul_overflow(count, item_bytes, &size_bytes));
    return arena_alloc(arena, size_bytes);
}

struct slice arena_copy(struct arena *arena, struct slice bytes)
{
    if (bytes.data == NULL)
        return SLICE_NULL;
    size_t with_nul;
    CHECK(!__builtin_add_overflow(bytes.size, 1, &with_nul));
    char *copy = arena_alloc(arena, with_nul);
    memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return (struct slice){ copy, bytes.size };
}

static bool is_newest(const struct arena *arena, const void *pointer, size_t taken)
{
    return arena->blocks != NULL && (uintptr_t)pointer + taken == (uintptr_t)arena->position;
}

void arena_shrink(struct arena *arena, void *pointer, size_t old_bytes, size_t new_bytes)
{
    size_t taken = aligned(old_bytes);
    CHECK(new_bytes <= old_bytes);
    if (!is_newest(arena, pointer, taken))
        return;
    size_t given_back = taken - aligned(new_bytes);
    arena->position -= given_back;
    arena->left_bytes += given_back;
}

bool arena_extend(struct arena *arena, void *pointer, size_t old_bytes, size_t new_bytes)
{
    size_t taken = aligned(old_bytes);
    CHECK(new_bytes >= old_bytes);
    size_t more = aligned(new_bytes) - taken;
    if (!is_newest(arena, pointer, taken) || more > arena->left_bytes)
        return false;
    arena->position += more;
    arena->left_bytes -= more;
    return true;
}

bool arena_holds(const struct arena *arena, const void *bytes)
{
    uintptr_t address = (uintptr_t)bytes;
    for (const struct arena_block *block = arena->blocks; block != NULL; block = block->older) {
        uintptr_t begin = (uintptr_t)block->bytes;
        if (address >= begin && address - begin < block->capacity)
            return true;
    }
    return false;
}

size_t arena_footprint(const struct arena *arena)
{
    size_t total = 0;
    for (const struct arena_block *block = arena->blocks; block != NULL; block = block->older)
        total += sizeof(*block) + block->capacity;
    return total;
}
