#include "connector/config_notice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void keep(void *self, enum log_level level, const char *message,
                 const struct log_field *fields)
{
    struct buf *out = self;
    buf_append_format(out, "%s %s", level == LOG_WARN ? "WARN" : "?", message);
    for (; fields->type != LOG_END; fields++) {
        if (fields->type == LOG_STRING && strcmp(fields->key, "option") == 0)
            buf_append_format(out, " option=%s", fields->value.string);
        if (fields->type == LOG_STRING && strcmp(fields->key, "where") == 0)
            buf_append_format(out, " where=%s", fields->value.string);
    }
    buf_append_byte(out, '\n');
}

static void assert_logged(const char *set, const char *expected)
{
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct config *, config_free_p) config = NULL;
    AUTO(struct buf, buf_done) lines = buf_init(64 * 1024);
    const struct config_sources sources = { .file = "f", .sets = &set, .set_count = 1 };
    assert_true(
        config_load_text(&sources,
                         SLICE_TEXT("{cdc: {host: h, username: u, database: d, publication: {name: "
                                    "p}, slot: {name: s}}, kafka: {brokers: [b]}}"),
                         &config, &problems));
    struct log *log = log_new(&(struct log_options){
        .level = LOG_INFO, .clock = clock_system(), .sink = keep, .sink_self = &lines });
    config_notice_log(config, log);
    log_free(log);
    assert_string_equal(buf_text(&lines), expected);
}

static void an_ordinary_configuration_is_not_spoken_of(void **state)
{
    (void)state;
    assert_logged("cdc.snapshot.enabled=false", "");
}

static void each_option_without_effect_is_a_warning(void **state)
{
    (void)state;
    assert_logged("cdc.snapshot={id: x, enabled: false, chunkSize: 8000}",
                  "WARN an option has no effect option=cdc.snapshot.id where=--set cdc.snapshot\n"
                  "WARN an option has no effect option=cdc.snapshot.chunkSize where=--set "
                  "cdc.snapshot\n");
}

static void acknowledgements_that_promise_nothing_are_a_warning(void **state)
{
    (void)state;
    static const char warning[] =
        "WARN kafka.requiredAcks is not -1: records can be lost when a broker fails\n";
    assert_logged("kafka.requiredAcks=0", warning);
    assert_logged("kafka.requiredAcks=1", warning);
}

static void brokers_that_are_not_verified_are_a_warning(void **state)
{
    (void)state;
    assert_logged("kafka.properties={ssl.endpoint.identification.algorithm: none, "
                  "enable.ssl.certificate.verification: 'False'}",
                  "WARN kafka.properties: the brokers' host names are not verified\n"
                  "WARN kafka.properties: the brokers' certificates are not verified\n");
    assert_logged("kafka.properties={ssl.endpoint.identification.algorithm: https, "
                  "enable.ssl.certificate.verification: 'true'}",
                  "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ordinary_configuration_is_not_spoken_of),
        cmocka_unit_test(each_option_without_effect_is_a_warning),
        cmocka_unit_test(acknowledgements_that_promise_nothing_are_a_warning),
        cmocka_unit_test(brokers_that_are_not_verified_are_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
