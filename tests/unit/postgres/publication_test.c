#include "fake_postgres.h"

#include "postgres/publication.h"

/* The rules that need a server's catalogs are shown by tests/integration/postgres; here: races,
 * refusals and broken answers. */

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

static bool ensure(const struct fake_step *script, const struct publication_options *options,
                   struct note *out_note, struct error *err)
{
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    *out_note = (struct note){ .count = 0 };
    bool ensured = publication_ensure(conn, options, take_note, out_note, err);
    db_conn_close(conn);
    fake_postgres_end(&fake);
    return ensured;
}

static const struct publication_options all_tables = { .name = "P p",
                                                       .create_if_not_exists = true };

#define LOOK_MISSING                                                                               \
    { FAKE_EXPECT, "FROM pg_catalog.pg_publication" },                                             \
    {                                                                                              \
        FAKE_ROWS, ""                                                                              \
    }
#define LOOK_FOUND                                                                                 \
    { FAKE_EXPECT, "FROM pg_catalog.pg_publication" },                                             \
    {                                                                                              \
        FAKE_ROWS, "16400|t|f|t|t|t|t"                                                             \
    }
#define CREATE                                                                                     \
    {                                                                                              \
        FAKE_EXPECT, "CREATE PUBLICATION \"P p\" FOR ALL TABLES WITH (publish = 'insert, update, " \
                     "delete, truncate', publish_via_partition_root = false);"                     \
    }
#define QUIET                                                                                      \
    { FAKE_SILENCE, NULL },                                                                        \
    {                                                                                              \
        FAKE_END, NULL                                                                             \
    }

static void test_create(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" }, LOOK_MISSING, CREATE, { FAKE_DONE, NULL }, QUIET
    };
    struct note note;
    struct error err = ERROR_INIT;
    assert_true(ensure(script, &all_tables, &note, &err));
    assert_int_equal(note.count, 1);
    assert_false(note.warning);
    assert_string_equal(note.text, "publication \"P p\" created");
    fake_assert_contains(note.advice, "CREATE PUBLICATION \"P p\" FOR ALL TABLES");
}

/* Both codes mean that somebody was faster: what they made is verified. */
static void test_somebody_was_faster(void **state UNUSED)
{
    static const struct fake_step exists[] = {
        { FAKE_GREET, "15.4" },         LOOK_MISSING, CREATE,
        { FAKE_ERROR, "42710:exists" }, LOOK_FOUND,   QUIET
    };
    static const struct fake_step unique[] = { { FAKE_GREET, "15.4" },        LOOK_MISSING, CREATE,
                                               { FAKE_ERROR, "23505:twice" }, LOOK_FOUND,   QUIET };
    struct note note;
    struct error err = ERROR_INIT;
    assert_true(ensure(exists, &all_tables, &note, &err));
    assert_int_equal(note.count, 0);
    struct publication_options fewer = all_tables;
    assert_true(ensure(unique, &fewer, &note, &err));
    assert_int_equal(note.count, 0);
}

static void test_faster_one_made_another(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        LOOK_MISSING,
        CREATE,
        { FAKE_ERROR, "42710:exists" },
        { FAKE_EXPECT, "pg_publication" },
        { FAKE_ROWS, "16400|t|t|t|f|f|f" },
        QUIET,
    };
    struct note note;
    struct error err = ERROR_INIT;
    assert_true(ensure(script, &all_tables, &note, &err));
    assert_int_equal(note.count, 1);
    assert_true(note.warning);
    fake_assert_contains(note.text, "publishes (insert), (insert, update, delete, truncate)");
    fake_assert_contains(note.text, "publish_via_partition_root = true, false is configured");
    assert_string_equal(note.advice, "ALTER PUBLICATION \"P p\" SET (publish = 'insert, update, "
                                     "delete, truncate', publish_via_partition_root = false);");
}

