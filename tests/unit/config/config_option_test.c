#include "config/config_option.h"

#include "config_fixture.h"

#include <ctype.h>

#include "base/text.h"

/* The naming rule, written a second time: camelCase is split before an upper-case letter that
 * follows a lower-case letter or a digit. */
static void snake(const char *path, char *out)
{
    for (const char *at = path; *at != '\0'; at++) {
        if (at > path && isupper((unsigned char)*at) && !isupper((unsigned char)at[-1]) &&
            at[-1] != '.')
            *out++ = '_';
        *out++ = *at == '.' ? '_' : (char)tolower((unsigned char)*at);
    }
    *out = '\0';
}

static void add_suffix(char *name, const char *suffix)
{
    size_t size = strlen(name);
    size_t suffix_size = strlen(suffix);
    if (size < suffix_size || strcmp(name + size - suffix_size, suffix) != 0)
        strcat(name, suffix);
}

static void assert_field_named(const struct config_option *option, const char *path)
{
    char expected[CONFIG_NAME_SIZE];
    snake(path, expected);
    if (option->kind == CONFIG_DURATION)
        add_suffix(expected, "_ms");
    if (option->kind == CONFIG_SIZE)
        add_suffix(expected, "_bytes");
    assert_string_equal(option->field, expected);
}

static void fields_are_named_after_their_paths(void **state)
{
    (void)state;
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++)
        assert_field_named(&options[i], options[i].path);
    const struct config_option *items = config_option_items(&count);
    for (uint32_t i = 0; i < count; i++)
        assert_field_named(&items[i], strrchr(items[i].path, '.') + 1);
}

static void environment_names_follow_the_rule(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "cdc.host", "PQCDC_CDC_HOST" },
        { "cdc.slot.slotActivityCheckerInterval", "PQCDC_CDC_SLOT_SLOT_ACTIVITY_CHECKER_INTERVAL" },
        { "kafka.clientID", "PQCDC_KAFKA_CLIENT_ID" },
        { "kafka.rootCA", "PQCDC_KAFKA_ROOT_CA" },
        { "kafka.metadataTTL", "PQCDC_KAFKA_METADATA_TTL" },
        { "kafka.maxInFlightBytes", "PQCDC_KAFKA_MAX_IN_FLIGHT_BYTES" },
        { "a.b2C", "PQCDC_A_B2_C" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char name[CONFIG_NAME_SIZE];
        config_option_environment(cases[i][0], name);
        assert_string_equal(name, cases[i][1]);
    }
}

static void a_long_path_does_not_overflow(void **state)
{
    (void)state;
    char path[1024];
    char name[CONFIG_NAME_SIZE];
    for (size_t i = 0; i < sizeof(path) - 1; i++)
        path[i] = i % 2 == 0 ? 'a' : 'B';
    path[sizeof(path) - 1] = '\0';
    config_option_environment(path, name);
    assert_true(strlen(name) < CONFIG_NAME_SIZE);
    assert_memory_equal(name, "PQCDC_A_BA_BA_B", 15);
}

/* Every path of the table, then aliases and what is accepted without effect. */
static uint32_t all_paths(const char *paths[256])
{
    uint32_t count;
    uint32_t total = 0;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++)
        paths[total++] = options[i].path;
    const struct config_alias *aliases = config_option_aliases(&count);
    for (uint32_t i = 0; i < count; i++)
        paths[total++] = aliases[i].path;
    const struct config_ignored_option *ignored = config_option_ignored(&count);
    for (uint32_t i = 0; i < count; i++)
        if (strchr(ignored[i].path, '[') == NULL)
            paths[total++] = ignored[i].path;
    return total;
}

static const char *target_of(const char *path)
{
    const struct config_option *option = config_option_find(slice_of(path));
    return option != NULL ? option->path : path;
}

