#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/uuid.h"

static void it_has_the_form_of_version_4(void **state UNUSED)
{
    for (int i = 0; i < 1000; i++) {
        char text[UUID_TEXT_SIZE];
        uuid_random(text);
        assert_int_equal(strlen(text), 36);
        for (size_t at = 0; at < 36; at++) {
            if (at == 8 || at == 13 || at == 18 || at == 23)
                assert_int_equal(text[at], '-');
            else
                assert_non_null(strchr("0123456789abcdef", text[at]));
        }
        assert_int_equal(text[14], '4');
        assert_non_null(strchr("89ab", text[19]));
    }
}

static void no_two_are_the_same(void **state UNUSED)
{
    enum { COUNT = 200 };
    static char texts[COUNT][UUID_TEXT_SIZE];
    for (int i = 0; i < COUNT; i++) {
        uuid_random(texts[i]);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(texts[i], texts[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_has_the_form_of_version_4),
        cmocka_unit_test(no_two_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
