#include "config/config_value.h"

#include "config_fixture.h"

/* path=text must be refused with "expected", which follows "--set path: ". */
static void assert_refused(const char *path, const char *text, const char *expected)
{
    AUTO(struct buf, buf_done) set = buf_init(FIXTURE_MAX_BYTES);
    AUTO(struct buf, buf_done) line = buf_init(FIXTURE_MAX_BYTES);
    buf_append_format(&set, "%s=%s", path, text);
    buf_append_format(&line, "--set %s: %s\n", path, expected);
    fixture_set_refused(buf_text(&set), buf_text(&line));
}

static void booleans(void **state)
{
    (void)state;
    static const char *const yes[] = { "true", "yes", "on", "True", "'true'" };
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        AUTO(struct buf, buf_done) set = buf_init(64);
        buf_append_format(&set, "cdc.debugMode=%s", yes[i]);
        AUTO(struct config *, config_free_p) config = fixture_set(buf_text(&set));
        assert_true(config->cdc_debug_mode);
    }
    AUTO(struct config *, config_free_p) config = fixture_set("cdc.debugMode=off");
    assert_false(config->cdc_debug_mode);
    assert_refused("cdc.debugMode", "2", "expected true or false; got \"2\"");
    assert_refused("cdc.debugMode", "[true]", "expected true or false; got a list");
    assert_refused("cdc.debugMode", "{a: b}", "expected true or false; got a mapping");
}

static void integers(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) zero = fixture_set("cdc.metric.port=0");
    assert_int_equal(zero->cdc_metric_port, 0);
    AUTO(struct config *, config_free_p) quoted = fixture_set("cdc.metric.port='65535'");
    assert_int_equal(quoted->cdc_metric_port, 65535);
    AUTO(struct config *, config_free_p) negative = fixture_set("kafka.requiredAcks=-1");
    assert_int_equal(negative->kafka_required_acks, -1);
    static const char *const wrong[] = {
        "65536", "-1", "x", "1.5", "0x10", "99999999999999999999"
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO(struct buf, buf_done) expected = buf_init(256);
        buf_append_format(&expected, "expected an integer from 0 to 65535; got \"%s\"", wrong[i]);
        assert_refused("cdc.metric.port", wrong[i], buf_text(&expected));
    }
}

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        int64_t ms;
    } cases[] = {
        { "cdc.shutdownTimeout=0", 0 },         { "cdc.shutdownTimeout=1500", 1500 },
        { "cdc.shutdownTimeout=200ms", 200 },   { "cdc.shutdownTimeout=1m30s", 90000 },
        { "cdc.shutdownTimeout=1h", 3600000 },  { "cdc.shutdownTimeout=0.5h", 1800000 },
        { "cdc.shutdownTimeout='10s'", 10000 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(struct config *, config_free_p) config = fixture_set(cases[i].set);
        assert_int_equal(config->cdc_shutdown_timeout_ms, cases[i].ms);
    }
    assert_refused("cdc.shutdownTimeout", "2h",
                   "expected a duration (such as 200ms, 10s or 1m30s) from 0s to 1h; got \"2h\"");
    assert_refused("cdc.slot.slotActivityCheckerInterval", "9",
                   "expected a duration (such as 200ms, 10s or 1m30s) from 10ms to 1h; got \"9\"");
    assert_refused("kafka.readTimeout", "10 parsecs",
                   "expected a duration (such as 200ms, 10s or 1m30s) from 1s to 5m; got \"10 "
                   "parsecs\"");
}

static void sizes(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        int64_t bytes;
    } cases[] = {
        { "cdc.maxRecordBytes=1024", 1024 },     { "cdc.maxRecordBytes=1kb", 1024 },
        { "cdc.maxRecordBytes=10MB", 10 << 20 }, { "cdc.maxRecordBytes=1GiB", 1 << 30 },
        { "cdc.maxRecordBytes=1.5mb", 3 << 19 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(struct config *, config_free_p) config = fixture_set(cases[i].set);
        assert_int_equal(config->cdc_max_record_bytes, cases[i].bytes);
    }
    assert_refused("cdc.maxRecordBytes", "1023",
                   "expected a size (such as 512kb or 10mb) from 1kb to 1gb; got \"1023\"");
    assert_refused("cdc.maxRecordBytes", "10mx",
                   "expected a size (such as 512kb or 10mb) from 1kb to 1gb; got \"10mx\"");
}

