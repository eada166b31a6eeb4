/* The publication and the replica identities on a real server: creation, drift with the SQL that
 * mends it (which is then run), what is missing, what another session locks. */
#include "real_postgres.h"

#include <stdio.h>

#include "postgres/publication.h"
#include "postgres/publication_watch.h"
#include "postgres/relation_facts.h"

#define NAME "Pub \"ü'1"

/* ---- notes ---- */

enum { NOTES_MAX = 16, NOTE_SIZE = 2048 };

struct notes {
    int count;
    bool warning[NOTES_MAX];
    char text[NOTES_MAX][NOTE_SIZE], advice[NOTES_MAX][NOTE_SIZE];
};

static void take_note(void *self, bool warning, const char *text, const char *advice)
{
    struct notes *notes = self;
    assert_true(notes->count < NOTES_MAX);
    notes->warning[notes->count] = warning;
    (void)snprintf(notes->text[notes->count], NOTE_SIZE, "%s", text);
    (void)snprintf(notes->advice[notes->count], NOTE_SIZE, "%s", advice);
    notes->count++;
}

static void expect_note(const struct notes *notes, int at, bool warning, const char *text,
                        const char *advice)
{
    if (at >= notes->count)
        fail_msg("note %d of %d: \"%s\" is expected", at, notes->count, text);
    real_assert_contains(notes->text[at], text);
    real_assert_contains(notes->advice[at], advice);
    assert_int_equal(notes->warning[at], warning);
}

/* ---- the fixture: a schema with hostile names ---- */

static const char *const two_columns[] = { "Id", "näme" };

static const struct publication_table plain = { .schema = "Sch ma", .name = "Tab\"le" };
static const struct publication_table other = { .schema = "Sch ma", .name = "öther" };
static const struct publication_table with_columns = {
    .schema = "Sch ma", .name = "Tab\"le", .columns = two_columns, .column_count = 2
};

static struct publication_options options_of(const struct publication_table *tables,
                                             uint32_t table_count)
{
    return (struct publication_options){
        .name = NAME,
        .create_if_not_exists = true,
        .tables = tables,
        .table_count = table_count,
    };
}

static struct db_conn *fresh(void)
{
    struct db_conn *conn = real_session();
    real_run(conn, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                   " WHERE slot_name LIKE 'pqcdc%'");
    real_run(conn, "DROP PUBLICATION IF EXISTS \"Pub \"\"ü'1\";"
                   "DROP SCHEMA IF EXISTS \"Sch ma\" CASCADE;"
                   "CREATE SCHEMA \"Sch ma\";"
                   "CREATE TABLE \"Sch ma\".\"Tab\"\"le\""
                   " (\"Id\" int PRIMARY KEY, \"näme\" text NOT NULL, more text);"
                   "CREATE TABLE \"Sch ma\".\"öther\" (id int PRIMARY KEY)");
    return conn;
}

/* The notes of this call only; how many. */
static int ensure(struct db_conn *conn, const struct publication_options *options,
                  struct notes *notes)
{
    struct error err = ERROR_INIT;
    notes->count = 0;
    real_must(publication_ensure(conn, options, take_note, notes, &err), &err);
    return notes->count;
}

static void refuse_note(void *self UNUSED, bool warning UNUSED, const char *text,
                        const char *advice UNUSED)
{
    fail_msg("an unexpected note: %s", text);
}

static struct error refuse(struct db_conn *conn, const struct publication_options *options)
{
    struct error err = ERROR_INIT;
    assert_false(publication_ensure(conn, options, refuse_note, NULL, &err));
    return err;
}

static void expect_publication(struct db_conn *conn, const char *expected)
{
    real_expect(conn,
                "SELECT concat_ws(' ', puballtables, pubinsert, pubupdate, pubdelete, pubtruncate,"
                " pubviaroot) FROM pg_publication",
                expected);
}

/* ---- creation ---- */

static bool visit(void *self, const struct published_table *table, struct error *err UNUSED)
{
    assert_int_equal(table->parent_count, 0);
    take_note(self, false, table->schema, table->name);
    return true;
}

static bool refuse_visit(void *self UNUSED, const struct published_table *table, struct error *err)
{
    return error_set(err, ERROR_CONFIG, "no_route", "%s.%s", table->schema, table->name);
}

