#include "table.h"

#include <string.h>

#include "base/memory.h"

enum { FIRST_SIZE = 1 << 16 }; /* a power of two, as all that follow */

struct table table_init(void)
{
    return (struct table){
        .keys = memory_alloc(FIRST_SIZE * sizeof(uint64_t)),
        .values = memory_alloc(FIRST_SIZE),
        .size = FIRST_SIZE,
    };
}

void table_done(struct table *table)
{
    memory_free(table->keys);
    memory_free(table->values);
}

static uint64_t mix(uint64_t hash)
{
    hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
    hash = (hash ^ hash >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return hash ^ hash >> 32;
}

uint64_t table_hash(const void *bytes, size_t size)
{
    const char *at = bytes;
    uint64_t hash = size;
    for (; size >= sizeof(uint64_t); at += sizeof(uint64_t), size -= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        hash = mix(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
    }
    uint64_t last = 0;
    memcpy(&last, at, size);
    hash = mix(hash ^ last);
    return hash != 0 ? hash : 1;
}

static size_t find(const struct table *table, uint64_t key)
{
    size_t at = key & (table->size - 1);
    while (table->keys[at] != 0 && table->keys[at] != key)
        at = (at + 1) & (table->size - 1);
    return at;
}

uint8_t table_get(const struct table *table, uint64_t key)
{
    size_t at = find(table, key);
    return table->keys[at] == key ? table->values[at] : 0;
}

static void grow(struct table *table)
{
    struct table larger = {
        .keys = memory_alloc(2 * table->size * sizeof(uint64_t)),
        .values = memory_alloc(2 * table->size),
        .size = 2 * table->size,
    };
    for (size_t i = 0; i < table->size; i++) {
        if (table->keys[i] != 0)
            table_put(&larger, table->keys[i], table->values[i]);
    }
    table_done(table);
    *table = larger;
}

void table_put(struct table *table, uint64_t key, uint8_t value)
{
    if (2 * table->count >= table->size)
        grow(table);
    size_t at = find(table, key);
    if (table->keys[at] == 0)
        table->count++;
    table->keys[at] = key;
    table->values[at] = value;
}
