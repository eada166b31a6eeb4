#include "config/config_print.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "config/config_option.h"

static const char redacted[] = "***";

static void append_indent(uint32_t levels, struct buf *out)
{
    for (uint32_t i = 0; i < levels; i++)
        buf_append_text(out, "  ");
}

/* Texts that are the same in every YAML reader without quotes. */
static bool is_plain(const char *text)
{
    bool ignored;
    if (!isalpha((unsigned char)*text) && *text != '/' && *text != '_')
        return false;
    for (const char *at = text; *at != '\0'; at++)
        if (!isalnum((unsigned char)*at) && strchr("_./-", *at) == NULL)
            return false;
    return strcasecmp(text, "null") != 0 && !text_parse_bool(text, &ignored);
}

static void append_text(const char *text, struct buf *out)
{
    if (is_plain(text)) {
        buf_append_text(out, text);
        return;
    }
    buf_append_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            buf_append_format(out, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            buf_append_format(out, "\\x%02x", byte);
        else
            buf_append_byte(out, *at);
    }
    buf_append_byte(out, '"');
}

static void append_list(const struct config_list *list, struct buf *out)
{
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        buf_append_text(out, i > 0 ? ", " : "");
        append_text(list->items[i], out);
    }
    buf_append_byte(out, ']');
}

static void append_bits(const struct config_option *option, uint32_t bits, struct buf *out)
{
    const char *separator = "";
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < option->choices->count; i++) {
        if ((bits & option->choices->items[i].value) == 0)
            continue;
        buf_append_format(out, "%s%s", separator, option->choices->items[i].word);
        separator = ", ";
    }
    buf_append_byte(out, ']');
}

/* A value that fits on the line of its name; false = it is not set. */
static bool append_value(const struct config_option *option, const void *field, struct buf *out)
{
    const char *text;
    uint32_t value;
    int64_t number;
    switch (option->kind) {
    case CONFIG_TEXT:
    case CONFIG_WORD:
        memcpy(&text, field, sizeof(text));
        if (text != NULL)
            append_text((option->flags & CONFIG_SECRET) != 0 ? redacted : text, out);
        return text != NULL;
    case CONFIG_BOOL:
        buf_append_text(out, *(const bool *)field ? "true" : "false");
        return true;
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        memcpy(&number, field, sizeof(number));
        config_option_number(option->kind, number, out);
        return true;
    case CONFIG_CHOICE:
        memcpy(&value, field, sizeof(value));
        text = config_option_word(option, value);
        buf_append_text(out, text != NULL ? text : "");
        return text != NULL;
    case CONFIG_BITS:
        memcpy(&value, field, sizeof(value));
        append_bits(option, value, out);
        return value != 0;
    case CONFIG_LIST:
        append_list(field, out);
        return ((const struct config_list *)field)->count > 0;
    case CONFIG_MAP:
        return ((const struct config_map *)field)->count > 0;
    case CONFIG_TABLES:
        return ((const struct config_tables *)field)->count > 0;
    }
    return false;
}

static void append_pairs(const struct config_option *option, const struct config_map *map,
                         uint32_t indent, struct buf *out)
{
    for (uint32_t i = 0; i < map->count; i++) {
        bool secret = (option->flags & CONFIG_SECRET_NAMES) != 0 &&
                      config_option_secret_name(map->pairs[i].name);
        append_indent(indent, out);
        append_text(map->pairs[i].name, out);
        buf_append_text(out, ": ");
        append_text(secret ? redacted : map->pairs[i].value, out);
        buf_append_byte(out, '\n');
    }
}

/* Options of a table that are not set are left out. */
static void append_table(const struct config_table *table, uint32_t indent, struct buf *out)
{
    uint32_t count;
    const struct config_option *items = config_option_items(&count);
    const char *lead = "- ";
    for (uint32_t i = 0; i < count; i++) {
        AUTO(struct buf, buf_done) value = buf_init(out->limit_bytes);
        if (!append_value(&items[i], (const char *)table + items[i].offset, &value))
            continue;
        append_indent(indent, out);
        buf_append_format(out, "%s%s: ", lead, strrchr(items[i].path, '.') + 1);
        buf_append_slice(out, buf_slice(&value));
        buf_append_byte(out, '\n');
        lead = "  ";
    }
}

static void append_nested(const struct config_option *option, const void *field, uint32_t indent,
                          struct buf *out)
{
    if (option->kind == CONFIG_MAP)
        append_pairs(option, field, indent, out);
    if (option->kind == CONFIG_TABLES) {
        const struct config_tables *tables = field;
        for (uint32_t i = 0; i < tables->count; i++)
            append_table(&tables->items[i], indent, out);
    }
}

static void append_place(const char *place, struct buf *out)
{
    for (; *place != '\0'; place++)
        buf_append_byte(out, (unsigned char)*place < 0x20 ? '?' : *place);
}

static void append_origin(const char *origin, struct buf *out)
{
    if (origin == NULL)
        return;
    buf_append_text(out, "  # ");
    append_place(origin, out);
}

static void append_option(const struct config *config, const struct config_option *option,
                          uint32_t indent, struct buf *out)
{
    const void *field = (const char *)config + option->offset;
    const char *name = strrchr(option->path, '.') + 1;
    const char *origin = config_origin(config, option->path);
    AUTO(struct buf, buf_done) value = buf_init(out->limit_bytes);
    bool set = append_value(option, field, &value);
    append_indent(indent, out);
    buf_append_format(out, set ? "%s:" : "# %s: not set", name);
    if (set && value.size > 0) {
        buf_append_byte(out, ' ');
        buf_append_slice(out, buf_slice(&value));
    }
    append_origin(origin, out);
    buf_append_byte(out, '\n');
    if (set)
        append_nested(option, field, indent + 1, out);
}

/* Prints the names of `section` that `open` does not share; returns the depth. */
static uint32_t open_section(struct slice open, struct slice section, struct buf *out)
{
    uint32_t depth = 0;
    for (size_t start = 0; start <= section.size; depth++) {
        const char *dot = memchr(section.data + start, '.', section.size - start);
        size_t end = dot != NULL ? (size_t)(dot - section.data) : section.size;
        bool shared = open.size >= end && memcmp(open.data, section.data, end) == 0 &&
                      (open.size == end || open.data[end] == '.');
        if (!shared) {
            append_indent(depth, out);
            buf_append(out, section.data + start, end - start);
            buf_append_text(out, ":\n");
        }
        start = end + 1;
    }
    return depth;
}

/* Values are not shown: they may be anything. */
static void append_ignored(const struct config *config, struct buf *out)
{
    uint32_t count;
    const struct config_ignored *ignored = config_ignored_all(config, &count);
    if (count > 0)
        buf_append_text(out, "# without effect:\n");
    for (uint32_t i = 0; i < count; i++) {
        buf_append_format(out, "#   %s (", ignored[i].path);
        append_place(ignored[i].where, out);
        buf_append_format(out, "): %s\n", ignored[i].why);
    }
}

void config_print_effective(const struct config *config, struct buf *out)
{
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    struct slice open = SLICE_TEXT("");
    for (uint32_t i = 0; i < count; i++) {
        struct slice section = config_option_section(&options[i]);
        uint32_t depth = open_section(open, section, out);
        append_option(config, &options[i], depth, out);
        open = section;
    }
    append_ignored(config, out);
}
