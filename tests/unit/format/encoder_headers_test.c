#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/encoder.h"
#include "rows.h"

struct fixture {
    struct relation *relation;
    struct table_plan *plan;
    struct arena arena;
    struct record_list list;
};

static void fixture_init(struct fixture *fixture)
{
    struct error err = ERROR_INIT;
    *fixture = (struct fixture){ .relation = RELATION('d', COLUMN("id", INT4, true)),
                                 .arena = arena_init(4096) };
    fixture->list.arena = &fixture->arena;
    assert_true(table_plan_new(fixture->relation, NULL, 0, &fixture->plan, &err));
}

static void fixture_done(struct fixture *fixture)
{
    record_list_done(&fixture->list);
    table_plan_free(fixture->plan);
    relation_free(fixture->relation);
    arena_done(&fixture->arena);
}

static const struct txn txn = {
    .xid = 4294967295,
    .final_lsn = { UINT64_C(0x16B374D848) },
    .commit_time = { INT64_C(820540800123456) }, /* 2026-01-01 00:00:00.123456 */
    .ordinal = 7,
};

static void assert_header(const struct record *record, uint32_t at, const char *name,
                          const char *value)
{
    assert_true(at < record->header_count);
    assert_string_equal(record->headers[at].name, name);
    if (!slice_is(record->headers[at].value, value))
        fail_msg("%s: %.*s instead of %s", name, SLICE_ARGS(record->headers[at].value), value);
}

static void none_by_default(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    fixture_init(&fixture);
    struct record *record = record_list_add(&fixture.list);
    encoder_headers_add(0, fixture.plan, &txn, "INSERT", &fixture.list, record);
    assert_int_equal(record->header_count, 0);
    assert_null(record->headers);
}

static void each_says_its_part(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    fixture_init(&fixture);
    struct record *record = record_list_add(&fixture.list);
    encoder_headers_add(63, fixture.plan, &txn, "UPDATE", &fixture.list, record);
    assert_int_equal(record->header_count, 6);
    assert_header(record, 0, "pos", "97500059720/7");
    assert_header(record, 1, "lsn", "16/B374D848");
    assert_header(record, 2, "xid", "4294967295");
    assert_header(record, 3, "commit_ts", "2026-01-01T00:00:00.123456Z");
    assert_header(record, 4, "table", "public.users");
    assert_header(record, 5, "operation", "UPDATE");
}

static void only_those_that_were_asked_for(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    fixture_init(&fixture);
    struct record *record = record_list_add(&fixture.list);
    encoder_headers_add(ENCODER_HEADER_OPERATION | ENCODER_HEADER_POS, fixture.plan, &txn, "DELETE",
                        &fixture.list, record);
    assert_int_equal(record->header_count, 2);
    assert_header(record, 0, "pos", "97500059720/7");
    assert_header(record, 1, "operation", "DELETE");
}

static void takes_the_largest_numbers_and_early_times(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    fixture_init(&fixture);
    struct record *record = record_list_add(&fixture.list);
    const struct txn extreme = { .final_lsn = { UINT64_MAX },
                                 .ordinal = UINT64_MAX,
                                 .commit_time = { -SERVER_TIME_EPOCH_US - 1 } };
    encoder_headers_add(ENCODER_HEADER_POS | ENCODER_HEADER_COMMIT_TS, fixture.plan, &extreme,
                        "INSERT", &fixture.list, record);
    assert_header(record, 0, "pos", "18446744073709551615/18446744073709551615");
    assert_header(record, 1, "commit_ts", "1969-12-31T23:59:59.999999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_by_default),
        cmocka_unit_test(each_says_its_part),
        cmocka_unit_test(only_those_that_were_asked_for),
        cmocka_unit_test(takes_the_largest_numbers_and_early_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
