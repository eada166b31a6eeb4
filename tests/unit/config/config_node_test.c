#include "config/config_node.h"

#include "config_fixture.h"

static const struct config_source file = { CONFIG_SOURCE_FILE, "f" };
static const struct config_source variable = { CONFIG_SOURCE_ENVIRONMENT, "PQCDC_X" };

static struct config_node *text(struct config_tree *tree, const char *content)
{
    return config_node_scalar(tree, slice_of(content), &file, 1);
}

static void add(struct config_tree *tree, struct config_node *map, const char *key,
                const char *content)
{
    struct config_node *node = text(tree, content);
    config_node_set_key(tree, node, slice_of(key));
    config_node_append(map, node);
}

static void children_are_found_and_replaced_in_order(void **state)
{
    (void)state;
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    struct config_node *map = config_node_new(&tree, CONFIG_NODE_MAP, &file, 1);
    assert_null(config_node_get(map, slice_of("a")));
    assert_null(config_node_at(map, 0));
    add(&tree, map, "a", "1");
    add(&tree, map, "b", "2");
    add(&tree, map, "c", "3");
    assert_int_equal(map->count, 3);
    assert_string_equal(config_node_get(map, slice_of("b"))->text.data, "2");
    config_node_replace(map, config_node_get(map, slice_of("b")), text(&tree, "two"));
    config_node_replace(map, config_node_get(map, slice_of("c")), text(&tree, "three"));
    add(&tree, map, "d", "4");
    static const char *const expected[] = { "1", "two", "three", "4" };
    for (uint32_t i = 0; i < COUNT_OF(expected); i++)
        assert_string_equal(config_node_at(map, i)->text.data, expected[i]);
    assert_string_equal(config_node_at(map, 1)->key.data, "b");
    assert_null(config_node_at(map, 4));
    assert_int_equal(map->count, 4);
}

static void a_copy_is_deep(void **state)
{
    (void)state;
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    struct config_node *list = config_node_new(&tree, CONFIG_NODE_LIST, &file, 7);
    struct config_node *map = config_node_new(&tree, CONFIG_NODE_MAP, &file, 8);
    add(&tree, map, "k", "v");
    config_node_append(list, map);
    struct config_node *copy = config_node_copy(&tree, list);
    add(&tree, map, "later", "x");
    assert_int_equal(copy->kind, CONFIG_NODE_LIST);
    assert_int_equal(copy->line, 7);
    assert_int_equal(copy->first->kind, CONFIG_NODE_MAP);
    assert_int_equal(copy->first->count, 1);
    assert_string_equal(config_node_get(copy->first, slice_of("k"))->text.data, "v");
    assert_int_equal(config_node_height(list), 3);
    assert_int_equal(config_node_height(copy->first->first), 1);
}

static void a_tree_is_bounded(void **state)
{
    (void)state;
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    struct config_node *list = config_node_new(&tree, CONFIG_NODE_LIST, &file, 1);
    for (uint32_t i = 1; i < CONFIG_NODE_MAX; i++) {
        struct config_node *child = config_node_new(&tree, CONFIG_NODE_NULL, &file, 1);
        assert_non_null(child);
        config_node_append(list, child);
    }
    assert_null(config_node_new(&tree, CONFIG_NODE_NULL, &file, 1));
    assert_null(text(&tree, "x"));
    assert_null(config_node_copy(&tree, list));
}

static void a_place_is_named_by_its_source(void **state)
{
    (void)state;
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    struct config_node *in_file = config_node_new(&tree, CONFIG_NODE_NULL, &file, 4000000000);
    struct config_node *in_variable = config_node_new(&tree, CONFIG_NODE_NULL, &variable, 3);
    assert_string_equal(config_node_where(&tree, in_file), "f:4000000000");
    assert_string_equal(config_node_where(&tree, in_variable), "PQCDC_X");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(children_are_found_and_replaced_in_order),
        cmocka_unit_test(a_copy_is_deep),
        cmocka_unit_test(a_tree_is_bounded),
        cmocka_unit_test(a_place_is_named_by_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
