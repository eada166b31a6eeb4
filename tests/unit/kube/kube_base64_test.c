#include "kube/kube_base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/secret.h"

static void text_is_decoded(void **state)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "Zg==", "f" },
        { "Zm8=", "fo" },
        { "Zm9v", "foo" },
        { "Zm9vYmE=", "fooba" },
        { " Zm\r\n9v\tYm Fy\n", "foobar" },
        { "Zg=\n=\n", "f" },
        { "w7/Dvg==", "\xc3\xbf\xc3\xbe" },
        { "+/+/", "\xfb\xff\xbf" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(char *, secret_free_p) bytes = NULL;
        assert_true(kube_base64_decode(rows[i][0], &bytes));
        assert_string_equal(bytes, rows[i][1]);
    }
}

static void anything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "Z",        "Zg",    "Zg=",  "Zm9",  "Zg===", "Z===", "====",     "=",
        "Zg==Zg==", "Zm8=Z", "Zm-v", "Zm_v", "Zm9v.", "AGEA", "\xc3\xbc",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *bytes = NULL;
        if (kube_base64_decode(texts[i], &bytes))
            fail_msg("%s", texts[i]);
        assert_null(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_decoded),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
