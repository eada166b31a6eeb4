#include "config/config_value.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/text.h"
#include "config/config.h"

enum { EXPECTED_MAX_BYTES = 1024, SHOWN_MAX_BYTES = 64 };

/* One option being read from one node. */
struct input {
    const struct config_reading *reading;
    const struct config_option *option;
    const char *path;
    const struct config_node *node;
};

static void *field_of(const struct config_option *option, void *object)
{
    return (char *)object + option->offset;
}

static bool complain(const struct input *input, const struct config_node *node, const char *text)
{
    config_problems_add(input->reading->problems, config_node_where(input->reading->tree, node),
                        input->path, "%s", text);
    return false;
}

static void append_got(const struct config_option *option, const struct config_node *node,
                       struct buf *out)
{
    static const char *const names[] = {
        [CONFIG_NODE_NULL] = "nothing",
        [CONFIG_NODE_SCALAR] = "text",
        [CONFIG_NODE_LIST] = "a list",
        [CONFIG_NODE_MAP] = "a mapping",
    };
    bool shown = node->kind == CONFIG_NODE_SCALAR && option->kind != CONFIG_MAP &&
                 (option->flags & CONFIG_SECRET) == 0;
    if (!shown)
        buf_append_format(out, "; got %s", names[node->kind]);
    else
        buf_append_format(
            out, "; got \"%.*s%s\"",
            (int)config_problems_cut(node->text.data, node->text.size, SHOWN_MAX_BYTES),
            node->text.data, node->text.size > SHOWN_MAX_BYTES ? "..." : "");
}

static void append_nearest_word(const struct config_option *option, const struct config_node *node,
                                struct buf *out)
{
    const char *words[16];
    size_t count = 0;
    for (uint32_t i = 0; i < option->choices->count && count < COUNT_OF(words); i++)
        if (option->choices->items[i].word != NULL)
            words[count++] = option->choices->items[i].word;
    bool compared = node->kind == CONFIG_NODE_SCALAR && node->text.size <= SHOWN_MAX_BYTES;
    const char *nearest = compared ? text_nearest(node->text.data, words, count) : NULL;
    if (nearest != NULL)
        buf_append_format(out, "; did you mean \"%s\"?", nearest);
}

void config_value_unexpected(const struct config_reading *reading,
                             const struct config_option *option, const char *path,
                             const struct config_node *node)
{
    if (!config_problems_wanted(reading->problems)) {
        config_problems_add(reading->problems, "", path, "unexpected");
        return;
    }
    AUTO(struct buf, buf_done) text = buf_init(EXPECTED_MAX_BYTES);
    buf_append_text(&text, "expected ");
    config_option_expected(option, &text);
    append_got(option, node, &text);
    append_nearest_word(option, node, &text);
    config_problems_add(reading->problems, config_node_where(reading->tree, node), path, "%s",
                        buf_text(&text));
}

static bool unexpected(const struct input *input, const struct config_node *node)
{
    config_value_unexpected(input->reading, input->option, input->path, node);
    return false;
}

/* Texts must be what C and PostgreSQL can hold. */
static bool is_sound(const struct input *input, const struct config_node *node)
{
    if (memchr(node->text.data, '\0', node->text.size) != NULL)
        return complain(input, node, "must not contain a NUL byte");
    if (!text_is_utf8(node->text))
        return complain(input, node, "must be UTF-8 text");
    return true;
}

