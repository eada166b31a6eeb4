#include "config/config_yaml.h"

#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/map.h"

struct frame {
    struct config_node *node;
    struct slice key; /* of a map's next value */
    uint32_t key_line;
    bool has_key;
};

struct anchor {
    struct slice name;
    struct config_node *node;
};

struct parse {
    struct config_tree *tree;
    const struct config_source *source;
    struct config_problems *problems;
    struct config_node *root;
    struct frame frames[CONFIG_NODE_DEPTH_MAX];
    uint32_t depth;
    struct anchor anchors[CONFIG_YAML_ANCHOR_MAX];
    uint32_t anchor_count;
    bool ended; /* after the first document */
};

/* Names of anchors and tags are not shown: they may be a password that nobody quoted. */
static bool problem_at(struct parse *parse, size_t line, const char *text, struct slice name)
{
    struct config_node place = { .source = parse->source, .line = (uint32_t)line };
    config_problems_add(parse->problems, config_node_where(parse->tree, &place), "", "%s%.*s", text,
                        SLICE_ARGS(name));
    return false;
}

static bool too_many(struct parse *parse, size_t line)
{
    return problem_at(parse, line, "too many values (an alias counts as what it repeats)",
                      SLICE_NULL);
}

static bool is_null_text(struct slice text)
{
    return text.size == 0 || slice_is(text, "~") || slice_is(text, "null") ||
           slice_is(text, "Null") || slice_is(text, "NULL");
}

static bool add_to_map(struct parse *parse, struct frame *frame, struct config_node *node)
{
    if (frame->has_key) {
        frame->has_key = false;
        node->line = frame->key_line;
        node->key = frame->key;
        config_node_append(frame->node, node);
        return true;
    }
    if (node->kind == CONFIG_NODE_LIST || node->kind == CONFIG_NODE_MAP)
        return problem_at(parse, node->line, "a name must be text, not a list or mapping",
                          SLICE_NULL);
    frame->has_key = true;
    frame->key = node->text;
    frame->key_line = node->line;
    return true;
}

static bool add_node(struct parse *parse, struct config_node *node)
{
    if (parse->depth == 0) {
        parse->root = node;
        return true;
    }
    struct frame *frame = &parse->frames[parse->depth - 1];
    if (frame->node->kind == CONFIG_NODE_MAP)
        return add_to_map(parse, frame, node);
    config_node_append(frame->node, node);
    return true;
}

static bool remember_anchor(struct parse *parse, const yaml_char_t *name, struct config_node *node)
{
    if (name == NULL)
        return true;
    if (parse->anchor_count == CONFIG_YAML_ANCHOR_MAX)
        return problem_at(parse, node->line, "too many anchors", SLICE_NULL);
    parse->anchors[parse->anchor_count++] = (struct anchor){
        arena_copy(&parse->tree->arena, slice_of((const char *)name)),
        node,
    };
    return true;
}

/* Tags that say what YAML finds out by itself. */
static bool check_tag(struct parse *parse, const yaml_char_t *tag, size_t line)
{
    static const char standard[] = "tag:yaml.org,2002:";
    if (tag == NULL || strcmp((const char *)tag, "!") == 0 ||
        strncmp((const char *)tag, standard, sizeof(standard) - 1) == 0)
        return true;
    return problem_at(parse, line,
                      "a tag has no meaning here (text that begins with ! needs quotes)",
                      SLICE_NULL);
}

static bool on_scalar(struct parse *parse, const yaml_event_t *event, size_t line)
{
    struct slice text = { (const char *)event->data.scalar.value, event->data.scalar.length };
    struct config_node *node = config_node_scalar(parse->tree, text, parse->source, (uint32_t)line);
    if (node == NULL)
        return too_many(parse, line);
    bool plain =
        event->data.scalar.plain_implicit && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && is_null_text(text))
        node->kind = CONFIG_NODE_NULL;
    return check_tag(parse, event->data.scalar.tag, line) &&
           remember_anchor(parse, event->data.scalar.anchor, node) && add_node(parse, node);
}

static bool on_start(struct parse *parse, enum config_node_kind kind, const yaml_char_t *anchor,
                     const yaml_char_t *tag, size_t line)
{
    if (parse->depth == CONFIG_NODE_DEPTH_MAX)
        return problem_at(parse, line, "nested too deeply", SLICE_NULL);
    struct config_node *node = config_node_new(parse->tree, kind, parse->source, (uint32_t)line);
    if (node == NULL)
        return too_many(parse, line);
    if (!check_tag(parse, tag, line) || !remember_anchor(parse, anchor, node) ||
        !add_node(parse, node))
        return false;
    parse->frames[parse->depth++] = (struct frame){ .node = node };
    return true;
}

/* The later of two equal keys is taken out and reported. */
static void drop_duplicates(struct parse *parse, struct config_node *node)
{
    struct map seen = MAP_INIT;
    struct config_node *kept = NULL;
    for (struct config_node *child = node->first; child != NULL; child = child->next) {
        uint64_t hash = map_hash(child->key);
        const struct config_node *first = map_get(&seen, hash);
        if (first != NULL && slice_equal(first->key, child->key)) {
            problem_at(parse, child->line, "given twice in one mapping: ", child->key);
            kept->next = child->next;
            node->count--;
            continue;
        }
        if (first == NULL)
            map_put(&seen, hash, child);
        kept = child;
    }
    node->last = kept;
    map_done(&seen);
}

