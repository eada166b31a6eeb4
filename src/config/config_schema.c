#include "config/config_schema.h"

#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "config/config_option.h"

struct limit {
    const char *path;
    uint32_t max;
    const char *pattern;
};

static const struct limit limits[] = {
#define LIMIT(path, max, pattern) { path, max, pattern },
#include "config/resource.def"
};

static const struct limit counts[] = {
#define COUNT(path, max) { path, max, NULL },
#include "config/resource.def"
};

static const struct {
    const char *path;
    int64_t min, max;
} numbers[] = {
#define NUMBER(path, min, max) { path, min, max },
#include "config/resource.def"
};

static const struct {
    const char *path, *doc;
} objects[] = {
#define OBJECT(path, doc) { path, doc },
#include "config/resource.def"
};

static const struct {
    const char *path, *value;
} defaults[] = {
#define DEFAULT(path, value) { path, value },
#include "config/resource.def"
};

static const struct {
    const char *path, *rule, *message;
} rules[] = {
#define RULE(path, rule, message) { path, rule, message },
#include "config/resource.def"
};

enum {
    RULE_MAX_BYTES = 16 * 1024,
    PATH_MAX_CHARACTERS = 1024,
    NAME_MAX_CHARACTERS = 253,
    NUMBER_MAX_CHARACTERS = 32,
};

/* Short, since a longer one costs more than the server allows; the rest is duration()'s to refuse.
 */
#define DURATION_PATTERN    "^([0-9.]+(h|m|s|ms))+$"
#define SIZE_PATTERN        "^[0-9]+([.][0-9]+)? *[kKmMgGtT]?[iI]?[bB]?$"
#define OBJECT_NAME_PATTERN "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
#define KEY_PATTERN         "^[-._a-zA-Z0-9]+$"

/* A line "key: ..." of the object at that indent. */
#define LINE(out, indent, ...)                                                                     \
    do {                                                                                           \
        buf_append_format(out, "%*s", (int)(indent), "");                                          \
        buf_append_format(out, __VA_ARGS__);                                                       \
        buf_append_byte(out, '\n');                                                                \
    } while (false)

static void append_quoted(const char *text, struct buf *out)
{
    buf_append_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++)
        buf_append_format(out, "%s%c", strchr("\"\\", *at) != NULL ? "\\" : "", *at);
    buf_append_byte(out, '"');
}

static void write_text(uint32_t indent, const char *key, const char *text, struct buf *out)
{
    buf_append_format(out, "%*s%s: ", (int)indent, "", key);
    append_quoted(text, out);
    buf_append_byte(out, '\n');
}

static const struct limit *find_limit(const struct limit *table, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].path, path) == 0)
            return &table[i];
    return NULL;
}

/* Nothing is without bounds. */
static const struct limit *limit_of(const struct config_option *option)
{
    const struct limit *limit = find_limit(limits, COUNT_OF(limits), option->path);
    CHECK(limit != NULL);
    return limit;
}

static uint32_t count_of(const struct config_option *option)
{
    const struct limit *limit = find_limit(counts, COUNT_OF(counts), option->path);
    CHECK(limit != NULL);
    return limit->max;
}

static const char *name_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

/* Rules. */

static int64_t default_ms(const struct config_option *option)
{
    int64_t ms = 0;
    CHECK(text_parse_duration_ms(option->default_text, 1, &ms));
    return ms;
}

/* The milliseconds of a duration of that section, given or by default. */
static void append_ms(const char *section, struct slice name, struct buf *out)
{
    AUTO(struct buf, buf_done) path = buf_init(CONFIG_NAME_SIZE);
    buf_append_format(&path, "%s.%.*s", section, (int)name.size, name.data);
    const struct config_option *option = config_option_find(buf_slice(&path));
    CHECK(option != NULL && option->kind == CONFIG_DURATION);
    const char *field = name_of(option->path);
    buf_append_format(out,
                      "(has(self.%s) ? (type(self.%s) == int ? self.%s : "
                      "duration(self.%s).getMilliseconds()) : %" PRId64 ")",
                      field, field, field, field, default_ms(option));
}

