#include "connector/handler_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

struct fixture {
    struct config *config;
    struct log *log;
    struct metrics *metrics;
    struct pqcdc_host host;
    char file[64];
    char said[512];
};

static void hear(void *self, enum log_level level, const char *message,
                 const struct log_field *fields)
{
    struct fixture *fixture = self;
    AUTO(struct buf, buf_done) text = buf_init(sizeof(fixture->said) - 1);
    buf_append_format(&text, "%d %s", (int)level, message);
    for (; fields->type != LOG_END; fields++) {
        if (fields->type == LOG_STRING)
            buf_append_format(&text, " %s=\"%s\"", fields->key,
                              fields->value.string != NULL ? fields->value.string : "(null)");
        else if (fields->type == LOG_BOOLEAN)
            buf_append_format(&text, " %s=%s", fields->key, fields->value.boolean ? "yes" : "no");
        else
            buf_append_format(&text, " %s=%" PRId64, fields->key, fields->value.integer);
    }
    (void)snprintf(fixture->said, sizeof(fixture->said), "%s", buf_text(&text));
}

static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    (void)snprintf(fixture->file, sizeof(fixture->file), "/tmp/handler_host.XXXXXX");
    int fd = mkstemp(fixture->file);
    assert_true(fd >= 0 && write(fd, "of the file\n", 12) == 12 && close(fd) == 0);
    fixture->config = config_new();
    fixture->metrics = metrics_new();
    fixture->log = log_new(
        &(struct log_options){ .clock = clock_system(), .sink = hear, .sink_self = fixture });
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    handler_host_done(&fixture->host);
    config_free(fixture->config);
    log_free(fixture->log);
    metrics_free(fixture->metrics);
    unlink(fixture->file);
    memory_free(fixture);
    return 0;
}

static bool begin(struct fixture *fixture, struct config_map options, struct config_map files,
                  struct error *err)
{
    struct config config = *fixture->config;
    config.handler_options = options;
    config.handler_option_files = files;
    return handler_host_init(&fixture->host, &config, fixture->log, fixture->metrics, err);
}

static void begin_empty(struct fixture *fixture)
{
    struct error err = ERROR_INIT;
    assert_true(
        begin(fixture, (struct config_map){ NULL, 0 }, (struct config_map){ NULL, 0 }, &err));
}

static void options_of_files_win(void **state)
{
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    struct config_pair plain[] = { { (char[]){ "a" }, (char[]){ "1" } },
                                   { (char[]){ "b" }, (char[]){ "2" } } };
    struct config_pair files[] = { { (char[]){ "b" }, fixture->file },
                                   { (char[]){ "c" }, fixture->file } };
    assert_true(
        begin(fixture, (struct config_map){ plain, 2 }, (struct config_map){ files, 2 }, &err));
    assert_string_equal(handler_host_option(&fixture->host, "a"), "1");
    assert_string_equal(handler_host_option(&fixture->host, "b"), "of the file");
    assert_string_equal(handler_host_option(&fixture->host, "c"), "of the file");
    assert_null(handler_host_option(&fixture->host, "d"));
    assert_int_equal(fixture->host.option_count, 3);
}

static void a_file_that_is_not_there_is_a_wrong_configuration(void **state)
{
    struct fixture *fixture = *state;
    struct error err = ERROR_INIT;
    struct config_pair files[] = { { (char[]){ "token" }, (char[]){ "/nonexistent/token" } } };
    assert_false(
        begin(fixture, (struct config_map){ NULL, 0 }, (struct config_map){ files, 1 }, &err));
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_non_null(strstr(err.text, "handler.optionFiles.token"));
    assert_non_null(strstr(err.text, "/nonexistent/token"));
}

