#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "format/key.h"
#include "rows.h"

struct fixture {
    struct relation *relation;
    struct table_plan *plan;
    struct arena arena;
    struct error err;
};

/* A table (id int4, mail text, born timestamptz, note text) with the key columns named. */
static struct fixture fixture_of(enum replica_identity identity, const char *const *names,
                                 uint16_t count)
{
    bool full = identity == REPLICA_IDENTITY_FULL;
    struct fixture fixture = {
        .relation = RELATION(identity, COLUMN("id", INT4, true), COLUMN("mail", TEXT, full),
                             COLUMN("born", TIMESTAMPTZ, true), COLUMN("note", TEXT, full)),
        .arena = arena_init(4096),
        .err = ERROR_INIT,
    };
    struct slice keys[4];
    for (uint16_t i = 0; i < count; i++)
        keys[i] = slice_of(names[i]);
    assert_true(table_plan_new(fixture.relation, keys, count, &fixture.plan, &fixture.err));
    return fixture;
}

#define FIXTURE(identity, ...)                                                                     \
    fixture_of(identity, (const char *const[]){ __VA_ARGS__ },                                     \
               COUNT_OF(((const char *const[]){ __VA_ARGS__ })))

static void fixture_done(struct fixture *fixture)
{
    table_plan_free(fixture->plan);
    relation_free(fixture->relation);
    arena_done(&fixture->arena);
}

static void assert_key(struct fixture *fixture, struct tuple row, const char *expected)
{
    struct slice key;
    assert_true(key_encode(fixture->plan, &row, &fixture->arena, &key, &fixture->err));
    if (expected == NULL)
        assert_null(key.data);
    else if (key.data == NULL || !slice_is(key, expected))
        fail_msg("%.*s instead of %s", SLICE_ARGS(key), expected);
}

static void one_column_is_its_text(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) by_id = FIXTURE('d', "id");
    AUTO(struct fixture, fixture_done) by_time = FIXTURE('d', "born");
    struct tuple row = TUPLE(T("42"), T("a@b"), T("2024-02-29 12:34:56+00"), NULL_VALUE);
    assert_key(&by_id, row, "42");
    assert_key(&by_time, row, "2024-02-29 12:34:56+00");
    struct tuple empty = TUPLE(T(""), T(""), T(""), NULL_VALUE);
    assert_key(&by_id, empty, "");
}

static void one_column_that_is_null_is_a_null_key(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture = FIXTURE('f', "mail");
    assert_key(&fixture, TUPLE(T("1"), NULL_VALUE, NULL_VALUE, NULL_VALUE), NULL);
}

static void no_columns_are_a_null_key(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture = fixture_of(REPLICA_IDENTITY_FULL, NULL, 0);
    assert_key(&fixture, TUPLE(T("1"), T("2"), T("3"), T("4")), NULL);
}

static void several_columns_are_an_object_in_key_order(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture = FIXTURE('f', "mail", "id", "born");
    assert_key(&fixture, TUPLE(T("42"), T("a\"@b"), T("2024-02-29 12:34:56+00"), NULL_VALUE),
               "{\"mail\":\"a\\\"@b\",\"id\":42,\"born\":\"2024-02-29T12:34:56Z\"}");
    assert_key(&fixture, TUPLE(T("42"), NULL_VALUE, NULL_VALUE, NULL_VALUE),
               "{\"mail\":null,\"id\":42,\"born\":null}");
}

static void the_key_outlives_the_message(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture = FIXTURE('d', "id");
    char bytes[] = "42";
    const struct value values[] = {
        { VALUE_TEXT, { bytes, 2 } }, NULL_VALUE, NULL_VALUE, NULL_VALUE
    };
    struct tuple row = { values, 4 };
    struct slice key;
    assert_true(key_encode(fixture.plan, &row, &fixture.arena, &key, &fixture.err));
    memset(bytes, 'x', 2);
    assert_true(slice_is(key, "42"));
}

static void assert_refused(struct fixture *fixture, struct tuple row, const char *code)
{
    struct slice key = SLICE_TEXT("as it was");
    fixture->err = ERROR_INIT;
    assert_false(key_encode(fixture->plan, &row, &fixture->arena, &key, &fixture->err));
    assert_int_equal(fixture->err.class, ERROR_HALT);
    assert_string_equal(fixture->err.code, code);
    assert_non_null(strstr(fixture->err.text, "public.users"));
    assert_true(slice_is(key, "as it was"));
}

static void an_unknown_key_is_an_error(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) one = FIXTURE('d', "mail");
    AUTO(struct fixture, fixture_done) two = FIXTURE('d', "id", "mail");
    struct tuple row = TUPLE(T("1"), UNCHANGED, NULL_VALUE, NULL_VALUE);
    assert_refused(&one, row, "key_unknown");
    assert_non_null(strstr(one.err.text, "\"mail\""));
    assert_refused(&two, row, "key_unknown");
    struct tuple binary = TUPLE(T("1"), { VALUE_BINARY, SLICE_TEXT("a") }, NULL_VALUE, NULL_VALUE);
    assert_refused(&one, binary, "binary_value");
    assert_refused(&two, binary, "binary_value");
}

