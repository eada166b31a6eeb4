#include "format/row_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "unit/format/rows.h"

enum { LIMIT_BYTES = 4096 };

#define MEMBER(name_, text_)                                                                       \
    {                                                                                              \
        .name = SLICE_TEXT(name_), .text = SLICE_TEXT(text_)                                       \
    }

static void assert_written(const struct relation *relation, struct tuple row, bool identity_only,
                           const struct row_json_member *members, size_t count,
                           const char *expected)
{
    AUTO(struct row_json *, row_json_free_p) json = row_json_new(relation);
    AUTO(struct buf, buf_done) out = buf_init(LIMIT_BYTES);
    row_json_write(json, &row, identity_only, members, count, &out);
    assert_false(out.failed);
    assert_string_equal(buf_text(&out), expected);
    assert_true(row_json_hint(json, &row, members, count) >= out.size);
}

static void columns_stand_in_the_order_of_their_bytes(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p)
    relation = RELATION('d', COLUMN("b", INT4, false), COLUMN("B", BOOL, false),
                        COLUMN("a\"", TEXT, false), COLUMN("operation", TEXT, false));
    assert_written(relation, TUPLE(T("1"), T("t"), T("x\ny"), T("mine")), false, NULL, 0,
                   "{\"B\":true,\"a\\\"\":\"x\\ny\",\"b\":1,\"operation\":\"mine\"}");
}

static void what_was_not_sent_is_left_out(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p)
    relation = RELATION('d', COLUMN("id", INT4, true), COLUMN("large", TEXT, false),
                        COLUMN("none", TEXT, false));
    const struct tuple row = TUPLE(T("1"), UNCHANGED, NULL_VALUE);
    assert_written(relation, row, false, NULL, 0, "{\"id\":1,\"none\":null}");
    assert_written(relation, row, true, NULL, 0, "{\"id\":1}");
    AUTO(struct relation *, relation_free_p) keyless = RELATION('n', COLUMN("a", TEXT, false));
    assert_written(keyless, TUPLE(T("x")), true, NULL, 0, "{}");
}

static void members_stand_among_the_columns(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p)
    relation = RELATION('d', COLUMN("b", INT4, true), COLUMN("d", TEXT, false));
    const struct row_json_member members[] = {
        MEMBER("e", "last"),
        MEMBER("a", "first"),
        MEMBER("c", "\"quoted\""),
        { .name = SLICE_TEXT("json"), .text = SLICE_TEXT("[1, 2]"), .is_json = true },
        { .name = SLICE_TEXT("null") }
    };
    const char *expected = "{\"a\":\"first\",\"b\":1,\"c\":\"\\\"quoted\\\"\",\"d\":\"x\","
                           "\"e\":\"last\",\"json\":[1, 2],\"null\":null}";
    assert_written(relation, TUPLE(T("1"), T("x")), false, members, COUNT_OF(members), expected);
    /* Also where nothing else is left. */
    assert_written(relation, TUPLE(UNCHANGED, UNCHANGED), false, members, 1, "{\"e\":\"last\"}");
}

static void a_member_takes_the_place_of_a_column_and_of_one_before(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p)
    relation = RELATION('d', COLUMN("a", INT4, true), COLUMN("operation", TEXT, false),
                        COLUMN("z", TEXT, false));
    const struct row_json_member members[] = { MEMBER("operation", "one"), MEMBER("z", "other"),
                                               MEMBER("operation", "two") };
    assert_written(relation, TUPLE(T("1"), T("column"), T("column")), false, members,
                   COUNT_OF(members), "{\"a\":1,\"operation\":\"two\",\"z\":\"other\"}");
}

static void as_many_members_as_may_be(void **state)
{
    (void)state;
    enum { NAME_SIZE = 4 };
    static char names[ROW_JSON_MEMBERS_MAX][NAME_SIZE];
    struct row_json_member members[ROW_JSON_MEMBERS_MAX];
    AUTO(struct relation *, relation_free_p) relation = RELATION('d', COLUMN("m", INT4, true));
    AUTO(struct buf, buf_done) expected = buf_init(LIMIT_BYTES);
    for (int i = 0; i < ROW_JSON_MEMBERS_MAX; i++) {
        (void)snprintf(names[i], NAME_SIZE, "n%02d", i);
        members[ROW_JSON_MEMBERS_MAX - 1 - i] =
            (struct row_json_member){ .name = slice_of(names[i]), .text = SLICE_TEXT("") };
        buf_append_format(&expected, ",\"%s\":\"\"", names[i]);
    }
    AUTO(struct buf, buf_done) whole = buf_init(LIMIT_BYTES);
    buf_append_format(&whole, "{\"m\":7%s}", buf_text(&expected));
    assert_written(relation, TUPLE(T("7")), false, members, ROW_JSON_MEMBERS_MAX, buf_text(&whole));
}

static void what_does_not_fit_fails(void **state)
{
    (void)state;
    AUTO(struct relation *, relation_free_p) relation = RELATION('d', COLUMN("a", TEXT, true));
    AUTO(struct row_json *, row_json_free_p) json = row_json_new(relation);
    const struct tuple row = TUPLE(T("xyz"));
    for (size_t limit = 0; limit < 11; limit++) {
        AUTO(struct buf, buf_done) out = buf_init(limit);
        row_json_write(json, &row, false, NULL, 0, &out);
        assert_true(out.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_stand_in_the_order_of_their_bytes),
        cmocka_unit_test(what_was_not_sent_is_left_out),
        cmocka_unit_test(members_stand_among_the_columns),
        cmocka_unit_test(a_member_takes_the_place_of_a_column_and_of_one_before),
        cmocka_unit_test(as_many_members_as_may_be),
        cmocka_unit_test(what_does_not_fit_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
