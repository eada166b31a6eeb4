/* The tree that the sources make together: what was written, and where, before it is understood.
 *
 * A tree owns its nodes; all are released (and their texts wiped) with it. Its size is bounded, so
 * that neither a large input nor an alias of aliases can grow it. Not thread-safe. */
#ifndef CONFIG_CONFIG_NODE_H
#define CONFIG_CONFIG_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"

enum { CONFIG_NODE_MAX = 100000, CONFIG_NODE_DEPTH_MAX = 32 };

enum config_node_kind { CONFIG_NODE_NULL, CONFIG_NODE_SCALAR, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

enum config_source_kind { CONFIG_SOURCE_FILE, CONFIG_SOURCE_ENVIRONMENT, CONFIG_SOURCE_SET };

struct config_source {
    enum config_source_kind kind;
    const char *name; /* the file, the variable, "--set path": outlives the tree */
};

struct config_node {
    enum config_node_kind kind;
    const struct config_source *source; /* outlives the tree */
    uint32_t line;                      /* in a file, from 1 */
    struct slice key;                   /* in a map; NUL follows */
    struct slice text;                  /* of a scalar; NUL follows; may hold NULs as well */
    struct config_node *first, *last;   /* of a list or map, in order */
    struct config_node *next;           /* the sibling */
    uint32_t count;                     /* of a list or map */
    struct config_node *older;          /* every node of the tree, newest first */
};

struct config_tree {
    struct arena arena;
    struct config_node *newest;
    uint32_t node_count;
};

struct config_tree config_node_tree_init(void);
void config_node_tree_done(struct config_tree *tree);

/* NULL = the tree has CONFIG_NODE_MAX nodes. */
struct config_node *config_node_new(struct config_tree *tree, enum config_node_kind kind,
                                    const struct config_source *source, uint32_t line);
/* `text` is copied; likewise the key below. */
struct config_node *config_node_scalar(struct config_tree *tree, struct slice text,
                                       const struct config_source *source, uint32_t line);
/* Levels of nodes, 1 for a scalar. Where trees are made it is kept within CONFIG_NODE_DEPTH_MAX. */
uint32_t config_node_height(const struct config_node *node);
/* A deep copy; NULL = it would be too large. */
struct config_node *config_node_copy(struct config_tree *tree, const struct config_node *node);

void config_node_append(struct config_node *parent, struct config_node *child);
void config_node_set_key(struct config_tree *tree, struct config_node *node, struct slice key);

/* The child with this key, or at this index; NULL = none. */
struct config_node *config_node_get(const struct config_node *map, struct slice key);
struct config_node *config_node_at(const struct config_node *list, uint32_t index);

/* Puts `replacement` where `child` (which must be there) stands; it gets the key of `child`. */
void config_node_replace(struct config_node *parent, const struct config_node *child,
                         struct config_node *replacement);

/* "pqcdc.yaml:12", "PQCDC_CDC_HOST", "--set cdc.host", in the tree's memory. */
const char *config_node_where(struct config_tree *tree, const struct config_node *node);

#endif
