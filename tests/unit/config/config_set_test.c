#include "config/config_set.h"

#include "config_fixture.h"

static void arguments_win_over_the_environment_and_the_later_over_the_earlier(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config(FIXTURE_MINIMAL,
                       FIXTURE_LIST("PQCDC_CDC_HOST=environment", "PQCDC_CDC_USERNAME=environment"),
                       FIXTURE_LIST("cdc.host=first", "cdc.host=second"));
    assert_string_equal(config->cdc_host, "second");
    assert_string_equal(config->cdc_username, "environment");
    assert_string_equal(config_origin(config, "cdc.host"), "--set");
}

static void entries_of_mappings(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        FIXTURE_MINIMAL, FIXTURE_LIST("PQCDC_KAFKA_TABLE_TOPIC_MAPPING={public.users: old}"),
        FIXTURE_LIST("kafka.tableTopicMapping.public.users=new",
                     "kafka.tableTopicMapping.public.orders=orders",
                     "kafka.properties.security.protocol=SSL", "kafka.properties.a=x=y",
                     "kafka.properties.b="));
    const struct config_map *map = &config->kafka_table_topic_mapping;
    assert_int_equal(map->count, 2);
    assert_string_equal(map->pairs[0].name, "public.users");
    assert_string_equal(map->pairs[0].value, "new");
    assert_string_equal(map->pairs[1].name, "public.orders");
    assert_string_equal(map->pairs[1].value, "orders");
    assert_int_equal(config->kafka_properties.count, 3);
    assert_string_equal(config->kafka_properties.pairs[0].name, "security.protocol");
    assert_string_equal(config->kafka_properties.pairs[1].value, "x=y");
    assert_string_equal(config->kafka_properties.pairs[2].value, "");
}

static void elements_of_lists(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        FIXTURE_MINIMAL, FIXTURE_NONE,
        FIXTURE_LIST("kafka.brokers[0]=a:1", "kafka.brokers[1]=b:2", "kafka.brokers[1]=c:3",
                     "cdc.publication.operations[0]=INSERT", "cdc.publication.operations[1]=delete",
                     "format.headers[0]=pos"));
    assert_int_equal(config->kafka_brokers.count, 2);
    assert_string_equal(config->kafka_brokers.items[0], "a:1");
    assert_string_equal(config->kafka_brokers.items[1], "c:3");
    assert_int_equal(config->cdc_publication_operations,
                     CONFIG_OPERATION_INSERT | CONFIG_OPERATION_DELETE);
    assert_int_equal(config->format_headers, CONFIG_HEADER_POS);
}

static void options_of_tables(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        FIXTURE_MINIMAL, FIXTURE_NONE,
        FIXTURE_LIST(
            "cdc.publication.tables=[{name: a}]", "cdc.publication.tables[1].name=b",
            "cdc.publication.tables[1].columns[0]=x", "cdc.publication.tables[1].columns[1]=y",
            "cdc.publication.tables[1].keyColumns=[y]", "cdc.publication.tables[0].schema=other",
            "cdc.publication.tables[2]={name: c, replicaIdentity: full}"));
    const struct config_tables *tables = &config->cdc_publication_tables;
    assert_int_equal(tables->count, 3);
    assert_string_equal(tables->items[0].name, "a");
    assert_string_equal(tables->items[0].schema, "other");
    assert_string_equal(tables->items[1].name, "b");
    assert_int_equal(tables->items[1].columns.count, 2);
    assert_string_equal(tables->items[1].columns.items[1], "y");
    assert_string_equal(tables->items[1].key_columns.items[0], "y");
    assert_string_equal(tables->items[2].replica_identity, "FULL");
}

static void an_alias_in_the_file_is_not_changed_with_its_anchor(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config("cdc: {host: h, username: u, database: d, slot: {name: s},\n"
                       "  publication: {name: p, tables: [&t {name: a}, *t]}}\n"
                       "kafka: {brokers: b}\n",
                       FIXTURE_NONE, FIXTURE_LIST("cdc.publication.tables[1].name=b"));
    assert_string_equal(config->cdc_publication_tables.items[0].name, "a");
    assert_string_equal(config->cdc_publication_tables.items[1].name, "b");
}

static void assert_problem(const char *set, const char *line)
{
    fixture_set_refused(set, line);
}

static void arguments_that_are_no_assignments(void **state)
{
    (void)state;
    fixture_refused(FIXTURE_MINIMAL, FIXTURE_NONE,
                    FIXTURE_LIST("cdc.host=h", "cdc.password hunter2", "=x", ""),
                    "--set: expected path=value (number 2)\n"
                    "--set: expected path=value (number 3)\n"
                    "--set: expected path=value (number 4)\n");
}

