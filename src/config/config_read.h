/* The merged tree becomes a struct config: each node is read by the option at its path; what no
 * option explains, and what is required and missing, is a problem. */
#ifndef CONFIG_CONFIG_READ_H
#define CONFIG_CONFIG_READ_H

#include "config/config.h"
#include "config/config_node.h"

/* root: a map, or NULL when nothing was given. config: as config_new() made it. */
void config_read_tree(struct config *config, struct config_tree *tree,
                      const struct config_node *root, struct config_problems *problems);

#endif
