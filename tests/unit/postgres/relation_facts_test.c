#include "unit/postgres/fake_postgres.h"

#include "postgres/relation_facts.h"

struct seen {
    int left;
    struct buf text; /* "s.one; s.two < a.middle < a.root; " */
};

static bool visit(void *self, const struct published_table *table, struct error *err)
{
    struct seen *seen = self;
    buf_append_format(&seen->text, "%s.%s", table->schema, table->name);
    for (uint16_t i = 0; i < table->parent_count; i++)
        buf_append_format(&seen->text, " < %.*s.%.*s", SLICE_ARGS(table->parents[i].schema),
                          SLICE_ARGS(table->parents[i].name));
    buf_append_text(&seen->text, "; ");
    return seen->left-- > 0 || error_set(err, ERROR_CONFIG, "no_route", "%s", table->name);
}

#define QUIET                                                                                      \
    {                                                                                              \
        FAKE_END, NULL                                                                             \
    }

static void test_each_published(void **state UNUSED)
{
    static const char rows[] = "s|one|~|~\ns|two|a|middle\ns|two|a|root\nt|two|~|~";
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },        { FAKE_EXPECT, "P p|" },
        { FAKE_ROWS, rows },           { FAKE_EXPECT, "pg_publication_tables" },
        { FAKE_ROWS, rows },           { FAKE_EXPECT, "pg_publication_tables" },
        { FAKE_ERROR, "40001:again" }, QUIET,
    };
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    AUTO(struct buf, buf_done) text = buf_init(4096);
    struct seen seen = { .left = 3, .text = text };
    assert_true(relation_facts_each_published(conn, "P p", false, visit, &seen, &err));
    assert_string_equal(buf_text(&seen.text), "s.one; s.two < a.middle < a.root; t.two; ");
    seen.left = 1;
    assert_false(relation_facts_each_published(conn, "P p", false, visit, &seen, &err));
    fake_assert_error(&err, ERROR_CONFIG, "no_route", "two", "");
    assert_false(relation_facts_each_published(conn, "P p", false, visit, &seen, &err));
    fake_assert_error(&err, ERROR_RETRY, "40001", "\"P p\"", "");
    text = seen.text;
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

/* The extension's views are looked at where they are, and only when that is wanted. */
static void test_chunks(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "to_regclass('timescaledb_information.chunks')" },
        { FAKE_ROWS, "f" },
        { FAKE_EXPECT, "pg_partition_ancestors" },
        { FAKE_ROWS, "" },
        { FAKE_EXPECT, "to_regclass('timescaledb_information.chunks')" },
        { FAKE_ROWS, "t" },
        { FAKE_EXPECT, "hypertable_schema" },
        { FAKE_ROWS, "1|conditions|public" },
        QUIET,
    };
    struct fake_postgres fake;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    struct error err = ERROR_INIT;
    for (uint16_t parents = 0; parents < 2; parents++) {
        AUTO(PGresult *, db_conn_clear_p) result = NULL;
        assert_true(relation_facts_query(conn, 1000, 16384, true, &result, &err));
        struct relation_facts facts = relation_facts_read(result, &arena);
        assert_int_equal(facts.key_count, 0);
        assert_int_equal(facts.parent_count, parents);
        assert_true(parents == 0 || slice_is(facts.parents[0].name, "conditions"));
    }
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_published),
        cmocka_unit_test(test_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
