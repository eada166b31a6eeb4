#include "base/map.h"

#include "base/check.h"
#include "base/memory.h"

enum { FIRST_CAPACITY = 16 };

/* Keys such as OIDs are dense; the multiplication spreads them over the upper bits. */
static size_t home_of(const struct map *map, uint64_t key)
{
    uint64_t mixed = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(mixed >> 32) & (map->capacity - 1);
}

static size_t after(const struct map *map, size_t at)
{
    return (at + 1) & (map->capacity - 1);
}

/* Where the key is, or the free place where it belongs. */
static size_t find(const struct map *map, uint64_t key)
{
    size_t at = home_of(map, key);
    while (map->entries[at].value != NULL && map->entries[at].key != key)
        at = after(map, at);
    return at;
}

void map_done(struct map *map)
{
    memory_free(map->entries);
    *map = MAP_INIT;
}

void map_clear(struct map *map)
{
    for (size_t i = 0; i < map->capacity; i++)
        map->entries[i] = (struct map_entry){ 0 };
    map->count = 0;
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->capacity == 0 ? NULL : map->entries[find(map, key)].value;
}

static void grow(struct map *map)
{
    size_t capacity = map->capacity == 0 ? FIRST_CAPACITY : 2 * map->capacity;
    struct map larger = { memory_array(capacity, sizeof(struct map_entry)), capacity, map->count };
    for (size_t i = 0; i < map->capacity; i++) {
        struct map_entry entry = map->entries[i];
        if (entry.value != NULL)
            larger.entries[find(&larger, entry.key)] = entry;
    }
    memory_free(map->entries);
    *map = larger;
}

void *map_put(struct map *map, uint64_t key, void *value)
{
    CHECK(value != NULL);
    /* At most half full, so that probing stays short and always meets a free place. */
    if (map->count >= map->capacity / 2)
        grow(map);
    struct map_entry *entry = &map->entries[find(map, key)];
    void *replaced = entry->value;
    *entry = (struct map_entry){ key, value };
    if (replaced == NULL)
        map->count++;
    return replaced;
}

void *map_remove(struct map *map, uint64_t key)
{
    if (map->capacity == 0)
        return NULL;
    size_t gap = find(map, key);
    void *removed = map->entries[gap].value;
    if (removed == NULL)
        return NULL;
    /* Entries behind the gap move up, unless that would put them before their home. */
    for (size_t at = after(map, gap); map->entries[at].value != NULL; at = after(map, at)) {
        size_t from_home = (at - home_of(map, map->entries[at].key)) & (map->capacity - 1);
        size_t from_gap = (at - gap) & (map->capacity - 1);
        if (from_home >= from_gap) {
            map->entries[gap] = map->entries[at];
            gap = at;
        }
    }
    map->entries[gap] = (struct map_entry){ 0 };
    map->count--;
    return removed;
}

void *map_next(const struct map *map, size_t *cursor)
{
    while (*cursor < map->capacity) {
        void *value = map->entries[(*cursor)++].value;
        if (value != NULL)
            return value;
    }
    return NULL;
}

uint64_t map_hash(struct slice text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.size; i++) {
        hash ^= (unsigned char)text.data[i];
        hash *= UINT64_C(0x100000001b3);
    }
    return hash;
}
