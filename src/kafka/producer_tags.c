#include "kafka/producer_tags.h"

#include "base/memory.h"

enum { BLOCK_TAGS = 1024 };

struct producer_tag_block {
    struct producer_tag_block *older;
    struct producer_tag tags[BLOCK_TAGS];
};

static void add_block(struct producer_tags *tags)
{
    struct producer_tag_block *block = memory_alloc(sizeof(*block));
    block->older = tags->blocks;
    tags->blocks = block;
    for (size_t i = 0; i < BLOCK_TAGS; i++)
        producer_tags_give(tags, &block->tags[i]);
}

struct producer_tag *producer_tags_take(struct producer_tags *tags)
{
    if (tags->free == NULL)
        add_block(tags);
    struct producer_tag *tag = tags->free;
    tags->free = tag->next;
    return tag;
}

void producer_tags_give(struct producer_tags *tags, struct producer_tag *tag)
{
    tag->next = tags->free;
    tags->free = tag;
}

void producer_tags_done(struct producer_tags *tags)
{
    while (tags->blocks != NULL) {
        struct producer_tag_block *older = tags->blocks->older;
        memory_free(tags->blocks);
        tags->blocks = older;
    }
    tags->free = NULL;
}