static void expand(const char *section, const char *rule, struct buf *out)
{
    for (const char *at = rule; *at != '\0'; at++) {
        size_t size = *at == '{' ? strcspn(at + 1, "}") : 0;
        if (size == 0) {
            buf_append_byte(out, *at);
            continue;
        }
        append_ms(section, (struct slice){ at + 1, size }, out);
        at += size + 1;
    }
}

static void write_rule(uint32_t indent, const char *rule, const char *message, struct buf *out)
{
    buf_append_format(out, "%*s- rule: ", (int)indent, "");
    append_quoted(rule, out);
    buf_append_byte(out, '\n');
    write_text(indent + 2, "message", message, out);
}

static void write_rules(uint32_t indent, const char *path, struct buf *out)
{
    bool begun = false;
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        if (strcmp(rules[i].path, path) != 0)
            continue;
        AUTO(struct buf, buf_done) rule = buf_init(RULE_MAX_BYTES);
        expand(path, rules[i].rule, &rule);
        if (!begun)
            LINE(out, indent, "x-kubernetes-validations:");
        write_rule(indent, buf_text(&rule), rules[i].message, out);
        begun = true;
    }
}

/* What a number must be, and what a text: a pattern would be said instead of what is meant. */
static void write_number_rule(const struct config_option *option, const char *text_rule,
                              uint32_t indent, struct buf *out)
{
    AUTO(struct buf, buf_done) rule = buf_init(RULE_MAX_BYTES);
    AUTO(struct buf, buf_done) message = buf_init(RULE_MAX_BYTES);
    buf_append_format(&rule, "type(self) == int ? self >= %" PRId64 " && self <= %" PRId64 " : %s",
                      option->min, option->max, text_rule);
    buf_append_text(&message, "expected ");
    config_option_expected(option, &message);
    LINE(out, indent, "x-kubernetes-validations:");
    write_rule(indent, buf_text(&rule), buf_text(&message), out);
}

/* Descriptions. */

static const char *shown_default(const struct config_option *option)
{
    for (size_t i = 0; i < COUNT_OF(defaults); i++)
        if (strcmp(defaults[i].path, option->path) == 0)
            return defaults[i].value;
    return NULL;
}

static bool counts_bare(const struct config_option *option)
{
    return option->kind == CONFIG_DURATION || option->kind == CONFIG_SIZE;
}

static void append_default(const struct config_option *option, struct buf *out)
{
    bool said = option->default_text != NULL && *option->default_text != '\0';
    int64_t number = 0;
    if (!said || shown_default(option) != NULL)
        return;
    if (option->kind == CONFIG_INT && text_parse_i64(option->default_text, &number) &&
        number == INT64_MAX)
        buf_append_text(out, " Default: without end.");
    else
        buf_append_format(out, " Default: %s.", option->default_text);
}

static void write_description(const struct config_option *option, uint32_t indent, struct buf *out)
{
    AUTO(struct buf, buf_done) text = buf_init(RULE_MAX_BYTES);
    buf_append_text(&text, option->doc);
    if (counts_bare(option))
        buf_append_format(&text, " An integer counts %s.",
                          option->kind == CONFIG_SIZE ? "bytes" : "milliseconds");
    append_default(option, &text);
    write_text(indent, "description", buf_text(&text), out);
}

/* Types. */

static void write_limit(const struct limit *limit, uint32_t min, uint32_t indent, struct buf *out)
{
    if (min > 0)
        LINE(out, indent, "minLength: %" PRIu32, min);
    LINE(out, indent, "maxLength: %" PRIu32, limit->max);
    if (limit->pattern != NULL)
        write_text(indent, "pattern", limit->pattern, out);
}

static void write_int_or_string(uint32_t indent, struct buf *out)
{
    LINE(out, indent, "anyOf:");
    LINE(out, indent, "- type: integer");
    LINE(out, indent, "- type: string");
    LINE(out, indent, "x-kubernetes-int-or-string: true");
}