static bool on_end(struct parse *parse)
{
    struct config_node *node = parse->frames[--parse->depth].node;
    if (node->kind == CONFIG_NODE_MAP)
        drop_duplicates(parse, node);
    return true;
}

static bool is_open(const struct parse *parse, const struct config_node *node)
{
    for (uint32_t i = 0; i < parse->depth; i++)
        if (parse->frames[i].node == node)
            return true;
    return false;
}

static bool on_alias(struct parse *parse, struct slice name, size_t line)
{
    const struct config_node *node = NULL;
    for (uint32_t i = parse->anchor_count; node == NULL && i > 0; i--)
        if (slice_equal(parse->anchors[i - 1].name, name))
            node = parse->anchors[i - 1].node;
    if (node == NULL)
        return problem_at(parse, line, "no such anchor (text that begins with * needs quotes)",
                          SLICE_NULL);
    if (is_open(parse, node))
        return problem_at(parse, line, "an alias inside of what it repeats", SLICE_NULL);
    if (parse->depth + config_node_height(node) > CONFIG_NODE_DEPTH_MAX)
        return problem_at(parse, line, "nested too deeply", SLICE_NULL);
    struct config_node *copy = config_node_copy(parse->tree, node);
    if (copy == NULL)
        return too_many(parse, line);
    copy->line = (uint32_t)line;
    return add_node(parse, copy);
}

static bool on_event(struct parse *parse, const yaml_event_t *event)
{
    size_t line = event->start_mark.line + 1;
    switch (event->type) {
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
        return true;
    case YAML_DOCUMENT_START_EVENT:
        return !parse->ended || problem_at(parse, line, "more than one document", SLICE_NULL);
    case YAML_DOCUMENT_END_EVENT:
        parse->ended = true;
        return true;
    case YAML_ALIAS_EVENT:
        return on_alias(parse, slice_of((const char *)event->data.alias.anchor), line);
    case YAML_SCALAR_EVENT:
        return on_scalar(parse, event, line);
    case YAML_SEQUENCE_START_EVENT:
        return on_start(parse, CONFIG_NODE_LIST, event->data.sequence_start.anchor,
                        event->data.sequence_start.tag, line);
    case YAML_MAPPING_START_EVENT:
        return on_start(parse, CONFIG_NODE_MAP, event->data.mapping_start.anchor,
                        event->data.mapping_start.tag, line);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(parse);
    }
    return true;
}

static void event_done(yaml_event_t *event)
{
    if (event->type == YAML_SCALAR_EVENT)
        explicit_bzero(event->data.scalar.value, event->data.scalar.length);
    yaml_event_delete(event);
}

/* A reader's error has an offset in place of a line. */
static size_t problem_line(const yaml_parser_t *yaml, struct slice text)
{
    if (yaml->error != YAML_READER_ERROR)
        return yaml->problem_mark.line + 1;
    size_t line = 1;
    for (size_t i = 0; i < yaml->problem_offset && i < text.size; i++)
        line += text.data[i] == '\n';
    return line;
}

/* libyaml's texts are constants: they hold nothing of the input. */
static bool not_yaml(struct parse *parse, const yaml_parser_t *yaml, struct slice text)
{
    const char *problem = yaml->problem != NULL ? yaml->problem : "out of memory";
    return problem_at(parse, problem_line(yaml, text), "not YAML: ", slice_of(problem));
}

static bool parse_events(struct parse *parse, yaml_parser_t *yaml, struct slice text)
{
    for (bool more = true; more;) {
        yaml_event_t event;
        if (!yaml_parser_parse(yaml, &event))
            return not_yaml(parse, yaml, text);
        more = event.type != YAML_STREAM_END_EVENT;
        bool taken = on_event(parse, &event);
        event_done(&event);
        if (!taken)
            return false;
    }
    return true;
}

bool config_yaml_parse(struct config_tree *tree, struct slice text,
                       const struct config_source *source, struct config_problems *problems,
                       struct config_node **out_root)
{
    struct parse parse = { .tree = tree, .source = source, .problems = problems };
    if (text.size > CONFIG_YAML_MAX_BYTES)
        return problem_at(&parse, 1, "larger than 1 MiB", SLICE_NULL);
    AUTO(yaml_parser_t, yaml_parser_delete) yaml;
    CHECK(yaml_parser_initialize(&yaml));
    yaml_parser_set_input_string(&yaml, (const unsigned char *)text.data, text.size);
    if (!parse_events(&parse, &yaml, text))
        return false;
    if (parse.root == NULL)
        parse.root = config_node_new(tree, CONFIG_NODE_NULL, source, 1);
    if (parse.root == NULL)
        return too_many(&parse, 1);
    *out_root = parse.root;
    return true;
}
