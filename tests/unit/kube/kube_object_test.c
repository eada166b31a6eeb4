#include "kube/kube_object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/memory.h"

static json_t *load(const char *text)
{
    json_t *object = kube_object_load(slice_of(text));
    assert_non_null(object);
    return object;
}

static void what_is_there_is_found(void **state)
{
    (void)state;
    AUTO(json_t *, json_decrefp)
    object = load("{\"a\":{\"b\":{\"c\":\"text\",\"n\":-5}},\"top\":\"t\"}");
    assert_string_equal(kube_object_text(object, "a.b.c", ""), "text");
    assert_string_equal(kube_object_text(object, "top", ""), "t");
    assert_int_equal(kube_object_integer(object, "a.b.n", 7), -5);
    assert_true(json_is_object(kube_object_find(object, "a.b")));
}

static void what_is_not_there_is_the_default(void **state)
{
    (void)state;
    AUTO(json_t *, json_decrefp)
    object = load("{\"a\":{\"b\":null,\"n\":1.5,\"s\":\"5\"},\"l\":[1]}");
    static const char *const paths[] = {
        "x", "a.x", "a.b", "a.b.c", "a.s.c", "l.0", "l", "a", "a."
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        assert_string_equal(kube_object_text(object, paths[i], "no"), "no");
        assert_int_equal(kube_object_integer(object, paths[i], 7), 7);
    }
    assert_int_equal(kube_object_integer(object, "a.n", 7), 7);
    assert_int_equal(kube_object_integer(object, "a.s", 7), 7);
    assert_null(kube_object_find(NULL, "a.b"));
    assert_string_equal(kube_object_text(NULL, "a", "no"), "no");
}

static void annotations_have_dots_in_their_names(void **state)
{
    (void)state;
    AUTO(json_t *, json_decrefp)
    object = load("{\"metadata\":{\"annotations\":{\"x.io/a\":\"1\",\"n\":2}}}");
    assert_string_equal(kube_object_annotation(object, "x.io/a"), "1");
    assert_string_equal(kube_object_annotation(object, "n"), "");
    assert_string_equal(kube_object_annotation(object, "x"), "");
    assert_string_equal(kube_object_annotation(NULL, "x"), "");
    kube_object_annotate(object, "x.io/a", "one");
    kube_object_annotate(object, "x.io/b", "two");
    assert_string_equal(kube_object_annotation(object, "x.io/a"), "one");
    assert_string_equal(kube_object_annotation(object, "x.io/b"), "two");
    kube_object_annotate(object, "x.io/a", "");
    kube_object_annotate(object, "x.io/b", NULL);
    kube_object_annotate(object, "x.io/absent", NULL);
    assert_int_equal(json_object_size(kube_object_find(object, "metadata.annotations")), 1);
    kube_object_annotate(object, "n", NULL);
    assert_null(kube_object_find(object, "metadata.annotations"));
}

static void annotations_are_made_where_there_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = { "{}", "{\"metadata\":1}",
                                         "{\"metadata\":{\"annotations\":null}}",
                                         "{\"metadata\":{\"annotations\":[]}}" };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(json_t *, json_decrefp) object = load(texts[i]);
        kube_object_annotate(object, "a", "1");
        assert_string_equal(kube_object_annotation(object, "a"), "1");
    }
}

static void a_child_is_made_once(void **state)
{
    (void)state;
    AUTO(json_t *, json_decrefp) object = load("{\"other\":3}");
    json_t *child = kube_object_child(object, "spec");
    assert_true(json_is_object(child));
    assert_ptr_equal(kube_object_child(object, "spec"), child);
    assert_true(json_is_object(kube_object_child(object, "other")));
}

static void only_objects_and_arrays_are_bodies(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       " ",
                                       "1",
                                       "\"a\"",
                                       "null",
                                       "{",
                                       "{}x",
                                       "{} {}",
                                       "{\"a\":\"\\u0000\"}",
                                       "{\"a\":\"\xff\"}" };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_null(kube_object_load(slice_of(bad[i])));
    static const char *const good[] = { "{}", " [ ] ", "{\"a\":1}\n" };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        AUTO(json_t *, json_decrefp) object = load(good[i]);
        assert_non_null(object);
    }
}

static void what_a_url_must_not_hold_is_escaped(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "", "" },
        { "aZ09-._~", "aZ09-._~" },
        { "metadata.name=a", "metadata.name%3Da" },
        { "../a?b&c#d%", "..%2Fa%3Fb%26c%23d%25" },
        { "\xc3\xbc \n", "%C3%BC%20%0A" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(char *, memory_free_p) escaped = kube_object_escape(rows[i][0]);
        assert_string_equal(escaped, rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_there_is_found),
        cmocka_unit_test(what_is_not_there_is_the_default),
        cmocka_unit_test(annotations_have_dots_in_their_names),
        cmocka_unit_test(annotations_are_made_where_there_are_none),
        cmocka_unit_test(a_child_is_made_once),
        cmocka_unit_test(only_objects_and_arrays_are_bodies),
        cmocka_unit_test(what_a_url_must_not_hold_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
