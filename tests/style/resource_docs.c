#include "style/resource_docs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config_yaml.h"

enum { FIELD_PATH_MAX_BYTES = 1024 };

static const struct config_node *get(const struct config_node *map, const char *key)
{
    bool is_map = map != NULL && map->kind == CONFIG_NODE_MAP;
    return is_map ? config_node_get(map, slice_of(key)) : NULL;
}

static const char *text_of(const struct config_node *map, const char *key)
{
    const struct config_node *node = get(map, key);
    return node != NULL && node->kind == CONFIG_NODE_SCALAR ? node->text.data : NULL;
}

static bool has_item(const struct config_node *list, struct slice text)
{
    for (const struct config_node *item = list != NULL ? list->first : NULL; item != NULL;
         item = item->next)
        if (slice_equal(item->text, text))
            return true;
    return false;
}

static bool is_int_or_string(const struct config_node *schema)
{
    return get(schema, "x-kubernetes-int-or-string") != NULL;
}

static void append_type(const struct config_node *schema, struct buf *out)
{
    const char *type = text_of(schema, "type");
    if (is_int_or_string(schema)) {
        buf_append_text(out, "integer or string");
    } else if (type != NULL && strcmp(type, "array") == 0) {
        buf_append_text(out, "list of ");
        append_type(get(schema, "items"), out);
    } else if (get(schema, "additionalProperties") != NULL) {
        buf_append_text(out, "map of ");
        append_type(get(schema, "additionalProperties"), out);
    } else {
        buf_append_text(out, type != NULL ? type : "");
    }
}

static void append_words(const struct config_node *words, struct buf *out)
{
    const char *separator = "";
    for (const struct config_node *word = words->first; word != NULL; word = word->next) {
        if (word->text.size == 0)
            continue;
        buf_append_format(out, "%s`%s`", separator, word->text.data);
        separator = ", ";
    }
}

static void append_bounds(const struct config_node *schema, struct buf *out)
{
    static const struct {
        const char *key, *format;
        bool of_text;
    } bounds[] = {
        { "minimum", "from %s", false },          { "maximum", "to %s", false },
        { "minItems", "at least %s", false },     { "maxItems", "at most %s", false },
        { "maxProperties", "at most %s", false }, { "maxLength", "at most %s characters", true },
    };
    const struct config_node *words = get(schema, "enum");
    if (words == NULL && get(schema, "items") != NULL)
        words = get(get(schema, "items"), "enum");
    if (words != NULL) {
        append_words(words, out);
        return;
    }
    const char *separator = "";
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        const char *value = text_of(schema, bounds[i].key);
        if (value == NULL || (bounds[i].of_text && is_int_or_string(schema)))
            continue;
        buf_append_text(out, separator);
        const char *place = strchr(bounds[i].format, '%');
        buf_append_format(out, "%.*s%s%s", (int)(place - bounds[i].format), bounds[i].format, value,
                          place + 2);
        separator = " ";
    }
}

static void append_rules(const struct config_node *schema, struct buf *out)
{
    const struct config_node *rules = get(schema, "x-kubernetes-validations");
    for (const struct config_node *rule = rules != NULL ? rules->first : NULL; rule != NULL;
         rule = rule->next)
        buf_append_format(out, " *Rule: %s.*", text_of(rule, "message"));
}

static void append_row(const char *path, const struct config_node *schema, bool required,
                       struct buf *out)
{
    const char *value = text_of(schema, "default"), *description = text_of(schema, "description");
    buf_append_format(out, "| `%s` | ", path);
    append_type(schema, out);
    buf_append_text(out, " | ");
    if (value != NULL)
        buf_append_format(out, "`%s`", value);
    else if (required)
        buf_append_text(out, "*required*");
    buf_append_text(out, " | ");
    append_bounds(schema, out);
    buf_append_format(out, " | %s", description != NULL ? description : "");
    append_rules(schema, out);
    append_rules(get(schema, "items"), out);
    append_rules(get(schema, "additionalProperties"), out);
    buf_append_text(out, " |\n");
}

static void append_fields(const char *path, const struct config_node *schema, struct buf *out);

static void append_field(const char *path, const struct config_node *field, bool required,
                         struct buf *out)
{
    static const struct {
        const char *key, *suffix;
    } below[] = { { "items", "[]" }, { "additionalProperties", ".NAME" } };
    append_row(path, field, required, out);
    append_fields(path, field, out);
    for (size_t i = 0; i < COUNT_OF(below); i++) {
        AUTO(struct buf, buf_done) deeper = buf_init(FIELD_PATH_MAX_BYTES);
        buf_append_format(&deeper, "%s%s", path, below[i].suffix);
        append_fields(buf_text(&deeper), get(field, below[i].key), out);
    }
}

static void append_fields(const char *path, const struct config_node *schema, struct buf *out)
{
    const struct config_node *fields = get(schema, "properties");
    for (const struct config_node *field = fields != NULL ? fields->first : NULL; field != NULL;
         field = field->next) {
        AUTO(struct buf, buf_done) deeper = buf_init(FIELD_PATH_MAX_BYTES);
        buf_append_format(&deeper, "%s.%s", path, field->key.data);
        append_field(buf_text(&deeper), field, has_item(get(schema, "required"), field->key), out);
    }
}

static void append_table(const char *part, const struct config_node *schema, struct buf *out)
{
    const struct config_node *field = get(get(schema, "properties"), part);
    buf_append_format(out,
                      "\n### %s\n\n%s\n\n| Field | Type | Default | Bounds | Meaning |\n"
                      "| --- | --- | --- | --- | --- |\n",
                      part, text_of(field, "description"));
    append_fields(part, field, out);
}

void resource_docs_write(struct slice text, struct buf *out)
{
    static const struct config_source source = { CONFIG_SOURCE_FILE, "the definition" };
    struct config_tree tree = config_node_tree_init();
    struct config_problems problems = CONFIG_PROBLEMS_INIT;
    struct config_node *root = NULL;
    if (!config_yaml_parse(&tree, text, &source, &problems, &root)) {
        config_problems_write(&problems, out);
        fputs(buf_text(out), stderr);
        exit(EXIT_FAILURE);
    }
    const struct config_node *version = config_node_at(get(get(root, "spec"), "versions"), 0);
    const struct config_node *schema = get(get(version, "schema"), "openAPIV3Schema");
    append_table("spec", schema, out);
    append_table("status", schema, out);
    buf_append_byte(out, '\n');
    config_problems_done(&problems);
    config_node_tree_done(&tree);
}
