#include "kube/kube_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void times_have_six_digits(void **state)
{
    static const struct {
        int64_t wall_us;
        const char *text;
    } rows[] = {
        { 0, "1970-01-01T00:00:00.000000Z" },
        { 1, "1970-01-01T00:00:00.000001Z" },
        { -1, "1969-12-31T23:59:59.999999Z" },
        { -1000000, "1969-12-31T23:59:59.000000Z" },
        { INT64_C(1767323045678901), "2026-01-02T03:04:05.678901Z" },
        { INT64_C(1709164800000000), "2024-02-29T00:00:00.000000Z" },
        { INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z" },
        { INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[KUBE_TIME_SIZE];
        int64_t wall_us = 7;
        kube_time_format(rows[i].wall_us, text);
        assert_string_equal(text, rows[i].text);
        assert_true(kube_time_parse(text, &wall_us));
        assert_int_equal(wall_us, rows[i].wall_us);
    }
}

static void what_cannot_be_written_becomes_the_nearest_time(void **state)
{
    char text[KUBE_TIME_SIZE];
    (void)state;
    kube_time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
    kube_time_format(INT64_C(253402300800000000), text);
    assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
    kube_time_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000000Z");
    kube_time_format(INT64_C(-62167219200000001), text);
    assert_string_equal(text, "0000-01-01T00:00:00.000000Z");
}

static void another_form_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.6Z",
        "2026-01-02T03:04:05.678Z",
        "2026-01-02T03:04:05.678901234Z",
        "2026-01-02T03:04:05.678901",
        "2026-01-02T03:04:05.678901+00:00",
        "2026-01-02t03:04:05.678901Z",
        "2026-01-02 03:04:05.678901Z",
        "2026-01-02T03:04:05,678901Z",
        "2026-01-02T03:04:05.67890xZ",
        "2026-13-02T03:04:05.678901Z",
        "2026-00-02T03:04:05.678901Z",
        "2026-02-30T03:04:05.678901Z",
        "2026-01-00T03:04:05.678901Z",
        "2023-02-29T03:04:05.678901Z",
        "2026-01-02T24:04:05.678901Z",
        "2026-01-02T03:60:05.678901Z",
        "2026-01-02T03:04:60.678901Z",
        " 026-01-02T03:04:05.678901Z",
        "-026-01-02T03:04:05.678901Z",
        "2026-01-02T03:04:05.678901Z ",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int64_t wall_us = 7;
        if (kube_time_parse(texts[i], &wall_us))
            fail_msg("%s", texts[i]);
        assert_int_equal(wall_us, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_six_digits),
        cmocka_unit_test(what_cannot_be_written_becomes_the_nearest_time),
        cmocka_unit_test(another_form_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
