#include "fake_postgres.h"

#include "postgres/publication.h"
#include "postgres/server_sight.h"

static const struct publication_table tables[] = { { .schema = "s", .name = "t" },
                                                   { .schema = "s", .name = "u" } };
static const struct publication_options two_tables = { .tables = tables, .table_count = 2 };

static bool look(const struct fake_step *script, struct server_sight *out_sight, struct error *err)
{
    struct fake_postgres fake;
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    *err = ERROR_INIT;
    bool seen = server_sight_look(conn, &two_tables, out_sight, err);
    db_conn_close(conn);
    fake_postgres_end(&fake);
    return seen;
}

static void test_everything_is_read(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "max_wal_senders" },
        { FAKE_ROWS, "logical|10|3|12|4|f|t|t|FIRST 1 (*)|t|\"A b\", c" },
        { FAKE_EXPECT, "pg_has_role" },
        { FAKE_ROWS, "t" },
        { FAKE_EXPECT, "pg_has_role" },
        { FAKE_ROWS, "f" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct error err;
    AUTO(struct server_sight, server_sight_done) sight = { .slots_max = 0 };
    assert_true(look(script, &sight, &err));
    assert_string_equal(sight.wal_level, "logical");
    assert_int_equal(sight.slots_max, 10);
    assert_int_equal(sight.slots_used, 3);
    assert_int_equal(sight.senders_max, 12);
    assert_int_equal(sight.senders_used, 4);
    assert_false(sight.is_superuser);
    assert_true(sight.has_replication);
    assert_true(sight.may_create);
    assert_false(sight.owns_tables);
    assert_string_equal(sight.standby_names, "FIRST 1 (*)");
    assert_true(sight.is_standby);
    assert_string_equal(sight.standbys, "\"A b\", c");
}

static void test_an_unknown_form_is_an_error(void **state UNUSED)
{
    static const char *const rows[] = {
        "",
        "logical|ten|3|12|4|f|t|t||f|~",
        "logical|10|3|12|4|f|t|t||f",
        "more than a level has|10|3|12|4|f|t|t||f|~",
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct fake_step script[] = {
            { FAKE_GREET, "15.4" }, { FAKE_EXPECT, "max_wal_senders" },
            { FAKE_ROWS, rows[i] }, { FAKE_SILENCE, NULL },
            { FAKE_END, NULL },
        };
        struct error err;
        struct server_sight sight;
        assert_false(look(script, &sight, &err));
        assert_string_equal(err.code, "unexpected_answer");
    }
}

int main(void)
{
    const struct CMUnitTest tests_[] = {
        cmocka_unit_test(test_everything_is_read),
        cmocka_unit_test(test_an_unknown_form_is_an_error),
    };
    return cmocka_run_group_tests(tests_, NULL, NULL);
}
