#include "config/config_yaml.h"

#include "config_fixture.h"

#include "base/text.h"

static const struct config_source file = { CONFIG_SOURCE_FILE, "f" };

/* A tree as one line: lists [a, b], maps {k: v}, nulls ~, texts in quotes. */
static void show(const struct config_node *node, struct buf *out)
{
    bool map = node->kind == CONFIG_NODE_MAP;
    if (node->kind == CONFIG_NODE_NULL) {
        buf_append_byte(out, '~');
    } else if (node->kind == CONFIG_NODE_SCALAR) {
        buf_append_byte(out, '"');
        buf_append_slice(out, node->text);
        buf_append_byte(out, '"');
    } else {
        buf_append_byte(out, map ? '{' : '[');
        for (const struct config_node *child = node->first; child != NULL; child = child->next) {
            if (map)
                buf_append_format(out, "%s: ", child->key.data);
            show(child, out);
            buf_append_text(out, child->next != NULL ? ", " : "");
        }
        buf_append_byte(out, map ? '}' : ']');
    }
}

static void assert_parsed(const char *yaml, const char *expected)
{
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct buf, buf_done) shown = buf_init(FIXTURE_MAX_BYTES);
    struct config_node *root;
    assert_true(config_yaml_parse(&tree, slice_of(yaml), &file, &problems, &root));
    assert_int_equal(problems.count, 0);
    show(root, &shown);
    assert_string_equal(buf_text(&shown), expected);
}

static void assert_problem_in(struct slice yaml, const char *expected)
{
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
    struct config_node *root = NULL;
    assert_false(config_yaml_parse(&tree, yaml, &file, &problems, &root));
    assert_null(root);
    config_problems_write(&problems, &lines);
    assert_string_equal(buf_text(&lines), expected);
}

static void assert_problem(const char *yaml, const char *expected)
{
    assert_problem_in(slice_of(yaml), expected);
}

static void yaml_and_json_become_trees(void **state)
{
    (void)state;
    assert_parsed("a: 1\nb:\n  - x\n  - {c: d}\n", "{a: \"1\", b: [\"x\", {c: \"d\"}]}");
    assert_parsed("{\"a\": 1, \"b\": [true, null, \"null\", \"\"]}",
                  "{a: \"1\", b: [\"true\", ~, \"null\", \"\"]}");
    assert_parsed("", "~");
    assert_parsed("# nothing\n", "~");
    assert_parsed("---\n...\n", "~");
    assert_parsed("text", "\"text\"");
    assert_parsed("a: |\n  two\n  lines\n", "{a: \"two\nlines\n\"}");
}

static void only_plain_nothing_is_null(void **state)
{
    (void)state;
    assert_parsed("[~, null, Null, NULL, '', \"~\", 'null', !!str null, nul]",
                  "[~, ~, ~, ~, \"\", \"~\", \"null\", \"null\", \"nul\"]");
}

static void aliases_repeat_what_they_name(void **state)
{
    (void)state;
    assert_parsed("a: &x {k: [1]}\nb: *x\nc: &x 2\nd: *x\n",
                  "{a: {k: [\"1\"]}, b: {k: [\"1\"]}, c: \"2\", d: \"2\"}");
    assert_parsed("&k key: *k\n", "{key: \"key\"}");
    assert_problem("a: *x\n", "f:1: no such anchor (text that begins with * needs quotes)\n");
    assert_problem("a: &x\n  - *x\n", "f:2: an alias inside of what it repeats\n");
}

static void aliases_cannot_grow_without_bound(void **state)
{
    (void)state;
    assert_problem("a: &a [l, l, l, l, l, l, l, l, l, l]\n"
                   "b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
                   "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\n"
                   "d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]\n"
                   "e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]\n",
                   "f:5: too many values (an alias counts as what it repeats)\n");
    AUTO(struct buf, buf_done) yaml = buf_init(FIXTURE_MAX_BYTES);
    for (int i = 0; i <= CONFIG_YAML_ANCHOR_MAX; i++)
        buf_append_format(&yaml, "- &a%d x\n", i);
    assert_problem(buf_text(&yaml), "f:257: too many anchors\n");
}

