#include "config/config_option.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/config.h"

/* clang-format off */
#define CHOICES(set) static const struct config_choice set##_items[] = {
#define CHOICE(constant, value, word) { word, value },
#define CHOICES_END(set) }; \
    static const struct config_choices set = { set##_items, COUNT_OF(set##_items) };
/* clang-format on */
#include "config/choices.def"
#undef CHOICES
#undef CHOICE
#undef CHOICES_END

static const struct config_choices config_no_choices = { NULL, 0 };

static const struct config_option options[] = {
#define OPTION(kind, field, path, default_text, min, max, unit, set, flags, doc)                   \
    { CONFIG_##kind, path,  #field, offsetof(struct config, field), default_text, min, max, unit,  \
      &set,          flags, doc },
#include "config/options.def"
};

static const struct config_option items[] = {
#define ITEM(kind, field, path, default_text, min, max, unit, set, flags, doc)                     \
    { CONFIG_##kind, path,  #field, offsetof(struct config_table, field),                          \
      default_text,  min,   max,    unit,                                                          \
      &set,          flags, doc },
#include "config/options.def"
};

static const struct config_alias aliases[] = {
#define ALIAS(path, target) { path, target },
#include "config/options.def"
};

static const struct config_ignored_option ignored[] = {
#define IGNORED(path, why) { path, why },
#include "config/options.def"
};

static const struct config_section sections[] = {
#define SECTION(path, title) { path, title },
#include "config/options.def"
};

_Static_assert(COUNT_OF(options) == CONFIG_OPTION_COUNT, "one index an option");

const struct config_option *config_option_all(uint32_t *out_count)
{
    *out_count = COUNT_OF(options);
    return options;
}

const struct config_option *config_option_items(uint32_t *out_count)
{
    *out_count = COUNT_OF(items);
    return items;
}

const struct config_alias *config_option_aliases(uint32_t *out_count)
{
    *out_count = COUNT_OF(aliases);
    return aliases;
}

const struct config_section *config_option_sections(uint32_t *out_count)
{
    *out_count = COUNT_OF(sections);
    return sections;
}

const struct config_ignored_option *config_option_ignored(uint32_t *out_count)
{
    *out_count = COUNT_OF(ignored);
    return ignored;
}

static struct slice last_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return slice_of(dot != NULL ? dot + 1 : path);
}

struct slice config_option_section(const struct config_option *option)
{
    size_t size = strlen(option->path) - last_name(option->path).size;
    return (struct slice){ option->path, size > 0 ? size - 1 : 0 };
}

static const struct config_option *find_exact(struct slice path)
{
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (slice_is(path, options[i].path))
            return &options[i];
    return NULL;
}

const struct config_option *config_option_find(struct slice path)
{
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (slice_is(path, aliases[i].path))
            return find_exact(slice_of(aliases[i].target));
    return find_exact(path);
}

const struct config_option *config_option_find_item(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(items); i++)
        if (slice_equal(name, last_name(items[i].path)))
            return &items[i];
    return NULL;
}

const struct config_option *config_option_find_environment(struct slice name)
{
    char buffer[CONFIG_NAME_SIZE];
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        config_option_environment(options[i].path, buffer);
        if (slice_is(name, buffer))
            return &options[i];
    }
    for (size_t i = 0; i < COUNT_OF(aliases); i++) {
        config_option_environment(aliases[i].path, buffer);
        if (slice_is(name, buffer))
            return find_exact(slice_of(aliases[i].target));
    }
    return NULL;
}

const struct config_ignored_option *config_option_find_ignored(struct slice path)
{
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        if (slice_is(path, ignored[i].path))
            return &ignored[i];
    return NULL;
}

const struct config_ignored_option *config_option_find_ignored_item(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        if (strchr(ignored[i].path, '[') != NULL && slice_equal(name, last_name(ignored[i].path)))
            return &ignored[i];
    return NULL;
}