static char *copy_text(const struct input *input, struct slice text)
{
    char *copy = arena_alloc(input->reading->arena, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

static bool read_text(const struct input *input, void *field)
{
    char *text = copy_text(input, input->node->text);
    memcpy(field, &text, sizeof(text));
    return true;
}

static bool read_bool(const struct input *input, void *field)
{
    bool value;
    if (!text_parse_bool(input->node->text.data, &value))
        return unexpected(input, input->node);
    memcpy(field, &value, sizeof(value));
    return true;
}

static bool read_number(const struct input *input, void *field)
{
    const char *text = input->node->text.data;
    int64_t value = 0;
    bool parsed = input->option->kind == CONFIG_INT        ? text_parse_i64(text, &value)
                  : input->option->kind == CONFIG_DURATION ? text_parse_duration_ms(text, 1, &value)
                                                           : text_parse_size(text, &value);
    if (!parsed || value < input->option->min || value > input->option->max)
        return unexpected(input, input->node);
    memcpy(field, &value, sizeof(value));
    return true;
}

static const struct config_choice *find_choice(const struct config_option *option,
                                               struct slice text)
{
    int64_t number = 0;
    bool numeric = (option->flags & CONFIG_NUMBERS) != 0 && text_parse_i64(text.data, &number);
    for (uint32_t i = 0; i < option->choices->count; i++) {
        const struct config_choice *choice = &option->choices->items[i];
        if (choice->word == NULL)
            continue;
        if (numeric ? number == choice->value
                    : strlen(choice->word) == text.size &&
                          strncasecmp(choice->word, text.data, text.size) == 0)
            return choice;
    }
    return NULL;
}

static bool read_choice(const struct input *input, void *field)
{
    const struct config_choice *choice = find_choice(input->option, input->node->text);
    if (choice == NULL)
        return unexpected(input, input->node);
    /* An enum whose constants are not negative is an unsigned int. */
    _Static_assert(sizeof(enum config_on_halt) == sizeof(choice->value), "size of an enum");
    memcpy(field, &choice->value, sizeof(choice->value));
    return true;
}

static bool read_word(const struct input *input, void *field)
{
    const struct config_choice *choice = find_choice(input->option, input->node->text);
    if (choice == NULL)
        return unexpected(input, input->node);
    char *word = copy_text(input, slice_of(choice->word));
    memcpy(field, &word, sizeof(word));
    return true;
}

typedef bool read_scalar_fn(const struct input *input, void *field);

static read_scalar_fn *scalar_reader(enum config_kind kind)
{
    switch (kind) {
    case CONFIG_TEXT:
        return read_text;
    case CONFIG_BOOL:
        return read_bool;
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return read_number;
    case CONFIG_CHOICE:
        return read_choice;
    case CONFIG_WORD:
        return read_word;
    case CONFIG_BITS:
    case CONFIG_LIST:
    case CONFIG_MAP:
    case CONFIG_TABLES:
        return NULL;
    }
    return NULL;
}

static struct slice trimmed(struct slice text)
{
    while (text.size > 0 && isspace((unsigned char)text.data[0]))
        text = (struct slice){ text.data + 1, text.size - 1 };
    while (text.size > 0 && isspace((unsigned char)text.data[text.size - 1]))
        text.size--;
    return text;
}

/* "a, b" as the list of its parts; NULL = the tree is full. */
static const struct config_node *split_commas(const struct input *input)
{
    struct config_tree *tree = input->reading->tree;
    const struct config_node *node = input->node;
    struct config_node *list = config_node_new(tree, CONFIG_NODE_LIST, node->source, node->line);
    struct slice rest = node->text;
    for (bool more = rest.size > 0; list != NULL && more;) {
        const char *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma != NULL ? (size_t)(comma - rest.data) : rest.size;
        struct config_node *item = config_node_scalar(
            tree, trimmed((struct slice){ rest.data, size }), node->source, node->line);
        if (item == NULL)
            return NULL;
        config_node_append(list, item);
        more = comma != NULL;
        if (more)
            rest = (struct slice){ comma + 1, rest.size - size - 1 };
    }
    return list;
}

/* The list to read; NULL = there is none, which was added as a problem. */
static const struct config_node *list_of(const struct input *input)
{
    bool commas = input->option->kind == CONFIG_BITS || (input->option->flags & CONFIG_COMMAS) != 0;
    if (input->node->kind == CONFIG_NODE_LIST)
        return input->node;
    if (input->node->kind != CONFIG_NODE_SCALAR || !commas) {
        unexpected(input, input->node);
        return NULL;
    }
    const struct config_node *list = split_commas(input);
    if (list == NULL)
        complain(input, input->node, "too many values");
    return list;
}

static void read_bits(const struct input *input, void *field)
{
    const struct config_node *list = list_of(input);
    if (list == NULL)
        return;
    uint32_t bits = 0;
    bool sound = true;
    for (const struct config_node *item = list->first; item != NULL; item = item->next) {
        const struct config_choice *choice =
            item->kind == CONFIG_NODE_SCALAR ? find_choice(input->option, item->text) : NULL;
        if (choice != NULL)
            bits |= choice->value;
        else
            sound = unexpected(input, item);
    }
    if (sound)
        memcpy(field, &bits, sizeof(bits));
}

static bool is_item_text(const struct input *input, const struct config_node *item)
{
    if (item->kind != CONFIG_NODE_SCALAR)
        return unexpected(input, item);
    if (item->text.size == 0)
        return complain(input, item, "an element must not be empty");
    return is_sound(input, item);
}

static void read_list(const struct input *input, void *field)
{
    const struct config_node *list = list_of(input);
    if (list == NULL)
        return;
    const char **items = arena_array(input->reading->arena, list->count, sizeof(*items));
    uint32_t count = 0;
    for (const struct config_node *item = list->first; item != NULL; item = item->next)
        if (is_item_text(input, item))
            items[count++] = copy_text(input, item->text);
    if (count == list->count)
        *(struct config_list *)field = (struct config_list){ items, count };
}

static bool is_pair(const struct input *input, const struct config_node *entry)
{
    if (entry->key.size == 0)
        return complain(input, entry, "a name must not be empty");
    if (memchr(entry->key.data, '\0', entry->key.size) != NULL || !text_is_utf8(entry->key))
        return complain(input, entry, "a name must be UTF-8 text without NUL bytes");
    if (entry->kind != CONFIG_NODE_SCALAR)
        return unexpected(input, entry);
    return is_sound(input, entry);
}

static void read_map(const struct input *input, void *field)
{
    if (input->node->kind != CONFIG_NODE_MAP) {
        unexpected(input, input->node);
        return;
    }
    uint32_t count = 0;
    struct config_pair *pairs =
        arena_array(input->reading->arena, input->node->count, sizeof(*pairs));
    for (const struct config_node *entry = input->node->first; entry != NULL; entry = entry->next)
        if (is_pair(input, entry))
            pairs[count++] =
                (struct config_pair){ copy_text(input, entry->key), copy_text(input, entry->text) };
    if (count == input->node->count)
        *(struct config_map *)field = (struct config_map){ pairs, count };
}

void config_value_read(const struct config_reading *reading, const struct config_option *option,
                       const char *path, const struct config_node *node, void *object)
{
    struct input input = { reading, option, path, node };
    void *field = field_of(option, object);
    bool empty = node->kind == CONFIG_NODE_NULL ||
                 (node->kind == CONFIG_NODE_SCALAR && node->text.size == 0) ||
                 (node->kind == CONFIG_NODE_LIST && node->count == 0);
    if (empty && (option->flags & CONFIG_REQUIRED) != 0) {
        complain(&input, node, "must not be empty");
        return;
    }
    if (node->kind == CONFIG_NODE_NULL || (node->kind == CONFIG_NODE_SCALAR && empty))
        return;
    read_scalar_fn *read_scalar = scalar_reader(option->kind);
    if (read_scalar != NULL && node->kind != CONFIG_NODE_SCALAR)
        unexpected(&input, node);
    else if (read_scalar != NULL)
        (void)(is_sound(&input, node) && read_scalar(&input, field));
    else if (option->kind == CONFIG_BITS)
        read_bits(&input, field);
    else if (option->kind == CONFIG_LIST)
        read_list(&input, field);
    else if (option->kind == CONFIG_MAP)
        read_map(&input, field);
}

void config_value_default(struct arena *arena, const struct config_option *option, void *object)
{
    if (option->default_text == NULL)
        return;
    struct config_problems none = CONFIG_PROBLEMS_INIT;
    struct config_tree tree = config_node_tree_init();
    struct config_reading reading = { &tree, arena, &none, NULL };
    struct config_source source = { CONFIG_SOURCE_FILE, "options.def" };
    struct config_node node = {
        .kind = CONFIG_NODE_SCALAR,
        .source = &source,
        .text = slice_of(option->default_text),
    };
    struct input input = { &reading, option, option->path, &node };
    CHECK(scalar_reader(option->kind)(&input, field_of(option, object)));
    config_node_tree_done(&tree);
}