static void test_create(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    const struct publication_table tables[] = { plain, other };
    struct publication_options options = options_of(tables, COUNT_OF(tables));
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 1);
    expect_note(notes, 0, false, "created",
                "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE ONLY \"Sch ma\".\"Tab\"\"le\","
                " ONLY \"Sch ma\".\"öther\" WITH (publish = 'insert, update, delete, truncate',"
                " publish_via_partition_root = false);");
    expect_publication(conn, "f t t t t f");
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 0);
    struct error err = ERROR_INIT;
    real_must(relation_facts_each_published(conn, NAME, true, visit, notes, &err), &err);
    assert_int_equal(notes->count, 2);
    expect_note(notes, 0, false, "Sch ma", "Tab\"le");
    expect_note(notes, 1, false, "Sch ma", "öther");
    assert_false(relation_facts_each_published(conn, NAME, false, refuse_visit, NULL, &err));
    real_assert_error(&err, ERROR_CONFIG, "no_route", "Sch ma.Tab\"le", "");
    db_conn_close(conn);
}

static void test_create_with_options(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    struct publication_options options = options_of(&plain, 1);
    options.operations = PUBLICATION_INSERT | PUBLICATION_DELETE;
    options.via_partition_root = true;
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, false, "created", "publish = 'insert, delete'");
    expect_publication(conn, "f t f t f t");
    assert_int_equal(ensure(conn, &options, notes), 0);
    db_conn_close(conn);
}

static void test_create_for_all_tables(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    struct publication_options options = options_of(NULL, 0);
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, false, "created", "FOR ALL TABLES WITH");
    expect_publication(conn, "t t t t t f");
    assert_int_equal(ensure(conn, &options, notes), 0);
    db_conn_close(conn);
}

static void test_column_lists(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    struct publication_options options = options_of(&with_columns, 1);
    if (conn->server_version < 150000) {
        struct error err = refuse(conn, &options);
        real_assert_error(&err, ERROR_CONFIG, "columns_need_15", "14", "columns");
        db_conn_close(conn);
        return;
    }
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, false, "created", "\"Sch ma\".\"Tab\"\"le\" (\"Id\", \"näme\") WITH");
    assert_int_equal(ensure(conn, &options, notes), 0);
    options = options_of(&plain, 1);
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 1);
    expect_note(notes, 0, true, "other columns than configured of \"Sch ma\".\"Tab\"le\"",
                "ALTER PUBLICATION \"Pub \"\"ü'1\" SET TABLE ONLY \"Sch ma\".\"Tab\"\"le\";");
    real_run(conn, notes->advice[0]);
    assert_int_equal(ensure(conn, &options, notes), 0);
    options = options_of(&with_columns, 1);
    (void)ensure(conn, &options, notes);
    real_run(conn, notes->advice[0]);
    assert_int_equal(ensure(conn, &options, notes), 0);
    static const char *const strange[] = { "Id", "id", "no\"ne" };
    struct publication_table table = plain;
    table.columns = strange;
    table.column_count = COUNT_OF(strange);
    options = options_of(&table, 1);
    struct error err = refuse(conn, &options);
    real_assert_error(&err, ERROR_HALT, "column_missing",
                      "\"Tab\"le\".\"id\", \"Sch ma\".\"Tab\"le\".\"no\"ne\"", "columns");
    db_conn_close(conn);
}

/* ---- what is missing ---- */

static void test_missing_tables_all_at_once(void **state UNUSED)
{
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE VIEW \"Sch ma\".view AS SELECT 1;"
                   "CREATE UNLOGGED TABLE \"Sch ma\".volatile (i int)");
    const struct publication_table tables[] = {
        { .schema = "Sch ma", .name = "tab\"le" },  plain,
        { .schema = "no{,\\", .name = "öther" },    { .schema = "Sch ma", .name = "view" },
        { .schema = "Sch ma", .name = "volatile" },
    };
    struct publication_options options = options_of(tables, COUNT_OF(tables));
    struct error err = refuse(conn, &options);
    real_assert_error(&err, ERROR_HALT, "table_missing", "4 of 5", "cdc.publication.tables");
    real_assert_contains(err.text, "\"Sch ma\".\"tab\"le\" does not exist");
    real_assert_contains(err.text, "\"no{,\\\".\"öther\" does not exist");
    real_assert_contains(err.text, "\"Sch ma\".\"view\" is not a table");
    real_assert_contains(err.text, "\"Sch ma\".\"volatile\" is unlogged");
    real_expect(conn, "SELECT count(*) FROM pg_publication", "0");
    db_conn_close(conn);
}

