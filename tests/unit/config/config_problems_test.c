#include "config/config_problems.h"

#include "config_fixture.h"

static void assert_lines(const struct config_problems *problems, const char *expected)
{
    AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
    config_problems_write(problems, &lines);
    assert_string_equal(buf_text(&lines), expected);
}

static void a_line_has_the_parts_that_there_are(void **state)
{
    (void)state;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    assert_lines(&problems, "");
    config_problems_add(&problems, "f:1", "cdc.host", "number %d", 1);
    config_problems_add(&problems, "f:2", "", "no path");
    config_problems_add(&problems, NULL, "cdc.port", "no place");
    config_problems_add(&problems, "", NULL, "neither");
    config_problems_add(&problems, "--set cdc.host", "cdc.host", "path once");
    config_problems_add(&problems, "--set cdc.slot", "cdc.slot.nme", "both");
    assert_int_equal(problems.count, 6);
    assert_lines(&problems, "f:1: cdc.host: number 1\n"
                            "f:2: no path\n"
                            "cdc.port: no place\n"
                            "neither\n"
                            "--set cdc.host: path once\n"
                            "--set cdc.slot: cdc.slot.nme: both\n");
}

static void control_characters_do_not_break_the_line(void **state)
{
    (void)state;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    config_problems_add(&problems, "a\nb", "c\x1b[31m", "d\r\x7f\x01");
    assert_lines(&problems, "a?b: c?[31m: d???\n");
}

static void long_names_are_cut_between_characters(void **state)
{
    (void)state;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    char path[1001];
    for (size_t i = 0; i < 500; i++)
        memcpy(path + 2 * i, "\xc3\xa4", 2);
    path[1000] = '\0';
    config_problems_add(&problems, "f:1", path + 1, "x"); /* begins inside of a character */
    const char *cut = problems.items[0].path;
    assert_int_equal(strlen(cut), 199 + 3);
    assert_string_equal(cut + 197, "\xc3\xa4...");
    assert_int_equal(config_problems_cut("\xc3\xa4\xc3\xa4", 4, 3), 2);
    assert_int_equal(config_problems_cut("\xc3\xa4\xc3\xa4", 4, 4), 4);
    assert_int_equal(config_problems_cut("abc", 3, 2), 2);
}

static void beyond_the_limit_problems_are_counted(void **state)
{
    (void)state;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    for (int i = 0; i < CONFIG_PROBLEMS_MAX; i++) {
        assert_true(config_problems_wanted(&problems));
        config_problems_add(&problems, "", "", "p");
    }
    assert_false(config_problems_wanted(&problems));
    for (int i = 0; i < 7; i++)
        config_problems_add(&problems, "", "", "q");
    assert_int_equal(problems.count, CONFIG_PROBLEMS_MAX);
    assert_int_equal(problems.left_out_count, 7);
    AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
    config_problems_write(&problems, &lines);
    assert_non_null(strstr(buf_text(&lines), "p\n... and 7 more problems\n"));
    assert_null(strchr(buf_text(&lines), 'q'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_the_parts_that_there_are),
        cmocka_unit_test(control_characters_do_not_break_the_line),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(beyond_the_limit_problems_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
