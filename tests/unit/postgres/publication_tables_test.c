#include "fake_postgres.h"

#include "postgres/publication_tables.h"

static const char *const columns[] = { "a", "B\"c" };

static const struct publication_table tables[] = {
    { .schema = "s", .name = "t{1},\"\\" },
    { .schema = "S s", .name = "u", .columns = columns, .column_count = 2 },
    { .schema = "S s", .name = "v" },
};

static struct error refuse(const struct fake_step *script,
                           const struct publication_options *options)
{
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_false(publication_tables_check(conn, options, &err));
    db_conn_close(conn);
    fake_postgres_end(&fake);
    return err;
}

static const struct publication_options all = { .name = "p",
                                                .tables = tables,
                                                .table_count = COUNT_OF(tables) };
static const struct publication_options first = { .name = "p", .tables = tables, .table_count = 1 };

/* Names go as parameters, quoted for the array's own grammar. */
static void test_all_is_well(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "{\"s\",\"S s\",\"S s\"}" },
        { FAKE_ROWS, "" },      { FAKE_EXPECT, "{\"a\",\"B\\\"c\"}" },
        { FAKE_ROWS, "" },      { FAKE_EXPECT, "{\"t{1},\\\"\\\\\"}" },
        { FAKE_ROWS, "" },      { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    assert_true(publication_tables_check(conn, &all, &err));
    assert_true(publication_tables_check(conn, &first, &err)); /* no columns: one query */
    const struct publication_options all_tables = { .name = "p" };
    assert_true(publication_tables_check(conn, &all_tables, &err)); /* no query */
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void test_each_problem_is_named(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "pg_class" },
        { FAKE_ROWS, "s|gone|~|~\nS s|view|v|p\nS s|quick|r|u" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct error err = refuse(script, &all);
    fake_assert_error(&err, ERROR_HALT, "table_missing", "3 of 3", "cdc.publication.tables");
    fake_assert_contains(err.text, "\"s\".\"gone\" does not exist");
    fake_assert_contains(err.text, "\"S s\".\"view\" is not a table");
    fake_assert_contains(err.text, "\"S s\".\"quick\" is unlogged");
}

static void test_missing_columns(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },   { FAKE_EXPECT, "pg_class" },
        { FAKE_ROWS, "" },        { FAKE_EXPECT, "pg_attribute" },
        { FAKE_ROWS, "S s|u|a" }, { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct error err = refuse(script, &all);
    fake_assert_error(&err, ERROR_HALT, "column_missing", "\"S s\".\"u\".\"a\"", "columns");
}

/* Those of a table with a column list are among its columns; they need no newer server. */
static void test_missing_key_columns(void **state UNUSED)
{
    static const char *const keys[] = { "id", "nmae" };
    const struct publication_table keyed[] = {
        { .schema = "s", .name = "t", .key_columns = keys, .key_column_count = 2 },
        { .schema = "s",
          .name = "u",
          .columns = columns,
          .column_count = 2,
          .key_columns = columns,
          .key_column_count = 1 },
    };
    const struct publication_options both = { .name = "p", .tables = keyed, .table_count = 2 };
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },    { FAKE_EXPECT, "pg_class" },
        { FAKE_ROWS, "" },         { FAKE_EXPECT, "{\"id\",\"nmae\",\"a\",\"B\\\"c\"}" },
        { FAKE_ROWS, "s|t|nmae" }, { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct error err = refuse(script, &both);
    fake_assert_error(&err, ERROR_HALT, "column_missing", "\"s\".\"t\".\"nmae\"", "keyColumns");
    const struct publication_options one = { .name = "p", .tables = keyed, .table_count = 1 };
    static const struct fake_step on_14[] = { { FAKE_GREET, "14.9" },
                                              { FAKE_EXPECT, "pg_class" },
                                              { FAKE_ROWS, "" },
                                              { FAKE_EXPECT, "{\"id\",\"nmae\"}" },
                                              { FAKE_ROWS, "s|t|id\ns|t|nmae" },
                                              { FAKE_SILENCE, NULL },
                                              { FAKE_END, NULL } };
    err = refuse(on_14, &one);
    fake_assert_error(&err, ERROR_HALT, "column_missing",
                      "\"s\".\"t\".\"id\", \"s\".\"t\".\"nmae\"", "keyColumns");
}

static void test_columns_on_14(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "14.9" },
                                               { FAKE_EXPECT, "pg_class" },
                                               { FAKE_ROWS, "" },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    struct error err = refuse(script, &all);
    fake_assert_error(&err, ERROR_CONFIG, "columns_need_15", "this server is 14", "columns");
}

static void test_failing_query(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                               { FAKE_EXPECT, "pg_class" },
                                               { FAKE_FATAL, "57P01:bye" },
                                               { FAKE_END, NULL } };
    struct error err = refuse(script, &first);
    fake_assert_error(&err, ERROR_RECONNECT, "57P01", "look at the tables of publication \"p\"",
                      "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_well),     cmocka_unit_test(test_each_problem_is_named),
        cmocka_unit_test(test_missing_columns), cmocka_unit_test(test_columns_on_14),
        cmocka_unit_test(test_failing_query),   cmocka_unit_test(test_missing_key_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