/* But two names of one option, which differ in capitals. */
static void no_two_paths_derive_one_environment_name(void **state)
{
    (void)state;
    const char *paths[256];
    uint32_t count = all_paths(paths);
    assert_true(count > 50);
    for (uint32_t i = 0; i < count; i++) {
        char name[CONFIG_NAME_SIZE];
        config_option_environment(paths[i], name);
        assert_true(config_option_owns_environment(slice_of(name)));
        for (uint32_t other = 0; other < i; other++) {
            char other_name[CONFIG_NAME_SIZE];
            config_option_environment(paths[other], other_name);
            if (target_of(paths[i]) != target_of(paths[other]))
                assert_string_not_equal(name, other_name);
            assert_string_not_equal(paths[i], paths[other]);
        }
    }
}

static void everything_is_found_by_path_and_environment_name(void **state)
{
    (void)state;
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    assert_int_equal(count, CONFIG_OPTION_COUNT);
    for (uint32_t i = 0; i < count; i++) {
        char name[CONFIG_NAME_SIZE];
        config_option_environment(options[i].path, name);
        assert_ptr_equal(config_option_find(slice_of(options[i].path)), &options[i]);
        assert_ptr_equal(config_option_find_environment(slice_of(name)), &options[i]);
        assert_int_equal(config_option_index(&options[i]), i);
    }
    const struct config_alias *aliases = config_option_aliases(&count);
    for (uint32_t i = 0; i < count; i++) {
        char name[CONFIG_NAME_SIZE];
        config_option_environment(aliases[i].path, name);
        const struct config_option *target = config_option_find(slice_of(aliases[i].target));
        assert_non_null(target);
        assert_ptr_equal(config_option_find(slice_of(aliases[i].path)), target);
        assert_ptr_equal(config_option_find_environment(slice_of(name)), target);
        assert_memory_equal(aliases[i].path, aliases[i].target,
                            config_option_section(target).size + 1);
    }
    assert_null(config_option_find(slice_of("cdc")));
    assert_null(config_option_find(slice_of("cdc.hos")));
    assert_null(config_option_find_environment(slice_of("PQCDC_CDC_HOS")));
    assert_string_equal(config_option_find_item(slice_of("keyColumns"))->path,
                        "cdc.publication.tables[].keyColumns");
    assert_null(config_option_find_item(slice_of("nam")));
}

/* So that a default is refused by the test and not by the first start. */
static void defaults_are_what_the_rows_say(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = config_new();
    assert_null(config->cdc_host);
    assert_string_equal(config->cdc_port, "5432");
    assert_null(config->cdc_ssl_mode);
    assert_false(config->cdc_debug_mode);
    assert_int_equal(config->cdc_metric_port, 8080);
    assert_string_equal(config->cdc_metric_address, "");
    assert_int_equal(config->cdc_logger_log_level, CONFIG_LOG_LEVEL_INFO);
    assert_int_equal(config->cdc_logger_format, CONFIG_LOG_FORMAT_JSON);
    assert_int_equal(config->cdc_publication_operations, 0);
    assert_int_equal(config->cdc_publication_tables.count, 0);
    assert_int_equal(config->cdc_slot_slot_activity_checker_interval_ms, 100);
    assert_int_equal(config->cdc_slot_proto_version, 2);
    assert_int_equal(config->cdc_on_halt, CONFIG_ON_HALT_EXIT);
    assert_int_equal(config->cdc_shutdown_timeout_ms, 20000);
    assert_int_equal(config->cdc_wal_sender_timeout_ms, 10000);
    assert_null(config->cdc_decoding_work_mem);
    assert_int_equal(config->cdc_delivery, CONFIG_DELIVERY_AT_LEAST_ONCE);
    assert_int_equal(config->cdc_max_record_bytes, 64 * 1024 * 1024);
    assert_int_equal(config->kafka_brokers.count, 0);
    assert_int_equal(config->kafka_unmapped, CONFIG_UNMAPPED_UNSET);
    assert_null(config->kafka_topic_template);
    assert_int_equal(config->kafka_producer_batch_size, 2000);
    assert_int_equal(config->kafka_producer_batch_bytes, 1024 * 1024);
    assert_int_equal(config->kafka_producer_batch_ticker_duration_ms, 5);
    assert_true(config->kafka_producer_max_attempts == INT64_MAX);
    assert_int_equal(config->kafka_read_timeout_ms, 30000);
    assert_int_equal(config->kafka_write_timeout_ms, 30000);
    assert_string_equal(config->kafka_compression, "none");
    assert_string_equal(config->kafka_balancer, "Hash");
    assert_int_equal(config->kafka_required_acks, -1);
    assert_int_equal(config->kafka_metadata_ttl_ms, 60000);
    assert_string_equal(config->kafka_client_id, "pqcdc");
    assert_false(config->kafka_allow_auto_topic_creation);
    assert_int_equal(config->kafka_max_in_flight_bytes, 16 * 1024 * 1024);
    assert_string_equal(config->format_name, "flat");
    assert_int_equal(config->format_headers, 0);
    assert_false(config->format_tombstones);
    assert_false(config->format_truncate);
}

