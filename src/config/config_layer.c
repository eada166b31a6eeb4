#include "config/config_layer.h"

#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "config/config_yaml.h"

struct config_layers config_layer_init(struct config_tree *tree, struct config_problems *problems)
{
    return (struct config_layers){ .tree = tree, .problems = problems };
}

const struct config_source *config_layer_source(struct config_layers *layers,
                                                enum config_source_kind kind, const char *name)
{
    struct config_source *source = arena_alloc(&layers->tree->arena, sizeof(*source));
    *source = (struct config_source){ kind, arena_copy(&layers->tree->arena, slice_of(name)).data };
    return source;
}

void config_layer_full(struct config_layers *layers, const struct config_source *source)
{
    config_problems_add(layers->problems, source->name, "", "too many values");
}

/* The part of a path before the first dot; *rest = what follows, or empty. */
static struct slice first_name(struct slice path, struct slice *rest)
{
    const char *dot = memchr(path.data, '.', path.size);
    size_t size = dot != NULL ? (size_t)(dot - path.data) : path.size;
    *rest = dot != NULL ? (struct slice){ dot + 1, path.size - size - 1 } : SLICE_TEXT("");
    return (struct slice){ path.data, size };
}

static struct config_node *descend(struct config_node *node, struct slice path)
{
    while (node != NULL && path.size > 0) {
        if (node->kind != CONFIG_NODE_MAP)
            return NULL;
        node = config_node_get(node, first_name(path, &path));
    }
    return node;
}

static struct slice join(struct config_tree *tree, struct slice path, struct slice key)
{
    if (path.size == 0)
        return key;
    char *joined = arena_alloc(&tree->arena, path.size + key.size + 2);
    memcpy(joined, path.data, path.size);
    joined[path.size] = '.';
    memcpy(joined + path.size + 1, key.data, key.size);
    joined[path.size + 1 + key.size] = '\0';
    return (struct slice){ joined, path.size + 1 + key.size };
}

/* A section that is about to be replaced because it is none. */
static void report_no_section(struct config_layers *layers, struct slice path,
                              const struct config_node *node)
{
    if (node->kind == CONFIG_NODE_SCALAR || node->kind == CONFIG_NODE_LIST)
        config_problems_add(layers->problems, config_node_where(layers->tree, node), path.data,
                            "expected a mapping of options");
}

/* Recursion ends with the sections of the table. */
static void merge(struct config_layers *layers, struct slice path, struct config_node *below,
                  struct config_node *above)
{
    for (struct config_node *next, *child = above->first; child != NULL; child = next) {
        next = child->next;
        child->next = NULL;
        struct slice child_path = join(layers->tree, path, child->key);
        struct config_node *old = config_node_get(below, child->key);
        bool section = config_option_is_section(child_path);
        if (old == NULL) {
            config_node_append(below, child);
        } else if (section && child->kind == CONFIG_NODE_MAP && old->kind == CONFIG_NODE_MAP) {
            merge(layers, child_path, old, child);
        } else {
            if (section)
                report_no_section(layers, child_path, old);
            config_node_replace(below, old, child);
        }
    }
}

/* Other names of options become the options' own. */
static void rename_aliases(struct config_layers *layers, struct config_node *root)
{
    uint32_t count;
    const struct config_alias *aliases = config_option_aliases(&count);
    for (uint32_t i = 0; i < count; i++) {
        const struct config_option *option = config_option_find(slice_of(aliases[i].target));
        struct slice section = config_option_section(option);
        struct config_node *parent = descend(root, section);
        if (parent == NULL || parent->kind != CONFIG_NODE_MAP)
            continue;
        struct config_node *node =
            config_node_get(parent, slice_of(aliases[i].path + section.size + 1));
        struct slice own_name = slice_of(aliases[i].target + section.size + 1);
        if (node == NULL)
            continue;
        if (config_node_get(parent, own_name) != NULL)
            config_problems_add(layers->problems, config_node_where(layers->tree, node),
                                aliases[i].path, "is another name of %s, which is given as well",
                                aliases[i].target);
        else
            node->key = own_name;
    }
}

static void add_root(struct config_layers *layers, struct config_node *root)
{
    rename_aliases(layers, root);
    if (layers->root == NULL)
        layers->root = root;
    else
        merge(layers, SLICE_TEXT(""), layers->root, root);
}

void config_layer_add_file(struct config_layers *layers, struct config_node *root)
{
    report_no_section(layers, SLICE_TEXT(""), root);
    if (root->kind == CONFIG_NODE_MAP)
        add_root(layers, root);
}

void config_layer_add(struct config_layers *layers, const char *path, struct config_node *value)
{
    struct slice rest = slice_of(path);
    while (value != NULL && rest.size > 0) {
        const char *dot = memrchr(rest.data, '.', rest.size);
        size_t parent_size = dot != NULL ? (size_t)(dot - rest.data) : 0;
        size_t skipped = dot != NULL ? parent_size + 1 : 0;
        struct config_node *parent =
            config_node_new(layers->tree, CONFIG_NODE_MAP, value->source, value->line);
        if (parent == NULL) {
            config_layer_full(layers, value->source);
            return;
        }
        config_node_set_key(layers->tree, value,
                            (struct slice){ rest.data + skipped, rest.size - skipped });
        config_node_append(parent, value);
        value = parent;
        rest.size = parent_size;
    }
    if (value != NULL)
        add_root(layers, value);
}

struct config_node *config_layer_yaml(struct config_layers *layers, const char *text,
                                      const struct config_source *source)
{
    struct config_node *node = NULL;
    if (!config_yaml_parse(layers->tree, slice_of(text), source, layers->problems, &node))
        return NULL;
    return node;
}

static bool is_quoted(struct slice text)
{
    return text.size >= 2 && (text.data[0] == '"' || text.data[0] == '\'') &&
           text.data[text.size - 1] == text.data[0];
}

struct config_node *config_layer_text(struct config_layers *layers, const char *text,
                                      const struct config_source *source)
{
    struct slice bytes = slice_of(text);
    if (is_quoted(bytes)) {
        AUTO(struct config_problems, config_problems_done) ignored = CONFIG_PROBLEMS_INIT;
        struct config_node *node;
        if (config_yaml_parse(layers->tree, bytes, source, &ignored, &node) &&
            node->kind == CONFIG_NODE_SCALAR)
            return node;
    }
    struct config_node *node = config_node_scalar(layers->tree, bytes, source, 1);
    if (node == NULL)
        config_layer_full(layers, source);
    return node;
}

struct config_node *config_layer_value(struct config_layers *layers,
                                       const struct config_option *option, const char *text,
                                       const struct config_source *source)
{
    return option->kind == CONFIG_TEXT && *text != '\0' ? config_layer_text(layers, text, source)
                                                        : config_layer_yaml(layers, text, source);
}

struct config_node *config_layer_open(struct config_layers *layers,
                                      const struct config_option *option,
                                      enum config_node_kind kind,
                                      const struct config_source *source)
{
    struct config_node *node = descend(layers->root, slice_of(option->path));
    if (node == NULL || node->kind == CONFIG_NODE_NULL) {
        node = config_node_new(layers->tree, kind, source, 1);
        if (node == NULL)
            config_layer_full(layers, source);
        config_layer_add(layers, option->path, node);
        return node;
    }
    if (node->kind != kind) {
        config_problems_add(layers->problems, source->name, option->path,
                            "has no single entries where it is given (%s)",
                            config_node_where(layers->tree, node));
        return NULL;
    }
    node->source = source;
    return node;
}