static void choices_are_read_in_any_case_and_kept_in_their_own(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config(FIXTURE_MINIMAL, FIXTURE_NONE,
                       FIXTURE_LIST("cdc.logger.logLevel=warn", "cdc.onHalt=WAIT",
                                    "cdc.sslMode=Require", "kafka.balancer=murmur2balancer",
                                    "kafka.unmapped=Skip", "kafka.compression=3"));
    assert_int_equal(config->cdc_logger_log_level, CONFIG_LOG_LEVEL_WARN);
    assert_int_equal(config->cdc_on_halt, CONFIG_ON_HALT_WAIT);
    assert_string_equal(config->cdc_ssl_mode, "require");
    assert_string_equal(config->kafka_balancer, "Murmur2Balancer");
    assert_int_equal(config->kafka_unmapped, CONFIG_UNMAPPED_SKIP);
    assert_string_equal(config->kafka_compression, "lz4");
}

static void unknown_choices_name_the_nearest(void **state)
{
    (void)state;
    assert_refused("cdc.onHalt", "stop", "expected one of exit, wait; got \"stop\"");
    assert_refused("cdc.onHalt", "exti",
                   "expected one of exit, wait; got \"exti\"; did you mean \"exit\"?");
    assert_refused("cdc.onHalt", "0", "expected one of exit, wait; got \"0\"");
    assert_refused("cdc.onHalt", "[exit]", "expected one of exit, wait; got a list");
    assert_refused("kafka.unmapped", "fial",
                   "expected one of fail, skip; got \"fial\"; did you mean \"fail\"?");
    assert_refused("kafka.compression", "5",
                   "expected one of none, gzip, snappy, lz4, zstd; got \"5\"");
    assert_refused("kafka.compression", "gzp",
                   "expected one of none, gzip, snappy, lz4, zstd; got \"gzp\"; did you mean "
                   "\"gzip\"?");
    assert_refused("cdc.delivery", "exactlyOnce",
                   "expected one of atLeastOnce; got \"exactlyOnce\"");
    assert_refused("format.name", "debezium", "expected one of flat; got \"debezium\"");
}

static void bits_come_from_lists_and_from_commas(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) list =
        fixture_set("cdc.publication.operations=[insert, TRUNCATE, insert]");
    assert_int_equal(list->cdc_publication_operations,
                     CONFIG_OPERATION_INSERT | CONFIG_OPERATION_TRUNCATE);
    AUTO(struct config *, config_free_p) commas = fixture_set("format.headers=pos, commit_ts");
    assert_int_equal(commas->format_headers, CONFIG_HEADER_POS | CONFIG_HEADER_COMMIT_TS);
    AUTO(struct config *, config_free_p) empty = fixture_set("format.headers=[]");
    assert_int_equal(empty->format_headers, 0);
    assert_refused("format.headers", "[pos, [lsn]]",
                   "expected a list of pos, lsn, xid, commit_ts, table, operation; got a list");
    assert_refused("format.headers", "pos,,lsn",
                   "expected a list of pos, lsn, xid, commit_ts, table, operation; got \"\"");
    assert_refused("format.headers", "{pos: lsn}",
                   "expected a list of pos, lsn, xid, commit_ts, table, operation; got a mapping");
}

static void every_wrong_element_is_reported(void **state)
{
    (void)state;
    fixture_set_refused(
        "cdc.publication.operations=[INSRT, UPDATE, DELET]",
        "--set cdc.publication.operations: expected a list of INSERT, UPDATE, DELETE, TRUNCATE; "
        "got \"INSRT\"; did you mean \"INSERT\"?\n"
        "--set cdc.publication.operations: expected a list of INSERT, UPDATE, DELETE, TRUNCATE; "
        "got \"DELET\"; did you mean \"DELETE\"?\n");
}

