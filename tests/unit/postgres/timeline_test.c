/* How the server is asked for a timeline's history. */
#include "unit/postgres/fake_postgres.h"

#include "postgres/timeline.h"

static void the_server_is_asked_for_the_history(void **state UNUSED)
{
    static const struct fake_step script[] = {
        { FAKE_GREET, "15.4" },
        { FAKE_EXPECT, "TIMELINE_HISTORY 3|" },
        { FAKE_ROWS, "00000003.history|2\t16/B374D848\treason" },
        { FAKE_EXPECT, "TIMELINE_HISTORY 4294967295|" },
        { FAKE_ROWS, "FFFFFFFF.history|2\t16/B374D848\treason" },
        { FAKE_SILENCE, NULL },
        { FAKE_END, NULL },
    };
    struct fake_postgres fake;
    struct error err = ERROR_INIT;
    lsn_t found = { 7 };
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    assert_true(timeline_switch_point(conn, 3, 2, &found, &err));
    assert_true(found.value == 0x16B374D848);
    assert_true(timeline_switch_point(conn, UINT32_MAX, 1, &found, &err));
    assert_int_equal(found.value, 0);
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

/* It has no file, and no ancestor either. */
static void the_first_timeline_is_not_asked_for(void **state UNUSED)
{
    static const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                               { FAKE_SILENCE, NULL },
                                               { FAKE_END, NULL } };
    struct fake_postgres fake;
    struct error err = ERROR_INIT;
    lsn_t found = { 7 };
    fake_postgres_begin(&fake, script);
    struct db_conn *conn = fake_open(&fake);
    assert_true(timeline_switch_point(conn, 1, 2, &found, &err));
    assert_int_equal(found.value, 0);
    db_conn_close(conn);
    fake_postgres_end(&fake);
}

static void what_the_server_answers_else_is_said(void **state UNUSED)
{
    static const struct {
        struct fake_step answer;
        enum error_class class;
        const char *code, *text;
    } rows[] = {
        { { FAKE_ERROR, "58P01:could not open file" },
          ERROR_HALT,
          "58P01",
          "read the history of timeline 3: " },
        { { FAKE_ROWS, "" }, ERROR_HALT, "unexpected_answer", "TIMELINE_HISTORY 3: " },
        { { FAKE_ROWS, "a|1\t0/10\nb|1\t0/10" },
          ERROR_HALT,
          "unexpected_answer",
          "TIMELINE_HISTORY 3: " },
        { { FAKE_ROWS, "1\t0/10" }, ERROR_HALT, "unexpected_answer", "TIMELINE_HISTORY 3: " },
        { { FAKE_ROWS, "a|garbage" }, ERROR_HALT, "unexpected_answer", "TIMELINE_HISTORY 3: " },
        { { FAKE_CUT, NULL },
          ERROR_RECONNECT,
          "connection_lost",
          "read the history of timeline 3: " },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct fake_step script[] = { { FAKE_GREET, "15.4" },
                                            { FAKE_EXPECT, "TIMELINE_HISTORY 3|" },
                                            rows[i].answer,
                                            { FAKE_END, NULL } };
        struct fake_postgres fake;
        struct error err = ERROR_INIT;
        lsn_t found = { 7 };
        fake_postgres_begin(&fake, script);
        struct db_conn *conn = fake_open(&fake);
        assert_false(timeline_switch_point(conn, 3, 1, &found, &err));
        fake_assert_error(&err, rows[i].class, rows[i].code, rows[i].text, "");
        assert_int_equal(found.value, 7);
        db_conn_close(conn);
        fake_postgres_end(&fake);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_is_asked_for_the_history),
        cmocka_unit_test(the_first_timeline_is_not_asked_for),
        cmocka_unit_test(what_the_server_answers_else_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
