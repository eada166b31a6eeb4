#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "worker/arguments.h"
#include "worker/commands.h"

enum { WORDS_MAX = 8 };

static bool parse(const char *const *words, struct arguments *out, struct error *err)
{
    static char copies[WORDS_MAX][64];
    char *list[WORDS_MAX + 1] = { copies[0] };
    int count = 1;
    (void)strcpy(copies[0], "pqcdc");
    for (; words[count - 1] != NULL; count++) {
        assert_true(count < WORDS_MAX && strlen(words[count - 1]) < sizeof(copies[0]));
        list[count] = strcpy(copies[count], words[count - 1]);
    }
    *err = ERROR_INIT;
    return arguments_parse(count, list, out, err);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void no_command_means_run(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error err;
    assert_true(parse(WORDS("--config", "a.yaml"), &arguments, &err));
    assert_string_equal(arguments.command->word, "run");
    assert_string_equal(arguments.config_file, "a.yaml");
    assert_int_equal(arguments.sink, CONNECTOR_SINK_KAFKA);
    arguments_done(&arguments);
}

static void values_follow_or_are_joined_by_an_equals_sign(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error err;
    assert_true(parse(WORDS("run", "--config=b.yaml", "--sink", "null", "--set", "cdc.host=h",
                            "--set=kafka.brokers=[a,b]"),
                      &arguments, &err));
    assert_string_equal(arguments.config_file, "b.yaml");
    assert_int_equal(arguments.sink, CONNECTOR_SINK_NULL);
    assert_int_equal(arguments.set_count, 2);
    assert_string_equal(arguments.sets[0], "cdc.host=h");
    assert_string_equal(arguments.sets[1], "kafka.brokers=[a,b]");
    arguments_done(&arguments);
}

static void what_is_set_is_not_left_where_others_can_read_it(void **state)
{
    (void)state;
    char program[] = "pqcdc", set[] = "--set", joined[] = "--set=cdc.password=s=cret",
         apart[] = "kafka.properties={sasl.password: x}";
    char *words[] = { program, joined, set, apart };
    struct arguments arguments;
    struct error err = ERROR_INIT;
    assert_true(arguments_parse(4, words, &arguments, &err));
    assert_string_equal(arguments.sets[0], "cdc.password=s=cret");
    assert_string_equal(arguments.sets[1], "kafka.properties={sasl.password: x}");
    assert_string_equal(joined, "--set=cdc.password=******");
    assert_string_equal(apart, "kafka.properties=******************");
    arguments_done(&arguments);
}

static void a_command_of_two_words_is_found(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error err;
    assert_true(parse(WORDS("slot", "create", "--accept-gap"), &arguments, &err));
    assert_string_equal(arguments.command->sub_word, "create");
    assert_true(arguments.accept_gap);
    assert_false(arguments.with_publication);
    arguments_done(&arguments);
    assert_true(parse(WORDS("slot", "drop", "--with-publication"), &arguments, &err));
    assert_string_equal(arguments.command->sub_word, "drop");
    assert_true(arguments.with_publication);
    arguments_done(&arguments);
}

static void findings_are_a_table_unless_json_is_asked_for(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error err;
    assert_true(parse(WORDS("check", "--output", "json"), &arguments, &err));
    assert_string_equal(arguments.command->word, "check");
    assert_true(arguments.output_json);
    arguments_done(&arguments);
    assert_true(parse(WORDS("check", "--output", "text"), &arguments, &err));
    assert_false(arguments.output_json);
    arguments_done(&arguments);
    assert_true(parse(WORDS("check"), &arguments, &err));
    assert_false(arguments.output_json);
    arguments_done(&arguments);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *text;
    } rows[] = {
        { { "slto" }, "unknown command slto; did you mean slot?" },
        { { "slot" }, "slot alone is not a command; see pqcdc --help" },
        { { "--accept-gap" }, "--accept-gap does not go with this command" },
        { { "slot", "create", "--with-publication" },
          "--with-publication does not go with this command" },
        { { "slot", "--config", "x" }, "slot alone is not a command; see pqcdc --help" },
        { { "help", "bogus" }, "unknown command bogus; see pqcdc --help" },
        { { "slot", "stats" }, "slot stats is not a command; see pqcdc --help" },
        { { "run", "--confg", "x" }, "unknown option --confg; did you mean --config?" },
        { { "run", "--config" }, "--config needs a value: --config FILE" },
        { { "--sink", "disk" }, "--sink disk: expected one of kafka, null, stdout" },
        { { "--set", "cdc.host" },
          "--set cdc.host: expected path=value, such as --set cdc.slot.name=s1" },
        { { "--set", "cdc.password: secret" },
          "--set cdc.password: expected path=value, such as --set cdc.slot.name=s1" },
        { { "--password=secret" }, "unknown option --password; see pqcdc --help" },
        { { "check", "--output", "xml" }, "--output xml: expected one of text, json" },
        { { "config", "--output", "json" }, "--output does not go with this command" },
        { { "config", "--sink", "null" }, "--sink does not go with this command" },
        { { "run", "--config", "x", "y" }, "unexpected word y; see pqcdc --help" },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arguments arguments;
        struct error err;
        assert_false(parse(rows[i].words, &arguments, &err));
        assert_string_equal(err.text, rows[i].text);
        arguments_done(&arguments);
    }
}