static void write_range(int64_t min, int64_t max, uint32_t indent, struct buf *out)
{
    LINE(out, indent, "minimum: %" PRId64, min);
    if (max < INT64_MAX)
        LINE(out, indent, "maximum: %" PRId64, max);
}

/* The object that names a key of a Secret or a ConfigMap of the Connector's namespace. */
static void write_reference(const char *field, const char *what, uint32_t indent, struct buf *out)
{
    LINE(out, indent, "%s:", field);
    LINE(out, indent + 2, "description: \"A key of a %s of the same namespace.\"", what);
    LINE(out, indent + 2, "type: object");
    LINE(out, indent + 2, "required: [name, key]");
    LINE(out, indent + 2, "properties:");
    LINE(out, indent + 4, "name:");
    LINE(out, indent + 6, "description: \"Name of the %s.\"", what);
    LINE(out, indent + 6, "type: string");
    write_limit(&(struct limit){ "", NAME_MAX_CHARACTERS, OBJECT_NAME_PATTERN }, 1, indent + 6,
                out);
    LINE(out, indent + 4, "key:");
    LINE(out, indent + 6, "description: \"Which of its entries.\"");
    LINE(out, indent + 6, "type: string");
    write_limit(&(struct limit){ "", NAME_MAX_CHARACTERS, KEY_PATTERN }, 1, indent + 6, out);
}

static void write_secret(uint32_t indent, struct buf *out)
{
    LINE(out, indent, "type: object");
    LINE(out, indent, "required: [secretRef]");
    LINE(out, indent, "properties:");
    write_reference("secretRef", "Secret", indent + 2, out);
}

static void write_file(uint32_t indent, struct buf *out)
{
    LINE(out, indent, "type: object");
    LINE(out, indent, "properties:");
    LINE(out, indent + 2, "path:");
    LINE(out, indent + 4,
         "description: \"A file that the container has already: the image's own, or of a volume of "
         "template.volumes.\"");
    LINE(out, indent + 4, "type: string");
    write_limit(&(struct limit){ "", PATH_MAX_CHARACTERS, NULL }, 1, indent + 4, out);
    write_reference("secretRef", "Secret", indent + 2, out);
    write_reference("configMapRef", "ConfigMap", indent + 2, out);
    LINE(out, indent, "x-kubernetes-validations:");
    write_rule(indent,
               "[has(self.path), has(self.secretRef), has(self.configMapRef)]"
               ".filter(given, given).size() == 1",
               "exactly one of path, secretRef and configMapRef", out);
}

static bool write_number(const struct config_option *option, uint32_t indent, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (strcmp(numbers[i].path, option->path) != 0)
            continue;
        write_int_or_string(indent, out);
        write_range(numbers[i].min, numbers[i].max, indent, out);
        return true;
    }
    return false;
}

static void write_plain_text(const struct config_option *option, uint32_t indent, struct buf *out)
{
    if (!write_number(option, indent, out))
        LINE(out, indent, "type: string");
    write_limit(limit_of(option), 1, indent, out);
}

static void write_duration(const struct config_option *option, uint32_t indent, struct buf *out)
{
    AUTO(struct buf, buf_done) rule = buf_init(RULE_MAX_BYTES);
    buf_append_format(&rule,
                      "self.matches('" DURATION_PATTERN "') && duration(self) >= "
                      "duration('%" PRId64 "ms') && duration(self) <= duration('%" PRId64 "ms')",
                      option->min, option->max);
    write_int_or_string(indent, out);
    write_limit(&(struct limit){ "", NUMBER_MAX_CHARACTERS, NULL }, 1, indent, out);
    write_number_rule(option, buf_text(&rule), indent, out);
}

static void write_size(const struct config_option *option, uint32_t indent, struct buf *out)
{
    write_int_or_string(indent, out);
    write_limit(&(struct limit){ "", NUMBER_MAX_CHARACTERS, NULL }, 1, indent, out);
    write_number_rule(option, "self.matches('" SIZE_PATTERN "')", indent, out);
}