static void test_missing_publication(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    struct publication_options options = options_of(&plain, 1);
    options.create_if_not_exists = false;
    struct error err = refuse(conn, &options);
    real_assert_error(&err, ERROR_HALT, "publication_missing", "ü'1", "CREATE PUBLICATION");
    options.create_if_not_exists = true;
    options.slot_exists = true;
    struct error late = refuse(conn, &options);
    real_assert_error(&late, ERROR_HALT, "publication_missing_slot_exists", "ü'1",
                      "CREATE PUBLICATION");
    real_assert_contains(late.advice, "pqcdc slot drop");
    real_expect(conn, "SELECT count(*) FROM pg_publication", "0");
    real_run(conn, err.advice); /* the advice is SQL that works */
    assert_int_equal(ensure(conn, &options, notes), 0);
    db_conn_close(conn);
}

static void test_may_not_create(void **state UNUSED)
{
    struct db_conn *conn = fresh();
    real_run(conn, "DROP ROLE IF EXISTS pqcdc_limited; CREATE ROLE pqcdc_limited LOGIN");
    struct db_conn_options limited = real_options(REAL_DATABASE);
    limited.user = "pqcdc_limited";
    struct db_conn *session = real_open(limited, INTERRUPT_NONE);
    struct publication_options options = options_of(&plain, 1);
    struct error err = refuse(session, &options);
    real_assert_error(&err, ERROR_HALT, "42501", "pqcdc_limited", "CREATE PUBLICATION \"Pub");
    db_conn_close(session);
    db_conn_close(conn);
}

/* ---- drift ---- */

static void test_options_drift(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".\"Tab\"\"le\""
                   " WITH (publish = 'insert, truncate')");
    struct publication_options options = options_of(&plain, 1);
    options.operations = PUBLICATION_INSERT | PUBLICATION_UPDATE | PUBLICATION_DELETE;
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 1);
    expect_note(notes, 0, true,
                "publishes (insert, truncate), (insert, update, delete) is configured",
                "ALTER PUBLICATION \"Pub \"\"ü'1\" SET (publish = 'insert, update, delete');");
    expect_publication(conn, "f t f f t f"); /* never changed behind the user's back */
    options.via_partition_root = true;
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, true, "publish_via_partition_root = false, true is configured",
                "SET (publish = 'insert, update, delete', publish_via_partition_root = true);");
    real_run(conn, notes->advice[0]);
    assert_int_equal(ensure(conn, &options, notes), 0);
    options.via_partition_root = false;
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, true, "has publish_via_partition_root = true, false is configured",
                "SET (publish_via_partition_root = false);");
    db_conn_close(conn);
}

static void test_tables_drift(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE TABLE \"Sch ma\".extra (i int PRIMARY KEY);"
                   "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".\"öther\","
                   " \"Sch ma\".extra");
    const struct publication_table tables[] = { plain, other };
    struct publication_options options = options_of(tables, COUNT_OF(tables));
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 1);
    expect_note(notes, 0, true,
                "it lacks \"Sch ma\".\"Tab\"le\"; also publishes \"Sch ma\".\"extra\"",
                "SET TABLE ONLY \"Sch ma\".\"Tab\"\"le\", ONLY \"Sch ma\".\"öther\";");
    real_run(conn, notes->advice[0]);
    assert_int_equal(ensure(conn, &options, notes), 0);
    db_conn_close(conn);
}

static void test_kind_drift(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR ALL TABLES");
    struct publication_options options = options_of(&plain, 1);
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, true, "is FOR ALL TABLES",
                "DROP PUBLICATION \"Pub \"\"ü'1\"; CREATE PUBLICATION");
    real_run(conn, "DROP PUBLICATION \"Pub \"\"ü'1\";"
                   "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".\"öther\"");
    options = options_of(NULL, 0);
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, true, "all tables are configured", "FOR ALL TABLES");
    db_conn_close(conn);
}

