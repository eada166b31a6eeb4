/* A hash map from a 64-bit key to a pointer (open addressing, linear probing). The map owns no
 * values. Texts are looked up by map_hash() with the caller comparing the full text; a collision is
 * then the caller's next step, so use it where a relation arrives, not per row. Not thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct map_entry {
    uint64_t key;
    void *value; /* NULL = free */
};

struct map {
    struct map_entry *entries;
    size_t capacity; /* 0 or a power of two */
    size_t count;
};

#define MAP_INIT ((struct map){ NULL, 0, 0 })

void map_done(struct map *map);
void map_clear(struct map *map);
void *map_get(const struct map *map, uint64_t key); /* NULL = absent */
void *map_put(struct map *map, uint64_t key,
              void *value);                      /* value != NULL; returns the replaced one */
void *map_remove(struct map *map, uint64_t key); /* returns what was removed */
/* *cursor starts at 0; returns the next value or NULL at the end. */
void *map_next(const struct map *map, size_t *cursor);
uint64_t map_hash(struct slice text); /* FNV-1a, 64 bits */

#endif