const struct config_ignored_option *config_option_find_ignored_environment(struct slice name)
{
    char buffer[CONFIG_NAME_SIZE];
    for (size_t i = 0; i < COUNT_OF(ignored); i++) {
        config_option_environment(ignored[i].path, buffer);
        if (strchr(ignored[i].path, '[') == NULL && slice_is(name, buffer))
            return &ignored[i];
    }
    return NULL;
}

uint32_t config_option_index(const struct config_option *option)
{
    CHECK(option >= options && option < options + COUNT_OF(options));
    return (uint32_t)(option - options);
}

bool config_option_is_section(struct slice path)
{
    if (path.size == 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (strlen(options[i].path) > path.size && options[i].path[path.size] == '.' &&
            memcmp(options[i].path, path.data, path.size) == 0)
            return true;
    return false;
}

void config_option_environment(const char *path, char buffer[CONFIG_NAME_SIZE])
{
    size_t size = strlen("PQCDC_");
    memcpy(buffer, "PQCDC_", size);
    for (const char *at = path; *at != '\0' && size + 3 < CONFIG_NAME_SIZE; at++) {
        bool upper = isupper((unsigned char)*at);
        bool after_lower =
            at > path && (islower((unsigned char)at[-1]) || isdigit((unsigned char)at[-1]));
        if (upper && after_lower)
            buffer[size++] = '_';
        buffer[size++] = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
    }
    buffer[size] = '\0';
}

/* What stands before the names of one group: "PQCDC_CDC_"; 0 = not ours. */
static size_t owned_prefix(struct slice name)
{
    static const char *const prefixes[] = { "PQCDC_CDC_", "PQCDC_KAFKA_", "PQCDC_FORMAT_",
                                            "PQCDC_ELECTION_", "PQCDC_HANDLER_" };
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        size_t size = strlen(prefixes[i]);
        if (name.size >= size && memcmp(name.data, prefixes[i], size) == 0)
            return size;
    }
    return 0;
}

bool config_option_owns_environment(struct slice name)
{
    return owned_prefix(name) > 0;
}

/* Candidates to compare a wrong name with; `keep` is what was really meant by each. */
struct candidates {
    const char *names[COUNT_OF(options) + COUNT_OF(aliases) + COUNT_OF(sections)];
    const char *kept[COUNT_OF(options) + COUNT_OF(aliases) + COUNT_OF(sections)];
    size_t count;
};

static void add_candidate(struct candidates *candidates, const char *name, const char *kept)
{
    candidates->names[candidates->count] = name;
    candidates->kept[candidates->count++] = kept;
}

static const char *choose(const struct candidates *candidates, const char *wanted)
{
    if (strlen(wanted) >= CONFIG_NAME_SIZE)
        return NULL;
    const char *name = text_nearest(wanted, candidates->names, candidates->count);
    for (size_t i = 0; name != NULL && i < candidates->count; i++)
        if (candidates->names[i] == name)
            return candidates->kept[i];
    return NULL;
}

static bool in_section(const char *path, const char *section, size_t section_size)
{
    return strncmp(path, section, section_size) == 0 && strchr(path + section_size, '.') == NULL &&
           strchr(path, '[') == NULL;
}

/* A neighbour: same section, so only the last names are compared. */
static const char *nearest_neighbour(const char *path)
{
    size_t section = strlen(path) - last_name(path).size;
    struct candidates near = { .count = 0 };
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (in_section(options[i].path, path, section))
            add_candidate(&near, options[i].path + section, options[i].path);
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (in_section(aliases[i].path, path, section))
            add_candidate(&near, aliases[i].path + section, aliases[i].path);
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        if (in_section(sections[i].path, path, section))
            add_candidate(&near, sections[i].path + section, sections[i].path);
    return choose(&near, path + section);
}

/* The one option anywhere that has the same last name. */
static const char *same_last_name(const char *path)
{
    const char *found = NULL;
    const char *wanted = last_name(path).data;
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (strcasecmp(last_name(options[i].path).data, wanted) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = options[i].path;
    }
    return found;
}

const char *config_option_nearest(const char *path)
{
    const char *found = nearest_neighbour(path);
    if (found == NULL)
        found = same_last_name(path);
    if (found != NULL)
        return found;
    size_t section = strlen(path) - last_name(path).size;
    struct candidates others = { .count = 0 };
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (!in_section(options[i].path, path, section))
            add_candidate(&others, options[i].path, options[i].path);
    return choose(&others, path);
}

