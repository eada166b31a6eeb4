#include "config/config_read.h"

#include <string.h>

#include "base/check.h"
#include "config/config_private.h"
#include "config/config_tables.h"
#include "config/config_value.h"

struct read {
    struct config_reading reading;
    struct config *config;
    bool seen[CONFIG_OPTION_COUNT];
};

enum { PATH_SIZE = 512 };

/* "cdc" and "host" as "cdc.host"; what does not fit is cut. */
static void join(char path[PATH_SIZE], const char *section, struct slice key)
{
    struct buf text = buf_init(PATH_SIZE);
    buf_append_format(&text, "%s%s", section, *section != '\0' ? "." : "");
    size_t room = PATH_SIZE - 1 - text.size;
    buf_append(&text, key.data, key.size < room ? key.size : room);
    memcpy(path, buf_text(&text), text.size + 1);
    buf_done(&text);
}

static void report_unknown(struct read *read, const char *path, const struct config_node *node)
{
    struct config_problems *problems = read->reading.problems;
    const char *where = config_node_where(read->reading.tree, node);
    const char *nearest = config_problems_wanted(problems) ? config_option_nearest(path) : NULL;
    if (memchr(node->key.data, '.', node->key.size) != NULL && nearest != NULL)
        config_problems_add(problems, where, path,
                            "no such option; %s is written as nested mappings", nearest);
    else if (nearest != NULL)
        config_problems_add(problems, where, path, "no such option; did you mean %s?", nearest);
    else
        config_problems_add(problems, where, path, "no such option");
}

static void read_option(struct read *read, const struct config_option *option, const char *path,
                        const struct config_node *node)
{
    uint32_t index = config_option_index(option);
    read->seen[index] = node->kind != CONFIG_NODE_NULL;
    if (read->seen[index]) {
        struct arena *arena = &read->config->private->arena;
        const char *where = config_node_where(read->reading.tree, node);
        read->config->private->given[index] = (struct config_given){
            arena_copy(arena, slice_of(where)).data,
            node->source->kind,
        };
    }
    if (option->kind == CONFIG_TABLES)
        config_tables_read(&read->reading, option, node, &read->config->cdc_publication_tables);
    else if (read->seen[index])
        config_value_read(&read->reading, option, path, node, read->config);
}

/* Whatever was given: it has no effect. */
static bool skip_ignored(struct read *read, const char *path, const struct config_node *node)
{
    const struct config_ignored_option *ignored = config_option_find_ignored(slice_of(path));
    if (ignored != NULL)
        config_ignored_add(read->reading.ignored, read->reading.arena, ignored, path,
                           config_node_where(read->reading.tree, node));
    return ignored != NULL;
}

/* Recursion ends with the sections of the table. */
static void read_section(struct read *read, const char *section, const struct config_node *map)
{
    for (const struct config_node *child = map->first; child != NULL; child = child->next) {
        char path[PATH_SIZE];
        join(path, section, child->key);
        bool dotted = memchr(child->key.data, '.', child->key.size) != NULL;
        const struct config_option *option = dotted ? NULL : config_option_find(slice_of(path));
        if (option != NULL)
            read_option(read, option, path, child);
        else if (!dotted && skip_ignored(read, path, child))
            continue;
        else if (dotted || child->key.size == 0 || !config_option_is_section(slice_of(path)))
            report_unknown(read, path, child);
        else if (child->kind == CONFIG_NODE_MAP)
            read_section(read, path, child);
        else if (child->kind != CONFIG_NODE_NULL)
            config_problems_add(read->reading.problems,
                                config_node_where(read->reading.tree, child), path,
                                "expected a mapping of options");
    }
}

static void report_missing(struct read *read)
{
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++) {
        if ((options[i].flags & CONFIG_REQUIRED) == 0 || read->seen[i])
            continue;
        char name[CONFIG_NAME_SIZE];
        config_option_environment(options[i].path, name);
        config_problems_add(read->reading.problems, "", options[i].path,
                            "required, but not given: set it in the file, by %s, or by --set "
                            "%s=...",
                            name, options[i].path);
    }
}

void config_read_tree(struct config *config, struct config_tree *tree,
                      const struct config_node *root, struct config_problems *problems)
{
    struct read read = {
        .reading = { tree, &config->private->arena, problems, &config->private->ignored },
        .config = config,
    };
    if (root != NULL)
        read_section(&read, "", root);
    report_missing(&read);
}
