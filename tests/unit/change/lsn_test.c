#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "change/lsn.h"

static void test_text_is_postgresql_form(void **state)
{
    (void)state;
    assert_string_equal(lsn_text(LSN_NONE).text, "0/0");
    assert_string_equal(lsn_text((lsn_t){ UINT64_C(0x16B374D848) }).text, "16/B374D848");
    assert_string_equal(lsn_text((lsn_t){ UINT64_MAX }).text, "FFFFFFFF/FFFFFFFF");
    assert_string_equal(lsn_text((lsn_t){ UINT64_C(0x100000000) }).text, "1/0");
}

static void test_parse_reads_what_text_writes(void **state)
{
    (void)state;
    static const uint64_t values[] = {
        0, 1, 0xFFFFFFFF, UINT64_C(0x100000000), UINT64_C(0x16B374D848), UINT64_MAX
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        lsn_t lsn = { 42 };
        assert_true(lsn_parse(lsn_text((lsn_t){ values[i] }).text, &lsn));
        assert_int_equal(lsn.value, values[i]);
    }
    lsn_t lsn = LSN_NONE;
    assert_true(lsn_parse("aB/00000cD0", &lsn));
    assert_int_equal(lsn.value, UINT64_C(0xAB00000CD0));
}

static void test_parse_refuses_everything_else(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",     "/",     "1",         "1/",          "/1",           "1/2/3", "1/2 ",
        " 1/2", "1 /2",  "0x1/2",     "1/-2",        "G/1",          "1/g",   "123456789/1",
        "1:2",  "1/2\n", "123456780", "1/123456789", "000000001/01",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        lsn_t lsn = { 42 };
        assert_false(lsn_parse(texts[i], &lsn));
        assert_int_equal(lsn.value, 42);
    }
}

static void test_order(void **state)
{
    (void)state;
    lsn_t low = { 5 };
    lsn_t high = { UINT64_C(1) << 40 };
    assert_true(lsn_compare(low, high) < 0);
    assert_true(lsn_compare(high, low) > 0);
    assert_int_equal(lsn_compare(low, low), 0);
    assert_int_equal(lsn_max(low, high).value, high.value);
    assert_int_equal(lsn_max(high, low).value, high.value);
    assert_true(lsn_is_none(LSN_NONE));
    assert_false(lsn_is_none(low));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_postgresql_form),
        cmocka_unit_test(test_parse_reads_what_text_writes),
        cmocka_unit_test(test_parse_refuses_everything_else),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
