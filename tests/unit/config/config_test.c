#include "config/config.h"

#include "config_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config_docs.h"
#include "config/config_option.h"
#include "config/config_print.h"

/* A value of an option that is not its default, as YAML, and what it must become. Options that have
 * only one choice get that. */
static bool is_number(const struct config_option *option)
{
    return option->kind == CONFIG_INT || option->kind == CONFIG_DURATION ||
           option->kind == CONFIG_SIZE;
}

static const void *field_of(const struct config *config, const struct config_option *option)
{
    return (const char *)config + option->offset;
}

/* Texts of which not every one is allowed. */
static const struct {
    const char *path, *text;
} samples[] = {
    { "cdc.port", "6543" },
    { "cdc.slot.name", "sample" },
    { "election.leaseName", "a.sample" },
    { "election.namespace", "sample" },
};

static const char *sample_of(const struct config_option *option)
{
    for (size_t i = 0; i < COUNT_OF(samples); i++)
        if (strcmp(option->path, samples[i].path) == 0)
            return samples[i].text;
    return "/proc/version";
}

/* The range's lower end, or the upper one where the lower one is the default, or too low for the
 * options beside it. */
static int64_t sample_number(const struct config_option *option)
{
    if (strcmp(option->path, "election.leaseDuration") == 0)
        return option->max;
    AUTO(struct config *, config_free_p) defaults = config_new();
    const int64_t *value = field_of(defaults, option);
    return *value != option->min ? option->min : option->max;
}

/* The last one of sslMode needs another option beside it. */
static const struct config_choice *last_choice(const struct config_option *option)
{
    bool alone = strcmp(option->path, "cdc.sslMode") != 0;
    return &option->choices->items[alone ? option->choices->count - 1 : 0];
}

static void sample_text(const struct config_option *option, struct buf *out)
{
    switch (option->kind) {
    case CONFIG_TEXT:
        buf_append_text(out, sample_of(option));
        return;
    case CONFIG_BOOL:
        buf_append_text(out, "true");
        return;
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        config_option_number(option->kind, sample_number(option), out);
        return;
    case CONFIG_CHOICE:
    case CONFIG_WORD:
        buf_append_text(out, last_choice(option)->word);
        return;
    case CONFIG_BITS:
        buf_append_format(out, "[%s, %s]", option->choices->items[0].word,
                          last_choice(option)->word);
        return;
    case CONFIG_LIST:
        buf_append_text(out, "[one, two]");
        return;
    case CONFIG_MAP:
        buf_append_text(out, "{a.b: c}");
        return;
    case CONFIG_TABLES:
        buf_append_text(out, "[{name: t}]");
        return;
    }
}

static const char *text_of(const struct config *config, const struct config_option *option)
{
    const char *const *text = field_of(config, option);
    return *text;
}

static void assert_sample(const struct config *config, const struct config_option *option)
{
    const void *field = field_of(config, option);
    if (option->kind == CONFIG_TEXT) {
        assert_string_equal(text_of(config, option), sample_of(option));
    } else if (option->kind == CONFIG_BOOL) {
        assert_true(*(const bool *)field);
    } else if (is_number(option)) {
        assert_int_equal(*(const int64_t *)field, sample_number(option));
    } else if (option->kind == CONFIG_CHOICE) {
        assert_int_equal(*(const uint32_t *)field, last_choice(option)->value);
    } else if (option->kind == CONFIG_WORD) {
        assert_string_equal(text_of(config, option), last_choice(option)->word);
    } else if (option->kind == CONFIG_BITS) {
        assert_int_equal(*(const uint32_t *)field,
                         option->choices->items[0].value | last_choice(option)->value);
    } else if (option->kind == CONFIG_LIST) {
        const struct config_list *list = field;
        assert_int_equal(list->count, 2);
        assert_string_equal(list->items[0], "one");
        assert_string_equal(list->items[1], "two");
    } else if (option->kind == CONFIG_MAP) {
        const struct config_map *map = field;
        assert_int_equal(map->count, 1);
        assert_string_equal(map->pairs[0].name, "a.b");
        assert_string_equal(map->pairs[0].value, "c");
    } else {
        const struct config_tables *tables = field;
        assert_int_equal(tables->count, 1);
        assert_string_equal(tables->items[0].name, "t");
    }
}

/* The minimal configuration in the environment; certificate and key are there together. */
static const char *const minimal_environment[] = {
    "PQCDC_CDC_HOST=h",
    "PQCDC_CDC_USERNAME=u",
    "PQCDC_CDC_DATABASE=d",
    "PQCDC_CDC_PUBLICATION_NAME=p",
    "PQCDC_CDC_SLOT_NAME=s",
    "PQCDC_KAFKA_BROKERS=b",
    "PQCDC_CDC_SSL_CERT=/dev/null",
    "PQCDC_CDC_SSL_KEY=/dev/null",
    "PQCDC_ELECTION_LEASE_DURATION=30m",
    "PQCDC_ELECTION_RENEW_DEADLINE=20m",
    "PQCDC_ELECTION_RETRY_PERIOD=500ms",
    "PQCDC_ELECTION_TAKEOVER_GRACE_MS=60ms",
};

