/* The sources laid one over the other: file, then environment, then --set. Sections are merged,
 * options are replaced whole; single entries of lists and mappings only by --set. */
#ifndef CONFIG_CONFIG_LAYER_H
#define CONFIG_CONFIG_LAYER_H

#include "config/config_node.h"
#include "config/config_option.h"
#include "config/config_problems.h"

struct config_layers {
    struct config_tree *tree;
    struct config_problems *problems;
    struct config_node *root; /* a map: everything given so far */
};

/* NULL root = nothing given yet. */
struct config_layers config_layer_init(struct config_tree *tree, struct config_problems *problems);

/* A source in the tree's memory; the name is copied. */
const struct config_source *config_layer_source(struct config_layers *layers,
                                                enum config_source_kind kind, const char *name);

/* The root of a file. */
void config_layer_add_file(struct config_layers *layers, struct config_node *root);

/* A value for an option or a whole section. NULL is ignored. */
void config_layer_add(struct config_layers *layers, const char *path, struct config_node *value);

/* A value from outside a file. Text options are taken as they stand, so that a password needs no
 * quoting, unless the whole is one quoted YAML text; everything else is YAML; nothing at all is a
 * null. NULL = it could not be read, which was added as a problem. */
struct config_node *config_layer_value(struct config_layers *layers,
                                       const struct config_option *option, const char *text,
                                       const struct config_source *source);
/* The same without an option: YAML, or text. */
struct config_node *config_layer_yaml(struct config_layers *layers, const char *text,
                                      const struct config_source *source);
struct config_node *config_layer_text(struct config_layers *layers, const char *text,
                                      const struct config_source *source);

/* The list or map of an option, made when it is not there yet. NULL = it is something else, which
 * was added as a problem. */
struct config_node *config_layer_open(struct config_layers *layers,
                                      const struct config_option *option,
                                      enum config_node_kind kind,
                                      const struct config_source *source);

/* Adds "too many values". */
void config_layer_full(struct config_layers *layers, const struct config_source *source);

#endif