static uint32_t write_enum(const struct config_option *option, uint32_t indent, struct buf *out)
{
    uint32_t count = 0;
    LINE(out, indent, "type: string");
    buf_append_format(out, "%*senum: [", (int)indent, "");
    for (uint32_t i = 0; i < option->choices->count; i++) {
        if (option->choices->items[i].word == NULL)
            continue;
        buf_append_text(out, count++ > 0 ? ", " : "");
        append_quoted(option->choices->items[i].word, out);
    }
    buf_append_text(out, "]\n");
    return count;
}

static void write_bits(const struct config_option *option, uint32_t indent, struct buf *out)
{
    LINE(out, indent, "type: array");
    LINE(out, indent, "x-kubernetes-list-type: set");
    LINE(out, indent, "items:");
    uint32_t count = write_enum(option, indent + 2, out);
    LINE(out, indent, "maxItems: %" PRIu32, count);
}

static void write_list(const struct config_option *option, uint32_t indent, struct buf *out)
{
    LINE(out, indent, "type: array");
    LINE(out, indent, "x-kubernetes-list-type: atomic");
    if ((option->flags & CONFIG_REQUIRED) != 0)
        LINE(out, indent, "minItems: 1");
    LINE(out, indent, "maxItems: %" PRIu32, count_of(option));
    LINE(out, indent, "items:");
    LINE(out, indent + 2, "type: string");
    write_limit(limit_of(option), 1, indent + 2, out);
}

static void write_map(const struct config_option *option, uint32_t indent, struct buf *out)
{
    LINE(out, indent, "type: object");
    LINE(out, indent, "maxProperties: %" PRIu32, count_of(option));
    LINE(out, indent, "additionalProperties:");
    if ((option->flags & CONFIG_FILE) != 0) {
        write_file(indent + 2, out);
        return;
    }
    LINE(out, indent + 2, "type: string");
    write_limit(limit_of(option), 0, indent + 2, out);
}

/* Objects. */

static void write_option(const struct config_option *option, uint32_t indent, struct buf *out);

static bool is_in_resource(const struct config_option *option)
{
    return (option->flags & CONFIG_NOT_IN_RESOURCE) == 0;
}

static bool is_of(const struct config_option *option, const char *section)
{
    return is_in_resource(option) && slice_is(config_option_section(option), section);
}

static void write_tables(const struct config_option *option, uint32_t indent, struct buf *out)
{
    uint32_t count;
    const struct config_option *items = config_option_items(&count);
    LINE(out, indent, "type: array");
    LINE(out, indent, "maxItems: %" PRIu32, count_of(option));
    LINE(out, indent, "x-kubernetes-list-type: map");
    LINE(out, indent, "x-kubernetes-list-map-keys: [schema, name]");
    LINE(out, indent, "items:");
    LINE(out, indent + 2, "type: object");
    LINE(out, indent + 2, "required: [name]");
    LINE(out, indent + 2, "properties:");
    for (uint32_t i = 0; i < count; i++)
        write_option(&items[i], indent + 4, out);
    write_rules(indent + 2, "cdc.publication.tables[]", out);
}

static void write_type(const struct config_option *option, uint32_t indent, struct buf *out)
{
    switch (option->kind) {
    case CONFIG_TEXT:
        if ((option->flags & CONFIG_SECRET) != 0)
            write_secret(indent, out);
        else if ((option->flags & CONFIG_FILE) != 0)
            write_file(indent, out);
        else
            write_plain_text(option, indent, out);
        return;
    case CONFIG_BOOL:
        LINE(out, indent, "type: boolean");
        return;
    case CONFIG_INT:
        LINE(out, indent, "type: integer");
        LINE(out, indent, "format: int64");
        write_range(option->min, option->max, indent, out);
        return;
    case CONFIG_DURATION:
        write_duration(option, indent, out);
        return;
    case CONFIG_SIZE:
        write_size(option, indent, out);
        return;
    case CONFIG_CHOICE:
    case CONFIG_WORD:
        (void)write_enum(option, indent, out);
        return;
    case CONFIG_BITS:
        write_bits(option, indent, out);
        return;
    case CONFIG_LIST:
        write_list(option, indent, out);
        return;
    case CONFIG_MAP:
        write_map(option, indent, out);
        return;
    case CONFIG_TABLES:
        write_tables(option, indent, out);
        return;
    }
}

