/* The table of options at run time: what options.def says, names derived from paths, near misses.
 * Everything is constant; any thread. */
#ifndef CONFIG_CONFIG_OPTION_H
#define CONFIG_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

enum config_kind {
    CONFIG_TEXT,
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_DURATION,
    CONFIG_SIZE,
    CONFIG_CHOICE,
    CONFIG_WORD,
    CONFIG_BITS,
    CONFIG_LIST,
    CONFIG_MAP,
    CONFIG_TABLES,
};

enum config_flag {
    CONFIG_REQUIRED = 1,
    CONFIG_SECRET = 2,
    CONFIG_SECRET_NAMES = 4,
    CONFIG_COMMAS = 8,
    CONFIG_NUMBERS = 16,
    CONFIG_FILE = 32,
    CONFIG_NOT_IN_RESOURCE = 64,
};

struct config_choice {
    const char *word; /* NULL = the value of "not set" */
    uint32_t value;
};

struct config_choices {
    const struct config_choice *items;
    uint32_t count;
};

struct config_option {
    enum config_kind kind;
    const char *path;
    const char *field;
    size_t offset;            /* in struct config, or in struct config_table for items */
    const char *default_text; /* NULL = not set */
    int64_t min, max;
    const char *unit;
    const struct config_choices *choices;
    uint32_t flags;
    const char *doc;
};

struct config_alias {
    const char *path;
    const char *target;
};

struct config_ignored_option {
    const char *path; /* of an item with "[]" */
    const char *why;
};

struct config_section {
    const char *path;
    const char *title;
};

enum {
#define OPTION(kind, field, ...) CONFIG_OPTION_##field,
#include "config/options.def"
    CONFIG_OPTION_COUNT,
};

enum { CONFIG_NAME_SIZE = 128 }; /* bytes that hold any path or environment name of the table */

/* Each in the order of options.def. */
const struct config_option *config_option_all(uint32_t *out_count);
const struct config_option *config_option_items(uint32_t *out_count);
const struct config_alias *config_option_aliases(uint32_t *out_count);
const struct config_section *config_option_sections(uint32_t *out_count);
const struct config_ignored_option *config_option_ignored(uint32_t *out_count);

/* By exact path, aliases included; NULL = none. `path` of an item holds "[]" for its index. */
const struct config_option *config_option_find(struct slice path);
const struct config_option *config_option_find_item(struct slice name); /* "name", "schema" ... */
const struct config_option *config_option_find_environment(struct slice name);
/* What is accepted without effect: by path, by the name of an item, by environment name. */
const struct config_ignored_option *config_option_find_ignored(struct slice path);
const struct config_ignored_option *config_option_find_ignored_item(struct slice name);
const struct config_ignored_option *config_option_find_ignored_environment(struct slice name);
uint32_t config_option_index(const struct config_option *option); /* not for items */

/* True for "", "cdc", "cdc.slot": a path that options lie under. */
bool config_option_is_section(struct slice path);

/* The section that an option stands in: "cdc.slot" of "cdc.slot.name". */
struct slice config_option_section(const struct config_option *option);

/* The known path or environment name that was probably meant; NULL = none is near. The result
 * lives as long as `buffer`. */
const char *config_option_nearest(const char *path);
const char *config_option_nearest_item(const char *path);
const char *config_option_nearest_environment(const char *name, char buffer[CONFIG_NAME_SIZE]);

/* PQCDC_CDC_SLOT_NAME of cdc.slot.name; the last element of `path` is cut when it does not fit. */
void config_option_environment(const char *path, char buffer[CONFIG_NAME_SIZE]);

/* True for names that are ours by their prefix: PQCDC_CDC_, PQCDC_KAFKA_ and so on. */
bool config_option_owns_environment(struct slice name);

/* Appends what a value must be: "an integer from 1 to 100", "one of exit, wait". */
void config_option_expected(const struct config_option *option, struct buf *out);

/* Appends a number as the option's kind is written: "20s", "16mb", "8080". */
void config_option_number(enum config_kind kind, int64_t value, struct buf *out);

/* The word of a choice's value; NULL = not set. */
const char *config_option_word(const struct config_option *option, uint32_t value);

/* True when the value of an entry of this name must not be shown. */
bool config_option_secret_name(const char *name);

#endif
