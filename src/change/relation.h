/* A table's shape as a Relation message gave it. A new message always makes a new relation object;
 * the old one is freed by its cache, so nothing may keep a pointer across CHANGE_RELATION. */
#ifndef CHANGE_RELATION_H
#define CHANGE_RELATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

/* pg_class.relreplident */
enum replica_identity {
    REPLICA_IDENTITY_DEFAULT = 'd',
    REPLICA_IDENTITY_NOTHING = 'n',
    REPLICA_IDENTITY_FULL = 'f',
    REPLICA_IDENTITY_INDEX = 'i',
};

struct column {
    struct slice name;
    uint32_t type_oid;
    int32_t type_modifier;
    bool identity; /* part of the replica identity (FULL flags every column) */
};

struct relation {
    uint32_t oid;
    struct slice schema; /* never empty: pg_catalog is written out */
    struct slice name;
    enum replica_identity identity;
    uint16_t column_count;
    const struct column *columns;
    struct arena arena; /* holds the names and the columns */

    /* What a handler attached to this version of the table (its route, its encoding); freed with
     * the relation. */
    void *attachment;
    void (*attachment_free)(void *attachment);
};

/* Copies the texts. columns holds column_count items. */
struct relation *relation_new(uint32_t oid, struct slice schema, struct slice name,
                              enum replica_identity identity, const struct column *columns,
                              uint16_t column_count);
void relation_free(struct relation *relation); /* NULL allowed; frees the attachment */

/* Replaces (and frees) what was attached. */
void relation_attach(struct relation *relation, void *attachment, void (*release)(void *));

const char *relation_identity_name(enum replica_identity identity); /* "DEFAULT", "FULL", ... */

#endif
