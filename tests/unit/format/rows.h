/* Relations, tuples and changes for the tests of this room, in one line each. */
#ifndef UNIT_FORMAT_ROWS_H
#define UNIT_FORMAT_ROWS_H

#include "base/cleanup.h"
#include "change/change.h"

enum { INT4 = 23, INT8 = 20, TEXT = 25, TIMESTAMPTZ = 1184, BOOL = 16 };

#define COLUMN(name_, oid_, identity_)                                                             \
    {                                                                                              \
        .name = SLICE_TEXT(name_), .type_oid = (oid_), .type_modifier = -1,                        \
        .identity = (identity_)                                                                    \
    }
#define T(text)                                                                                    \
    {                                                                                              \
        VALUE_TEXT, SLICE_TEXT(text)                                                               \
    }
#define NULL_VALUE                                                                                 \
    {                                                                                              \
        .kind = VALUE_NULL                                                                         \
    }
#define UNCHANGED                                                                                  \
    {                                                                                              \
        .kind = VALUE_UNCHANGED                                                                    \
    }
#define TUPLE(...)                                                                                 \
    ((struct tuple){ (const struct value[]){ __VA_ARGS__ },                                        \
                     COUNT_OF(((const struct value[]){ __VA_ARGS__ })) })
#define RELATION(identity, ...)                                                                    \
    relation_new(16400, SLICE_TEXT("public"), SLICE_TEXT("users"), identity,                       \
                 (const struct column[]){ __VA_ARGS__ },                                           \
                 COUNT_OF(((const struct column[]){ __VA_ARGS__ })))

CLEANUP_POINTER(struct relation, relation_free)

static inline struct change rows_insert(struct tuple row)
{
    return (struct change){ .kind = CHANGE_INSERT, .as.row.new = row };
}

static inline struct change rows_update(enum old_tuple old_kind, struct tuple old, struct tuple row)
{
    return (struct change){ .kind = CHANGE_UPDATE,
                            .as.row = { .old_kind = old_kind, .old = old, .new = row } };
}

static inline struct change rows_delete(enum old_tuple old_kind, struct tuple old)
{
    return (struct change){ .kind = CHANGE_DELETE, .as.row = { .old_kind = old_kind, .old = old } };
}

#endif
