#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "change/record.h"

static void test_added_records_are_blank(void **state)
{
    (void)state;
    struct arena arena = arena_init(1024);
    struct record_list list = { .arena = &arena };
    struct record *record = record_list_add(&list);
    assert_int_equal(record->topic, 0);
    assert_int_equal(record->partition, RECORD_PARTITION_ANY);
    assert_null(record->key.data);
    assert_null(record->value.data);
    assert_null(record->headers);
    assert_int_equal(record->header_count, 0);
    record_list_done(&list);
    arena_done(&arena);
}

static void test_a_list_grows_and_is_used_again(void **state)
{
    (void)state;
    struct arena arena = arena_init(1024);
    struct record_list list = { .arena = &arena };
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 1000; i++) {
            struct record *record = record_list_add(&list);
            assert_null(record->key.data);
            record->topic = i;
            record->key = arena_copy(&arena, SLICE_TEXT("key"));
        }
        list.sent = 17;
        assert_int_equal(list.count, 1000);
        for (uint32_t i = 0; i < 1000; i++) {
            assert_int_equal(list.items[i].topic, i);
            assert_true(slice_is(list.items[i].key, "key"));
        }
        record_list_clear(&list);
        assert_int_equal(list.count, 0);
        assert_int_equal(list.sent, 0);
        assert_true(arena_footprint(&arena) <= 2048);
    }
    record_list_done(&list);
    assert_null(list.items);
    assert_int_equal(list.capacity, 0);
    record_list_done(&list);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added_records_are_blank),
        cmocka_unit_test(test_a_list_grows_and_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