static void a_key_has_a_largest_size(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) one = FIXTURE('d', "mail");
    AUTO(struct fixture, fixture_done) two = FIXTURE('d', "id", "mail");
    AUTO(char *, memory_free_p) large = memory_alloc(KEY_LIMIT_BYTES + 1);
    memset(large, 'x', KEY_LIMIT_BYTES + 1);
    struct tuple most =
        TUPLE(T("1"), { VALUE_TEXT, { large, KEY_LIMIT_BYTES } }, NULL_VALUE, NULL_VALUE);
    struct tuple more =
        TUPLE(T("1"), { VALUE_TEXT, { large, KEY_LIMIT_BYTES + 1 } }, NULL_VALUE, NULL_VALUE);
    struct slice key;
    assert_true(key_encode(one.plan, &most, &one.arena, &key, &one.err));
    assert_int_equal(key.size, KEY_LIMIT_BYTES);
    assert_refused(&one, more, "key_too_large");
    assert_refused(&two, most, "key_too_large");
}

static void a_change_is_seen_in_key_columns_only(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture = FIXTURE('f', "id", "mail");
    struct tuple row = TUPLE(T("1"), T("a"), T("b"), T("c"));
    struct tuple other_note = TUPLE(T("1"), T("a"), T("x"), T("y"));
    struct tuple other_id = TUPLE(T("2"), T("a"), T("b"), T("c"));
    struct tuple no_mail = TUPLE(T("1"), NULL_VALUE, T("b"), T("c"));
    struct tuple same_mail = TUPLE(T("1"), UNCHANGED, T("b"), T("c"));
    assert_false(key_changed(fixture.plan, &row, &row));
    assert_false(key_changed(fixture.plan, &row, &other_note));
    assert_false(key_changed(fixture.plan, &row, &same_mail));
    assert_false(key_changed(fixture.plan, &no_mail, &no_mail));
    assert_true(key_changed(fixture.plan, &row, &other_id));
    assert_true(key_changed(fixture.plan, &row, &no_mail));
    assert_true(key_changed(fixture.plan, &no_mail, &row));
}

static void a_key_outside_the_identity_is_an_error(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) inside = FIXTURE('d', "born", "id");
    AUTO(struct fixture, fixture_done) outside = FIXTURE('d', "id", "mail");
    assert_true(key_in_identity(inside.plan, OLD_NONE, &inside.err));
    assert_true(key_in_identity(inside.plan, OLD_KEY, &inside.err));
    assert_true(key_in_identity(outside.plan, OLD_FULL, &outside.err));
    assert_false(key_in_identity(outside.plan, OLD_NONE, &outside.err));
    assert_false(key_in_identity(outside.plan, OLD_KEY, &outside.err));
    assert_int_equal(outside.err.class, ERROR_HALT);
    assert_string_equal(outside.err.code, "key_not_in_identity");
    assert_non_null(strstr(outside.err.text, "public.users"));
    assert_non_null(strstr(outside.err.text, "\"mail\""));
    assert_non_null(strstr(outside.err.text, "DEFAULT"));
    assert_non_null(strstr(outside.err.advice, "REPLICA IDENTITY FULL"));
}

static void the_primary_key_is_asked_for_when_flags_say_nothing(void **state)
{
    (void)state;
    static const struct {
        enum replica_identity identity;
        bool needed;
    } rows[] = { { REPLICA_IDENTITY_DEFAULT, false },
                 { REPLICA_IDENTITY_INDEX, false },
                 { REPLICA_IDENTITY_FULL, true },
                 { REPLICA_IDENTITY_NOTHING, true } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct fixture, fixture_done) fixture = FIXTURE(rows[i].identity, "id");
        assert_int_equal(key_needs_primary_key(fixture.relation, false), rows[i].needed);
        assert_false(key_needs_primary_key(fixture.relation, true));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_column_is_its_text),
        cmocka_unit_test(one_column_that_is_null_is_a_null_key),
        cmocka_unit_test(no_columns_are_a_null_key),
        cmocka_unit_test(several_columns_are_an_object_in_key_order),
        cmocka_unit_test(the_key_outlives_the_message),
        cmocka_unit_test(an_unknown_key_is_an_error),
        cmocka_unit_test(a_key_has_a_largest_size),
        cmocka_unit_test(a_change_is_seen_in_key_columns_only),
        cmocka_unit_test(a_key_outside_the_identity_is_an_error),
        cmocka_unit_test(the_primary_key_is_asked_for_when_flags_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