static void test_schema_and_partition_members(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE TABLE \"Sch ma\".parent (id int PRIMARY KEY) PARTITION BY LIST (id);"
                   "CREATE TABLE \"Sch ma\".one PARTITION OF \"Sch ma\".parent FOR VALUES IN (1);"
                   "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".parent");
    const struct publication_table leaf = { .schema = "Sch ma", .name = "one" };
    struct publication_options options = options_of(&leaf, 1);
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, true, "it also publishes \"Sch ma\".\"parent\"", "\"one\";");
    assert_null(strstr(notes->text[0], "lacks"));
    if (conn->server_version >= 150000) {
        real_run(conn, "DROP PUBLICATION \"Pub \"\"ü'1\";"
                       "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLES IN SCHEMA \"Sch ma\"");
        options = options_of(&plain, 1);
        (void)ensure(conn, &options, notes);
        expect_note(notes, 0, true, "it publishes all tables of schema \"Sch ma\"",
                    "SET TABLE ONLY \"Sch ma\".\"Tab\"\"le\";");
        assert_null(strstr(notes->text[0], "lacks"));
        real_run(conn, notes->advice[0]);
        assert_int_equal(ensure(conn, &options, notes), 0);
    }
    db_conn_close(conn);
}

/* ---- replica identity ---- */

static void expect_identity(struct db_conn *conn, const char *table, const char *expected)
{
    AUTO(char *, memory_free_p) sql = text_format(
        "SELECT relreplident FROM pg_class WHERE oid = '\"Sch ma\".%s'::regclass", table);
    real_expect(conn, sql, expected);
}

static void test_identity_is_set(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    struct publication_table table = plain;
    table.replica_identity = "FULL";
    struct publication_options options = options_of(&table, 1);
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 2);
    expect_note(notes, 0, false, "changed from DEFAULT to FULL",
                "ALTER TABLE ONLY \"Sch ma\".\"Tab\"\"le\" REPLICA IDENTITY FULL;");
    expect_note(notes, 1, false, "created", "CREATE");
    expect_identity(conn, "\"Tab\"\"le\"", "f");
    assert_int_equal(ensure(conn, &options, notes), 0);
    real_expect(conn, "SHOW lock_timeout", "0");
    db_conn_close(conn);
}

static void test_identity_using_index(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE UNIQUE INDEX \"In dex\" ON \"Sch ma\".\"Tab\"\"le\" (\"näme\");"
                   "CREATE UNIQUE INDEX second ON \"Sch ma\".\"Tab\"\"le\" (\"näme\", \"Id\")");
    struct publication_table table = plain;
    table.replica_identity = "USING INDEX";
    table.replica_identity_index = "In dex";
    struct publication_options options = options_of(&table, 1);
    (void)ensure(conn, &options, notes);
    expect_note(notes, 0, false, "to USING INDEX", "REPLICA IDENTITY USING INDEX \"In dex\";");
    expect_identity(conn, "\"Tab\"\"le\"", "i");
    assert_int_equal(ensure(conn, &options, notes), 0);
    table.replica_identity_index = "second";
    assert_int_equal(ensure(conn, &options, notes), 1);
    real_expect(conn, "SELECT indexrelid::regclass FROM pg_index WHERE indisreplident",
                "\"Sch ma\".second");
    table.replica_identity_index = "none";
    struct error err = refuse(conn, &options);
    real_assert_error(&err, ERROR_HALT, "index_missing", "\"none\"", "unique index");
    db_conn_close(conn);
}

