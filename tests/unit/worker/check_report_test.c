#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "worker/check_report.h"

static void fill(struct check_report *report)
{
    const struct check_mend none = { .sql = NULL };
    const struct check_mend two = { .sql = "ALTER SYSTEM SET a = 1;\nSELECT pg_reload_conf();",
                                    .advice = "soon" };
    const struct check_mend command = { .command = "kafka-topics.sh --create" };
    check_report_add(report, CHECK_STATUS_OK, "wal_level", none, "wal_level is %s", "logical");
    check_report_add(report, CHECK_STATUS_WARN, "standby", two, "a \"%s\"", "name");
    check_report_add(report, CHECK_STATUS_FAIL, "topics", command, "no topic");
    check_report_add(report, CHECK_STATUS_SKIP, "size", none, "not looked at");
}

static void a_table_has_what_mends_under_its_row(void **state)
{
    (void)state;
    AUTO(struct check_report, check_report_done) report = { .count = 0 };
    AUTO(struct buf, buf_done) out = buf_init(64 * 1024);
    fill(&report);
    check_report_write_text(&report, &out);
    assert_string_equal(buf_text(&out), "ok    wal_level  wal_level is logical\n"
                                        "warn  standby    a \"name\"\n"
                                        "                 sql: ALTER SYSTEM SET a = 1;\n"
                                        "                 sql: SELECT pg_reload_conf();\n"
                                        "                 do: soon\n"
                                        "fail  topics     no topic\n"
                                        "                 run: kafka-topics.sh --create\n"
                                        "skip  size       not looked at\n"
                                        "1 to mend, 1 to know, 1 not looked at, 1 well\n");
}

static const char *text_of(const json_t *row, const char *name)
{
    return json_string_value(json_object_get(row, name));
}

static json_t *written(const struct check_report *report)
{
    AUTO(struct buf, buf_done) out = buf_init(64 * 1024);
    check_report_write_json(report, &out);
    json_t *root = json_loads(buf_text(&out), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    return root;
}

static void json_has_each_row_whole(void **state)
{
    (void)state;
    AUTO(struct check_report, check_report_done) report = { .count = 0 };
    fill(&report);
    json_t *root = written(&report);
    const json_t *rows = json_object_get(root, "checks");
    assert_true(json_is_false(json_object_get(root, "ok")));
    assert_int_equal(json_array_size(rows), 4);
    const json_t *row = json_array_get(rows, 1);
    assert_string_equal(text_of(row, "check"), "standby");
    assert_string_equal(text_of(row, "status"), "warn");
    assert_string_equal(text_of(row, "text"), "a \"name\"");
    assert_string_equal(text_of(row, "sql"), "ALTER SYSTEM SET a = 1;\nSELECT pg_reload_conf();");
    assert_string_equal(text_of(row, "advice"), "soon");
    assert_true(json_is_null(json_object_get(row, "command")));
    json_decref(root);
}

static void warnings_alone_are_well(void **state)
{
    (void)state;
    AUTO(struct check_report, check_report_done) report = { .count = 0 };
    const struct check_mend none = { .sql = NULL };
    check_report_add(&report, CHECK_STATUS_WARN, "slot", none, "x");
    check_report_add(&report, CHECK_STATUS_SKIP, "slot", none, "x");
    json_t *root = written(&report);
    assert_true(json_is_true(json_object_get(root, "ok")));
    json_decref(root);
    struct error err = ERROR_INIT;
    error_set(&err, ERROR_HALT, "slot_lost", "it is lost");
    error_advise(&err, "begin anew");
    check_report_add_error(&report, "slot", &err);
    assert_int_equal(check_report_count(&report, CHECK_STATUS_FAIL), 1);
    root = written(&report);
    assert_true(json_is_false(json_object_get(root, "ok")));
    const json_t *row = json_array_get(json_object_get(root, "checks"), 2);
    assert_string_equal(text_of(row, "text"), "it is lost");
    assert_string_equal(text_of(row, "advice"), "begin anew");
    json_decref(root);
}

static void bytes_that_are_no_utf_8_are_not_printed_as_json(void **state)
{
    (void)state;
    AUTO(struct check_report, check_report_done) report = { .count = 0 };
    check_report_add(&report, CHECK_STATUS_OK, "slot", (struct check_mend){ .sql = NULL }, "\xff");
    json_t *root = written(&report);
    const json_t *row = json_array_get(json_object_get(root, "checks"), 0);
    assert_string_equal(text_of(row, "text"), "(not UTF-8)");
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_has_what_mends_under_its_row),
        cmocka_unit_test(json_has_each_row_whole),
        cmocka_unit_test(warnings_alone_are_well),
        cmocka_unit_test(bytes_that_are_no_utf_8_are_not_printed_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