const char *config_option_nearest_item(const char *path)
{
    struct candidates near = { .count = 0 };
    for (size_t i = 0; i < COUNT_OF(items); i++)
        add_candidate(&near, last_name(items[i].path).data, items[i].path);
    return choose(&near, last_name(path).data);
}

const char *config_option_nearest_environment(const char *name, char buffer[CONFIG_NAME_SIZE])
{
    char names[COUNT_OF(options)][CONFIG_NAME_SIZE];
    struct candidates near = { .count = 0 };
    size_t prefix = owned_prefix(slice_of(name));
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        config_option_environment(options[i].path, names[i]);
        if (strncmp(names[i], name, prefix) == 0)
            add_candidate(&near, names[i] + prefix, names[i]);
    }
    const char *found = choose(&near, name + prefix);
    return found == NULL ? NULL : memcpy(buffer, found, CONFIG_NAME_SIZE);
}

static void append_size(int64_t bytes, struct buf *out)
{
    static const char *const units[] = { "", "kb", "mb", "gb" };
    size_t unit = 0;
    while (unit + 1 < COUNT_OF(units) && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    buf_append_format(out, "%" PRId64 "%s", bytes, units[unit]);
}

void config_option_number(enum config_kind kind, int64_t value, struct buf *out)
{
    char text[64];
    if (kind == CONFIG_DURATION) {
        text_format_duration(value, text, sizeof(text));
        buf_append_text(out, text);
    } else if (kind == CONFIG_SIZE) {
        append_size(value, out);
    } else {
        buf_append_format(out, "%" PRId64, value);
    }
}

static void append_words(const struct config_choices *choices, struct buf *out)
{
    const char *separator = "";
    for (uint32_t i = 0; i < choices->count; i++) {
        if (choices->items[i].word == NULL)
            continue;
        buf_append_format(out, "%s%s", separator, choices->items[i].word);
        separator = ", ";
    }
}

static void append_range(const struct config_option *option, const char *what, struct buf *out)
{
    buf_append_format(out, "%s from ", what);
    config_option_number(option->kind, option->min, out);
    buf_append_text(out, " to ");
    config_option_number(option->kind, option->max, out);
}

void config_option_expected(const struct config_option *option, struct buf *out)
{
    switch (option->kind) {
    case CONFIG_TEXT:
        buf_append_text(out, "text");
        return;
    case CONFIG_BOOL:
        buf_append_text(out, "true or false");
        return;
    case CONFIG_INT:
        append_range(option, "an integer", out);
        return;
    case CONFIG_DURATION:
        append_range(option, "a duration (such as 200ms, 10s or 1m30s)", out);
        return;
    case CONFIG_SIZE:
        append_range(option, "a size (such as 512kb or 10mb)", out);
        return;
    case CONFIG_CHOICE:
    case CONFIG_WORD:
        buf_append_text(out, "one of ");
        append_words(option->choices, out);
        return;
    case CONFIG_BITS:
        buf_append_text(out, "a list of ");
        append_words(option->choices, out);
        return;
    case CONFIG_LIST:
        buf_append_text(out, "a list of texts");
        return;
    case CONFIG_MAP:
        buf_append_text(out, "a mapping of names to texts");
        return;
    case CONFIG_TABLES:
        buf_append_text(out, "a list of objects, each with a name");
        return;
    }
}

const char *config_option_word(const struct config_option *option, uint32_t value)
{
    for (uint32_t i = 0; i < option->choices->count; i++)
        if (option->choices->items[i].value == value)
            return option->choices->items[i].word;
    return NULL;
}

bool config_option_secret_name(const char *name)
{
    static const char *const marks[] = { "password", "secret",  "token",
                                         ".key",     "key.pem", "oauthbearer.config" };
    for (size_t i = 0; i < COUNT_OF(marks); i++)
        if (strcasestr(name, marks[i]) != NULL)
            return true;
    return false;
}