static void depth_is_bounded_with_and_without_aliases(void **state)
{
    (void)state;
    char yaml[2 * CONFIG_NODE_DEPTH_MAX + 3] = "";
    for (int i = 0; i < CONFIG_NODE_DEPTH_MAX; i++)
        strcat(yaml, "[");
    char closed[sizeof(yaml)];
    strcpy(closed, yaml);
    for (int i = 0; i < CONFIG_NODE_DEPTH_MAX; i++)
        strcat(closed, "]");
    assert_parsed(closed, closed);
    strcat(yaml, "[");
    assert_problem(yaml, "f:1: nested too deeply\n");
    assert_problem("- &a [[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]\n- [[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]\n",
                   "f:2: nested too deeply\n");
}

static void size_and_count_are_bounded(void **state)
{
    (void)state;
    char *large = memory_alloc(CONFIG_YAML_MAX_BYTES + 2);
    memset(large, '#', CONFIG_YAML_MAX_BYTES + 1);
    assert_problem(large, "f:1: larger than 1 MiB\n");
    large[CONFIG_YAML_MAX_BYTES] = '\0';
    assert_parsed(large, "~");
    large[0] = '[';
    for (size_t i = 1; i < CONFIG_YAML_MAX_BYTES; i++)
        large[i] = i % 2 == 0 ? ',' : 'x';
    assert_problem(large, "f:1: too many values (an alias counts as what it repeats)\n");
    memory_free(large);
}

static void what_is_not_yaml_is_reported_with_its_line(void **state)
{
    (void)state;
    assert_problem("a: 1\nb: [\n", "f:3: not YAML: did not find expected node content\n");
    assert_problem("a: b: c\n", "f:1: not YAML: mapping values are not allowed in this context\n");
    assert_problem("a: 1\n\tb: 2\n",
                   "f:2: not YAML: found a tab character that violates indentation\n");
    assert_problem("a: 1\nb: \xc3\x28\n", "f:2: not YAML: invalid trailing UTF-8 octet\n");
    assert_problem("a: 1\n---\nb: 2\n", "f:2: more than one document\n");
    assert_problem("? [a]\n: b\n", "f:1: a name must be text, not a list or mapping\n");
    assert_problem("a: !vault x\n",
                   "f:1: a tag has no meaning here (text that begins with ! needs quotes)\n");
    assert_problem("a: !x [1]\n",
                   "f:1: a tag has no meaning here (text that begins with ! needs quotes)\n");
    assert_problem_in((struct slice){ "a: \0", 4 },
                      "f:1: not YAML: control characters are not allowed\n");
}

static void equal_names_are_reported_and_the_first_is_kept(void **state)
{
    (void)state;
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct buf, buf_done) shown = buf_init(1024);
    struct config_node *root;
    assert_true(config_yaml_parse(&tree, slice_of("a: 1\nb: {x: 1, x: 2}\na: 3\nc: 4\na: 5\n"),
                                  &file, &problems, &root));
    show(root, &shown);
    assert_string_equal(buf_text(&shown), "{a: \"1\", b: {x: \"1\"}, c: \"4\"}");
    buf_clear(&shown);
    config_problems_write(&problems, &shown);
    assert_string_equal(buf_text(&shown), "f:2: given twice in one mapping: x\n"
                                          "f:3: given twice in one mapping: a\n"
                                          "f:5: given twice in one mapping: a\n");
    assert_int_equal(root->count, 3);
    assert_string_equal(root->last->key.data, "c");
}

static void lines_are_those_of_names_and_elements(void **state)
{
    (void)state;
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    struct config_node *root;
    assert_true(config_yaml_parse(&tree, slice_of("\na:\n  - x\n\n  - y\nb: &n\n  c: 1\nd: *n\n"),
                                  &file, &problems, &root));
    struct config_node *list = config_node_get(root, slice_of("a"));
    assert_int_equal(list->line, 2);
    assert_int_equal(config_node_at(list, 0)->line, 3);
    assert_int_equal(config_node_at(list, 1)->line, 5);
    assert_int_equal(config_node_get(root, slice_of("b"))->line, 6);
    assert_int_equal(config_node_get(root, slice_of("d"))->line, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_and_json_become_trees),
        cmocka_unit_test(only_plain_nothing_is_null),
        cmocka_unit_test(aliases_repeat_what_they_name),
        cmocka_unit_test(aliases_cannot_grow_without_bound),
        cmocka_unit_test(depth_is_bounded_with_and_without_aliases),
        cmocka_unit_test(size_and_count_are_bounded),
        cmocka_unit_test(what_is_not_yaml_is_reported_with_its_line),
        cmocka_unit_test(equal_names_are_reported_and_the_first_is_kept),
        cmocka_unit_test(lines_are_those_of_names_and_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
