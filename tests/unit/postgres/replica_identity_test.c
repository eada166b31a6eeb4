#include "fake_postgres.h"

#include "postgres/replica_identity.h"

struct note {
    int count;
    bool warning;
    char text[512], advice[512]; /* of the last one */
};

static void take_note(void *self, bool warning, const char *text, const char *advice)
{
    struct note *note = self;
    note->count++;
    note->warning = warning;
    (void)snprintf(note->text, sizeof(note->text), "%s", text);
    (void)snprintf(note->advice, sizeof(note->advice), "%s", advice);
}

static bool ensure(const struct fake_step *script, const struct publication_table *table,
                   bool rows_must_be_known, struct note *out_note, struct error *err)
{
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    *out_note = (struct note){ .count = 0 };
    bool ensured =
        replica_identity_ensure(conn, table, rows_must_be_known, take_note, out_note, err);
    db_conn_close(conn);
    fake_postgres_end(&fake);
    return ensured;
}

static const struct publication_table untouched = { .schema = "s", .name = "T t" };
static const struct publication_table full = { .schema = "s",
                                               .name = "T t",
                                               .replica_identity = "FULL" };
static const struct publication_table by_index = {
    .schema = "s",
    .name = "T t",
    .replica_identity = "USING INDEX",
    .replica_identity_index = "x",
};

/* columns: schema, table, identity, its index, the wanted index, has a key, leaf, partitioned */
#define SCRIPT(rows, ...)                                                                          \
    {                                                                                              \
        { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "relreplident" }, { FAKE_ROWS, rows },              \
            __VA_ARGS__{ FAKE_SILENCE, NULL }, { FAKE_END, NULL },                                 \
    }

static void test_same_needs_nothing(void **state UNUSED)
{
    static const struct fake_step as_full[] = SCRIPT("s|T t|f|~|~|f|f|f", );
    static const struct fake_step as_index[] = SCRIPT("s|T t|i|x|x|t|f|f", );
    struct note note;
    struct error err = ERROR_INIT;
    assert_true(ensure(as_full, &full, true, &note, &err));
    assert_int_equal(note.count, 0);
    assert_true(ensure(as_index, &by_index, true, &note, &err));
    assert_int_equal(note.count, 0);
}

static void test_set(void **state UNUSED)
{
    static const struct fake_step script[] =
        SCRIPT("s|T t|i|y|x|t|f|f",
               { FAKE_EXPECT, "SET LOCAL lock_timeout = '2s'; ALTER TABLE ONLY \"s\".\"T t\" "
                              "REPLICA IDENTITY USING INDEX \"x\";" },
               { FAKE_DONE, NULL }, );
    struct note note;
    struct error err = ERROR_INIT;
    assert_true(ensure(script, &by_index, true, &note, &err));
    assert_int_equal(note.count, 1);
    assert_false(note.warning);
    fake_assert_contains(note.text, "\"s\".\"T t\" changed from USING INDEX to USING INDEX");
}

static void test_left_to_a_person(void **state UNUSED)
{
    static const char *const answers[] = { "42501:owner", "55P03:lock", "25006:standby" };
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        const struct fake_step script[] =
            SCRIPT("s|T t|d|~|~|t|f|f", { FAKE_EXPECT, "REPLICA IDENTITY FULL" },
                   { FAKE_ERROR, answers[i] }, );
        struct note note;
        struct error err = ERROR_INIT;
        assert_true(ensure(script, &full, true, &note, &err));
        assert_int_equal(note.count, 1);
        assert_true(note.warning);
        fake_assert_contains(note.text, "is DEFAULT, not FULL");
        assert_string_equal(note.advice, "ALTER TABLE ONLY \"s\".\"T t\" REPLICA IDENTITY FULL;");
    }
}

static void test_other_failures_end_it(void **state UNUSED)
{
    static const struct fake_step script[] =
        SCRIPT("s|T t|d|~|x|t|f|f", { FAKE_EXPECT, "USING INDEX" },
               { FAKE_ERROR, "42809:is not unique" }, );
    struct note note;
    struct error err = ERROR_INIT;
    assert_false(ensure(script, &by_index, true, &note, &err));
    fake_assert_error(&err, ERROR_HALT, "42809", "is not unique", "");
    fake_assert_contains(err.text, "set the replica identity of \"s\".\"T t\"");
    assert_int_equal(note.count, 0);
}

