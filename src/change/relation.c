#include "change/relation.h"

#include <string.h>

#include "base/check.h"
#include "base/memory.h"

/* Names are short; wide tables take a second block. */
enum { RELATION_KEEP_BYTES = 1024 };

static const struct column *copy_columns(struct arena *arena, const struct column *columns,
                                         uint16_t column_count)
{
    struct column *copies = arena_array(arena, column_count, sizeof *copies);
    for (uint16_t i = 0; i < column_count; i++) {
        copies[i] = columns[i];
        copies[i].name = arena_copy(arena, columns[i].name);
    }
    return copies;
}

struct relation *relation_new(uint32_t oid, struct slice schema, struct slice name,
                              enum replica_identity identity, const struct column *columns,
                              uint16_t column_count)
{
    CHECK(schema.size > 0);
    struct relation *relation = memory_alloc(sizeof *relation);
    relation->arena = arena_init(RELATION_KEEP_BYTES);
    relation->oid = oid;
    relation->schema = arena_copy(&relation->arena, schema);
    relation->name = arena_copy(&relation->arena, name);
    relation->identity = identity;
    relation->column_count = column_count;
    if (column_count > 0)
        relation->columns = copy_columns(&relation->arena, columns, column_count);
    return relation;
}

void relation_free(struct relation *relation)
{
    if (relation == NULL)
        return;
    relation_attach(relation, NULL, NULL);
    arena_done(&relation->arena);
    memory_free(relation);
}

void relation_attach(struct relation *relation, void *attachment, void (*release)(void *))
{
    if (relation->attachment_free != NULL)
        relation->attachment_free(relation->attachment);
    relation->attachment = attachment;
    relation->attachment_free = release;
}

const char *relation_identity_name(enum replica_identity identity)
{
    switch (identity) {
    case REPLICA_IDENTITY_DEFAULT:
        return "DEFAULT";
    case REPLICA_IDENTITY_NOTHING:
        return "NOTHING";
    case REPLICA_IDENTITY_FULL:
        return "FULL";
    case REPLICA_IDENTITY_INDEX:
        return "INDEX";
    }
    return "UNKNOWN";
}
