#include "operator/objects.h"

#include "scene.h"

#include <string.h>

#include "base/memory.h"

static json_t *load(const char *text)
{
    json_t *loaded = json_loads(text, JSON_DECODE_ANY, NULL);
    if (loaded == NULL)
        fail_msg("%s is no JSON", text);
    return loaded;
}

/* http://www.isthe.com/chongo/src/fnv/test_fnv.c */
static void the_hash_is_fnv_1a(void **state)
{
    static const struct {
        const char *text, *hash;
    } rows[] = {
        { "", "cbf29ce484222325" },
        { "a", "af63dc4c8601ec8c" },
        { "foobar", "85944171f73967e8" },
    };
    char hash[OBJECTS_HASH_SIZE];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        objects_hash_text(slice_of(rows[i].text), hash);
        assert_string_equal(hash, rows[i].hash);
    }
}

static void the_order_of_members_makes_no_other_hash(void **state)
{
    char one[OBJECTS_HASH_SIZE], other[OBJECTS_HASH_SIZE], third[OBJECTS_HASH_SIZE];
    AUTO(json_t *, json_decrefp) a = load("{\"a\":1,\"b\":[1,2]}");
    AUTO(json_t *, json_decrefp) b = load("{\"b\":[1,2],\"a\":1}");
    AUTO(json_t *, json_decrefp) c = load("{\"b\":[2,1],\"a\":1}");
    (void)state;
    objects_hash(a, one);
    objects_hash(b, other);
    objects_hash(c, third);
    assert_string_equal(one, other);
    assert_string_not_equal(one, third);
}

static void a_text_ends_before_half_a_character(void **state)
{
    static const struct {
        const char *text, *trimmed;
    } rows[] = {
        { "", "" },
        { "plain", "plain" },
        { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
        { "gr\xc3\xbc\xc3", "gr\xc3\xbc" },
        { "\xff never", "" },
        { "a\xe2\x82", "a" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(char *, memory_free_p) text = memory_text(rows[i].text);
        objects_trim(text);
        assert_string_equal(text, rows[i].trimmed);
    }
}

static void what_a_user_gives_lies_over_ours(void **state)
{
    AUTO(json_t *, json_decrefp) base = load("{\"a\":1,\"b\":{\"c\":1},\"d\":1}");
    AUTO(json_t *, json_decrefp) over = load("{\"b\":{\"x\":2},\"d\":null,\"e\":3}");
    AUTO(json_t *, json_decrefp) wanted = load("{\"a\":1,\"b\":{\"x\":2},\"e\":3}");
    (void)state;
    objects_overlay(base, over);
    assert_true(json_equal(base, wanted));
    objects_overlay(base, NULL);
    objects_overlay(base, json_object_get(base, "a"));
    assert_true(json_equal(base, wanted));
}

static void an_object_is_found_by_kind_and_name(void **state)
{
    AUTO(json_t *, json_decrefp)
    all = load("[null, {\"kind\":\"Role\",\"metadata\":{\"name\":\"a\"}},"
               " {\"kind\":\"Job\",\"metadata\":{\"name\":\"a\"}}]");
    (void)state;
    assert_ptr_equal(objects_find(all, "Job", "a"), json_array_get(all, 2));
    assert_null(objects_find(all, "Job", "b"));
    assert_null(objects_find(all, "Pod", "a"));
    assert_null(objects_find(NULL, "Pod", "a"));
}

static void what_is_there_may_be_more_but_not_less(void **state)
{
    static const struct {
        const char *existing, *wanted;
        bool holds;
    } rows[] = {
        { "{\"a\":1,\"b\":2}", "{\"a\":1}", true },
        { "{\"a\":1}", "{\"a\":1,\"b\":2}", false },
        { "{\"a\":2}", "{\"a\":1}", false },
        { "{\"a\":{\"b\":[]}}", "{\"a\":{}}", true },
        { "[]", "{\"a\":1}", false },
        { "{}", "[1]", false },
        { "null", "{}", false },
        /* left out by the server, since it is empty */
        { "{}", "{\"a\":null,\"b\":\"\",\"c\":0,\"d\":false,\"e\":{},\"f\":[]}", true },
        { "{}", "{\"a\":true}", false },
        { "{}", "{\"a\":0.5}", false },
        { "{}", "{\"enableServiceLinks\":false}", false },
        { "{}", "{\"replicas\":0}", false },
        { "{\"replicas\":0}", "{\"replicas\":0}", true },
        /* lists of named things are maps, others are whole */
        { "[{\"name\":\"x\"},{\"name\":\"a\",\"v\":1}]", "[{\"name\":\"a\"}]", true },
        { "[{\"name\":\"x\"}]", "[{\"name\":\"a\"}]", false },
        { "[{\"name\":\"a\",\"p\":1},{\"name\":\"a\",\"p\":2}]", "[{\"name\":\"a\",\"p\":2}]",
          true },
        { "[1,2]", "[1]", false },
        { "[1,2]", "[2,1]", false },
        { "[1,2]", "[1,2]", true },
        { "[1]", "[]", false },
        { "[{\"key\":\"a\",\"more\":1}]", "[{\"key\":\"a\"}]", true },
        /* quantities */
        { "\"1\"", "\"1000m\"", true },
        { "\"1\"", "1", true },
        { "\"128Mi\"", "\"134217728\"", true },
        { "\"1500m\"", "1.5", true },
        { "\"1Gi\"", "\"1024Mi\"", true },
        { "\"1G\"", "\"1Gi\"", false },
        { "\"1\"", "\"1x\"", false },
        { "\"a\"", "\"b\"", false },
        { "\"\"", "\"1\"", false },
        { "true", "true", true },
        { "false", "true", false },
        { "\"1e3\"", "\"1k\"", true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(json_t *, json_decrefp) existing = load(rows[i].existing);
        AUTO(json_t *, json_decrefp) wanted = load(rows[i].wanted);
        if (objects_hold(existing, wanted) != rows[i].holds)
            fail_msg("%s of %s", rows[i].wanted, rows[i].existing);
    }
}

static void nothing_holds_nothing_but_what_is_absent(void **state)
{
    AUTO(json_t *, json_decrefp) object = load("{\"a\":1}");
    AUTO(json_t *, json_decrefp) text = load("\"a\"");
    (void)state;
    assert_false(objects_hold(NULL, object));
    assert_false(objects_hold(NULL, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_fnv_1a),
        cmocka_unit_test(the_order_of_members_makes_no_other_hash),
        cmocka_unit_test(a_text_ends_before_half_a_character),
        cmocka_unit_test(what_a_user_gives_lies_over_ours),
        cmocka_unit_test(an_object_is_found_by_kind_and_name),
        cmocka_unit_test(what_is_there_may_be_more_but_not_less),
        cmocka_unit_test(nothing_holds_nothing_but_what_is_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