static void events_reach_the_log_with_their_types(void **state)
{
    struct fixture *fixture = *state;
    enum { MANY = 20 };
    const struct pqcdc_field fields[] = { { "text", "x", PQCDC_FIELD_TEXT },
                                          { "null", NULL, PQCDC_FIELD_NUMBER },
                                          { "number", "-5", PQCDC_FIELD_NUMBER },
                                          { "real", "1.5", PQCDC_FIELD_NUMBER },
                                          { "bool", "false", PQCDC_FIELD_BOOL } };
    struct pqcdc_field many[MANY];
    begin_empty(fixture);
    handler_host_log(&fixture->host, PQCDC_LEVEL_WARN, "hello", fields, COUNT_OF(fields));
    assert_string_equal(fixture->said,
                        "2 hello text=\"x\" null=\"(null)\" number=-5 real=\"1.5\" bool=no");
    handler_host_log(&fixture->host, PQCDC_LEVEL_ERROR, "bare", NULL, 0);
    assert_string_equal(fixture->said, "3 bare");
    for (int i = 0; i < MANY; i++)
        many[i] = (struct pqcdc_field){ "n", "1", PQCDC_FIELD_NUMBER };
    handler_host_log(&fixture->host, PQCDC_LEVEL_INFO, "many", many, MANY);
    assert_int_equal(strlen(fixture->said), strlen("1 many") + 16 * strlen(" n=1"));
}

static void assert_refused(struct fixture *fixture, enum pqcdc_metric_kind kind, const char *name,
                           const struct pqcdc_label *labels, size_t count, const char *why)
{
    const char *said = NULL;
    assert_null(handler_host_metric(&fixture->host, kind, name, "help", labels, count, &said));
    if (strstr(said, why) == NULL)
        fail_msg("%s: %s", name, said);
}

static void metrics_that_would_break_the_scrape_are_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct pqcdc_label twice[] = { { "a", "1" }, { "a", "2" } };
    const struct pqcdc_label wrong[] = { { "not-a-label", "1" } };
    const struct pqcdc_label bound[] = { { "le", "1" } };
    struct pqcdc_label many[17];
    begin_empty(fixture);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = (struct pqcdc_label){ "a", "1" };
    assert_refused(fixture, PQCDC_COUNTER, "", NULL, 0, "not one of a metric");
    assert_refused(fixture, PQCDC_COUNTER, "1a", NULL, 0, "not one of a metric");
    assert_refused(fixture, PQCDC_COUNTER, "pqcdc_mine", NULL, 0, "are the connector's");
    assert_refused(fixture, PQCDC_GAUGE, "go_pq_cdc_mine", NULL, 0, "are the connector's");
    assert_refused(fixture, (enum pqcdc_metric_kind)9, "mine", NULL, 0, "no such kind");
    assert_refused(fixture, PQCDC_COUNTER, "mine", twice, 2, "twice");
    assert_refused(fixture, PQCDC_COUNTER, "mine", wrong, 1, "not allowed");
    assert_refused(fixture, PQCDC_HISTOGRAM, "mine", bound, 1, "not allowed");
    assert_refused(fixture, PQCDC_COUNTER, "mine", many, COUNT_OF(many), "more than 16");
    const char *why = NULL;
    struct metric *made =
        handler_host_metric(&fixture->host, PQCDC_COUNTER, "mine", "help", twice, 1, &why);
    assert_non_null(made);
    assert_ptr_equal(
        handler_host_metric(&fixture->host, PQCDC_COUNTER, "mine", "help", twice, 1, &why), made);
    assert_refused(fixture, PQCDC_GAUGE, "mine", NULL, 0, "taken");
    metrics_add(made, 3);
    AUTO(struct buf, buf_done) out = buf_init(4096);
    metrics_write(fixture->metrics, &out);
    assert_string_equal(buf_text(&out), "# HELP mine help\n# TYPE mine counter\nmine{a=\"1\"} 3\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_of_files_win),
        TEST(a_file_that_is_not_there_is_a_wrong_configuration),
        TEST(events_reach_the_log_with_their_types),
        TEST(metrics_that_would_break_the_scrape_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
