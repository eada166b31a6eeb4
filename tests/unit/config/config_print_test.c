#include "config/config_print.h"

#include "config_fixture.h"

static char *printed(const struct config *config)
{
    AUTO(struct buf, buf_done) text = buf_init(FIXTURE_MAX_BYTES);
    config_print_effective(config, &text);
    assert_false(text.failed);
    return memory_text(buf_text(&text));
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("missing: %s\nin:\n%s", part, text);
}

static void defaults_have_no_origin_and_the_rest_has(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config("kafka: {brokers: [b]}\n"
                       "cdc:\n"
                       "  host: h\n"
                       "  username: u\n"
                       "  database: d\n"
                       "  publication: {name: p}\n",
                       FIXTURE_LIST("PQCDC_CDC_SLOT_NAME=s"), FIXTURE_LIST("cdc.onHalt=exit"));
    AUTO(char *, memory_free_p) text = printed(config);
    assert_has(text, "cdc:\n"
                     "  host: h  # f:3\n"
                     "  port: \"5432\"\n"
                     "  username: u  # f:4\n"
                     "  # password: not set\n");
    assert_has(text, "  onHalt: exit  # --set\n"
                     "  shutdownTimeout: 20s\n"
                     "  walSenderTimeout: 10s\n"
                     "  # decodingWorkMem: not set\n"
                     "  delivery: atLeastOnce\n"
                     "  maxRecordBytes: 64mb\n"
                     "  metric:\n"
                     "    port: 8080\n"
                     "    address: \"\"\n"
                     "  logger:\n");
    assert_has(text, "  slot:\n"
                     "    name: s  # environment\n");
    assert_has(text, "kafka:\n"
                     "  brokers: [b]  # f:1\n"
                     "  # tableTopicMapping: not set\n");
    assert_has(text, "  # unmapped: not set\n");
    assert_has(text, "\nformat:\n  name: flat\n  # headers: not set\n");
}

static void nested_values_are_printed_as_blocks(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        FIXTURE_MINIMAL, FIXTURE_NONE,
        FIXTURE_LIST("cdc.publication.tables=[{name: a}, {name: B c, columns: [x, '1']}]",
                     "kafka.tableTopicMapping={public.a: t, 'x: y': 'true'}",
                     "cdc.publication.operations=delete,insert"));
    AUTO(char *, memory_free_p) text = printed(config);
    assert_has(text, "    operations: [INSERT, DELETE]  # --set\n");
    assert_has(text, "    tables:  # --set\n"
                     "      - name: a\n"
                     "        schema: public\n"
                     "        partitioned: false\n"
                     "      - name: \"B c\"\n"
                     "        schema: public\n"
                     "        partitioned: false\n"
                     "        columns: [x, \"1\"]\n");
    assert_has(text, "  tableTopicMapping:  # --set\n"
                     "    public.a: t\n"
                     "    \"x: y\": \"true\"\n");
}

/* What the output says must be what was loaded: the second printing equals the first, comments on
 * origin aside. */
static char *without_comments(const char *text)
{
    char *copy = memory_text(text);
    char *end = copy;
    for (const char *at = copy; *at != '\0';) {
        if (strncmp(at, "  # f:", 6) == 0)
            at += strcspn(at, "\n");
        else
            *end++ = *at++;
    }
    *end = '\0';
    return copy;
}

static void the_output_loads_again_as_the_same(void **state)
{
    (void)state;
    static const char given[] =
        "cdc: {host: 'a,b', port: '1,2', username: \"u\\n\\t\\\"\\\\\\x01\", database: 'null', "
        "sslMode: require, decodingWorkMem: 256MB, debugMode: on, maxRecordBytes: 1536,\n"
        "  shutdownTimeout: 1m30s, publication: {name: '~', operations: [UPDATE], tables: [\n"
        "  {name: \"\xc3\xa4 '\\\"#\", replicaIdentity: using index, replicaIdentityIndex: 'yes',\n"
        "   columns: ['[', '- ', 'a: b', '*', '&x', '!y'], keyColumns: ['[']}, {name: '0'}]}, "
        "slot: {name: s}}\n"
        "kafka: {brokers: [a, 'b:1', '[::1]:2'], tableTopicMapping: {'#': '%', '? x': '|'},\n"
        "  unmapped: skip, compression: 4, properties: {a: ' ', 'b ': \"\\x7f\"}}\n"
        "format: {headers: [pos, table], tombstones: true}\n";
    AUTO(struct config *, config_free_p) first = fixture_config(given, FIXTURE_NONE, FIXTURE_NONE);
    AUTO(char *, memory_free_p) first_text = printed(first);
    AUTO(struct config *, config_free_p) again =
        fixture_config(first_text, FIXTURE_NONE, FIXTURE_NONE);
    AUTO(char *, memory_free_p) again_text = printed(again);
    AUTO(char *, memory_free_p) first_bare = without_comments(first_text);
    AUTO(char *, memory_free_p) again_bare = without_comments(again_text);
    assert_string_equal(first_bare, again_bare);
    assert_string_equal(again->cdc_username, "u\n\t\"\\\x01");
    assert_string_equal(again->cdc_publication_name, "~");
    assert_string_equal(again->cdc_publication_tables.items[0].name, "\xc3\xa4 '\"#");
    assert_string_equal(again->kafka_properties.pairs[1].value, "\x7f");
}

static void secrets_are_redacted(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = fixture_config(
        FIXTURE_MINIMAL, FIXTURE_LIST("PQCDC_CDC_PASSWORD=hunter2"),
        FIXTURE_LIST("kafka.properties={sasl.username: alice, sasl.password: hunter2, "
                     "ssl.key.pem: hunter2, ssl.key.password: hunter2, my.secret: hunter2, "
                     "a.Token: hunter2}"));
    AUTO(char *, memory_free_p) text = printed(config);
    assert_has(text, "  password: \"***\"  # environment\n");
    assert_has(text, "    sasl.username: alice\n"
                     "    sasl.password: \"***\"\n"
                     "    ssl.key.pem: \"***\"\n"
                     "    ssl.key.password: \"***\"\n"
                     "    my.secret: \"***\"\n"
                     "    a.Token: \"***\"\n");
    assert_null(strstr(text, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_have_no_origin_and_the_rest_has),
        cmocka_unit_test(nested_values_are_printed_as_blocks),
        cmocka_unit_test(the_output_loads_again_as_the_same),
        cmocka_unit_test(secrets_are_redacted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