static void test_identity_under_a_lock(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh(), *holder = real_session();
    real_run(holder, "BEGIN; LOCK TABLE \"Sch ma\".\"Tab\"\"le\" IN ROW EXCLUSIVE MODE");
    struct publication_table tables[] = { plain, other };
    tables[0].replica_identity = "FULL";
    tables[1].replica_identity = "full";
    struct publication_options options = options_of(tables, COUNT_OF(tables));
    options.operations = PUBLICATION_INSERT;
    real_run(conn, "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".\"Tab\"\"le\","
                   " \"Sch ma\".\"öther\" WITH (publish = 'insert')");
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 2);
    expect_note(notes, 0, true, "55P03",
                "ALTER TABLE ONLY \"Sch ma\".\"Tab\"\"le\" REPLICA IDENTITY FULL;");
    expect_note(notes, 1, false, "\"öther\" changed", "FULL");
    expect_identity(conn, "\"Tab\"\"le\"", "d");
    expect_identity(conn, "\"öther\"", "f");
    real_run(holder, "COMMIT");
    real_run(conn, notes->advice[0]);
    assert_int_equal(ensure(conn, &options, notes), 0);
    db_conn_close(holder);
    db_conn_close(conn);
}

static void test_identity_without_right(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "DROP ROLE IF EXISTS pqcdc_limited; CREATE ROLE pqcdc_limited LOGIN;"
                   "GRANT USAGE ON SCHEMA \"Sch ma\" TO pqcdc_limited;"
                   "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".\"Tab\"\"le\"");
    struct db_conn_options limited = real_options(REAL_DATABASE);
    limited.user = "pqcdc_limited";
    struct db_conn *session = real_open(limited, INTERRUPT_NONE);
    struct publication_table table = plain;
    table.replica_identity = "FULL";
    struct publication_options options = options_of(&table, 1);
    (void)ensure(session, &options, notes);
    assert_int_equal(notes->count, 1);
    expect_note(notes, 0, true, "is DEFAULT, not FULL, and could not be changed",
                "ALTER TABLE ONLY \"Sch ma\".\"Tab\"\"le\" REPLICA IDENTITY FULL;");
    db_conn_close(session);
    real_run(conn, "DROP SCHEMA \"Sch ma\" CASCADE; DROP ROLE pqcdc_limited");
    db_conn_close(conn);
}

static void test_identity_of_leaves(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE TABLE \"Sch ma\".parent (id int, k int NOT NULL)"
                   " PARTITION BY LIST (k);"
                   "CREATE TABLE \"Sch ma\".one PARTITION OF \"Sch ma\".parent FOR VALUES IN (1);"
                   "CREATE TABLE \"Sch ma\".sub PARTITION OF \"Sch ma\".parent FOR VALUES IN (2)"
                   " PARTITION BY LIST (k);"
                   "CREATE TABLE \"Sch ma\".two PARTITION OF \"Sch ma\".sub FOR VALUES IN (2);"
                   "CREATE UNIQUE INDEX parent_k ON \"Sch ma\".parent (k)");
    struct publication_table table = { .schema = "Sch ma",
                                       .name = "parent",
                                       .replica_identity = "USING INDEX",
                                       .replica_identity_index = "parent_k" };
    struct publication_options options = options_of(&table, 1);
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 4);
    expect_note(notes, 0, false, "\"parent\" changed", "USING INDEX \"parent_k\";");
    expect_note(notes, 1, false, "\"one\" changed", "USING INDEX \"one_k_idx\";");
    expect_note(notes, 2, false, "\"two\" changed", "USING INDEX \"two_k_idx\";");
    expect_identity(conn, "two", "i");
    assert_int_equal(ensure(conn, &options, notes), 0);
    table.replica_identity = "FULL";
    assert_int_equal(ensure(conn, &options, notes), 3);
    expect_identity(conn, "one", "f");
    db_conn_close(conn);
}

static void test_rows_without_identity(void **state)
{
    struct notes *notes = *state;
    struct db_conn *conn = fresh();
    real_run(conn, "CREATE TABLE \"Sch ma\".bare (i int)");
    const struct publication_table table = { .schema = "Sch ma", .name = "bare" };
    struct publication_options options = options_of(&table, 1);
    (void)ensure(conn, &options, notes);
    assert_int_equal(notes->count, 2);
    expect_note(notes, 0, true, "DEFAULT and it has no primary key",
                "ALTER TABLE ONLY \"Sch ma\".\"bare\" REPLICA IDENTITY FULL;");
    options.operations = PUBLICATION_INSERT;
    real_run(conn, "ALTER PUBLICATION \"Pub \"\"ü'1\" SET (publish = 'insert')");
    assert_int_equal(ensure(conn, &options, notes), 0);
    db_conn_close(conn);
}