/* The minimal environment less one variable, plus one. */
static void fill_environment(const char *environment[16], const char *without, const char *with)
{
    uint32_t count = 0;
    size_t size = strlen(without);
    for (size_t i = 0; i < COUNT_OF(minimal_environment); i++)
        if (strncmp(minimal_environment[i], without, size) != 0 ||
            minimal_environment[i][size] != '=')
            environment[count++] = minimal_environment[i];
    environment[count++] = with;
    environment[count] = NULL;
}

/* "cdc.slot.name" and a value as nested YAML, in flow style. */
static void append_nested(const char *path, const char *value, struct buf *out)
{
    uint32_t depth = 1;
    buf_append_byte(out, '{');
    for (const char *at = path; *at != '\0'; at++) {
        if (*at != '.') {
            buf_append_byte(out, *at);
            continue;
        }
        buf_append_text(out, ": {");
        depth++;
    }
    buf_append_format(out, ": %s", value);
    for (uint32_t i = 0; i < depth; i++)
        buf_append_byte(out, '}');
}

static void assert_settable(const struct config_option *option, const char *value)
{
    char name[CONFIG_NAME_SIZE];
    const char *environment[16];
    AUTO(struct buf, buf_done) file = buf_init(1024);
    AUTO(struct buf, buf_done) variable = buf_init(1024);
    AUTO(struct buf, buf_done) set = buf_init(1024);
    config_option_environment(option->path, name);
    append_nested(option->path, value, &file);
    buf_append_format(&variable, "%s=%s", name, value);
    buf_append_format(&set, "%s=%s", option->path, value);

    fill_environment(environment, name, NULL);
    AUTO(struct config *, config_free_p) by_file =
        fixture_config(buf_text(&file), environment, FIXTURE_NONE);
    assert_sample(by_file, option);
    assert_string_equal(config_origin(by_file, option->path), "f:1");

    AUTO(struct config *, config_free_p) by_set =
        fixture_config("", environment, FIXTURE_LIST(buf_text(&set)));
    assert_sample(by_set, option);
    assert_string_equal(config_origin(by_set, option->path), "--set");

    fill_environment(environment, name, buf_text(&variable));
    AUTO(struct config *, config_free_p) by_variable =
        fixture_config("", environment, FIXTURE_NONE);
    assert_sample(by_variable, option);
    assert_string_equal(config_origin(by_variable, option->path), "environment");
}

static void every_option_is_settable_in_every_way(void **state)
{
    (void)state;
    uint32_t count;
    uint32_t changed = 0;
    const struct config_option *options = config_option_all(&count);
    AUTO(struct config *, config_free_p) defaults = config_new();
    for (uint32_t i = 0; i < count; i++) {
        AUTO(struct buf, buf_done) value = buf_init(1024);
        sample_text(&options[i], &value);
        assert_null(config_origin(defaults, options[i].path));
        assert_settable(&options[i], buf_text(&value));
        changed++;
    }
    assert_int_equal(changed, CONFIG_OPTION_COUNT);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

/* A directory for files of one test. */
static char directory[] = "/tmp/pqcdc-config-test-XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/pqcdc-config-test-XXXXXX");
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int remove_directory(void **state)
{
    (void)state;
    char path[128];
    snprintf(path, sizeof(path), "%s/pqcdc.yaml", directory);
    unlink(path);
    return rmdir(directory);
}

static struct config *load_file(const char *path, struct buf *lines)
{
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    struct config_sources sources = { .file = path };
    struct config *config = NULL;
    bool loaded = config_load(&sources, &config, &problems);
    assert_int_equal(loaded, config != NULL);
    buf_clear(lines);
    config_problems_write(&problems, lines);
    return config;
}

static void a_file_is_read_and_named(void **state)
{
    (void)state;
    char path[128];
    AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
    AUTO(struct buf, buf_done) expected = buf_init(FIXTURE_MAX_BYTES);
    snprintf(path, sizeof(path), "%s/pqcdc.yaml", directory);
    write_file(path, FIXTURE_MINIMAL);
    AUTO(struct config *, config_free_p) config = load_file(path, &lines);
    assert_non_null(config);
    assert_string_equal(config->cdc_host, "h");
    write_file(path, FIXTURE_MINIMAL "\n...\n---\n");
    assert_null(load_file(path, &lines));
    buf_append_format(&expected, "%s:3: more than one document\n", path);
    assert_string_equal(buf_text(&lines), buf_text(&expected));
}

static void a_file_that_cannot_be_read_is_one_problem(void **state)
{
    (void)state;
    char path[128];
    AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
    AUTO(struct buf, buf_done) expected = buf_init(FIXTURE_MAX_BYTES);
    snprintf(path, sizeof(path), "%s/pqcdc.yaml", directory);
    assert_null(load_file(path, &lines));
    buf_append_format(&expected, "%s: cannot be read: No such file or directory\n", path);
    assert_string_equal(buf_text(&lines), buf_text(&expected));
    assert_null(load_file(directory, &lines));
    buf_clear(&expected);
    buf_append_format(&expected, "%s: cannot be read: Is a directory\n", directory);
    assert_string_equal(buf_text(&lines), buf_text(&expected));
}

