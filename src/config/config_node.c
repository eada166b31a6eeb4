#include "config/config_node.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

struct config_tree config_node_tree_init(void)
{
    return (struct config_tree){ .arena = arena_init(0) };
}

/* The bytes lie in the tree's arena, which is writable. */
static void wipe(struct slice bytes)
{
    if (bytes.size > 0)
        explicit_bzero((void *)(uintptr_t)bytes.data, bytes.size);
}

void config_node_tree_done(struct config_tree *tree)
{
    for (struct config_node *node = tree->newest; node != NULL; node = node->older)
        wipe(node->text);
    arena_done(&tree->arena);
    tree->newest = NULL;
    tree->node_count = 0;
}

struct config_node *config_node_new(struct config_tree *tree, enum config_node_kind kind,
                                    const struct config_source *source, uint32_t line)
{
    if (tree->node_count >= CONFIG_NODE_MAX)
        return NULL;
    struct config_node *node = arena_alloc(&tree->arena, sizeof(*node));
    *node = (struct config_node){
        .kind = kind,
        .source = source,
        .line = line,
        .key = SLICE_TEXT(""),
        .text = SLICE_TEXT(""),
        .older = tree->newest,
    };
    tree->newest = node;
    tree->node_count++;
    return node;
}

struct config_node *config_node_scalar(struct config_tree *tree, struct slice text,
                                       const struct config_source *source, uint32_t line)
{
    struct config_node *node = config_node_new(tree, CONFIG_NODE_SCALAR, source, line);
    if (node != NULL)
        node->text = arena_copy(&tree->arena, text);
    return node;
}

void config_node_append(struct config_node *parent, struct config_node *child)
{
    CHECK(child->next == NULL);
    if (parent->last != NULL)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

void config_node_set_key(struct config_tree *tree, struct config_node *node, struct slice key)
{
    node->key = arena_copy(&tree->arena, key);
}

uint32_t config_node_height(const struct config_node *node)
{
    uint32_t height = 0;
    for (const struct config_node *child = node->first; child != NULL; child = child->next) {
        uint32_t child_height = config_node_height(child);
        height = child_height > height ? child_height : height;
    }
    return height + 1;
}

struct config_node *config_node_copy(struct config_tree *tree, const struct config_node *node)
{
    struct config_node *copy = config_node_scalar(tree, node->text, node->source, node->line);
    if (copy == NULL)
        return NULL;
    copy->kind = node->kind;
    for (const struct config_node *child = node->first; child != NULL; child = child->next) {
        struct config_node *child_copy = config_node_copy(tree, child);
        if (child_copy == NULL)
            return NULL;
        child_copy->key = child->key;
        config_node_append(copy, child_copy);
    }
    return copy;
}

struct config_node *config_node_get(const struct config_node *map, struct slice key)
{
    for (struct config_node *child = map->first; child != NULL; child = child->next)
        if (slice_equal(child->key, key))
            return child;
    return NULL;
}

struct config_node *config_node_at(const struct config_node *list, uint32_t index)
{
    struct config_node *child = list->first;
    for (uint32_t i = 0; i < index && child != NULL; i++)
        child = child->next;
    return child;
}

void config_node_replace(struct config_node *parent, const struct config_node *child,
                         struct config_node *replacement)
{
    struct config_node **link = &parent->first;
    while (*link != NULL && *link != child)
        link = &(*link)->next;
    CHECK(*link != NULL);
    replacement->key = child->key;
    replacement->next = child->next;
    *link = replacement;
    if (parent->last == child)
        parent->last = replacement;
}

const char *config_node_where(struct config_tree *tree, const struct config_node *node)
{
    const char *name = node->source->name;
    if (node->source->kind != CONFIG_SOURCE_FILE)
        return name;
    size_t size = strlen(name) + 16;
    char *where = arena_alloc(&tree->arena, size);
    snprintf(where, size, "%s:%u", name, node->line);
    return where;
}
