/* Relations of one stream by OID. A Relation message always replaces the cached one. */
#ifndef POSTGRES_RELATION_CACHE_H
#define POSTGRES_RELATION_CACHE_H

#include <stdint.h>

#include "base/map.h"
#include "change/relation.h"

struct relation_cache {
    struct map by_oid;
    struct relation *last; /* of the last hit: rows of one table come in runs */
};

#define RELATION_CACHE_INIT ((struct relation_cache){ MAP_INIT, NULL })

void relation_cache_done(struct relation_cache *cache);
void relation_cache_clear(struct relation_cache *cache);
void relation_cache_put(struct relation_cache *cache, struct relation *relation); /* takes it */
struct relation *relation_cache_find(struct relation_cache *cache,
                                     uint32_t oid); /* NULL = unknown */

#endif