static void unknown_paths(void **state)
{
    (void)state;
    assert_problem("cdc.hots=h", "--set cdc.hots: no such option; did you mean cdc.host?\n");
    assert_problem("xyzzy=1", "--set xyzzy: no such option\n");
    assert_problem("cdc.host.x=1", "--set cdc.host.x: no such option; did you mean cdc.host?\n");
    assert_problem("cdc.host[0]=1", "--set cdc.host[0]: no such option; did you mean cdc.host?\n");
    assert_problem("kafka.properties.=1",
                   "--set kafka.properties.: no such option; did you mean kafka.properties?\n");
    assert_problem("kafka.properties[0]=1",
                   "--set kafka.properties[0]: no such option; did you mean kafka.properties?\n");
    assert_problem("kafka.brokers.x=1",
                   "--set kafka.brokers.x: no such option; did you mean kafka.brokers?\n");
    assert_problem("cdc.publication.tables[0].nmae=a",
                   "--set cdc.publication.tables[0].nmae: no such option; did you mean "
                   "cdc.publication.tables[].name?\n"
                   "--set cdc.publication.tables[0].nmae: cdc.publication.tables[0].name: "
                   "required, but not given\n");
}

static void wrong_indexes(void **state)
{
    (void)state;
    static const char *const bad[] = { "kafka.brokers[]",   "kafka.brokers[x]",
                                       "kafka.brokers[-1]", "kafka.brokers[0",
                                       "kafka.brokers[0]x", "kafka.brokers[99999999999999999999]",
                                       "kafka.brokers[0].x" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO(struct buf, buf_done) set = buf_init(256);
        AUTO(struct buf, buf_done) line = buf_init(256);
        buf_append_format(&set, "%s=a", bad[i]);
        buf_append_format(
            &line, "--set %s: expected an index such as [0] behind the name of the list\n", bad[i]);
        assert_problem(buf_text(&set), buf_text(&line));
    }
    assert_problem("kafka.brokers[2]=a",
                   "--set kafka.brokers[2]: the list has 1 elements; the next is [1]\n");
    assert_problem("cdc.publication.tables[1].name=a",
                   "--set cdc.publication.tables[1].name: the list has 0 elements; the next is "
                   "[0]\n");
    assert_problem("cdc.publication.tables[0].columns[x]=a",
                   "--set cdc.publication.tables[0].columns[x]: expected an index such as [0] at "
                   "the end\n"
                   "--set cdc.publication.tables[0].columns[x]: cdc.publication.tables[0].name: "
                   "required, but not given\n");
    assert_problem("cdc.publication.tables[0].name[0]=a",
                   "--set cdc.publication.tables[0].name[0]: is not a list\n"
                   "--set cdc.publication.tables[0].name[0]: cdc.publication.tables[0].name: "
                   "required, but not given\n");
}

static void entries_of_what_has_none(void **state)
{
    (void)state;
    fixture_refused(
        "{cdc: {host: h, username: u, database: d, publication: {name: p, tables: [t]},"
        " slot: {name: s}}, kafka: {brokers: 'a,b'}}",
        FIXTURE_NONE, FIXTURE_LIST("kafka.brokers[0]=c", "cdc.publication.tables[0].name=a"),
        "--set kafka.brokers[0]: kafka.brokers: has no single entries where it is given "
        "(f:1)\n"
        "--set cdc.publication.tables[0].name: is not an object where it is given\n"
        "f:1: cdc.publication.tables: expected a list of objects, each with a name; got "
        "\"t\"\n");
    fixture_refused(FIXTURE_MINIMAL, FIXTURE_NONE,
                    FIXTURE_LIST("cdc.publication.tables=[{name: t, columns: c}]",
                                 "cdc.publication.tables[0].columns[0]=a"),
                    "--set cdc.publication.tables[0].columns[0]: is not a list where it is given\n"
                    "--set cdc.publication.tables: cdc.publication.tables[0].columns: expected a "
                    "list of texts; got \"c\"\n");
}

static void values_that_are_not_yaml(void **state)
{
    (void)state;
    assert_problem("cdc.metric.port=[",
                   "--set cdc.metric.port: not YAML: did not find expected node content\n");
    assert_problem("cdc.slot={name: 'x}", "--set cdc.slot: not YAML: found unexpected end of "
                                          "stream\n");
    assert_problem("cdc.publication.tables[0]={",
                   "--set cdc.publication.tables[0]: not YAML: did not find expected node "
                   "content\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_win_over_the_environment_and_the_later_over_the_earlier),
        cmocka_unit_test(entries_of_mappings),
        cmocka_unit_test(elements_of_lists),
        cmocka_unit_test(options_of_tables),
        cmocka_unit_test(an_alias_in_the_file_is_not_changed_with_its_anchor),
        cmocka_unit_test(arguments_that_are_no_assignments),
        cmocka_unit_test(unknown_paths),
        cmocka_unit_test(wrong_indexes),
        cmocka_unit_test(entries_of_what_has_none),
        cmocka_unit_test(values_that_are_not_yaml),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