static void test_missing_index(void **state UNUSED)
{
    static const struct fake_step root[] = SCRIPT("s|T t|d|~|~|t|f|f", );
    static const struct fake_step leaf[] = SCRIPT("s|T t|i|x|x|t|f|t\ns|leaf|d|~|~|t|t|f", );
    struct note note;
    struct error err = ERROR_INIT;
    assert_false(ensure(root, &by_index, true, &note, &err));
    fake_assert_error(&err, ERROR_HALT, "index_missing", "no index \"x\"", "unique index");
    assert_true(ensure(leaf, &by_index, true, &note, &err));
    assert_int_equal(note.count, 1);
    assert_true(note.warning);
    fake_assert_contains(note.text, "\"s\".\"leaf\" has no index \"x\"");
}

static void test_rows_without_identity(void **state UNUSED)
{
    static const struct fake_step no_key[] = SCRIPT("s|T t|d|~|~|f|f|f", );
    static const struct fake_step nothing[] = SCRIPT("s|T t|n|~|~|t|f|f", );
    static const struct fake_step index_gone[] = SCRIPT("s|T t|i|~|~|t|f|f", );
    static const struct fake_step only_root[] = SCRIPT("s|T t|n|~|~|f|f|t", );
    const struct fake_step *const bad[] = { no_key, nothing, index_gone };
    struct note note;
    struct error err = ERROR_INIT;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_true(ensure(bad[i], &untouched, true, &note, &err));
        assert_int_equal(note.count, 1);
        assert_true(note.warning);
        fake_assert_contains(note.text, "refuses UPDATE and DELETE on \"s\".\"T t\"");
        fake_assert_contains(note.advice, "REPLICA IDENTITY FULL;");
        assert_true(ensure(bad[i], &untouched, false, &note, &err));
        assert_int_equal(note.count, 0);
    }
    assert_true(ensure(only_root, &untouched, true, &note, &err));
    assert_int_equal(note.count, 0);
}

static void test_wrong_configuration(void **state UNUSED)
{
    struct publication_table table = untouched;
    struct error err = ERROR_INIT;
    table.replica_identity = "SOME";
    assert_false(replica_identity_ensure(NULL, &table, true, take_note, NULL, &err));
    fake_assert_error(&err, ERROR_CONFIG, "replica_identity", "\"SOME\"", "");
    table.replica_identity = "using index";
    assert_false(replica_identity_ensure(NULL, &table, true, take_note, NULL, &err));
    fake_assert_error(&err, ERROR_CONFIG, "replica_identity", "with an index", "");
}

static void test_unexpected_answer(void **state UNUSED)
{
    static const struct fake_step script[] = SCRIPT("s|T t", );
    struct note note;
    struct error err = ERROR_INIT;
    assert_false(ensure(script, &full, true, &note, &err));
    fake_assert_error(&err, ERROR_HALT, "unexpected_answer", "\"s\".\"T t\"", "");
}

/* The script ends after the look: a statement more would fail it. */
static bool inspect(const struct fake_step *script, const struct publication_table *table,
                    struct note *out_note)
{
    struct fake_postgres fake;
    struct error err = ERROR_INIT;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    *out_note = (struct note){ .count = 0 };
    bool inspected = replica_identity_inspect(conn, table, true, take_note, out_note, &err);
    db_conn_close(conn);
    fake_postgres_end(&fake);
    return inspected;
}

static void test_a_look_changes_nothing(void **state UNUSED)
{
    static const struct fake_step other[] = SCRIPT("s|T t|d|~|~|f|f|f", );
    struct note note;
    assert_true(inspect(other, &full, &note));
    assert_int_equal(note.count, 1);
    assert_false(note.warning);
    assert_string_equal(note.text, "replica identity of \"s\".\"T t\" is DEFAULT, not FULL");
    assert_string_equal(note.advice, "ALTER TABLE ONLY \"s\".\"T t\" REPLICA IDENTITY FULL;");

    assert_true(inspect(other, &untouched, &note));
    assert_int_equal(note.count, 1);
    assert_true(note.warning);
    fake_assert_contains(note.text, "refuses UPDATE and DELETE on \"s\".\"T t\"");
    assert_string_equal(note.advice, "ALTER TABLE ONLY \"s\".\"T t\" REPLICA IDENTITY FULL;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_needs_nothing),     cmocka_unit_test(test_set),
        cmocka_unit_test(test_left_to_a_person),       cmocka_unit_test(test_other_failures_end_it),
        cmocka_unit_test(test_missing_index),          cmocka_unit_test(test_rows_without_identity),
        cmocka_unit_test(test_wrong_configuration),    cmocka_unit_test(test_unexpected_answer),
        cmocka_unit_test(test_a_look_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
