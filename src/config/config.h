/* The configuration: a struct made from options.def, loaded from a YAML file (JSON is part of
 * YAML), the environment and --set, each winning over the one before.
 *
 * A configuration is immutable once loaded: any thread may read it. Text fields are NULL when the
 * option is not set and never empty, unless the default is. Secrets are wiped by config_free().
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/slice.h"
#include "config/config_problems.h"

/* enum config_on_halt { CONFIG_ON_HALT_EXIT = 0, CONFIG_ON_HALT_WAIT = 1 }; and so on. */
/* clang-format off */
#define CHOICES(set) enum set {
#define CHOICE(constant, value, word) constant = (value),
#define CHOICES_END(set) };
/* clang-format on */
#include "config/choices.def"
#undef CHOICES
#undef CHOICE
#undef CHOICES_END

struct config_list {
    const char *const *items;
    uint32_t count;
};

struct config_pair {
    char *name;
    char *value;
};

struct config_map { /* in the order they were given */
    struct config_pair *pairs;
    uint32_t count;
};

/* The C type of each kind of option. */
#define CONFIG_FIELD_TEXT(field, set)     char *field;
#define CONFIG_FIELD_BOOL(field, set)     bool field;
#define CONFIG_FIELD_INT(field, set)      int64_t field;
#define CONFIG_FIELD_DURATION(field, set) int64_t field;
#define CONFIG_FIELD_SIZE(field, set)     int64_t field;
#define CONFIG_FIELD_CHOICE(field, set)   enum set field;
#define CONFIG_FIELD_WORD(field, set)     char *field;
#define CONFIG_FIELD_BITS(field, set)     uint32_t field; /* bits of enum set; 0 = not set */
#define CONFIG_FIELD_LIST(field, set)     struct config_list field;
#define CONFIG_FIELD_MAP(field, set)      struct config_map field;
#define CONFIG_FIELD_TABLES(field, set)   struct config_tables field;

struct config_table {
#define ITEM(kind, field, path, default_text, min, max, unit, set, flags, doc)                     \
    CONFIG_FIELD_##kind(field, set)
#include "config/options.def"
    const char *origin; /* "pqcdc.yaml:12", "PQCDC_...", "--set ...": for messages */
};

struct config_tables {
    struct config_table *items;
    uint32_t count;
};

struct config_private; /* memory, and where each value came from */

struct config {
#define OPTION(kind, field, path, default_text, min, max, unit, set, flags, doc)                   \
    CONFIG_FIELD_##kind(field, set)
#include "config/options.def"
    struct config_private *private;
};

struct config_sources {
    const char *file;               /* --config; NULL = none */
    const char *const *environment; /* "NAME=value" ..., NULL at the end; NULL = none */
    const char *const *sets;        /* --set: "path=value" ... */
    uint32_t set_count;
};

/* All defaults; what is required is NULL. */
__attribute__((returns_nonnull)) struct config *config_new(void);
void config_free(struct config *config); /* NULL allowed */
CLEANUP_POINTER(struct config, config_free)

/* Reads, merges and checks everything; *out_config is config_free()d by the caller. On failure
 * *problems (initialised by the caller) has gained every problem that was found, not the first
 * only, and *out_config is untouched. */
MUST_CHECK bool config_load(const struct config_sources *sources, struct config **out_config,
                            struct config_problems *problems);

/* The same with the file's content in memory; sources->file only names it in messages. */
MUST_CHECK bool config_load_text(const struct config_sources *sources, struct slice text,
                                 struct config **out_config, struct config_problems *problems);

/* Where the value of an option came from: "pqcdc.yaml:12", "environment", "--set", or NULL = the
 * default. `path` must be an option's. */
const char *config_origin(const struct config *config, const char *path);

/* The same for config_problems_add(): "pqcdc.yaml:12", "PQCDC_CDC_HOST", "--set cdc.host". */
const char *config_where(const struct config *config, const char *path);

/* An option that was given and has no effect (IGNORED in options.def). */
struct config_ignored {
    const char *path;  /* with its index where it is a table's */
    const char *where; /* as config_where() */
    const char *why;
};

/* Each of those, in the order they were read; views of the configuration. */
const struct config_ignored *config_ignored_all(const struct config *config, uint32_t *out_count);

#endif
