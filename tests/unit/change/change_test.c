#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "change/change.h"

static void test_every_kind_has_its_name(void **state)
{
    (void)state;
    static const char *const names[] = { "begin",  "commit", "origin", "relation", "type",
                                         "insert", "update", "delete", "truncate", "message" };
    assert_int_equal(COUNT_OF(names), CHANGE_KIND_COUNT);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_string_equal(change_kind_name((enum change_kind)i), names[i]);
}

static void test_server_time_counts_from_2000(void **state)
{
    (void)state;
    assert_int_equal(server_time_unix_us((server_time_t){ 0 }), INT64_C(946684800000000));
    assert_int_equal(server_time_from_unix_us(INT64_C(946684800000001)).value, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_has_its_name),
        cmocka_unit_test(test_server_time_counts_from_2000),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
