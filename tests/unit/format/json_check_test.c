#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/json_check.h"
#include "oracle.h"

static const char *const valid[] = {
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1.5e+10",
    "1E5",
    "0.5",
    "\"\"",
    "\"a\\u00e9\\n\\/\"",
    "[]",
    "{}",
    " [ ] ",
    "{ }",
    "[1,2]",
    "[[],{}]",
    "{\"a\":1}",
    "{\"a\" : [ 1 , 2 ] , \"b\":null}",
    "\t\r\n null \n",
    "\"\xC3\xBC\"",
    "\"\x7F\"",
    "{\"\":\"\"}",
    "[1e400]",
    "12345678901234567890",
};

static const char *const invalid[] = {
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "00",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "1e",
    "1e+",
    "\"",
    "\"\\x\"",
    "\"\\u12g4\"",
    "\"\\u123\"",
    "\"\n\"",
    "[",
    "]",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{1:1}",
    "[1}",
    "{\"a\":1]",
    "1 2",
    "null,",
    "\"\\",
    "NaN",
    "Infinity",
    "\"\xC3\"",
    "\"\xFF\"",
    "[]]",
    "'a'",
    "\"\xED\xA0\x80\"",
    "\"\\u00",
};

static void takes_what_the_grammar_takes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(valid); i++)
        if (!json_check_value(slice_of(valid[i])) || !oracle_accepts(slice_of(valid[i])))
            fail_msg("should be JSON: %s", valid[i]);
}

static void refuses_everything_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(invalid); i++)
        if (json_check_value(slice_of(invalid[i])))
            fail_msg("should not be JSON: %s", invalid[i]);
    assert_false(json_check_value(SLICE_TEXT("null\0")));
    assert_false(json_check_value(SLICE_NULL));
}

/* Every prefix and every changed byte of a document is judged as jansson judges it. */
static void agrees_with_jansson_on_damage(void **state)
{
    (void)state;
    static const char document[] =
        "{\"a\":[1,-2.5e3,\"\\n\xC3\xBC\"],\"b\":{\"c\":null,\"d\":[true]}}";
    static const char bytes[] = "{}[]:,\"\\0159-+.eE ntfu\x80\xC3\n/b";
    for (size_t at = 0; at < sizeof(document) - 1; at++) {
        for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
            char damaged[sizeof(document)];
            memcpy(damaged, document, sizeof(document));
            damaged[at] = bytes[i];
            struct slice text = slice_of(damaged);
            enum json_error_code code;
            json_t *value = oracle_parse(text, &code);
            bool accepted = value != NULL || code == json_error_numeric_overflow;
            if (json_check_value(text) != accepted)
                fail_msg("%s", damaged);
            json_decref(value);
        }
        assert_false(json_check_value((struct slice){ document, at }));
    }
}

static bool nested(size_t depth, const char *open, const char *close)
{
    AUTO(struct buf, buf_done) text = buf_init(ORACLE_LIMIT_BYTES);
    for (size_t i = 0; i < depth; i++)
        buf_append_text(&text, open);
    buf_append_text(&text, "0");
    for (size_t i = 0; i < depth; i++)
        buf_append_text(&text, close);
    return json_check_value(buf_slice(&text));
}

static void has_a_bounded_depth(void **state)
{
    (void)state;
    assert_true(nested(JSON_CHECK_DEPTH, "[", "]"));
    assert_true(nested(JSON_CHECK_DEPTH, "{\"a\":", "}"));
    assert_false(nested(JSON_CHECK_DEPTH + 1, "[", "]"));
    assert_false(nested(JSON_CHECK_DEPTH + 1, "{\"a\":", "}"));
    assert_false(nested(1000000, "[", "]"));
}

static void knows_integers_and_decimals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool integer, decimal;
    } rows[] = {
        { "0", true, true },     { "-1", true, true },      { "9223372036854775807", true, true },
        { "007", false, false }, { "1.50", false, true },   { "-0.001", false, true },
        { "1e5", false, false }, { "", false, false },      { "-", false, false },
        { "1.", false, false },  { "1x", false, false },    { "NaN", false, false },
        { " 1", false, false },  { "1.2.3", false, false }, { "+1", false, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(json_check_integer(slice_of(rows[i].text)), rows[i].integer);
        assert_int_equal(json_check_decimal(slice_of(rows[i].text)), rows[i].decimal);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_the_grammar_takes),  cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(agrees_with_jansson_on_damage), cmocka_unit_test(has_a_bounded_depth),
        cmocka_unit_test(knows_integers_and_decimals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
