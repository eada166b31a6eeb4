/* What struct config hides: for the files of this room only. */
#ifndef CONFIG_CONFIG_PRIVATE_H
#define CONFIG_CONFIG_PRIVATE_H

#include "base/arena.h"
#include "config/config.h"
#include "config/config_ignored.h"
#include "config/config_node.h"
#include "config/config_option.h"

struct config_given {
    const char *where; /* as in struct config_problem; NULL = not given */
    enum config_source_kind kind;
};

struct config_private {
    struct arena arena; /* all texts, lists and maps */
    struct config_given given[CONFIG_OPTION_COUNT];
    struct config_ignored_list ignored;
};

#endif
