#include "config/config_env.h"

#include "config_fixture.h"

static void variables_win_over_the_file(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config(FIXTURE_MINIMAL,
                       FIXTURE_LIST("HOME=/root", "PQCDC_CDC_HOST=other", "PQCDC_CDC_METRIC_PORT=1",
                                    "PQCDC_KAFKA_BROKERS=[a:1, b:2]",
                                    "PQCDC_KAFKA_TABLE_TOPIC_MAPPING={public.users: u, orders: o}",
                                    "PQCDC_CDC_PUBLICATION_TABLES=[{name: users, columns: [id]}]",
                                    "PQCDC_CDC_SHUTDOWN_TIMEOUT=3s", "PQCDC_FORMAT_TRUNCATE=true"),
                       FIXTURE_NONE);
    assert_string_equal(config->cdc_host, "other");
    assert_int_equal(config->cdc_metric_port, 1);
    assert_int_equal(config->kafka_brokers.count, 2);
    assert_int_equal(config->kafka_table_topic_mapping.count, 2);
    assert_string_equal(config->kafka_table_topic_mapping.pairs[1].value, "o");
    assert_string_equal(config->cdc_publication_tables.items[0].name, "users");
    assert_int_equal(config->cdc_shutdown_timeout_ms, 3000);
    assert_true(config->format_truncate);
    assert_string_equal(config_origin(config, "cdc.host"), "environment");
    assert_string_equal(config_origin(config, "cdc.username"), "f:1");
}

static void everything_can_come_from_the_environment(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config("",
                       FIXTURE_LIST("PQCDC_CDC_HOST=h", "PQCDC_CDC_USERNAME=u",
                                    "PQCDC_CDC_DATABASE=d", "PQCDC_CDC_PUBLICATION_NAME=p",
                                    "PQCDC_CDC_SLOT_NAME=s", "PQCDC_KAFKA_BROKERS=a:1,b:2"),
                       FIXTURE_NONE);
    assert_string_equal(config->cdc_slot_name, "s");
    assert_string_equal(config->kafka_brokers.items[1], "b:2");
}

static void unknown_names_of_ours_are_refused(void **state)
{
    (void)state;
    fixture_refused(FIXTURE_MINIMAL,
                    FIXTURE_LIST("PQCDC_CDC_PASWORD=hunter2", "PQCDC_KAFKA_X_Y_Z=1",
                                 "PQCDC_ELECTION_MODUS=1", "PQCDC_HANDLER_PAHT=1",
                                 "PQCDC_FORMAT_NAMES=flat", "PQCDC_CDC_=1", "PQCDC_CDC_SLOT={}"),
                    FIXTURE_NONE,
                    "PQCDC_CDC_PASWORD: no such option; did you mean PQCDC_CDC_PASSWORD?\n"
                    "PQCDC_KAFKA_X_Y_Z: no such option\n"
                    "PQCDC_ELECTION_MODUS: no such option; did you mean PQCDC_ELECTION_MODE?\n"
                    "PQCDC_HANDLER_PAHT: no such option; did you mean PQCDC_HANDLER_PATH?\n"
                    "PQCDC_FORMAT_NAMES: no such option; did you mean PQCDC_FORMAT_NAME?\n"
                    "PQCDC_CDC_: no such option\n"
                    "PQCDC_CDC_SLOT: no such option\n");
}

static void names_that_are_not_ours_are_ignored(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        FIXTURE_MINIMAL,
        FIXTURE_LIST("PQCDC_PORT=tcp://10.0.0.1:80", "PQCDC_SERVICE_HOST=10.0.0.1", "PQCDC_CDCX=1",
                     "pqcdc_cdc_host=x", "PQCDC_CDC_NOTHING", "=", ""),
        FIXTURE_NONE);
    assert_string_equal(config->cdc_host, "h");
}

static void wrong_values_name_the_variable(void **state)
{
    (void)state;
    fixture_refused(FIXTURE_MINIMAL,
                    FIXTURE_LIST("PQCDC_CDC_METRIC_PORT=x", "PQCDC_CDC_PORT=0",
                                 "PQCDC_KAFKA_PROPERTIES={sasl.password: hunter2",
                                 "PQCDC_CDC_SLOT_NAME=Bad", "PQCDC_CDC_ON_HALT="),
                    FIXTURE_NONE,
                    "PQCDC_KAFKA_PROPERTIES: not YAML: did not find expected ',' or '}'\n"
                    "PQCDC_CDC_METRIC_PORT: cdc.metric.port: expected an integer from 0 to 65535; "
                    "got \"x\"\n"
                    "PQCDC_CDC_PORT: cdc.port: expected a port from 1 to 65535, or one for each "
                    "host separated by commas; got \"0\"\n"
                    "PQCDC_CDC_SLOT_NAME: cdc.slot.name: expected 1 to 63 of a-z, 0-9 and _; got "
                    "\"Bad\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_win_over_the_file),
        cmocka_unit_test(everything_can_come_from_the_environment),
        cmocka_unit_test(unknown_names_of_ours_are_refused),
        cmocka_unit_test(names_that_are_not_ours_are_ignored),
        cmocka_unit_test(wrong_values_name_the_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