static void rows_are_sound(void **state)
{
    (void)state;
    uint32_t count;
    const struct config_option *options = config_option_all(&count);
    for (uint32_t i = 0; i < count; i++) {
        const struct config_option *option = &options[i];
        bool number = option->kind == CONFIG_INT || option->kind == CONFIG_DURATION ||
                      option->kind == CONFIG_SIZE;
        bool words = option->kind == CONFIG_CHOICE || option->kind == CONFIG_WORD ||
                     option->kind == CONFIG_BITS;
        assert_int_equal(number, option->min < option->max);
        assert_int_equal(words, option->choices->count > 0);
        assert_true(strlen(option->doc) > 10);
        assert_int_equal(option->doc[strlen(option->doc) - 1], '.');
        assert_null(strchr(option->doc, '|'));
        assert_true(config_option_is_section(config_option_section(option)));
        assert_false(config_option_is_section(slice_of(option->path)));
        if ((option->flags & CONFIG_REQUIRED) != 0)
            assert_null(option->default_text);
    }
}

static void sections_are_prefixes_of_options(void **state)
{
    (void)state;
    assert_true(config_option_is_section(slice_of("")));
    assert_true(config_option_is_section(slice_of("cdc")));
    assert_true(config_option_is_section(slice_of("cdc.publication")));
    assert_false(config_option_is_section(slice_of("cd")));
    assert_false(config_option_is_section(slice_of("cdc.")));
    assert_false(config_option_is_section(slice_of("cdc.publication.tables")));
    uint32_t section_count;
    const struct config_section *sections = config_option_sections(&section_count);
    for (uint32_t i = 0; i < section_count; i++)
        assert_int_equal(config_option_is_section(slice_of(sections[i].path)),
                         strchr(sections[i].path, '[') == NULL);
}

static void near_misses_find_what_was_meant(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "cdc.hots", "cdc.host" },
        { "cdc.sslmode", "cdc.sslMode" },
        { "cdc.slots", "cdc.slot" },
        { "cdc.slotName", "cdc.slot.name" },
        { "kafka.tableTopicMap", "kafka.tableTopicMapping" },
        { "brokers", "kafka.brokers" },
        { "producerBatchSize", "kafka.producerBatchSize" },
        { "kafak", "kafka" },
        { "cdc.logger.levle", "cdc.logger.level" },
        { "name", NULL }, /* three of them */
        { "cdc.publication.xyzzy", NULL },
        { "completelyDifferent", NULL },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *nearest = config_option_nearest(cases[i][0]);
        if (cases[i][1] == NULL)
            assert_null(nearest);
        else
            assert_string_equal(nearest, cases[i][1]);
    }
    char buffer[CONFIG_NAME_SIZE];
    assert_string_equal(config_option_nearest_environment("PQCDC_CDC_PASWORD", buffer),
                        "PQCDC_CDC_PASSWORD");
    assert_null(config_option_nearest_environment("PQCDC_HANDLER_WHATEVER", buffer));
    assert_string_equal(config_option_nearest_item("cdc.publication.tables[3].colums"),
                        "cdc.publication.tables[].columns");
}

