#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/json_time.h"
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

static void writes_timestamps_in_utc(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "2024-02-29 12:34:56", "\"2024-02-29T12:34:56Z\"" },
        { "2024-02-29 12:34:56.1", "\"2024-02-29T12:34:56.1Z\"" },
        { "2024-02-29 12:34:56.120300", "\"2024-02-29T12:34:56.1203Z\"" },
        { "2024-02-29 12:34:56.000001", "\"2024-02-29T12:34:56.000001Z\"" },
        { "2024-02-29 12:34:56.000", "\"2024-02-29T12:34:56Z\"" },
        { "0001-01-01 00:00:00", "\"0001-01-01T00:00:00Z\"" },
        { "9999-12-31 23:59:59.999999", "\"9999-12-31T23:59:59.999999Z\"" },
    };
    assert_rows(json_time_timestamp, rows, COUNT_OF(rows));
}

static void keeps_what_rfc_3339_cannot_say(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "infinity", "\"infinity\"" },
        { "-infinity", "\"-infinity\"" },
        { "10000-01-01 00:00:00", "\"10000-01-01 00:00:00\"" },
        { "0044-03-15 01:02:03 BC", "\"0044-03-15 01:02:03 BC\"" },
        { "0044-03-15 01:02:03.5 BC", "\"0044-03-15 01:02:03.5 BC\"" },
        { "2024-02-29 12:34:56.", "\"2024-02-29 12:34:56.\"" },
        { "2024-02-29 12:34", "\"2024-02-29 12:34\"" },
        { "2024-02-29T12:34:56", "\"2024-02-29T12:34:56\"" },
        { "2024-02-29 12:34:56+00", "\"2024-02-29 12:34:56+00\"" },
        { "", "\"\"" },
    };
    assert_rows(json_time_timestamp, rows, COUNT_OF(rows));
}

static void writes_zones(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "2024-02-29 12:34:56+00", "\"2024-02-29T12:34:56Z\"" },
        { "2024-02-29 12:34:56-00", "\"2024-02-29T12:34:56Z\"" },
        { "2024-02-29 12:34:56+00:00", "\"2024-02-29T12:34:56Z\"" },
        { "2024-02-29 12:34:56.120000+00", "\"2024-02-29T12:34:56.12Z\"" },
        { "2024-02-29 12:34:56+05:30", "\"2024-02-29T12:34:56+05:30\"" },
        { "2024-02-29 12:34:56-03", "\"2024-02-29T12:34:56-03:00\"" },
        { "2024-02-29 12:34:56.5-00:30", "\"2024-02-29T12:34:56.5-00:30\"" },
        { "1900-01-01 00:00:00+02:03:04", "\"1900-01-01 00:00:00+02:03:04\"" },
        { "0044-03-15 01:02:03+00 BC", "\"0044-03-15 01:02:03+00 BC\"" },
        { "12024-02-29 12:34:56+00", "\"12024-02-29 12:34:56+00\"" },
        { "infinity", "\"infinity\"" },
        { "2024-02-29 12:34:56", "\"2024-02-29 12:34:56\"" },
        { "2024-02-29 12:34:56 UTC", "\"2024-02-29 12:34:56 UTC\"" },
        { "2024-02-29 12:34:56+", "\"2024-02-29 12:34:56+\"" },
        { "2024-02-29 12:34:56+1", "\"2024-02-29 12:34:56+1\"" },
        { "2024-02-29 12:34:56+0530", "\"2024-02-29 12:34:56+0530\"" },
        { "2024-02-29 12:34:56+05-30", "\"2024-02-29 12:34:56+05-30\"" },
    };
    assert_rows(json_time_timestamptz, rows, COUNT_OF(rows));
}

static void writes_dates_as_midnight(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "2024-02-29", "\"2024-02-29T00:00:00Z\"" },
        { "10000-01-01", "\"10000-01-01\"" },
        { "0044-03-15 BC", "\"0044-03-15 BC\"" },
        { "infinity", "\"infinity\"" },
        { "-infinity", "\"-infinity\"" },
        { "2024-2-29", "\"2024-2-29\"" },
        { "29/02/2024", "\"29/02/2024\"" },
        { "", "\"\"" },
    };
    assert_rows(json_time_date, rows, COUNT_OF(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_timestamps_in_utc),
        cmocka_unit_test(keeps_what_rfc_3339_cannot_say),
        cmocka_unit_test(writes_zones),
        cmocka_unit_test(writes_dates_as_midnight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
