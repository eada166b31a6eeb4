#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "config/config_check.h"
#include "config/config_env.h"
#include "config/config_layer.h"
#include "config/config_private.h"
#include "config/config_read.h"
#include "config/config_set.h"
#include "config/config_value.h"
#include "config/config_yaml.h"

struct config *config_new(void)
{
    struct config *config = memory_alloc(sizeof(*config));
    config->private = memory_alloc(sizeof(*config->private));
    config->private->arena = arena_init(0);
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++)
        config_value_default(&config->private->arena, &options[i], config);
    return config;
}

static void wipe(char *text)
{
    if (text != NULL)
        explicit_bzero(text, strlen(text));
}

static void wipe_secrets(struct config *config)
{
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++) {
        void *field = (char *)config + options[i].offset;
        if ((options[i].flags & CONFIG_SECRET) != 0)
            wipe(*(char **)field);
        if ((options[i].flags & CONFIG_SECRET_NAMES) == 0)
            continue;
        const struct config_map *map = field;
        for (uint32_t pair = 0; pair < map->count; pair++)
            wipe(map->pairs[pair].value);
    }
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    wipe_secrets(config);
    arena_done(&config->private->arena);
    memory_free(config->private);
    memory_free(config);
}

static const struct config_given *given(const struct config *config, const char *path)
{
    const struct config_option *option = config_option_find(slice_of(path));
    CHECK(option != NULL);
    return &config->private->given[config_option_index(option)];
}

const char *config_origin(const struct config *config, const char *path)
{
    const struct config_given *found = given(config, path);
    if (found->where == NULL)
        return NULL;
    switch (found->kind) {
    case CONFIG_SOURCE_FILE:
        return found->where;
    case CONFIG_SOURCE_ENVIRONMENT:
        return "environment";
    case CONFIG_SOURCE_SET:
        return "--set";
    }
    return NULL;
}

const char *config_where(const struct config *config, const char *path)
{
    return given(config, path)->where;
}

const struct config_ignored *config_ignored_all(const struct config *config, uint32_t *out_count)
{
    *out_count = config->private->ignored.count;
    return config->private->ignored.items;
}

/* The file's text becomes the lowest layer. */
static bool add_text(struct config_layers *layers, const char *name, struct slice text)
{
    const struct config_source *source = config_layer_source(layers, CONFIG_SOURCE_FILE, name);
    struct config_node *root;
    if (!config_yaml_parse(layers->tree, text, source, layers->problems, &root))
        return false;
    config_layer_add_file(layers, root);
    return true;
}

bool config_load_text(const struct config_sources *sources, struct slice text,
                      struct config **out_config, struct config_problems *problems)
{
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    struct config_layers layers = config_layer_init(&tree, problems);
    uint32_t before = problems->count + problems->left_out_count;
    const char *name = sources->file != NULL ? sources->file : "configuration";
    if (!add_text(&layers, name, text))
        return false;
    if (sources->environment != NULL)
        config_env_add(&layers, sources->environment);
    config_set_add(&layers, sources->sets, sources->set_count);
    AUTO(struct config *, config_free_p) config = config_new();
    config_read_tree(config, &tree, layers.root, problems);
    config_check_all(config, problems);
    if (problems->count + problems->left_out_count > before)
        return false;
    *out_config = TAKE(config);
    return true;
}

/* One byte more than allowed is enough to see that a file is too large. */
enum { READ_MAX_BYTES = CONFIG_YAML_MAX_BYTES + 1 };

static bool read_all(int fd, char *out, size_t *out_size)
{
    size_t size = 0;
    while (size < READ_MAX_BYTES) {
        ssize_t got = read(fd, out + size, READ_MAX_BYTES - size);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return false;
        size += got > 0 ? (size_t)got : 0;
    }
    *out_size = size;
    return true;
}

static bool unreadable(const char *path, int reason, struct config_problems *problems)
{
    config_problems_add(problems, path, "", "cannot be read: %s", strerrordesc_np(reason));
    return false;
}

bool config_load(const struct config_sources *sources, struct config **out_config,
                 struct config_problems *problems)
{
    if (sources->file == NULL)
        return config_load_text(sources, SLICE_TEXT(""), out_config, problems);
    int fd = open(sources->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return unreadable(sources->file, errno, problems);
    char *text = memory_alloc(READ_MAX_BYTES);
    size_t size = 0;
    bool read_well = read_all(fd, text, &size);
    int reason = errno;
    close(fd);
    bool loaded =
        read_well ? config_load_text(sources, (struct slice){ text, size }, out_config, problems)
                  : unreadable(sources->file, reason, problems);
    explicit_bzero(text, READ_MAX_BYTES);
    memory_free(text);
    return loaded;
}
