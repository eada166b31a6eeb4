#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "postgres/sqlstate.h"

static const struct sqlstate_rule rows[] = {
#define RULE(sqlstate, class, name, advice) { sqlstate, class, name, advice },
#include "postgres/sqlstate.def"
#undef RULE
};

struct expected {
    const char *sqlstate;
    enum error_class class;
    const char *name;
};

static const struct expected expectations[] = {
    /* the connection */
    { NULL, ERROR_RECONNECT, "connection" },
    { "", ERROR_RECONNECT, "connection" },
    { "08006", ERROR_RECONNECT, "connection_exception" },
    { "57P01", ERROR_RECONNECT, "admin_shutdown" },
    { "57P02", ERROR_RECONNECT, "crash_shutdown" },
    { "57P05", ERROR_RECONNECT, "idle_session_timeout" },
    /* somebody else must finish first */
    { "57P03", ERROR_RETRY, "cannot_connect_now" },
    { "55006", ERROR_WAIT, "object_in_use" },
    { "53300", ERROR_RETRY, "too_many_connections" },
    { "25006", ERROR_RETRY, "read_only_transaction" },
    /* a person must act */
    { "28P01", ERROR_HALT, "invalid_password" },
    { "28000", ERROR_HALT, "invalid_authorization_specification" },
    { "3D000", ERROR_HALT, "invalid_catalog_name" },
    { "3F000", ERROR_HALT, "invalid_schema_name" },
    { "42501", ERROR_HALT, "insufficient_privilege" },
    { "42P01", ERROR_HALT, "undefined_table" },
    { "42704", ERROR_HALT, "undefined_object" },
    { "53400", ERROR_HALT, "configuration_limit_exceeded" },
    { "55000", ERROR_HALT, "object_not_in_prerequisite_state" },
    { "58P01", ERROR_HALT, "undefined_file" },
    { "0A000", ERROR_HALT, "feature_not_supported" },
    { "XX001", ERROR_HALT, "data_corrupted" },
    { "XX002", ERROR_HALT, "index_corrupted" },
    { "22P05", ERROR_HALT, "untranslatable_character" },
    { "22012", ERROR_HALT, "data_exception" },
    /* the same call may succeed */
    { "40001", ERROR_RETRY, "serialization_failure" },
    { "40P01", ERROR_RETRY, "deadlock_detected" },
    { "55P03", ERROR_RETRY, "lock_not_available" },
    { "57014", ERROR_RETRY, "query_canceled" },
    { "53100", ERROR_RETRY, "disk_full" },
    { "53000", ERROR_RETRY, "insufficient_resources" },
    { "XX000", ERROR_RETRY, "internal_error" },
    /* ours */
    { "42601", ERROR_BUG, "syntax_error" },
    { "42703", ERROR_BUG, "undefined_column" },
    { "08P01", ERROR_BUG, "protocol_violation" },
    { "42602", ERROR_CONFIG, "invalid_name" },
    /* unknown ones */
    { "F0000", ERROR_RETRY, "unknown" },
    { "5", ERROR_RETRY, "unknown" },
    { "57P03x", ERROR_RETRY, "unknown" },
};

static void test_classes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        const struct expected *expected = &expectations[i];
        const struct sqlstate_rule *rule = sqlstate_find(expected->sqlstate);
        if (rule->class != expected->class || strcmp(rule->name, expected->name) != 0)
            fail_msg("%s is %s %s", expected->sqlstate, error_class_name(rule->class), rule->name);
    }
}

/* Every row is found by its own state, which also shows that none is there twice. */
static void test_rows_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i].sqlstate);
        assert_true(length == 5 || length == 2);
        assert_int_equal(strspn(rows[i].sqlstate, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"), length);
        char sqlstate[6] = "ZZZZZ";
        memcpy(sqlstate, rows[i].sqlstate, length);
        assert_string_equal(sqlstate_find(sqlstate)->name, rows[i].name);
        assert_string_equal(sqlstate_find(sqlstate)->sqlstate, rows[i].sqlstate);
    }
}

static void test_rows_are_in_order(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNT_OF(rows); i++)
        assert_true(strcmp(rows[i - 1].sqlstate, rows[i].sqlstate) < 0);
}

/* Where a person must act, the exact states say what to do. */
static void test_halt_has_advice(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].class == ERROR_HALT && strlen(rows[i].sqlstate) == 5 &&
            rows[i].advice[0] == '\0')
            fail_msg("%s has no advice", rows[i].sqlstate);
}

static void test_codes_of_others_are_told_apart(void **state)
{
    (void)state;
    assert_true(sqlstate_is("28P01"));
    assert_true(sqlstate_is("XX000"));
    static const char *const others[] = { "", "28P0", "28P010", "28p01", "slot_lost", "_FAIL" };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(sqlstate_is(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_rows_are_found),
        cmocka_unit_test(test_rows_are_in_order),
        cmocka_unit_test(test_halt_has_advice),
        cmocka_unit_test(test_codes_of_others_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
