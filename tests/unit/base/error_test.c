#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/slice.h"
#include "base/text.h"

static void set_fills_and_returns_false(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_false(error_set(&err, ERROR_HALT, "42704", "slot \"%s\" is gone at %d", "s", 7));
    assert_int_equal(err.class, ERROR_HALT);
    assert_string_equal(err.code, "42704");
    assert_string_equal(err.text, "slot \"s\" is gone at 7");
    assert_string_equal(err.advice, "");
}

static void set_clears_old_advice(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_RETRY, "a", "first");
    assert_false(error_advise(&err, "do %s", "this"));
    assert_string_equal(err.advice, "do this");
    error_set(&err, ERROR_WAIT, "b", "second");
    assert_string_equal(err.advice, "");
}

static void advice_adds_up(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_HALT, "a", "text");
    error_advise(&err, "Do this.");
    error_advise(&err, "Then that.");
    assert_string_equal(err.advice, "Do this. Then that.");
    for (int i = 0; i < 500; i++)
        error_advise(&err, "More %d.", i);
    assert_true(strlen(err.advice) < sizeof(err.advice));
    assert_int_equal(strncmp(err.advice, "Do this. Then that. More 0. ", 28), 0);
    assert_int_equal(strlen(err.advice), sizeof(err.advice) - 1);
    assert_string_equal(err.advice + strlen(err.advice) - 3, "...");
}

static void prefix_tells_where(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_RECONNECT, "08006", "connection lost");
    assert_false(error_prefix(&err, "node %s:%d", "db1", 5432));
    assert_string_equal(err.text, "node db1:5432: connection lost");
    assert_string_equal(err.code, "08006");
    assert_int_equal(err.class, ERROR_RECONNECT);
}

static void a_null_error_is_only_false(void **state)
{
    (void)state;
    assert_false(error_set(NULL, ERROR_HALT, "a", "text %d", 1));
    assert_false(error_advise(NULL, "text %d", 1));
    assert_false(error_prefix(NULL, "text %d", 1));
}

static void long_texts_are_cut_with_dots(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_HALT, text, "%s", text);
    error_advise(&err, "%s", text);
    assert_int_equal(strlen(err.code), ERROR_CODE_SIZE - 1);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    assert_int_equal(strlen(err.advice), ERROR_ADVICE_SIZE - 1);
    assert_string_equal(err.text + ERROR_TEXT_SIZE - 5, "x...");
    assert_string_equal(err.code + ERROR_CODE_SIZE - 5, "x...");
    error_prefix(&err, "where");
    assert_int_equal(strncmp(err.text, "where: xxx", 10), 0);
    assert_int_equal(strlen(err.text), ERROR_TEXT_SIZE - 1);
    assert_string_equal(err.text + ERROR_TEXT_SIZE - 5, "x...");
}

static void a_text_that_just_fits_is_whole(void **state)
{
    (void)state;
    char text[ERROR_TEXT_SIZE];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_HALT, "a", "%s", text);
    assert_string_equal(err.text, text);
}

static void a_cut_leaves_whole_characters(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        char text[2000] = "xxx";
        for (size_t at = shift; at + 4 < sizeof(text); at += 4)
            memcpy(text + at, "\xf0\x9f\x90\x98", 5);
        struct error err = ERROR_INIT;
        error_set(&err, ERROR_HALT, "a", "%s", text);
        assert_true(text_is_utf8(slice_of(err.text)));
        assert_string_equal(err.text + strlen(err.text) - 3, "...");
    }
}

static void values_may_point_into_the_error(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_RETRY, "code", "inner");
    error_set(&err, ERROR_HALT, err.code, "outer (%s, %s)", err.text, err.code);
    assert_string_equal(err.text, "outer (inner, code)");
    assert_string_equal(err.code, "code");
    error_advise(&err, "see %s", err.text);
    error_prefix(&err, "%s", err.code);
    assert_string_equal(err.text, "code: outer (inner, code)");
    assert_string_equal(err.advice, "see outer (inner, code)");
}

static void classes_have_names(void **state)
{
    (void)state;
    assert_string_equal(error_class_name(ERROR_NONE), "none");
    assert_string_equal(error_class_name(ERROR_RETRY), "retry");
    assert_string_equal(error_class_name(ERROR_STEP_DOWN), "step_down");
    assert_string_equal(error_class_name(ERROR_STOPPED), "stopped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_and_returns_false),
        cmocka_unit_test(set_clears_old_advice),
        cmocka_unit_test(advice_adds_up),
        cmocka_unit_test(prefix_tells_where),
        cmocka_unit_test(a_null_error_is_only_false),
        cmocka_unit_test(long_texts_are_cut_with_dots),
        cmocka_unit_test(a_text_that_just_fits_is_whole),
        cmocka_unit_test(a_cut_leaves_whole_characters),
        cmocka_unit_test(values_may_point_into_the_error),
        cmocka_unit_test(classes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