static void a_file_of_more_than_a_mebibyte_is_refused(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
    assert_null(load_file("/dev/zero", &lines));
    assert_string_equal(buf_text(&lines), "/dev/zero:1: larger than 1 MiB\n");
}

static void without_a_file_the_environment_is_enough(void **state)
{
    (void)state;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    const char *environment[16];
    fill_environment(environment, "", NULL);
    struct config_sources sources = { .environment = environment };
    AUTO(struct config *, config_free_p) config = NULL;
    assert_true(config_load(&sources, &config, &problems));
    assert_string_equal(config->kafka_brokers.items[0], "b");
}

static void a_failure_leaves_the_output_and_adds_to_the_problems(void **state)
{
    (void)state;
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    struct config *config = NULL;
    struct config_sources sources = { .file = "f" };
    for (int i = 0; i < CONFIG_PROBLEMS_MAX; i++)
        config_problems_add(&problems, "", "", "earlier");
    assert_false(config_load_text(&sources, slice_of("x: 1\n"), &config, &problems));
    assert_null(config);
    assert_true(problems.left_out_count >= 7);
    AUTO(struct config_problems, config_problems_done) one = CONFIG_PROBLEMS_INIT;
    config_problems_add(&one, "", "", "earlier");
    assert_true(config_load_text(&sources, slice_of(FIXTURE_MINIMAL), &config, &one));
    assert_int_equal(one.count, 1);
    config_free(config);
}

/* Plants a secret in every way a person may get it wrong, or right, and looks for it in whatever is
 * printed. */
static void a_planted_secret_never_appears(void **state)
{
    (void)state;
    static const struct {
        const char *file, *variable, *set;
    } cases[] = {
        { FIXTURE_MINIMAL, "A=", "cdc.password=hunter2" },
        { FIXTURE_MINIMAL, "PQCDC_CDC_PASSWORD=hunter2", "cdc.onHalt=exit" },
        { FIXTURE_MINIMAL, "A=", "cdc.pasword=hunter2" },
        { FIXTURE_MINIMAL, "A=", "cdc.password hunter2" },
        { FIXTURE_MINIMAL, "A=", "cdc={password: hunter2" },
        { FIXTURE_MINIMAL, "A=", "cdc.password.x=hunter2" },
        { FIXTURE_MINIMAL, "A=", "cdc.password[0]=hunter2" },
        { FIXTURE_MINIMAL, "PQCDC_CDC_PASWORD=hunter2", "cdc.onHalt=exit" },
        { FIXTURE_MINIMAL, "PQCDC_KAFKA_PROPERTIES={sasl.password: hunter2", "cdc.onHalt=exit" },
        { FIXTURE_MINIMAL, "PQCDC_KAFKA_PROPERTIES=sasl.password=hunter2", "cdc.onHalt=exit" },
        { FIXTURE_MINIMAL, "PQCDC_KAFKA_PROPERTIES=[hunter2]", "cdc.onHalt=exit" },
        { FIXTURE_MINIMAL, "A=", "kafka.properties.sasl.password=hunter2" },
        { FIXTURE_MINIMAL, "A=", "kafka.properties={sasl.password: [hunter2]}" },
        { "cdc: {password: *hunter2 }\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: !hunter2 x}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: &hunter2 x, password: &hunter2 y}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: [hunter2]}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: {hunter2: hunter2}}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: %hunter2}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: @hunter2}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: \"hunter2}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: {password: \"hunter2\\0\"}\n", "A=", "cdc.onHalt=exit" },
        { "cdc: hunter2\n", "A=", "cdc.onHalt=exit" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *lines;
        AUTO(struct config *, config_free_p) config = fixture_load(
            cases[i].file, FIXTURE_LIST(cases[i].variable), FIXTURE_LIST(cases[i].set), &lines);
        assert_null(strstr(lines, "hunter2"));
        memory_free(lines);
        if (config == NULL)
            continue;
        AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
        config_print_effective(config, &text);
        assert_null(strstr(buf_text(&text), "hunter2"));
        assert_non_null(strstr(buf_text(&text), "password: \"***\""));
    }
}

static void free_takes_null(void **state)
{
    (void)state;
    config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_option_is_settable_in_every_way),
        cmocka_unit_test_setup_teardown(a_file_is_read_and_named, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_one_problem, make_directory,
                                        remove_directory),
        cmocka_unit_test(a_file_of_more_than_a_mebibyte_is_refused),
        cmocka_unit_test(without_a_file_the_environment_is_enough),
        cmocka_unit_test(a_failure_leaves_the_output_and_adds_to_the_problems),
        cmocka_unit_test(a_planted_secret_never_appears),
        cmocka_unit_test(free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
