#include "config/config_read.h"

#include "config_fixture.h"

#define REQUIRED(path, name)                                                                       \
    path ": required, but not given: set it in the file, by " name ", or by --set " path "=...\n"

static void everything_that_is_missing_is_listed(void **state)
{
    (void)state;
    static const char all[] =
        REQUIRED("cdc.host", "PQCDC_CDC_HOST") REQUIRED("cdc.username", "PQCDC_CDC_USERNAME")
            REQUIRED("cdc.database", "PQCDC_CDC_DATABASE")
                REQUIRED("cdc.publication.name", "PQCDC_CDC_PUBLICATION_NAME")
                    REQUIRED("cdc.slot.name", "PQCDC_CDC_SLOT_NAME")
                        REQUIRED("kafka.brokers", "PQCDC_KAFKA_BROKERS");
    fixture_refused("", FIXTURE_NONE, FIXTURE_NONE, all);
    fixture_refused("cdc: {host: ~}\nkafka: {}\n", FIXTURE_NONE, FIXTURE_NONE, all);
}

static void unknown_names_are_reported_with_line_and_nearest(void **state)
{
    (void)state;
    fixture_refused("cdc:\n"
                    "  hots: h\n"
                    "  host: h\n"
                    "  username: u\n"
                    "  database: d\n"
                    "  publication: {name: p}\n"
                    "  slot:\n"
                    "    nmae: s\n"
                    "    name: s\n"
                    "    unheardOf: [1, {a: b}]\n"
                    "kafka:\n"
                    "  brokers: [b]\n"
                    "  rack: r\n"
                    "metrics: {}\n"
                    "'': x\n",
                    FIXTURE_NONE, FIXTURE_NONE,
                    "f:2: cdc.hots: no such option; did you mean cdc.host?\n"
                    "f:8: cdc.slot.nmae: no such option; did you mean cdc.slot.name?\n"
                    "f:10: cdc.slot.unheardOf: no such option\n"
                    "f:13: kafka.rack: no such option\n"
                    "f:14: metrics: no such option\n"
                    "f:15: no such option\n");
}

static void dotted_names_are_no_paths(void **state)
{
    (void)state;
    fixture_refused("cdc: {host: h, username: u, database: d, publication: {name: p},\n"
                    "  slot: {name: s}, slot.name: x}\n"
                    "kafka: {brokers: b}\n"
                    "kafka.brokers: [c]\n",
                    FIXTURE_NONE, FIXTURE_NONE,
                    "f:2: cdc.slot.name: no such option; cdc.slot.name is written as nested "
                    "mappings\n"
                    "f:4: kafka.brokers: no such option; kafka.brokers is written as nested "
                    "mappings\n");
}

static void sections_must_be_mappings(void **state)
{
    (void)state;
    fixture_refused("cdc: {host: h, username: u, database: d, publication: {name: p},\n"
                    "  slot: {name: s},\n"
                    "  metric: 8080,\n"
                    "  logger: [json]}\n"
                    "kafka: {brokers: b}\n"
                    "format: flat\n",
                    FIXTURE_NONE, FIXTURE_NONE,
                    "f:3: cdc.metric: expected a mapping of options\n"
                    "f:4: cdc.logger: expected a mapping of options\n"
                    "f:6: format: expected a mapping of options\n");
}

static void problems_of_all_sources_come_together(void **state)
{
    (void)state;
    fixture_refused(
        "cdc: {hots: h, metric: {port: x}}\n", FIXTURE_LIST("PQCDC_CDC_SSL=1"),
        FIXTURE_LIST("cdc.slot.name=S", "cdc.onHalt=x", "cdc.host=h", "cdc.username=u",
                     "cdc.database=d", "cdc.publication.name=p"),
        "PQCDC_CDC_SSL: no such option\n"
        "f:1: cdc.hots: no such option; did you mean cdc.host?\n"
        "f:1: cdc.metric.port: expected an integer from 0 to 65535; got \"x\"\n"
        "--set cdc.onHalt: expected one of exit, wait; got \"x\"\n" REQUIRED(
            "kafka.brokers", "PQCDC_KAFKA_BROKERS") "--set cdc.slot.name: expected 1 to 63 of a-z, "
                                                    "0-9 and _; got \"S\"\n");
}

static void a_flood_of_problems_is_cut(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    for (int i = 0; i < 40000; i++)
        buf_append_format(&text, "unknown%d: x\n", i);
    char *lines;
    assert_null(fixture_load(buf_text(&text), FIXTURE_NONE, FIXTURE_NONE, &lines));
    assert_memory_equal(lines, "f:1: unknown0: no such option\n", 30);
    assert_non_null(strstr(lines, "f:100: unknown99: no such option\n"
                                  "... and 39906 more problems\n"));
    memory_free(lines);
}

static void a_long_unknown_name_is_cut(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    buf_append_text(&text, "? ");
    for (int i = 0; i < 100000; i++)
        buf_append_text(&text, "xyz");
    buf_append_text(&text, "\n: 1\n");
    char *lines;
    assert_null(fixture_load(buf_text(&text), FIXTURE_NONE, FIXTURE_NONE, &lines));
    assert_memory_equal(lines, "f:1: xyzxyz", 11);
    assert_non_null(strstr(lines, "...: no such option\n"));
    assert_true(strlen(lines) < 2000);
    memory_free(lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_that_is_missing_is_listed),
        cmocka_unit_test(unknown_names_are_reported_with_line_and_nearest),
        cmocka_unit_test(dotted_names_are_no_paths),
        cmocka_unit_test(sections_must_be_mappings),
        cmocka_unit_test(problems_of_all_sources_come_together),
        cmocka_unit_test(a_flood_of_problems_is_cut),
        cmocka_unit_test(a_long_unknown_name_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
