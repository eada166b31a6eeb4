/* The list of options that were given and have no effect. */
#ifndef CONFIG_CONFIG_IGNORED_H
#define CONFIG_CONFIG_IGNORED_H

#include "base/arena.h"
#include "config/config.h"
#include "config/config_option.h"

struct config_ignored_list {
    struct config_ignored *items; /* in the configuration's arena */
    uint32_t count, room;
};

/* Adds `option`, which was given at `path`; path and where are copied into `arena`. */
void config_ignored_add(struct config_ignored_list *list, struct arena *arena,
                        const struct config_ignored_option *option, const char *path,
                        const char *where);

#endif
