#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/encoder.h"
#include "format/flat_json.h"

static void finds_formats_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(encoder_find("flat"), &flat_json_ops);
    assert_null(encoder_find("Flat"));
    assert_null(encoder_find(""));
}

static void every_listed_name_is_that_of_its_format(void **state)
{
    (void)state;
    uint32_t count = 0;
    const char *const *names = encoder_names(&count);
    assert_int_equal(count, 1);
    for (uint32_t i = 0; i < count; i++)
        assert_string_equal(encoder_find(names[i])->name, names[i]);
}

static void parses_headers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t bit;
    } rows[] = {
        { "pos", ENCODER_HEADER_POS },     { "lsn", ENCODER_HEADER_LSN },
        { "xid", ENCODER_HEADER_XID },     { "commit_ts", ENCODER_HEADER_COMMIT_TS },
        { "table", ENCODER_HEADER_TABLE }, { "operation", ENCODER_HEADER_OPERATION },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint32_t bit = 0;
        assert_true(encoder_header_parse(rows[i].name, &bit));
        assert_int_equal(bit, rows[i].bit);
        assert_int_equal(bit, 1u << i);
    }
    uint32_t untouched = 77;
    assert_false(encoder_header_parse("commit-ts", &untouched));
    assert_int_equal(untouched, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_formats_by_name),
        cmocka_unit_test(every_listed_name_is_that_of_its_format),
        cmocka_unit_test(parses_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
