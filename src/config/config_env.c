#include "config/config_env.h"

#include <string.h>

static void report_unknown(struct config_layers *layers, const char *name)
{
    char buffer[CONFIG_NAME_SIZE];
    const char *nearest = config_option_nearest_environment(name, buffer);
    if (nearest != NULL)
        config_problems_add(layers->problems, name, "", "no such option; did you mean %s?",
                            nearest);
    else
        config_problems_add(layers->problems, name, "", "no such option");
}

static void add(struct config_layers *layers, struct slice name, const char *value,
                const struct config_source *source)
{
    const struct config_option *option = config_option_find_environment(name);
    const struct config_ignored_option *ignored = config_option_find_ignored_environment(name);
    if (option != NULL)
        config_layer_add(layers, option->path, config_layer_value(layers, option, value, source));
    else if (ignored != NULL)
        config_layer_add(layers, ignored->path, config_layer_yaml(layers, value, source));
    else
        report_unknown(layers, name.data);
}

void config_env_add(struct config_layers *layers, const char *const *environment)
{
    for (; *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals == NULL)
            continue;
        struct slice name = { *environment, (size_t)(equals - *environment) };
        if (!config_option_owns_environment(name))
            continue;
        name = arena_copy(&layers->tree->arena, name);
        const struct config_source *source =
            config_layer_source(layers, CONFIG_SOURCE_ENVIRONMENT, name.data);
        add(layers, name, equals + 1, source);
    }
}
