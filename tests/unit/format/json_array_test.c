#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/json_array.h"
#include "format/json_number.h"
#include "format/json_writer.h"
#include "oracle.h"

struct row {
    const char *text, *expected;
};

static void assert_rows(char delimiter, value_json_fn *element, const struct row *rows,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(struct buf, buf_done) out = buf_init(ORACLE_LIMIT_BYTES);
        json_array_write(&out, slice_of(rows[i].text), delimiter, element);
        assert_string_equal(buf_text(&out), rows[i].expected);
        assert_true(oracle_accepts(buf_slice(&out)));
    }
}

static void nests_as_the_dimensions_do(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "{}", "[]" },
        { "{1}", "[1]" },
        { "{1,2,NULL,null}", "[1,2,null,null]" },
        { "{{1,2},{3,NULL}}", "[[1,2],[3,null]]" },
        { "{{{{{{1}}}}}}", "[[[[[[1]]]]]]" },
    };
    assert_rows(',', json_number_integer, rows, COUNT_OF(rows));
}

static void drops_lower_bounds(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "[0:1]={1,2}", "[1,2]" },
        { "[-2:-1]={1,2}", "[1,2]" },
        { "[1:1][-1:0]={{1,2}}", "[[1,2]]" },
    };
    assert_rows(',', json_number_integer, rows, COUNT_OF(rows));
}

static void takes_quotes_and_escapes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "{a,\"b c\",NULL,\"NULL\",\"\"}", "[\"a\",\"b c\",null,\"NULL\",\"\"]" },
        { "{\"q\\\"q\",\"b\\\\s\",\"{,}\"}", "[\"q\\\"q\",\"b\\\\s\",\"{,}\"]" },
        { "{\"\\\\\\\\\",\"\\a\"}", "[\"\\\\\\\\\",\"a\"]" },
        { "{\"\n\",\xC3\xBC}", "[\"\\n\",\"\xC3\xBC\"]" },
    };
    assert_rows(',', json_writer_string, rows, COUNT_OF(rows));
}

static void uses_the_type_s_delimiter(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "{(3,4),(1,2);(7,8),(5,6)}", "[\"(3,4),(1,2)\",\"(7,8),(5,6)\"]" },
    };
    assert_rows(';', json_writer_string, rows, COUNT_OF(rows));
}

static void quotes_what_is_no_array(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "", "\"\"" },
        { "1", "\"1\"" },
        { "{", "\"{\"" },
        { "}", "\"}\"" },
        { "{1", "\"{1\"" },
        { "{1,", "\"{1,\"" },
        { "{1,}", "\"{1,}\"" },
        { "{,1}", "\"{,1}\"" },
        { "{1}2", "\"{1}2\"" },
        { "{1}}", "\"{1}}\"" },
        { "{1{2}}", "\"{1{2}}\"" },
        { "{\"a}", "\"{\\\"a}\"" },
        { "{\"a\"b}", "\"{\\\"a\\\"b}\"" },
        { "{a\"b\"}", "\"{a\\\"b\\\"}\"" },
        { "{\"\\", "\"{\\\"\\\\\"" },
        { "{a\\b}", "\"{a\\\\b}\"" },
        { "[0:1]{1,2}", "\"[0:1]{1,2}\"" },
        { "[0]={1}", "\"[0]={1}\"" },
        { "[:1]={1}", "\"[:1]={1}\"" },
        { "={1}", "\"={1}\"" },
        { "{{{{{{{1}}}}}}}", "\"{{{{{{{1}}}}}}}\"" },
    };
    assert_rows(',', json_writer_string, rows, COUNT_OF(rows));
}

static void leaves_what_stood_before(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) out = buf_init(ORACLE_LIMIT_BYTES);
    buf_append_text(&out, "\"x\":");
    json_array_write(&out, SLICE_TEXT("{1,2"), ',', json_number_integer);
    assert_string_equal(buf_text(&out), "\"x\":\"{1,2\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nests_as_the_dimensions_do), cmocka_unit_test(drops_lower_bounds),
        cmocka_unit_test(takes_quotes_and_escapes),   cmocka_unit_test(uses_the_type_s_delimiter),
        cmocka_unit_test(quotes_what_is_no_array),    cmocka_unit_test(leaves_what_stood_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
