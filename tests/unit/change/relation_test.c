#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "change/relation.h"

static void count_release(void *attachment)
{
    (*(int *)attachment)++;
}

static void test_texts_are_copied(void **state)
{
    (void)state;
    char schema[] = "public";
    char name[] = "orders";
    char column_name[] = "id";
    struct column columns[] = {
        { { column_name, 2 }, 20, -1, true },
        { SLICE_TEXT(""), 1043, 36, false },
    };
    struct relation *relation =
        relation_new(7, (struct slice){ schema, 6 }, (struct slice){ name, 6 },
                     REPLICA_IDENTITY_INDEX, columns, (uint16_t)COUNT_OF(columns));
    schema[0] = name[0] = column_name[0] = '?';
    columns[0].type_oid = 0;

    assert_int_equal(relation->oid, 7);
    assert_true(slice_is(relation->schema, "public"));
    assert_true(slice_is(relation->name, "orders"));
    assert_int_equal(relation->identity, REPLICA_IDENTITY_INDEX);
    assert_int_equal(relation->column_count, 2);
    assert_true(slice_is(relation->columns[0].name, "id"));
    assert_int_equal(relation->columns[0].type_oid, 20);
    assert_int_equal(relation->columns[0].type_modifier, -1);
    assert_true(relation->columns[0].identity);
    assert_int_equal(relation->columns[1].name.size, 0);
    assert_int_equal(relation->columns[1].type_modifier, 36);
    assert_false(relation->columns[1].identity);
    assert_null(relation->attachment);
    relation_free(relation);
}

static void test_a_table_may_have_no_columns(void **state)
{
    (void)state;
    struct relation *relation =
        relation_new(1, SLICE_TEXT("s"), SLICE_TEXT("t"), REPLICA_IDENTITY_NOTHING, NULL, 0);
    assert_int_equal(relation->column_count, 0);
    relation_free(relation);
    relation_free(NULL);
}

static void test_attachment_is_released_once(void **state)
{
    (void)state;
    int first = 0;
    int second = 0;
    struct relation *relation =
        relation_new(1, SLICE_TEXT("s"), SLICE_TEXT("t"), REPLICA_IDENTITY_FULL, NULL, 0);
    relation_attach(relation, &first, count_release);
    assert_ptr_equal(relation->attachment, &first);
    assert_int_equal(first, 0);
    relation_attach(relation, &second, count_release);
    assert_ptr_equal(relation->attachment, &second);
    assert_int_equal(first, 1);
    relation_free(relation);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
}

static void test_identity_names(void **state)
{
    (void)state;
    assert_string_equal(relation_identity_name(REPLICA_IDENTITY_DEFAULT), "DEFAULT");
    assert_string_equal(relation_identity_name(REPLICA_IDENTITY_NOTHING), "NOTHING");
    assert_string_equal(relation_identity_name(REPLICA_IDENTITY_FULL), "FULL");
    assert_string_equal(relation_identity_name(REPLICA_IDENTITY_INDEX), "INDEX");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_copied),
        cmocka_unit_test(test_a_table_may_have_no_columns),
        cmocka_unit_test(test_attachment_is_released_once),
        cmocka_unit_test(test_identity_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