static void test_endless_race(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },         LOOK_MISSING, CREATE,
        { FAKE_ERROR, "42710:exists" }, LOOK_MISSING, CREATE,
        { FAKE_ERROR, "42710:exists" }, LOOK_MISSING, CREATE,
        { FAKE_ERROR, "42710:exists" }, LOOK_MISSING, QUIET,
    };
    struct note note;
    struct error err = ERROR_INIT;
    assert_false(ensure(script, &all_tables, &note, &err));
    fake_assert_error(&err, ERROR_RETRY, "publication_changing", "\"P p\"", "");
}

static void test_creation_refused(void **state UNUSED)
{
    static const struct fake_step no_right[] = { { FAKE_GREET, "15.4" },
                                                 LOOK_MISSING,
                                                 CREATE,
                                                 { FAKE_ERROR, "42501:must be superuser" },
                                                 QUIET };
    static const struct fake_step standby[] = {
        { FAKE_GREET, "15.4" }, LOOK_MISSING, CREATE, { FAKE_ERROR, "25006:read-only" }, QUIET
    };
    struct note note;
    struct error err = ERROR_INIT;
    assert_false(ensure(no_right, &all_tables, &note, &err));
    fake_assert_error(&err, ERROR_HALT, "42501", "us'er", "CREATE PUBLICATION \"P p\" FOR ALL");
    assert_false(ensure(standby, &all_tables, &note, &err));
    fake_assert_error(&err, ERROR_RETRY, "25006", "create publication \"P p\"", "primary");
    assert_int_equal(note.count, 0);
}

static void test_may_not_be_created(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.4" }, LOOK_MISSING, QUIET };
    struct publication_options options = all_tables;
    struct note note;
    struct error err = ERROR_INIT;
    options.create_if_not_exists = false;
    assert_false(ensure(script, &options, &note, &err));
    fake_assert_error(&err, ERROR_HALT, "publication_missing", "\"P p\"",
                      "CREATE PUBLICATION \"P p\" FOR ALL TABLES");
    options.create_if_not_exists = true;
    options.slot_exists = true;
    assert_false(ensure(script, &options, &note, &err));
    fake_assert_error(&err, ERROR_HALT, "publication_missing_slot_exists", "\"P p\"",
                      "drop the slot");
}

static void test_unexpected_answer(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "pg_publication" }, { FAKE_ROWS, "16400|t" }, QUIET
    };
    struct note note;
    struct error err = ERROR_INIT;
    assert_false(ensure(script, &all_tables, &note, &err));
    fake_assert_error(&err, ERROR_HALT, "unexpected_answer", "pg_publication", "");
}

static void test_drop(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "pg_publication WHERE pubname = $1" },
        { FAKE_ROWS, "" },
        { FAKE_EXPECT, "pg_publication WHERE pubname = $1" },
        { FAKE_ROWS, "1" },
        { FAKE_EXPECT, "DROP PUBLICATION IF EXISTS \"P p\"" },
        { FAKE_DONE, NULL },
        { FAKE_EXPECT, "pg_publication" },
        { FAKE_ROWS, "1" },
        { FAKE_EXPECT, "DROP PUBLICATION" },
        { FAKE_ERROR, "42501:must be owner" },
        { FAKE_EXPECT, "pg_publication" },
        { FAKE_ERROR, "40001:no" },
        QUIET,
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    bool dropped = true;
    assert_true(publication_drop(conn, "P p", &dropped, &err));
    assert_false(dropped);
    assert_true(publication_drop(conn, "P p", &dropped, &err));
    assert_true(dropped);
    assert_false(publication_drop(conn, "P p", &dropped, &err));
    fake_assert_error(&err, ERROR_HALT, "42501", "\"P p\"", "DROP PUBLICATION IF EXISTS \"P p\";");
    assert_false(publication_drop(conn, "P p", &dropped, &err));
    fake_assert_error(&err, ERROR_RETRY, "40001", "\"P p\"", "");
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_somebody_was_faster),
        cmocka_unit_test(test_faster_one_made_another),
        cmocka_unit_test(test_endless_race),
        cmocka_unit_test(test_creation_refused),
        cmocka_unit_test(test_may_not_be_created),
        cmocka_unit_test(test_unexpected_answer),
        cmocka_unit_test(test_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
