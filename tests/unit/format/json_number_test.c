#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/json_number.h"
#include "oracle.h"

struct row {
    const char *text, *expected;
};

static void assert_rows(value_json_fn *write, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO(struct buf, buf_done) out = oracle_write(write, slice_of(rows[i].text));
        assert_string_equal(buf_text(&out), rows[i].expected);
        assert_true(oracle_accepts(buf_slice(&out)));
    }
}

static void copies_integers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "0", "0" },
        { "-32768", "-32768" },
        { "9223372036854775807", "9223372036854775807" },
        { "18446744073709551615", "18446744073709551615" },
        { "007", "\"007\"" },
        { "", "\"\"" },
        { "1.0", "\"1.0\"" },
    };
    assert_rows(json_number_integer, rows, COUNT_OF(rows));
}

static void keeps_every_digit_of_a_numeric(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "1.50", "1.50" },
        { "-0.001", "-0.001" },
        { "100000000000000000000000000000.00000000000000000001",
          "100000000000000000000000000000.00000000000000000001" },
        { "NaN", "\"NaN\"" },
        { "Infinity", "\"Infinity\"" },
        { "-Infinity", "\"-Infinity\"" },
    };
    assert_rows(json_number_decimal, rows, COUNT_OF(rows));
}

static void shapes_floats_as_the_ancestor(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "1.5", "1.5" },
        { "-0", "-0" },
        { "123456789012345", "123456789012345" },
        { "0.0001", "0.0001" },
        { "1e-05", "0.00001" },
        { "1.25e-05", "0.0000125" },
        { "-1e-06", "-0.000001" },
        { "9.99e-07", "9.99e-7" },
        { "1e-07", "1e-7" },
        { "1e-10", "1e-10" },
        { "1.5e-300", "1.5e-300" },
        { "5e-324", "5e-324" },
        { "1e+15", "1000000000000000" },
        { "1.2345e+15", "1234500000000000" },
        { "1.2345678901234567e+16", "12345678901234567" },
        { "1.2345678901234567e+20", "123456789012345670000" },
        { "9.99999999999999e+20", "999999999999999000000" },
        { "1e+21", "1e+21" },
        { "-1.5e+21", "-1.5e+21" },
        { "1.7976931348623157e+308", "1.7976931348623157e+308" },
        { "3.4028235e+38", "3.4028235e+38" },
        { "12.5e+1", "125" },
        { "1234.5e-2", "12.345" },
        { "0.00123e5", "123" },
        { "0e10", "0" },
        { "-0e10", "-0" },
    };
    assert_rows(json_number_float, rows, COUNT_OF(rows));
}

static void quotes_floats_that_are_no_numbers(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "NaN", "\"NaN\"" },
        { "Infinity", "\"Infinity\"" },
        { "-Infinity", "\"-Infinity\"" },
        { "e", "\"e\"" },
        { "e5", "\"e5\"" },
        { "1e", "\"1e\"" },
        { "1e+", "\"1e+\"" },
        { "1e5x", "\"1e5x\"" },
        { "1e99999999999999999999", "\"1e99999999999999999999\"" },
        { "1.2.3e5", "\"1.2.3e5\"" },
        { "123456789012345678901234567890123e5", "\"123456789012345678901234567890123e5\"" },
        { "", "\"\"" },
    };
    assert_rows(json_number_float, rows, COUNT_OF(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_integers),
        cmocka_unit_test(keeps_every_digit_of_a_numeric),
        cmocka_unit_test(shapes_floats_as_the_ancestor),
        cmocka_unit_test(quotes_floats_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
