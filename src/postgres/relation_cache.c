#include "postgres/relation_cache.h"

#include "base/check.h"

void relation_cache_clear(struct relation_cache *cache)
{
    size_t cursor = 0;
    for (struct relation *relation; (relation = map_next(&cache->by_oid, &cursor)) != NULL;)
        relation_free(relation);
    map_clear(&cache->by_oid);
    cache->last = NULL;
}

void relation_cache_done(struct relation_cache *cache)
{
    relation_cache_clear(cache);
    map_done(&cache->by_oid);
}

void relation_cache_put(struct relation_cache *cache, struct relation *relation)
{
    relation_free(map_put(&cache->by_oid, relation->oid, relation));
    cache->last = relation;
}

struct relation *relation_cache_find(struct relation_cache *cache, uint32_t oid)
{
    if (LIKELY(cache->last != NULL && cache->last->oid == oid))
        return cache->last;
    struct relation *relation = map_get(&cache->by_oid, oid);
    if (relation != NULL)
        cache->last = relation;
    return relation;
}