static void other_variables_are_not_ours(void **state)
{
    (void)state;
    static const char *const ours[] = { "PQCDC_CDC_X", "PQCDC_KAFKA_X", "PQCDC_FORMAT_X",
                                        "PQCDC_ELECTION_X", "PQCDC_HANDLER_X" };
    static const char *const others[] = { "PQCDC_PORT",   "PQCDC_SERVICE_HOST", "PQCDC_CDC",
                                          "PQCDC_CDCX_A", "XPQCDC_CDC_A",       "" };
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        assert_true(config_option_owns_environment(slice_of(ours[i])));
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(config_option_owns_environment(slice_of(others[i])));
}

static void assert_expected(const char *path, const char *expected)
{
    AUTO(struct buf, buf_done) text = buf_init(1024);
    config_option_expected(config_option_find(slice_of(path)), &text);
    assert_string_equal(buf_text(&text), expected);
}

static void each_kind_says_what_is_expected(void **state)
{
    (void)state;
    assert_expected("cdc.host", "text");
    assert_expected("cdc.debugMode", "true or false");
    assert_expected("cdc.metric.port", "an integer from 0 to 65535");
    assert_expected("cdc.walSenderTimeout",
                    "a duration (such as 200ms, 10s or 1m30s) from 1s to 1h");
    assert_expected("cdc.maxRecordBytes", "a size (such as 512kb or 10mb) from 1kb to 1gb");
    assert_expected("cdc.onHalt", "one of exit, wait");
    assert_expected("kafka.unmapped", "one of fail, skip");
    assert_expected("cdc.publication.operations", "a list of INSERT, UPDATE, DELETE, TRUNCATE");
    assert_expected("kafka.brokers", "a list of texts");
    assert_expected("kafka.properties", "a mapping of names to texts");
    assert_expected("cdc.publication.tables", "a list of objects, each with a name");
}

static void sizes_are_written_in_their_largest_unit(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *text;
    } cases[] = {
        { 0, "0" },
        { 1023, "1023" },
        { 1024, "1kb" },
        { 1536, "1536" },
        { 16 << 20, "16mb" },
        { INT64_C(1) << 31, "2gb" },
        { INT64_C(1) << 40, "1024gb" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(struct buf, buf_done) text = buf_init(64);
        config_option_number(CONFIG_SIZE, cases[i].bytes, &text);
        assert_string_equal(buf_text(&text), cases[i].text);
    }
}

static void names_that_look_secret(void **state)
{
    (void)state;
    static const char *const secret[] = {
        "sasl.password",      "ssl.key.password",        "ssl.key.pem", "SSL.KEYSTORE.PASSWORD",
        "oauth.clientSecret", "sasl.oauthbearer.config", "my.token"
    };
    static const char *const open[] = { "sasl.username", "security.protocol", "ssl.ca.location",
                                        "linger.ms", "sasl.mechanism" };
    for (size_t i = 0; i < COUNT_OF(secret); i++)
        assert_true(config_option_secret_name(secret[i]));
    for (size_t i = 0; i < COUNT_OF(open); i++)
        assert_false(config_option_secret_name(open[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_named_after_their_paths),
        cmocka_unit_test(environment_names_follow_the_rule),
        cmocka_unit_test(a_long_path_does_not_overflow),
        cmocka_unit_test(no_two_paths_derive_one_environment_name),
        cmocka_unit_test(everything_is_found_by_path_and_environment_name),
        cmocka_unit_test(defaults_are_what_the_rows_say),
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(sections_are_prefixes_of_options),
        cmocka_unit_test(near_misses_find_what_was_meant),
        cmocka_unit_test(other_variables_are_not_ours),
        cmocka_unit_test(each_kind_says_what_is_expected),
        cmocka_unit_test(sizes_are_written_in_their_largest_unit),
        cmocka_unit_test(names_that_look_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
