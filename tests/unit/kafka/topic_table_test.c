#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kafka/topic_table.h"

static void ids_count_from_zero_and_are_found_again(void **state)
{
    (void)state;
    struct topic_table table = { 0 };
    uint32_t topic = 99;
    assert_true(topic_table_add(&table, "shop.orders", &topic, NULL));
    assert_int_equal(topic, 0);
    assert_true(topic_table_add(&table, "shop.items", &topic, NULL));
    assert_int_equal(topic, 1);
    assert_true(topic_table_add(&table, "shop.orders", &topic, NULL));
    assert_int_equal(topic, 0);
    assert_int_equal(table.count, 2);
    assert_string_equal(topic_table_name(&table, 0), "shop.orders");
    assert_string_equal(topic_table_name(&table, 1), "shop.items");
    assert_null(topic_table_name(&table, 2));
    topic_table_done(&table);
    assert_null(topic_table_name(&table, 0));
}

static void many_topics_keep_their_ids_and_names(void **state)
{
    (void)state;
    enum { TOPICS = 3000 };
    struct topic_table table = { 0 };
    char name[32];
    uint32_t topic = 0;
    for (uint32_t i = 0; i < TOPICS; i++) {
        snprintf(name, sizeof name, "topic-%u", i);
        assert_true(topic_table_add(&table, name, &topic, NULL));
        assert_int_equal(topic, i);
    }
    const char *first = topic_table_name(&table, 0);
    for (uint32_t i = 0; i < TOPICS; i++) {
        snprintf(name, sizeof name, "topic-%u", i);
        assert_true(topic_table_add(&table, name, &topic, NULL));
        assert_int_equal(topic, i);
        assert_string_equal(topic_table_name(&table, i), name);
    }
    assert_ptr_equal(topic_table_name(&table, 0), first);
    topic_table_done(&table);
}

static void names_that_kafka_refuses_are_an_error(void **state)
{
    (void)state;
    static const char *const invalid[] = { "", ".", "..", "a b", "a/b", "\xc3\xa4", "a\"b" };
    struct topic_table table = { 0 };
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        struct error err = ERROR_INIT;
        uint32_t topic = 77;
        assert_false(topic_table_add(&table, invalid[i], &topic, &err));
        assert_int_equal(topic, 77);
        assert_int_equal(err.class, ERROR_HALT);
        assert_string_equal(err.code, "topic_invalid");
        assert_non_null(strstr(err.text, invalid[i]));
        assert_non_null(strstr(err.advice, "kafka.topicTemplate"));
    }
    assert_int_equal(table.count, 0);
    topic_table_done(&table);
}

static void a_name_may_have_249_characters_and_no_more(void **state)
{
    (void)state;
    struct topic_table table = { 0 };
    char name[251];
    memset(name, 'x', sizeof name);
    name[250] = '\0';
    uint32_t topic = 0;
    assert_false(topic_table_add(&table, name, &topic, NULL));
    name[249] = '\0';
    assert_true(topic_table_add(&table, name, &topic, NULL));
    assert_true(topic_table_add(&table, "A-z.0_9", &topic, NULL));
    topic_table_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_count_from_zero_and_are_found_again),
        cmocka_unit_test(many_topics_keep_their_ids_and_names),
        cmocka_unit_test(names_that_kafka_refuses_are_an_error),
        cmocka_unit_test(a_name_may_have_249_characters_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