static void help_names_every_command_and_every_exit_code(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) help = buf_init(65536);
    arguments_help(&(struct arguments){ .help = true }, &help);
    const char *text = buf_text(&help);
    static const char *const words[] = { "slot status", "slot drop", "slot create", "config",
                                         "--sink",      "\n  78 ",   "\n  69 " };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_non_null(strstr(text, words[i]));
}

static void help_of_one_command_names_its_own_options_only(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error err;
    assert_true(parse(WORDS("config", "--help"), &arguments, &err));
    assert_true(arguments.help);
    AUTO(struct buf, buf_done) help = buf_init(65536);
    arguments_help(&arguments, &help);
    assert_non_null(strstr(buf_text(&help), "Usage: pqcdc config"));
    assert_non_null(strstr(buf_text(&help), "kafka.tableTopicMapping"));
    assert_null(strstr(buf_text(&help), "--accept-gap"));
    arguments_done(&arguments);
}

/* However it is asked for. */
static void help_is_found_where_it_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        const char *usage, *other; /* `other` is not said */
    } rows[] = {
        { { "--help" }, "Usage: pqcdc [COMMAND]", NULL },
        { { "-h" }, "Usage: pqcdc [COMMAND]", NULL },
        { { "help" }, "Usage: pqcdc [COMMAND]", NULL },
        { { "run", "-h" }, "Usage: pqcdc run [OPTIONS]", "--accept-gap" },
        { { "help", "run" }, "Usage: pqcdc run [OPTIONS]", "--accept-gap" },
        { { "slot", "--help" }, "Usage: pqcdc slot COMMAND", "--sink" },
        { { "slot", "-h" }, "\n  slot drop ", "\n  config" },
        { { "slot", "help" }, "--accept-gap", "\n  run" },
        { { "help", "slot" }, "Usage: pqcdc slot COMMAND", "--sink" },
        { { "slot", "create", "help" }, "Usage: pqcdc slot create", "--sink" },
        { { "slot", "create", "--config", "x", "help" }, "Usage: pqcdc slot create", "--sink" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arguments arguments;
        struct error err;
        if (!parse(rows[i].words, &arguments, &err))
            fail_msg("row %zu: %s", i, err.text);
        assert_true(arguments.help);
        AUTO(struct buf, buf_done) help = buf_init(65536);
        arguments_help(&arguments, &help);
        if (strstr(buf_text(&help), rows[i].usage) == NULL)
            fail_msg("row %zu: %s", i, buf_text(&help));
        assert_true(rows[i].other == NULL || strstr(buf_text(&help), rows[i].other) == NULL);
        assert_non_null(strstr(buf_text(&help), "\n  --help, -h\n"));
        arguments_done(&arguments);
    }
}

static void a_class_of_error_has_its_exit_code(void **state)
{
    (void)state;
    assert_int_equal(exit_codes_of(&(struct error){ .class = ERROR_CONFIG }), 78);
    assert_int_equal(exit_codes_of(&(struct error){ .class = ERROR_HALT }), 69);
    assert_int_equal(exit_codes_of(&(struct error){ .class = ERROR_RECONNECT }), 69);
    assert_int_equal(exit_codes_of(&(struct error){ .class = ERROR_BUG }), 70);
    assert_int_equal(exit_codes_of(&(struct error){ .class = ERROR_NONE }), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_command_means_run),
        cmocka_unit_test(values_follow_or_are_joined_by_an_equals_sign),
        cmocka_unit_test(what_is_set_is_not_left_where_others_can_read_it),
        cmocka_unit_test(a_command_of_two_words_is_found),
        cmocka_unit_test(findings_are_a_table_unless_json_is_asked_for),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(help_names_every_command_and_every_exit_code),
        cmocka_unit_test(help_of_one_command_names_its_own_options_only),
        cmocka_unit_test(help_is_found_where_it_is_asked_for),
        cmocka_unit_test(a_class_of_error_has_its_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
