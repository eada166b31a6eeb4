#include "config/config_tables.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

enum { PATH_SIZE = 512 };

static void report_unknown(const struct config_reading *reading, const char *path,
                           const struct config_node *node)
{
    const char *where = config_node_where(reading->tree, node);
    const char *nearest =
        config_problems_wanted(reading->problems) ? config_option_nearest_item(path) : NULL;
    if (nearest != NULL)
        config_problems_add(reading->problems, where, path, "no such option; did you mean %s?",
                            strrchr(nearest, '.') + 1);
    else
        config_problems_add(reading->problems, where, path, "no such option");
}

static void report_missing(const struct config_reading *reading, const struct config_node *node,
                           uint32_t index)
{
    uint32_t count;
    const struct config_option *items = config_option_items(&count);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = strrchr(items[i].path, '.') + 1;
        const struct config_node *child = config_node_get(node, slice_of(name));
        if ((items[i].flags & CONFIG_REQUIRED) == 0 ||
            (child != NULL && child->kind != CONFIG_NODE_NULL))
            continue;
        char path[PATH_SIZE];
        snprintf(path, sizeof(path), "cdc.publication.tables[%u].%s", index, name);
        config_problems_add(reading->problems, config_node_where(reading->tree, node), path,
                            "required, but not given");
    }
}

static void read_defaults(const struct config_reading *reading, struct config_table *table)
{
    uint32_t count;
    const struct config_option *items = config_option_items(&count);
    for (uint32_t i = 0; i < count; i++)
        config_value_default(reading->arena, &items[i], table);
}

static void read_table(const struct config_reading *reading, const struct config_node *node,
                       uint32_t index, struct config_table *table)
{
    const char *where = config_node_where(reading->tree, node);
    table->origin = arena_copy(reading->arena, slice_of(where)).data;
    read_defaults(reading, table);
    for (const struct config_node *child = node->first; child != NULL; child = child->next) {
        char path[PATH_SIZE];
        snprintf(path, sizeof(path), "cdc.publication.tables[%u].%.*s", index,
                 SLICE_ARGS(child->key));
        const struct config_option *item = config_option_find_item(child->key);
        const struct config_ignored_option *ignored = config_option_find_ignored_item(child->key);
        if (ignored != NULL)
            config_ignored_add(reading->ignored, reading->arena, ignored, path,
                               config_node_where(reading->tree, child));
        else if (item == NULL)
            report_unknown(reading, path, child);
        else if (child->kind != CONFIG_NODE_NULL)
            config_value_read(reading, item, path, child, table);
    }
    report_missing(reading, node, index);
}

void config_tables_read(const struct config_reading *reading, const struct config_option *option,
                        const struct config_node *node, struct config_tables *out_tables)
{
    if (node->kind == CONFIG_NODE_NULL)
        return;
    if (node->kind != CONFIG_NODE_LIST) {
        config_value_unexpected(reading, option, option->path, node);
        return;
    }
    struct config_table *tables = arena_array(reading->arena, node->count, sizeof(*tables));
    memset(tables, 0, node->count * sizeof(*tables));
    uint32_t count = 0;
    for (const struct config_node *child = node->first; child != NULL; child = child->next) {
        if (child->kind == CONFIG_NODE_MAP)
            read_table(reading, child, count, &tables[count]);
        else
            config_value_unexpected(reading, option, option->path, child);
        count++;
    }
    *out_tables = (struct config_tables){ tables, count };
}
