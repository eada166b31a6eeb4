#include "config/config_layer.h"

#include "config_fixture.h"

static void sections_are_merged_and_options_replaced(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        "cdc: {host: h, username: u, database: d, publication: {name: p, operations: [INSERT]}}\n"
        "kafka: {brokers: [a, b], properties: {x: 1, y: 2}}\n",
        FIXTURE_NONE,
        FIXTURE_LIST("cdc={host: other, slot: {name: s}}", "kafka={brokers: [c]}",
                     "kafka.properties={z: 3}", "cdc.publication={operations: [DELETE]}"));
    assert_string_equal(config->cdc_host, "other");
    assert_string_equal(config->cdc_username, "u");
    assert_string_equal(config->cdc_slot_name, "s");
    assert_string_equal(config->cdc_publication_name, "p");
    assert_int_equal(config->cdc_publication_operations, CONFIG_OPERATION_DELETE);
    assert_int_equal(config->kafka_brokers.count, 1);
    assert_string_equal(config->kafka_brokers.items[0], "c");
    assert_int_equal(config->kafka_properties.count, 1);
    assert_string_equal(config->kafka_properties.pairs[0].name, "z");
}

static void a_section_that_is_none_is_reported_although_it_is_replaced(void **state)
{
    (void)state;
    fixture_refused("cdc: 5\nkafka: {brokers: b}\n", FIXTURE_NONE,
                    FIXTURE_LIST("cdc={host: h, username: u, database: d}",
                                 "cdc.publication.name=p", "cdc.slot.name=s"),
                    "f:1: cdc: expected a mapping of options\n");
    fixture_refused("- a\n", FIXTURE_NONE,
                    FIXTURE_LIST("cdc={host: h, username: u, database: d}",
                                 "cdc.publication.name=p", "cdc.slot.name=s", "kafka.brokers=b"),
                    "f:1: expected a mapping of options\n");
}

static void an_alias_is_the_option_in_every_source(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) file =
        fixture_config("cdc: {host: h, username: u, database: d, publication: {name: p}, "
                       "slot: {name: s}, logger: {level: error}}\nkafka: {brokers: b}\n",
                       FIXTURE_NONE, FIXTURE_NONE);
    assert_int_equal(file->cdc_logger_log_level, CONFIG_LOG_LEVEL_ERROR);
    assert_string_equal(config_origin(file, "cdc.logger.logLevel"), "f:1");
    AUTO(struct config *, config_free_p) environment =
        fixture_config(FIXTURE_MINIMAL, FIXTURE_LIST("PQCDC_CDC_LOGGER_LEVEL=DEBUG"), FIXTURE_NONE);
    assert_int_equal(environment->cdc_logger_log_level, CONFIG_LOG_LEVEL_DEBUG);
    AUTO(struct config *, config_free_p) set =
        fixture_config(FIXTURE_MINIMAL, FIXTURE_LIST("PQCDC_CDC_LOGGER_LOG_LEVEL=DEBUG"),
                       FIXTURE_LIST("cdc.logger={level: warn}"));
    assert_int_equal(set->cdc_logger_log_level, CONFIG_LOG_LEVEL_WARN);
    AUTO(struct config *, config_free_p) last =
        fixture_config(FIXTURE_MINIMAL, FIXTURE_NONE,
                       FIXTURE_LIST("cdc.logger.logLevel=debug", "cdc.logger.level=error"));
    assert_int_equal(last->cdc_logger_log_level, CONFIG_LOG_LEVEL_ERROR);
}

static void an_option_under_both_names_is_refused(void **state)
{
    (void)state;
    fixture_set_refused("cdc.logger={level: warn, logLevel: info}",
                        "--set cdc.logger: cdc.logger.level: is another name of "
                        "cdc.logger.logLevel, which is given as well\n");
}

static void text_options_take_values_as_they_stand(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "p: #w", "p: #w" },
        { "*abc", "*abc" },
        { "!x", "!x" },
        { "[a", "[a" },
        { "{a: b}", "{a: b}" },
        { " spaces ", " spaces " },
        { "null", "null" },
        { "~", "~" },
        { "a=b=c", "a=b=c" },
        { "'quoted'", "quoted" },
        { "\"a\\tb\"", "a\tb" },
        { "'it''s'", "it's" },
        { "'a' and 'b'", "'a' and 'b'" },
        { "'", "'" },
        { "\"open", "\"open" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(struct buf, buf_done) set = buf_init(256);
        buf_append_format(&set, "cdc.password=%s", cases[i][0]);
        AUTO(struct config *, config_free_p) by_set = fixture_set(buf_text(&set));
        assert_string_equal(by_set->cdc_password, cases[i][1]);
        buf_clear(&set);
        buf_append_format(&set, "PQCDC_CDC_PASSWORD=%s", cases[i][0]);
        AUTO(struct config *, config_free_p) by_environment =
            fixture_config(FIXTURE_MINIMAL, FIXTURE_LIST(buf_text(&set)), FIXTURE_NONE);
        assert_string_equal(by_environment->cdc_password, cases[i][1]);
    }
}

static void an_empty_value_puts_the_default_back(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        "cdc: {host: h, port: 1, username: u, password: p, database: d, publication: {name: p, "
        "tables: [{name: t}]}, slot: {name: s, protoVersion: 1}}\n"
        "kafka: {brokers: b, tableTopicMapping: {a: b}}\n",
        FIXTURE_LIST("PQCDC_CDC_PASSWORD=", "PQCDC_KAFKA_TABLE_TOPIC_MAPPING="),
        FIXTURE_LIST("cdc.port=", "cdc.publication.tables=null", "cdc.slot.protoVersion=~"));
    assert_null(config->cdc_password);
    assert_string_equal(config->cdc_port, "5432");
    assert_int_equal(config->kafka_table_topic_mapping.count, 0);
    assert_int_equal(config->cdc_publication_tables.count, 0);
    assert_int_equal(config->cdc_slot_proto_version, 2);
    assert_null(config_origin(config, "cdc.password"));
}

static void a_whole_section_can_be_put_back(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        FIXTURE_MINIMAL, FIXTURE_NONE,
        FIXTURE_LIST("cdc.metric={port: 1, address: a}", "cdc.metric=", "cdc.metric.address=b"));
    assert_int_equal(config->cdc_metric_port, 8080);
    assert_string_equal(config->cdc_metric_address, "b");
}

static void many_values_are_refused_not_held(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) set = buf_init(FIXTURE_MAX_BYTES);
    buf_append_text(&set, "kafka.brokers=");
    for (int i = 0; i < CONFIG_NODE_MAX; i++)
        buf_append_text(&set, "b,");
    buf_append_text(&set, "b");
    fixture_set_refused(buf_text(&set), "--set kafka.brokers: too many values\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sections_are_merged_and_options_replaced),
        cmocka_unit_test(a_section_that_is_none_is_reported_although_it_is_replaced),
        cmocka_unit_test(an_alias_is_the_option_in_every_source),
        cmocka_unit_test(an_option_under_both_names_is_refused),
        cmocka_unit_test(text_options_take_values_as_they_stand),
        cmocka_unit_test(an_empty_value_puts_the_default_back),
        cmocka_unit_test(a_whole_section_can_be_put_back),
        cmocka_unit_test(many_values_are_refused_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
