#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "connector/settings.h"

static const char base[] = "cdc:\n"
                           "  host: a.example,b.example\n"
                           "  port: 5433\n"
                           "  username: cdc\n"
                           "  database: shop\n"
                           "  publication: {name: pub, createIfNotExists: true,\n"
                           "                operations: [INSERT, DELETE]%s}\n"
                           "  slot: {name: slot_1}\n"
                           "kafka:\n"
                           "  brokers: [k1:9092, k2:9092]\n"
                           "  %s\n"
                           "format: {headers: [pos, operation], tombstones: true}\n";

struct fixture {
    struct config *config;
    struct settings *settings;
    struct error err;
    bool made;
};

static void make(struct fixture *fixture, const char *tables, const char *kafka)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), base, tables, kafka);
    *fixture = (struct fixture){ .err = ERROR_INIT };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    const struct config_sources sources = { .file = "test.yaml" };
    if (!config_load_text(&sources, slice_of(text), &fixture->config, &problems))
        fail_msg("%s: %s", problems.items[0].path, problems.items[0].text);
    fixture->made = settings_new(fixture->config, &fixture->settings, &fixture->err);
}

static void done(struct fixture *fixture)
{
    settings_free(fixture->settings);
    config_free(fixture->config);
}

static const char two_tables[] = ",\n tables: [{name: users, replicaIdentity: FULL},"
                                 " {name: Orders, schema: sales, keyColumns: [region, id]}]";

static void each_room_is_told_what_the_file_says(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, two_tables, "topicTemplate: '{schema}.{table}'");
    assert_true(fixture.made);
    const struct settings *settings = fixture.settings;
    assert_string_equal(settings->conn.host, "a.example,b.example");
    assert_string_equal(settings->conn.port, "5433");
    assert_string_equal(settings->producer.brokers, "k1:9092,k2:9092");
    assert_int_equal(settings->producer.required_acks, -1);
    assert_int_equal(settings->publication.operations, PUBLICATION_INSERT | PUBLICATION_DELETE);
    assert_int_equal(settings->publication.table_count, 2);
    assert_string_equal(settings->publication.tables[1].schema, "sales");
    assert_string_equal(settings->publication.tables[0].replica_identity, "FULL");
    assert_int_equal(settings->key_count, 2);
    assert_int_equal(settings->keys[0].column_count, 0);
    assert_string_equal(settings->keys[1].columns[0], "region");
    assert_string_equal(settings->keys[1].columns[1], "id");
    assert_int_equal(settings->encoding.headers, ENCODER_HEADER_POS | ENCODER_HEADER_OPERATION);
    assert_true(settings->encoding.tombstones);
    assert_false(settings->all_tables);
    done(&fixture);
}

static void each_process_has_a_name_of_its_own(void **state)
{
    (void)state;
    struct fixture one, two;
    make(&one, two_tables, "topicTemplate: t");
    make(&two, two_tables, "topicTemplate: t");
    assert_int_equal(strlen(one.settings->application_name), strlen("pqcdc:") + 36);
    assert_memory_equal(one.settings->application_name, "pqcdc:", 6);
    assert_string_not_equal(one.settings->application_name, two.settings->application_name);
    assert_ptr_equal(one.settings->conn.application_name, one.settings->application_name);
    done(&one);
    done(&two);
}

static bool finds_topic(const struct settings *settings, const char *table, char **out_topic)
{
    struct error err = ERROR_INIT;
    return topic_route_find(settings->route, SLICE_TEXT("public"), slice_of(table), out_topic,
                            &err);
}

static void a_table_without_a_topic_fails_unless_all_tables_are_published(void **state)
{
    (void)state;
    struct fixture fixture;
    char *topic = NULL;
    make(&fixture, two_tables, "tableTopicMapping: {public.users: u}");
    assert_false(finds_topic(fixture.settings, "other", &topic));
    assert_true(finds_topic(fixture.settings, "users", &topic));
    assert_string_equal(topic, "u");
    memory_free(topic);
    done(&fixture);

    make(&fixture, "", "tableTopicMapping: {public.users: u}");
    assert_true(fixture.settings->all_tables);
    assert_true(finds_topic(fixture.settings, "other", &topic));
    assert_null(topic);
    done(&fixture);

    make(&fixture, "", "unmapped: fail");
    assert_false(finds_topic(fixture.settings, "other", &topic));
    done(&fixture);

    make(&fixture, two_tables, "unmapped: skip");
    assert_true(finds_topic(fixture.settings, "other", &topic));
    assert_null(topic);
    done(&fixture);
}

static void a_denied_kafka_property_is_a_configuration_error(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, two_tables, "properties: {enable.idempotence: 'false'}");
    assert_false(fixture.made);
    assert_int_equal(fixture.err.class, ERROR_CONFIG);
    assert_non_null(strstr(fixture.err.text, "enable.idempotence"));
    done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_room_is_told_what_the_file_says),
        cmocka_unit_test(each_process_has_a_name_of_its_own),
        cmocka_unit_test(a_table_without_a_topic_fails_unless_all_tables_are_published),
        cmocka_unit_test(a_denied_kafka_property_is_a_configuration_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