static void write_option(const struct config_option *option, uint32_t indent, struct buf *out)
{
    LINE(out, indent, "%s:", name_of(option->path));
    write_description(option, indent + 2, out);
    write_type(option, indent + 2, out);
    const char *value = shown_default(option);
    if (value != NULL)
        write_text(indent + 2, "default", value, out);
    write_rules(indent + 2, option->path, out);
}

/* "cdc.slot" is a part of "cdc"; "kafka" is one of "". */
static bool is_part(const struct config_section *section, const char *of)
{
    const char *dot = strrchr(section->path, '.');
    size_t size = dot != NULL ? (size_t)(dot - section->path) : 0;
    return strchr(section->path, '[') == NULL &&
           slice_is((struct slice){ section->path, size }, of);
}

static bool has_options(const struct config_section *section)
{
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++)
        if (is_of(&options[i], section->path))
            return true;
    return false;
}

static bool is_required(const struct config_section *section)
{
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++)
        if ((options[i].flags & CONFIG_REQUIRED) != 0 &&
            strncmp(options[i].path, section->path, strlen(section->path)) == 0)
            return true;
    return false;
}

static void append_name(const char *name, uint32_t *count, struct buf *out)
{
    buf_append_format(out, "%s%s", (*count)++ > 0 ? ", " : "", name);
}

static void write_required(const char *path, uint32_t indent, struct buf *out)
{
    uint32_t option_count, section_count, count = 0;
    const struct config_option *options = config_option_all(&option_count);
    const struct config_section *sections = config_option_sections(&section_count);
    AUTO(struct buf, buf_done) names = buf_init(RULE_MAX_BYTES);
    for (uint32_t i = 0; i < option_count; i++)
        if (is_of(&options[i], path) && (options[i].flags & CONFIG_REQUIRED) != 0)
            append_name(name_of(options[i].path), &count, &names);
    for (uint32_t i = 0; i < section_count; i++)
        if (is_part(&sections[i], path) && is_required(&sections[i]))
            append_name(name_of(sections[i].path), &count, &names);
    if (count > 0)
        LINE(out, indent, "required: [%s]", buf_text(&names));
}

/* What Kubernetes knows, not we. */
static void write_objects(const char *section, uint32_t indent, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(objects); i++) {
        const char *name = name_of(objects[i].path);
        size_t size = (size_t)(name - objects[i].path) - 1;
        if (!slice_is((struct slice){ objects[i].path, size }, section))
            continue;
        LINE(out, indent, "%s:", name);
        write_text(indent + 2, "description", objects[i].doc, out);
        LINE(out, indent + 2, "type: object");
        LINE(out, indent + 2, "x-kubernetes-preserve-unknown-fields: true");
    }
}

static void write_sections(const char *of, uint32_t indent, struct buf *out);

static void write_section(const struct config_section *section, uint32_t indent, struct buf *out)
{
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    LINE(out, indent, "%s:", name_of(section->path));
    LINE(out, indent + 2, "description: \"%s.\"", section->title);
    LINE(out, indent + 2, "type: object");
    write_required(section->path, indent + 2, out);
    LINE(out, indent + 2, "properties:");
    for (uint32_t i = 0; i < count; i++)
        if (is_of(&options[i], section->path))
            write_option(&options[i], indent + 4, out);
    write_objects(section->path, indent + 4, out);
    write_sections(section->path, indent + 4, out);
    write_rules(indent + 2, section->path, out);
}

static void write_sections(const char *of, uint32_t indent, struct buf *out)
{
    uint32_t count;
    const struct config_section *sections = config_option_sections(&count);
    for (uint32_t i = 0; i < count; i++)
        if (is_part(&sections[i], of) && has_options(&sections[i]))
            write_section(&sections[i], indent, out);
}

void config_schema_write(uint32_t indent, struct buf *out)
{
    write_sections("", indent, out);
}
