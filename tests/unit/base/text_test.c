#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/memory.h"

enum { UNTOUCHED = 4711 };

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        { "0", true, 0 },
        { "42", true, 42 },
        { "-7", true, -7 },
        { "+7", true, 7 },
        { "007", true, 7 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "1x", false, 0 },
        { "0x10", false, 0 },
        { "+-1", false, 0 },
        { "1.5", false, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = UNTOUCHED;
        assert_int_equal(text_parse_i64(rows[i].text, &value), rows[i].ok);
        assert_true(value == (rows[i].ok ? rows[i].value : UNTOUCHED));
    }
}

static void booleans(void **state)
{
    (void)state;
    static const char *const yes[] = { "true", "True", "TRUE", "yes", "Yes", "on", "ON", "y" };
    static const char *const no[] = { "false", "False", "no", "NO", "off", "Off", "n" };
    static const char *const neither[] = { "", "1", "0", "tru", "truee", " true", "yes ", "null" };
    bool value = false;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        value = false;
        assert_true(text_parse_bool(yes[i], &value));
        assert_true(value);
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        value = true;
        assert_true(text_parse_bool(no[i], &value));
        assert_false(value);
    }
    value = true;
    for (size_t i = 0; i < COUNT_OF(neither); i++) {
        assert_false(text_parse_bool(neither[i], &value));
        assert_true(value);
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t ms;
    } rows[] = {
        { "200ms", true, 200 },
        { "10s", true, 10000 },
        { "1m30s", true, 90000 },
        { "1.5h", true, 5400000 },
        { "1h2m3.004s", true, 3723004 },
        { ".5s", true, 500 },
        { "5.s", true, 5000 },
        { "-1.5s", true, -1500 },
        { "+2s", true, 2000 },
        { "0s", true, 0 },
        { "0", true, 0 },
        { "1s1s", true, 2000 },
        { "1ms1h", true, 3600001 },
        { "1500us", true, 2 },
        { "1499us", true, 1 },
        { "2us", true, 1 },
        { "2\xc2\xb5s", true, 1 },
        { "3000\xce\xbcs", true, 3 },
        { "1ns", true, 1 },
        { "-1ns", true, -1 },
        { "0ns", true, 0 },
        { "1000000ns", true, 1 },
        { "0.000000001s", true, 1 },
        { "1.0000000001s", true, 1000 },
        { "2562047h", true, INT64_C(2562047) * 3600000 },
        { "2562048h", false, 0 }, /* past 63 bits of nanoseconds, as in Go */
        { "99999999999999999999s", false, 0 },
        { "", false, 0 },
        { "-", false, 0 },
        { "s", false, 0 },
        { ".s", false, 0 },
        { "1", true, 1000 },
        { "-3", true, -3000 },
        { "1.5", false, 0 },
        { "1d", false, 0 },
        { "1s2", false, 0 },
        { "1 s", false, 0 },
        { " 1s", false, 0 },
        { "1s ", false, 0 },
        { "1.2.3s", false, 0 },
        { "--1s", false, 0 },
        { "1S", false, 0 },
        { "1Ms", false, 0 },
        { "9223372036854775807", false, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ms = UNTOUCHED;
        bool ok = text_parse_duration_ms(rows[i].text, 1000, &ms);
        if (ok != rows[i].ok || ms != (rows[i].ok ? rows[i].ms : UNTOUCHED))
            fail_msg("\"%s\": ok %d, %lld ms", rows[i].text, ok, (long long)ms);
    }
}

static void a_bare_number_has_the_callers_unit(void **state)
{
    (void)state;
    int64_t ms = 0;
    assert_true(text_parse_duration_ms("5", 1, &ms));
    assert_int_equal(ms, 5);
    assert_true(text_parse_duration_ms("5", 60000, &ms));
    assert_int_equal(ms, 300000);
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t bytes;
    } rows[] = {
        { "100", true, 100 },
        { "0", true, 0 },
        { "10mb", true, 10485760 },
        { "10MB", true, 10485760 },
        { "10MiB", true, 10485760 },
        { "10m", true, 10485760 },
        { "10 mb", true, 10485760 },
        { "512kb", true, 524288 },
        { "512Ki", true, 524288 },
        { "1gb", true, 1073741824 },
        { "2t", true, INT64_C(2) << 40 },
        { "7b", true, 7 },
        { "1.5kb", true, 1536 },
        { "8388608tb", false, 0 },
        { "8388607tb", true, INT64_C(8388607) << 40 },
        { "-1", false, 0 },
        { "-1mb", false, 0 },
        { "", false, 0 },
        { "mb", false, 0 },
        { "1x", false, 0 },
        { "1mbb", false, 0 },
        { "1kbit", false, 0 },
        { "1 0", false, 0 },
        { "99999999999999999999", false, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t bytes = UNTOUCHED;
        bool ok = text_parse_size(rows[i].text, &bytes);
        if (ok != rows[i].ok || bytes != (rows[i].ok ? rows[i].bytes : UNTOUCHED))
            fail_msg("\"%s\": ok %d, %lld bytes", rows[i].text, ok, (long long)bytes);
    }
}

