#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/json_number.h"
#include "format/json_writer.h"
#include "format/table_plan.h"
#include "rows.h"

static struct table_plan *plan_of(const struct relation *relation, const struct slice *names,
                                  uint16_t count)
{
    struct error err = ERROR_INIT;
    struct table_plan *plan = NULL;
    if (!table_plan_new(relation, names, count, &plan, &err))
        fail_msg("%s: %s", err.code, err.text);
    return plan;
}

static void assert_fragment(const struct table_plan_column *column, const char *expected,
                            uint16_t index)
{
    if (!slice_is(column->fragment, expected))
        fail_msg("%.*s instead of %s", SLICE_ARGS(column->fragment), expected);
    assert_int_equal(column->index, index);
}

static void sorts_by_the_bytes_of_the_names(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p) relation =
        RELATION('d', COLUMN("zeta", TEXT, false), COLUMN("\xC3\xA4", TEXT, false),
                 COLUMN("id", INT8, true), COLUMN("Name", TEXT, false), COLUMN("id2", INT4, false));
    AUTO(struct table_plan *, table_plan_free_p) plan = plan_of(relation, NULL, 0);
    assert_int_equal(plan->column_count, 5);
    assert_fragment(&plan->columns[0], "\"Name\":", 3);
    assert_fragment(&plan->columns[1], "\"id\":", 2);
    assert_fragment(&plan->columns[2], "\"id2\":", 4);
    assert_fragment(&plan->columns[3], "\"zeta\":", 0);
    assert_fragment(&plan->columns[4], "\"\xC3\xA4\":", 1);
    assert_int_equal(plan->operation_at, 3);
    assert_true(plan->columns[1].identity);
    assert_false(plan->columns[0].identity);
    assert_ptr_equal(plan->columns[1].write, json_number_integer);
    assert_ptr_equal(plan->columns[0].write, json_writer_string);
    assert_int_equal(plan->key_count, 0);
    assert_false(plan->routed);
    assert_true(slice_is(plan->qualified_name, "public.users"));
}

static void escapes_names_before_and_sorts_them_raw(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p) relation =
        RELATION('d', COLUMN("a\"b", TEXT, false), COLUMN("a\\", TEXT, false),
                 COLUMN("a\nb", TEXT, false), COLUMN("\x01\x02\x03", TEXT, false));
    AUTO(struct table_plan *, table_plan_free_p) plan = plan_of(relation, NULL, 0);
    assert_fragment(&plan->columns[0], "\"\\u0001\\u0002\\u0003\":", 3);
    assert_fragment(&plan->columns[1], "\"a\\nb\":", 2);
    assert_fragment(&plan->columns[2], "\"a\\\"b\":", 0);
    assert_fragment(&plan->columns[3], "\"a\\\\\":", 1);
}

static void leaves_a_column_named_operation_out(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p) relation =
        RELATION('d', COLUMN("operations", TEXT, false), COLUMN("operation", TEXT, true),
                 COLUMN("oper", TEXT, false));
    const struct slice key = SLICE_TEXT("operation");
    AUTO(struct table_plan *, table_plan_free_p) plan = plan_of(relation, &key, 1);
    assert_int_equal(plan->column_count, 2);
    assert_fragment(&plan->columns[0], "\"oper\":", 2);
    assert_fragment(&plan->columns[1], "\"operations\":", 0);
    assert_int_equal(plan->operation_at, 1);
    assert_int_equal(plan->key_count, 1);
    assert_fragment(&plan->key_columns[0], "\"operation\":", 1);
}

static void knows_where_operation_stands_at_both_ends(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p) before =
        RELATION('d', COLUMN("a", TEXT, false), COLUMN("b", TEXT, false));
    AUTO(struct relation *, relation_free_p) after =
        RELATION('d', COLUMN("p", TEXT, false), COLUMN("z", TEXT, false));
    AUTO(struct table_plan *, table_plan_free_p) at_end = plan_of(before, NULL, 0);
    AUTO(struct table_plan *, table_plan_free_p) at_start = plan_of(after, NULL, 0);
    assert_int_equal(at_end->operation_at, 2);
    assert_int_equal(at_start->operation_at, 0);
}

static void keeps_the_order_of_the_key(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p) relation =
        RELATION('d', COLUMN("a", INT4, true), COLUMN("b", TEXT, true));
    const struct slice names[] = { SLICE_TEXT("b"), SLICE_TEXT("a") };
    AUTO(struct table_plan *, table_plan_free_p) plan = plan_of(relation, names, 2);
    assert_int_equal(plan->key_count, 2);
    assert_fragment(&plan->key_columns[0], "\"b\":", 1);
    assert_fragment(&plan->key_columns[1], "\"a\":", 0);
    assert_true(plan->key_columns[0].identity);
}

static void takes_a_table_without_columns(void **state)
{
    (void)state;
    struct relation *empty =
        relation_new(1, SLICE_TEXT("s"), SLICE_TEXT("t"), REPLICA_IDENTITY_FULL, NULL, 0);
    AUTO(struct relation *, relation_free_p) relation = empty;
    AUTO(struct table_plan *, table_plan_free_p) plan = plan_of(relation, NULL, 0);
    assert_int_equal(plan->column_count, 0);
    assert_int_equal(plan->operation_at, 0);
}

static void refuses_keys_that_are_not_there(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p) relation = RELATION('d', COLUMN("id", INT4, true));
    const struct slice names[] = { SLICE_TEXT("id"), SLICE_TEXT("mail") };
    const struct slice twice[] = { SLICE_TEXT("id"), SLICE_TEXT("id") };
    struct error err = ERROR_INIT;
    struct table_plan *plan = NULL;
    assert_false(table_plan_new(relation, names, 2, &plan, &err));
    assert_null(plan);
    assert_int_equal(err.class, ERROR_HALT);
    assert_string_equal(err.code, "key_column_missing");
    assert_non_null(strstr(err.text, "public.users"));
    assert_non_null(strstr(err.text, "\"mail\""));
    assert_non_null(strstr(err.advice, "keyColumns"));
    assert_false(table_plan_new(relation, twice, 2, &plan, &err));
    assert_string_equal(err.code, "key_column_repeated");
    table_plan_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_by_the_bytes_of_the_names),
        cmocka_unit_test(escapes_names_before_and_sorts_them_raw),
        cmocka_unit_test(leaves_a_column_named_operation_out),
        cmocka_unit_test(knows_where_operation_stands_at_both_ends),
        cmocka_unit_test(keeps_the_order_of_the_key),
        cmocka_unit_test(takes_a_table_without_columns),
        cmocka_unit_test(refuses_keys_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
