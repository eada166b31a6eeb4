#include "operator/operator_options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"

enum { WORDS_MAX = 8 };

/* words and environment end with NULL */
static bool read_them(const char *const *words, const char *const *environment,
                      struct operator_options *out, struct error *err)
{
    const char *all[WORDS_MAX] = { "pqcdc-operator" };
    int count = 1;
    for (; words[count - 1] != NULL; count++)
        all[count] = words[count - 1];
    return operator_options_read(count, all, environment, out, err);
}

static const char *const nothing[] = { NULL };

static void defaults_environment_and_flags(void **state)
{
    (void)state;
    AUTO(struct operator_options, operator_options_done) options;
    struct error err = ERROR_INIT;
    const char *const words[] = { "--worker-image", "a/b:1", "--resync=5s", NULL };
    const char *const environment[] = { "PQCDC_OPERATOR_RESYNC=7s",
                                        "PQCDC_OPERATOR_HTTP_PORT=9000",
                                        "PQCDC_OPERATOR_WATCH_NAMESPACES=shop, pay ,x",
                                        "PQCDC_OPERATOR_LEADER_ELECT=false",
                                        "POD_NAME=me",
                                        "POD_NAMESPACE=here",
                                        NULL };
    if (!read_them(words, environment, &options, &err))
        fail_msg("%s", err.text);
    assert_string_equal(options.worker_image, "a/b:1");
    assert_int_equal(options.resync_ms, 5000); /* the flag wins */
    assert_int_equal(options.http_port, 9000);
    assert_int_equal(options.worker_port, 8080);
    assert_int_equal(options.status_interval_ms, 10000);
    assert_false(options.leader_elect);
    assert_int_equal(options.level, LOG_INFO);
    assert_int_equal(options.format, LOG_JSON);
    assert_string_equal(options.identity, "me");
    assert_string_equal(options.namespace_name, "here");
    assert_int_equal(options.namespace_count, 3);
    assert_string_equal(options.namespaces[0], "shop");
    assert_string_equal(options.namespaces[1], "pay");
    assert_string_equal(options.namespaces[2], "x");
}

static void nothing_but_the_image_is_needed(void **state)
{
    (void)state;
    AUTO(struct operator_options, operator_options_done) options;
    struct error err = ERROR_INIT;
    const char *const words[] = { "--worker-image=i", NULL };
    assert_true(read_them(words, nothing, &options, &err));
    assert_int_equal(options.namespace_count, 0);
    assert_true(options.leader_elect);
    assert_int_equal(options.resync_ms, 120000);
    assert_null(options.kubeconfig);
}

static void help_version_and_check_need_nothing(void **state)
{
    (void)state;
    static const char *const all[][3] = { { "--help" },
                                          { "--version" },
                                          { "--check", "http://x" } };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        AUTO(struct operator_options, operator_options_done) options;
        struct error err = ERROR_INIT;
        assert_true(read_them(all[i], nothing, &options, &err));
    }
    /* What is wrong in the environment does not keep help away. */
    AUTO(struct operator_options, operator_options_done) options;
    struct error err = ERROR_INIT;
    const char *const broken[] = { "PQCDC_OPERATOR_RESYNC=never", NULL };
    assert_true(read_them(all[0], broken, &options, &err));
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *word, *variable;
        const char *code, *text;
    } rows[] = {
        { "--resink=1s", NULL, "usage", "--resink is not known; did you mean --resync?" },
        { "shop", NULL, "usage", "shop is not known; see pqcdc-operator --help" },
        { "--resync", NULL, "usage", "--resync needs a value: --resync DURATION" },
        { "--", NULL, "usage", "-- is not known; see pqcdc-operator --help" },
        { "--resync=1", NULL, "", "" },
        { "--resync=1ms", NULL, "option", "--resync: \"1ms\" is no duration from 1s to 24h" },
        { "--http-port=65536", NULL, "option",
          "--http-port: \"65536\" is no number from 0 to 65535" },
        { "--leader-elect=perhaps", NULL, "option",
          "--leader-elect: \"perhaps\" is neither true nor false" },
        { "--log-level=loud", NULL, "option",
          "--log-level: \"loud\" is none of debug, info, warn, error" },
        { "--log-format=xml", NULL, "option", "--log-format: \"xml\" is neither json nor text" },
        { "--image-pull-policy=Maybe", NULL, "option",
          "--image-pull-policy: \"Maybe\" is none of Always, IfNotPresent, Never" },
        { "--watch-namespaces=a,,b", NULL, "option",
          "--watch-namespaces: \"\" is no name of a namespace" },
        { "--watch-namespaces=Shop", NULL, "option",
          "--watch-namespaces: \"Shop\" is no name of a namespace" },
        { "--resync=2s", "PQCDC_OPERATOR_WORKER_PORT=0", "option",
          "PQCDC_OPERATOR_WORKER_PORT: \"0\" is no number from 1 to 65535" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct operator_options, operator_options_done) options;
        struct error err = ERROR_INIT;
        const char *const words[] = { "--worker-image=i", rows[i].word, NULL };
        const char *const environment[] = { rows[i].variable, NULL };
        bool good = read_them(words, environment, &options, &err);
        assert_string_equal(err.code, rows[i].code);
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(good, rows[i].code[0] == '\0');
    }
}

static void the_image_is_required(void **state)
{
    (void)state;
    AUTO(struct operator_options, operator_options_done) options;
    struct error err = ERROR_INIT;
    assert_false(read_them(nothing, nothing, &options, &err));
    assert_non_null(strstr(err.text, "PQCDC_OPERATOR_WORKER_IMAGE"));
}

static void help_lists_every_option(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) help = buf_init(1 << 16);
    operator_options_help(&help);
#define OPERATOR_OPTION(field, kind, flag, value, default_, least, most, text)                     \
    assert_non_null(strstr(buf_text(&help), "--" flag " " value));
#include "operator/operator_options.def"
#undef OPERATOR_OPTION
    assert_non_null(strstr(buf_text(&help), "PQCDC_OPERATOR_WATCH_NAMESPACES"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_environment_and_flags),
        cmocka_unit_test(nothing_but_the_image_is_needed),
        cmocka_unit_test(help_version_and_check_need_nothing),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(the_image_is_required),
        cmocka_unit_test(help_lists_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
