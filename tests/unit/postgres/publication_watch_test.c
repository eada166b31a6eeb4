#include "fake_postgres.h"

#include "postgres/publication.h"
#include "postgres/publication_watch.h"

#define DIGEST "0123456789abcdef0123456789abcdef"
#define OTHER  "f123456789abcdef0123456789abcdef"
#define QUIET                                                                                      \
    { FAKE_SILENCE, NULL },                                                                        \
    {                                                                                              \
        FAKE_END, NULL                                                                             \
    }

static bool look(const struct fake_step *script, struct publication_sight *out_sight,
                 struct error *err)
{
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    bool looked = publication_watch_look(conn, "P p", out_sight, err);
    db_conn_close(conn);
    fake_postgres_end(&fake);
    return looked;
}

static void test_look(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                               { FAKE_EXPECT, "pg_publication_namespace" },
                                               { FAKE_ROWS, "4294967295|t|t|f|t|f|" DIGEST },
                                               QUIET };
    struct publication_sight sight;
    struct error err = ERROR_INIT;
    assert_true(look(script, &sight, &err));
    assert_true(sight.exists);
    assert_int_equal(sight.oid, UINT32_MAX);
    assert_true(sight.via_partition_root);
    assert_int_equal(sight.operations, PUBLICATION_INSERT | PUBLICATION_DELETE);
    assert_string_equal(sight.members, DIGEST);
}

static void test_missing(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "14.9" }, { FAKE_EXPECT, "pubname = $1|" }, { FAKE_ROWS, "" }, QUIET
    };
    struct publication_sight sight = { .exists = true };
    struct error err = ERROR_INIT;
    assert_true(look(script, &sight, &err));
    assert_false(sight.exists);
}

static void test_strange_answers(void **state UNUSED)
{
    static const char *const rows[] = { "1|t", "x|t|t|t|t|t|" DIGEST, "0|t|t|t|t|t|" DIGEST,
                                        "4294967296|t|t|t|t|t|" DIGEST, "1|t|t|t|t|t|short" };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct fake_step script[] = {
            { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "SELECT" }, { FAKE_ROWS, rows[i] }, QUIET
        };
        struct publication_sight sight;
        struct error err = ERROR_INIT;
        assert_false(look(script, &sight, &err));
        fake_assert_error(&err, ERROR_HALT, "unexpected_answer", "\"P p\"", "");
    }
    static const struct fake_step fails[] = { { FAKE_GREET, "15.4" },
                                              { FAKE_EXPECT, "SELECT" },
                                              { FAKE_FATAL, "57P01:bye" },
                                              { FAKE_END, NULL } };
    struct publication_sight sight;
    struct error err = ERROR_INIT;
    assert_false(look(fails, &sight, &err));
    fake_assert_error(&err, ERROR_RECONNECT, "57P01", "look at publication \"P p\"", "");
}

static const struct publication_sight stands = {
    .exists = true, .oid = 16400, .operations = PUBLICATION_INSERT, .members = DIGEST
};
static const struct publication_sight gone = { .exists = false };

static void expect(const struct publication_sight *before, struct publication_sight now,
                   const char *expected)
{
    char text[PUBLICATION_CHANGE_SIZE];
    assert_int_equal(publication_watch_changed(before, &now, text), expected[0] != '\0');
    assert_string_equal(text, expected);
}

static void test_changes(void **state UNUSED)
{
    struct publication_sight now = stands;
    expect(&stands, stands, "");
    expect(&gone, gone, "");
    expect(&stands, gone, "was dropped");
    expect(&gone, stands, "was created");
    now.oid++;
    expect(&stands, now, "was made anew");
    now = stands;
    now.operations |= PUBLICATION_DELETE;
    expect(&stands, now, "publishes other operations");
    now.via_partition_root = true;
    memcpy(now.members, OTHER, sizeof(now.members));
    expect(&stands, now,
           "publishes other operations; has another publish_via_partition_root; publishes other "
           "tables, columns or rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_strange_answers),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
