/* YAML text to a tree of nodes. Bounded: CONFIG_YAML_MAX_BYTES of text, CONFIG_NODE_DEPTH_MAX
 * levels, CONFIG_NODE_MAX nodes (an alias counts as the copy that it is), CONFIG_YAML_ANCHOR_MAX
 * anchors. A plain ~, null or nothing is a null; every other scalar is kept as text. */
#ifndef CONFIG_CONFIG_YAML_H
#define CONFIG_CONFIG_YAML_H

#include "base/check.h"
#include "config/config_node.h"
#include "config/config_problems.h"

enum { CONFIG_YAML_MAX_BYTES = 1024 * 1024, CONFIG_YAML_ANCHOR_MAX = 256 };

/* *out_root = the one document's node; a null node when the text holds none. False: the problem was
 * added; it names the source and the line. Keys that stand twice in one mapping are problems too,
 * but the first of them is kept and the tree is returned. */
MUST_CHECK bool config_yaml_parse(struct config_tree *tree, struct slice text,
                                  const struct config_source *source,
                                  struct config_problems *problems, struct config_node **out_root);

#endif