static int set_up(void **state)
{
    *state = memory_alloc(sizeof(struct notes));
    return real_set_up(state);
}

static int tear_down(void **state)
{
    memory_free(*state);
    return 0;
}

/* ---- what a look sees ---- */

/* The text of the change that the statements make; "" = none. */
static void expect_change(struct db_conn *conn, const char *sql, const char *expected)
{
    struct publication_sight before;
    struct publication_sight now;
    char text[PUBLICATION_CHANGE_SIZE];
    struct error err = ERROR_INIT;
    real_must(publication_watch_look(conn, NAME, &before, &err), &err);
    real_run(conn, sql);
    real_must(publication_watch_look(conn, NAME, &now, &err), &err);
    assert_int_equal(publication_watch_changed(&before, &now, text), expected[0] != '\0');
    assert_string_equal(text, expected);
}

#define ALTER "ALTER PUBLICATION \"Pub \"\"ü'1\" "

static void test_look(void **state UNUSED)
{
    static const char members[] = "publishes other tables, columns or rows";
    AUTO(struct db_conn *, db_conn_close_p) conn = fresh();
    expect_change(conn, "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".\"Tab\"\"le\"",
                  "was created");
    expect_change(conn, "SELECT 1", "");
    expect_change(conn, "ALTER TABLE \"Sch ma\".\"Tab\"\"le\" ADD COLUMN later int", "");
    expect_change(conn, "ALTER TABLE \"Sch ma\".\"öther\" RENAME TO renamed", "");
    expect_change(conn, ALTER "ADD TABLE \"Sch ma\".renamed", members);
    expect_change(conn, ALTER "DROP TABLE \"Sch ma\".renamed", members);
    expect_change(conn, ALTER "SET (publish = 'insert')", "publishes other operations");
    expect_change(conn, ALTER "SET (publish_via_partition_root)",
                  "has another publish_via_partition_root");
    expect_change(conn, ALTER "RENAME TO elsewhere", "was dropped");
    expect_change(conn, "ALTER PUBLICATION elsewhere RENAME TO \"Pub \"\"ü'1\"", "was created");
    expect_change(conn,
                  "DROP PUBLICATION \"Pub \"\"ü'1\";"
                  "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR ALL TABLES",
                  "was made anew; publishes other operations; has another "
                  "publish_via_partition_root; publishes other tables, columns or rows");
    expect_change(conn, "CREATE TABLE \"Sch ma\".more (id int)", "");
    expect_change(conn, "DROP PUBLICATION \"Pub \"\"ü'1\"", "was dropped");
}

static void test_look_at_lists_filters_and_schemas(void **state UNUSED)
{
    static const char members[] = "publishes other tables, columns or rows";
    AUTO(struct db_conn *, db_conn_close_p) conn = fresh();
    if (conn->server_version < 150000)
        skip();
    real_run(conn, "CREATE PUBLICATION \"Pub \"\"ü'1\" FOR TABLE \"Sch ma\".\"Tab\"\"le\"");
    expect_change(conn, ALTER "SET TABLE \"Sch ma\".\"Tab\"\"le\" (\"Id\")", members);
    expect_change(conn, ALTER "SET TABLE \"Sch ma\".\"Tab\"\"le\" WHERE (\"Id\" > 1)", members);
    expect_change(conn, ALTER "ADD TABLES IN SCHEMA \"Sch ma\"", members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_with_options),
        cmocka_unit_test(test_create_for_all_tables),
        cmocka_unit_test(test_column_lists),
        cmocka_unit_test(test_missing_tables_all_at_once),
        cmocka_unit_test(test_missing_publication),
        cmocka_unit_test(test_may_not_create),
        cmocka_unit_test(test_options_drift),
        cmocka_unit_test(test_tables_drift),
        cmocka_unit_test(test_kind_drift),
        cmocka_unit_test(test_schema_and_partition_members),
        cmocka_unit_test(test_identity_is_set),
        cmocka_unit_test(test_identity_using_index),
        cmocka_unit_test(test_identity_under_a_lock),
        cmocka_unit_test(test_identity_without_right),
        cmocka_unit_test(test_identity_of_leaves),
        cmocka_unit_test(test_rows_without_identity),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_look_at_lists_filters_and_schemas),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
