#include "config/config_set.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

/* One argument while it is applied. */
struct set {
    struct config_layers *layers;
    const struct config_source *source; /* "--set path" */
    const char *path;
    const char *value;
};

static void complain(const struct set *set, const char *text)
{
    config_problems_add(set->layers->problems, set->source->name, set->path, "%s", text);
}

static void report_unknown(const struct set *set, const char *nearest)
{
    if (nearest != NULL)
        config_problems_add(set->layers->problems, set->source->name, set->path,
                            "no such option; did you mean %s?", nearest);
    else
        complain(set, "no such option");
}

/* Reads "[12]"; returns what follows, or NULL when it is not an index. */
static const char *read_index(const char *text, uint32_t *out_index)
{
    uint32_t index = 0;
    const char *at = text + 1;
    if (*text != '[' || *at < '0' || *at > '9')
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++) {
        index = index * 10 + (uint32_t)(*at - '0');
        if (index >= CONFIG_NODE_MAX)
            return NULL;
    }
    if (*at != ']')
        return NULL;
    *out_index = index;
    return at + 1;
}

static void put_element(const struct set *set, struct config_node *list, uint32_t index,
                        struct config_node *value)
{
    if (value == NULL)
        return;
    if (index > list->count)
        config_problems_add(set->layers->problems, set->source->name, set->path,
                            "the list has %u elements; the next is [%u]", list->count, list->count);
    else if (index == list->count)
        config_node_append(list, value);
    else
        config_node_replace(list, config_node_at(list, index), value);
}

static void put_entry(const struct set *set, struct config_node *map, struct slice key,
                      struct config_node *value)
{
    if (value == NULL)
        return;
    const struct config_node *old = config_node_get(map, key);
    if (old != NULL) {
        config_node_replace(map, old, value);
        return;
    }
    config_node_set_key(set->layers->tree, value, key);
    config_node_append(map, value);
}

static struct config_node *new_node(const struct set *set, enum config_node_kind kind)
{
    struct config_node *node = config_node_new(set->layers->tree, kind, set->source, 1);
    if (node == NULL)
        config_layer_full(set->layers, set->source);
    return node;
}

static struct config_node *text_value(const struct set *set)
{
    return config_layer_text(set->layers, set->value, set->source);
}

/* columns[2]=name of one table. */
static void set_item_element(const struct set *set, struct config_node *table, struct slice name,
                             const char *rest)
{
    uint32_t index;
    const char *end = read_index(rest, &index);
    if (end == NULL || *end != '\0') {
        complain(set, "expected an index such as [0] at the end");
        return;
    }
    struct config_node *list = config_node_get(table, name);
    if (list == NULL || list->kind == CONFIG_NODE_NULL) {
        list = new_node(set, CONFIG_NODE_LIST);
        put_entry(set, table, name, list);
    }
    if (list != NULL && list->kind == CONFIG_NODE_LIST)
        put_element(set, list, index, text_value(set));
    else if (list != NULL)
        complain(set, "is not a list where it is given");
}

/* .name=users, .columns=[a, b], .columns[1]=b of one table; rest begins behind the dot. */
static void set_item(const struct set *set, struct config_node *table, const char *rest)
{
    size_t size = strcspn(rest, "[");
    struct slice name = { rest, size };
    const struct config_option *item = config_option_find_item(name);
    if (item == NULL) {
        report_unknown(
            set, config_option_nearest_item(arena_copy(&set->layers->tree->arena, name).data));
    } else if (rest[size] == '\0') {
        put_entry(set, table, name, config_layer_value(set->layers, item, set->value, set->source));
    } else if (item->kind == CONFIG_LIST) {
        set_item_element(set, table, name, rest + size);
    } else {
        complain(set, "is not a list");
    }
}

