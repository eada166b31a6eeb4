/* What was written becomes a value: a node is read by an option's kind into its field. */
#ifndef CONFIG_CONFIG_VALUE_H
#define CONFIG_CONFIG_VALUE_H

#include "base/arena.h"
#include "config/config_ignored.h"
#include "config/config_node.h"
#include "config/config_option.h"
#include "config/config_problems.h"

struct config_reading {
    struct config_tree *tree;            /* of the nodes */
    struct arena *arena;                 /* of the values */
    struct config_problems *problems;    /* gains what is wrong */
    struct config_ignored_list *ignored; /* gains what has no effect */
};

/* Sets the field of `object` (struct config, or struct config_table for an item) from a node. A
 * null and an empty text leave the default, which is there already. On a problem the field stays as
 * it was. Not for CONFIG_TABLES. `path` is for messages: with an index where the option has none.
 */
void config_value_read(const struct config_reading *reading, const struct config_option *option,
                       const char *path, const struct config_node *node, void *object);

/* Sets the field from the option's default. */
void config_value_default(struct arena *arena, const struct config_option *option, void *object);

/* Adds "expected ..., got ...", with the value unless it is a secret. */
void config_value_unexpected(const struct config_reading *reading,
                             const struct config_option *option, const char *path,
                             const struct config_node *node);

#endif