static void durations_are_written_as_go_does(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        { 0, "0s" },           { 1, "1ms" },
        { 200, "200ms" },      { 999, "999ms" },
        { 1000, "1s" },        { 1500, "1.5s" },
        { 1001, "1.001s" },    { 10000, "10s" },
        { 60000, "1m" },       { 90000, "1m30s" },
        { 60001, "1m0.001s" }, { 3600000, "1h" },
        { 3660000, "1h1m" },   { 3723004, "1h2m3.004s" },
        { 3601000, "1h1s" },   { -1500, "-1.5s" },
        { -5, "-5ms" },        { INT64_MIN, "-2562047788015h12m55.808s" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[64];
        text_format_duration(rows[i].ms, text, sizeof(text));
        assert_string_equal(text, rows[i].text);
        int64_t back = UNTOUCHED;
        if (rows[i].ms != INT64_MIN) {
            assert_true(text_parse_duration_ms(text, 1, &back));
            assert_true(back == rows[i].ms);
        }
    }
    char small[4];
    text_format_duration(3723004, small, sizeof(small));
    assert_string_equal(small, "1h2");
}

static void near_misses_are_found(void **state)
{
    (void)state;
    static const char *const names[] = { "host", "port", "database", "slot.name", "publication" };
    const size_t count = COUNT_OF(names);
    assert_string_equal(text_nearest("hots", names, count), "host");
    assert_string_equal(text_nearest("DATABSE", names, count), "database");
    assert_string_equal(text_nearest("publikation", names, count), "publication");
    assert_string_equal(text_nearest("slot_name", names, count), "slot.name");
    assert_string_equal(text_nearest("port", names, count), "port");
    assert_null(text_nearest("kubernetes", names, count));
    assert_null(text_nearest("host", names, 0));
    /* Three edits are too many for five letters, and few enough for nine. */
    assert_null(text_nearest("hxxtz", names, 1));
    assert_string_equal(text_nearest("slXtXnamX", names, count), "slot.name");
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        bool ok;
    } rows[] = {
        { { "", 0 }, true },
        { { "plain", 5 }, true },
        { { "a\0b", 3 }, true },
        { { "\xc3\xa9", 2 }, true },
        { { "\xe2\x82\xac", 3 }, true },
        { { "\xed\x9f\xbf", 3 }, true },
        { { "\xf0\x9f\x90\x98", 4 }, true },
        { { "\xf4\x8f\xbf\xbf", 4 }, true },
        { { "\x80", 1 }, false },
        { { "\xff", 1 }, false },
        { { "\xc3", 1 }, false },
        { { "\xe2\x82", 2 }, false },
        { { "\xf0\x9f\x90", 3 }, false },
        { { "\xc0\xaf", 2 }, false },         /* overlong */
        { { "\xc1\xbf", 2 }, false },         /* overlong */
        { { "\xe0\x9f\xbf", 3 }, false },     /* overlong */
        { { "\xf0\x8f\xbf\xbf", 4 }, false }, /* overlong */
        { { "\xed\xa0\x80", 3 }, false },     /* a surrogate */
        { { "\xf4\x90\x80\x80", 4 }, false }, /* past U+10FFFF */
        { { "\xf5\x80\x80\x80", 4 }, false },
        { { "\xe2\x28\xa1", 3 }, false },
        { { "\xe2\x82\x28", 3 }, false },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(text_is_utf8(rows[i].text), rows[i].ok);
    assert_int_equal(text_utf8_size(SLICE_TEXT("\xe2\x82\xacxyz")), 3);
    assert_int_equal(text_utf8_size(SLICE_TEXT("xyz")), 1);
    assert_int_equal(text_utf8_size(SLICE_TEXT("")), 0);
    assert_int_equal(text_utf8_size(SLICE_TEXT("\xe2xyz")), 0);
}

static void format_makes_a_text_of_any_length(void **state)
{
    (void)state;
    AUTO(char *, memory_free_p) text = text_format("%s-%05d", "slot", 42);
    assert_string_equal(text, "slot-00042");
    AUTO(char *, memory_free_p) wide = text_format("%5000s", "x");
    assert_int_equal(strlen(wide), 5000);
    AUTO(char *, memory_free_p) empty = text_format("%s", "");
    assert_string_equal(empty, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(booleans),
        cmocka_unit_test(durations),
        cmocka_unit_test(a_bare_number_has_the_callers_unit),
        cmocka_unit_test(sizes),
        cmocka_unit_test(durations_are_written_as_go_does),
        cmocka_unit_test(near_misses_are_found),
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(format_makes_a_text_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