static void lists_of_text(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) list = fixture_set("kafka.brokers=[a:1, b:2]");
    assert_int_equal(list->kafka_brokers.count, 2);
    assert_string_equal(list->kafka_brokers.items[0], "a:1");
    assert_string_equal(list->kafka_brokers.items[1], "b:2");
    AUTO(struct config *, config_free_p) whole =
        fixture_set("cdc.publication.tables=[{name: t, columns: [a, 'b, c']}]");
    assert_int_equal(whole->cdc_publication_tables.items[0].columns.count, 2);
    assert_string_equal(whole->cdc_publication_tables.items[0].columns.items[1], "b, c");
    AUTO(struct config *, config_free_p) commas = fixture_set("kafka.brokers=a:1 ,b:2,  c:3 ");
    assert_int_equal(commas->kafka_brokers.count, 3);
    assert_string_equal(commas->kafka_brokers.items[0], "a:1");
    assert_string_equal(commas->kafka_brokers.items[1], "b:2");
    assert_string_equal(commas->kafka_brokers.items[2], "c:3");
    assert_refused("kafka.brokers", "a,,b", "an element must not be empty");
    assert_refused("kafka.brokers", "a,", "an element must not be empty");
    assert_refused("kafka.brokers", "[a, ~]", "expected a list of texts; got nothing");
    assert_refused("kafka.brokers", "[a, {b: c}]", "expected a list of texts; got a mapping");
    assert_refused("kafka.brokers", "{a: b}", "expected a list of texts; got a mapping");
    assert_refused("kafka.brokers", "[]", "must not be empty");
    assert_refused("kafka.brokers", "''", "must not be empty");
}

static void maps_of_text(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_set("kafka.properties={linger.ms: 5, a: '', b: \"null\"}");
    const struct config_map *map = &config->kafka_properties;
    assert_int_equal(map->count, 3);
    assert_string_equal(map->pairs[0].name, "linger.ms");
    assert_string_equal(map->pairs[0].value, "5");
    assert_string_equal(map->pairs[1].value, "");
    assert_string_equal(map->pairs[2].value, "null");
    assert_refused("kafka.properties", "[a]", "expected a mapping of names to texts; got a list");
    assert_refused("kafka.properties", "a=b", "expected a mapping of names to texts; got text");
    assert_refused("kafka.properties", "{a: }",
                   "expected a mapping of names to texts; got nothing");
    assert_refused("kafka.properties", "{a: [b]}",
                   "expected a mapping of names to texts; got a list");
    assert_refused("kafka.properties", "{'': b}", "a name must not be empty");
    assert_refused("kafka.properties", "{\"a\\0b\": c}",
                   "a name must be UTF-8 text without NUL bytes");
    assert_refused("kafka.properties", "{a: \"b\\0c\"}", "must not contain a NUL byte");
}

static void texts_are_any_scalar(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        "{cdc: {host: 10, port: 6432, username: true, password: 0123, database: 1.50, "
        "publication: {name: '~'}, slot: {name: 1_0}}, kafka: {brokers: [b]}}",
        FIXTURE_NONE, FIXTURE_NONE);
    assert_string_equal(config->cdc_host, "10");
    assert_string_equal(config->cdc_port, "6432");
    assert_string_equal(config->cdc_username, "true");
    assert_string_equal(config->cdc_password, "0123");
    assert_string_equal(config->cdc_database, "1.50");
    assert_string_equal(config->cdc_publication_name, "~");
    assert_string_equal(config->cdc_slot_name, "1_0");
    assert_refused("cdc.username", "\"a\\0b\"", "must not contain a NUL byte");
    assert_refused("cdc.username", "a\xff", "must be UTF-8 text");
    fixture_refused("{cdc: {host: [h], username: u, database: d, publication: {name: p}, "
                    "slot: {name: s}}, kafka: {brokers: [b]}}",
                    FIXTURE_NONE, FIXTURE_NONE, "f:1: cdc.host: expected text; got a list\n");
}

static void a_nul_byte_does_not_end_a_number(void **state)
{
    (void)state;
    assert_refused("cdc.metric.port", "\"80\\0x\"", "must not contain a NUL byte");
}