static void set_table_option(const struct set *set, struct config_node *list, uint32_t index,
                             const char *rest)
{
    struct config_node *table = config_node_at(list, index);
    if (index >= list->count) {
        table = new_node(set, CONFIG_NODE_MAP);
        put_element(set, list, index, table);
    }
    if (table == NULL || index >= list->count)
        return;
    if (table->kind == CONFIG_NODE_MAP)
        set_item(set, table, rest);
    else
        complain(set, "is not an object where it is given");
}

static void set_element(const struct set *set, const struct config_option *option, const char *rest)
{
    uint32_t index;
    const char *end = read_index(rest, &index);
    bool table_option = option->kind == CONFIG_TABLES && end != NULL && *end == '.';
    if (end == NULL || (*end != '\0' && !table_option)) {
        complain(set, "expected an index such as [0] behind the name of the list");
        return;
    }
    struct config_node *list =
        config_layer_open(set->layers, option, CONFIG_NODE_LIST, set->source);
    if (list == NULL)
        return;
    if (table_option)
        set_table_option(set, list, index, end + 1);
    else if (option->kind == CONFIG_TABLES)
        put_element(set, list, index, config_layer_yaml(set->layers, set->value, set->source));
    else
        put_element(set, list, index, text_value(set));
}

static void set_entry(const struct set *set, const struct config_option *option, const char *key)
{
    struct config_node *map = config_layer_open(set->layers, option, CONFIG_NODE_MAP, set->source);
    if (map != NULL)
        put_entry(set, map, slice_of(key), text_value(set));
}

/* The option whose path begins `path`; *rest = what follows it. */
static const struct config_option *find_option(const char *path, const char **rest)
{
    const struct config_option *exact = config_option_find(slice_of(path));
    *rest = path + strlen(path);
    if (exact != NULL)
        return exact;
    for (const char *at = path; *at != '\0'; at++) {
        if (*at != '.' && *at != '[')
            continue;
        const struct config_option *option =
            config_option_find((struct slice){ path, (size_t)(at - path) });
        if (option != NULL) {
            *rest = at;
            return option;
        }
    }
    return NULL;
}

static void apply(const struct set *set)
{
    const char *rest;
    const struct config_option *option = find_option(set->path, &rest);
    bool takes_yaml = config_option_is_section(slice_of(set->path)) ||
                      config_option_find_ignored(slice_of(set->path)) != NULL;
    if (option == NULL && takes_yaml)
        config_layer_add(set->layers, set->path,
                         config_layer_yaml(set->layers, set->value, set->source));
    else if (option == NULL)
        report_unknown(set, config_option_nearest(set->path));
    else if (*rest == '\0')
        config_layer_add(set->layers, option->path,
                         config_layer_value(set->layers, option, set->value, set->source));
    else if (option->kind == CONFIG_MAP && *rest == '.' && rest[1] != '\0')
        set_entry(set, option, rest + 1);
    else if (*rest == '[' && (option->kind == CONFIG_LIST || option->kind == CONFIG_BITS ||
                              option->kind == CONFIG_TABLES))
        set_element(set, option, rest);
    else
        report_unknown(set, option->path);
}

void config_set_add(struct config_layers *layers, const char *const *sets, uint32_t set_count)
{
    for (uint32_t i = 0; i < set_count; i++) {
        const char *equals = strchr(sets[i], '=');
        if (equals == NULL || equals == sets[i]) {
            config_problems_add(layers->problems, "--set", "", "expected path=value (number %u)",
                                i + 1);
            continue;
        }
        struct slice path =
            arena_copy(&layers->tree->arena, (struct slice){ sets[i], (size_t)(equals - sets[i]) });
        size_t name_size = path.size + sizeof("--set ");
        char *name = arena_alloc(&layers->tree->arena, name_size);
        snprintf(name, name_size, "--set %s", path.data);
        struct set set = {
            .layers = layers,
            .source = config_layer_source(layers, CONFIG_SOURCE_SET, name),
            .path = path.data,
            .value = equals + 1,
        };
        apply(&set);
    }
}