static void nothing_is_the_default(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config("cdc: {host: h, port: , username: u, password: '', database: d, sslMode: ~,"
                       " logger: , metric: {port: '', address: ~}, onHalt: '',\n"
                       "  publication: {name: p, operations: , tables: }, slot: {name: s}}\n"
                       "kafka: {brokers: b, clientID: '', tableTopicMapping: , properties: null}\n"
                       "format:\n",
                       FIXTURE_NONE, FIXTURE_NONE);
    assert_string_equal(config->cdc_port, "5432");
    assert_null(config->cdc_password);
    assert_null(config->cdc_ssl_mode);
    assert_int_equal(config->cdc_metric_port, 8080);
    assert_string_equal(config->cdc_metric_address, "");
    assert_int_equal(config->cdc_on_halt, CONFIG_ON_HALT_EXIT);
    assert_string_equal(config->kafka_client_id, "pqcdc");
    assert_int_equal(config->kafka_table_topic_mapping.count, 0);
}

static void what_is_required_must_not_be_empty(void **state)
{
    (void)state;
    fixture_refused("cdc:\n"
                    "  host: ''\n"
                    "  username: \"\"\n"
                    "  database: d\n"
                    "  publication: {name: ''}\n"
                    "  slot: {name: ''}\n"
                    "kafka:\n"
                    "  brokers: []\n",
                    FIXTURE_NONE, FIXTURE_NONE,
                    "f:2: cdc.host: must not be empty\n"
                    "f:3: cdc.username: must not be empty\n"
                    "f:5: cdc.publication.name: must not be empty\n"
                    "f:6: cdc.slot.name: must not be empty\n"
                    "f:8: kafka.brokers: must not be empty\n");
}

static void a_long_value_is_cut_in_the_message(void **state)
{
    (void)state;
    char text[201];
    memset(text, 'x', 200);
    text[200] = '\0';
    AUTO(struct buf, buf_done) expected = buf_init(1024);
    buf_append_format(&expected, "expected true or false; got \"%.64s...\"", text);
    assert_refused("cdc.debugMode", text, buf_text(&expected));
}

static void a_secret_of_the_wrong_type_is_not_shown(void **state)
{
    (void)state;
    char *lines;
    assert_null(fixture_load("cdc: {password: {hunter2: hunter2}}\n"
                             "kafka: {properties: {sasl.password: [hunter2]}}\n",
                             FIXTURE_NONE, FIXTURE_NONE, &lines));
    assert_non_null(strstr(lines, "f:1: cdc.password: expected text; got a mapping\n"));
    assert_null(strstr(lines, "hunter2"));
    memory_free(lines);
    assert_null(fixture_load("kafka: {properties: sasl.password=hunter2}\n", FIXTURE_NONE,
                             FIXTURE_NONE, &lines));
    assert_null(strstr(lines, "hunter2"));
    memory_free(lines);
}

static void the_message_of_a_secret_has_no_value(void **state)
{
    (void)state;
    AUTO(struct config_tree, config_node_tree_done) tree = config_node_tree_init();
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    struct config_source source = { CONFIG_SOURCE_SET, "--set" };
    struct config_reading reading = { &tree, &tree.arena, &problems, NULL };
    const struct config_node *node = config_node_scalar(&tree, slice_of("hunter2"), &source, 1);
    const struct config_option *secret = config_option_find(slice_of("cdc.password"));
    const struct config_option *open = config_option_find(slice_of("cdc.username"));
    config_value_unexpected(&reading, secret, secret->path, node);
    config_value_unexpected(&reading, open, open->path, node);
    assert_string_equal(problems.items[0].text, "expected text; got text");
    assert_string_equal(problems.items[1].text, "expected text; got \"hunter2\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans),
        cmocka_unit_test(integers),
        cmocka_unit_test(durations),
        cmocka_unit_test(sizes),
        cmocka_unit_test(choices_are_read_in_any_case_and_kept_in_their_own),
        cmocka_unit_test(unknown_choices_name_the_nearest),
        cmocka_unit_test(bits_come_from_lists_and_from_commas),
        cmocka_unit_test(every_wrong_element_is_reported),
        cmocka_unit_test(lists_of_text),
        cmocka_unit_test(maps_of_text),
        cmocka_unit_test(texts_are_any_scalar),
        cmocka_unit_test(a_nul_byte_does_not_end_a_number),
        cmocka_unit_test(nothing_is_the_default),
        cmocka_unit_test(what_is_required_must_not_be_empty),
        cmocka_unit_test(a_long_value_is_cut_in_the_message),
        cmocka_unit_test(a_secret_of_the_wrong_type_is_not_shown),
        cmocka_unit_test(the_message_of_a_secret_has_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
