#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* set: "path=value", or NULL */
static struct config *load(const char *tables, const char *kafka, const char *set)
{
    char text[2048];
    (void)snprintf(text, sizeof(text), base, tables, kafka);
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    const struct config_sources sources = { .file = "test.yaml",
                                            .sets = &set,
                                            .set_count = set != NULL ? 1 : 0 };
    struct config *config = NULL;
    if (!config_load_text(&sources, slice_of(text), &config, &problems))
        fail_msg("%s: %s", problems.items[0].path, problems.items[0].text);
    return config;
}

static void make(struct fixture *fixture, const char *tables, const char *kafka)
{
    *fixture = (struct fixture){ .config = load(tables, kafka, NULL), .err = ERROR_INIT };
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
    const struct published_table published = { "public", table, NULL, 0 };
    return settings_topic(settings, &published, out_topic, &err);
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

static void the_log_has_the_level_of_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        enum log_level level;
    } rows[] = { { "cdc.logger.logLevel=DEBUG", LOG_DEBUG },
                 { "cdc.logger.logLevel=INFO", LOG_INFO },
                 { "cdc.logger.logLevel=WARN", LOG_WARN },
                 { "cdc.logger.logLevel=ERROR", LOG_ERROR } };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config *config = load("", "topicTemplate: t", rows[i].set);
        struct log *log = settings_log(config);
        config_free(config);
        for (int level = LOG_DEBUG; level <= LOG_ERROR; level++)
            assert_int_equal(log_enabled(log, (enum log_level)level), level >= (int)rows[i].level);
        log_free(log);
    }
}

/* What one line is on standard error. */
static void say_and_read(const char *set, char *out, size_t out_size)
{
    struct config *config = load("", "topicTemplate: t", set);
    int ends[2];
    int kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    struct log *log = settings_log(config);
    log_info(log, "hello");
    log_free(log);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
    close(ends[1]);
    ssize_t size = read(ends[0], out, out_size - 1);
    assert_true(size > 0);
    out[size] = '\0';
    close(ends[0]);
    config_free(config);
}

static void the_log_has_the_form_of_the_file(void **state)
{
    (void)state;
    char line[512];
    say_and_read("cdc.logger.format=json", line, sizeof(line));
    assert_int_equal(line[0], '{');
    assert_non_null(strstr(line, "\"msg\":\"hello\""));
    say_and_read("cdc.logger.format=text", line, sizeof(line));
    assert_int_not_equal(line[0], '{');
    assert_non_null(strstr(line, "hello"));
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

/* Each with the place where its option was given. */
static void every_problem_of_the_rooms_is_found_at_once(void **state)
{
    (void)state;
    static const char text[] = "cdc: {host: h, username: u, database: d, publication: {name: p},\n"
                               "      slot: {name: s}}\n"
                               "kafka:\n"
                               "  brokers: b\n"
                               "  tableTopicMapping: {users: 'a b', t: one, public.t: two}\n"
                               "  properties: {acks: '1', client.rak: x, client.rack: y}\n"
                               "  propertyFiles: {sasl.password: /nonexistent/secret}\n";
    static const char *const sets[] = { "kafka.topicTemplate={tabel}" };
    const struct config_sources sources = { .file = "f", .sets = sets, .set_count = 1 };
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    AUTO(struct config *, config_free_p) config = NULL;
    assert_true(config_load_text(&sources, slice_of(text), &config, &problems));
    assert_false(settings_check(config, &problems));
    static const struct {
        const char *where, *path, *text;
    } expected[] = {
        { "f:6", "kafka.properties", "\"acks\" cannot be set: " },
        { "f:6", "kafka.properties",
          "librdkafka has no property \"client.rak\"; did you mean \"client.rack\"?" },
        { "f:7", "kafka.propertyFiles",
          "\"sasl.password\": secret file \"/nonexistent/secret\": No such file or directory; " },
        { "--set kafka.topicTemplate", "kafka.topicTemplate", "topic template \"{tabel}\"" },
        { "f:5", "kafka.tableTopicMapping", "topic \"a b\" of table \"users\"" },
        { "f:5", "kafka.tableTopicMapping", "table public.t is mapped to two topics" },
    };
    assert_int_equal(problems.count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        assert_string_equal(problems.items[i].where, expected[i].where);
        assert_string_equal(problems.items[i].path, expected[i].path);
        assert_memory_equal(problems.items[i].text, expected[i].text, strlen(expected[i].text));
    }
}

static void a_sound_configuration_has_no_problem(void **state)
{
    (void)state;
    struct fixture fixture;
    make(&fixture, two_tables, "topicTemplate: t");
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    assert_true(settings_check(fixture.config, &problems));
    assert_int_equal(problems.count, 0);
    assert_string_equal(fixture.settings->tables[1].key_columns[1], "id");
    assert_int_equal(fixture.settings->tables[1].key_column_count, 2);
    done(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_room_is_told_what_the_file_says),
        cmocka_unit_test(each_process_has_a_name_of_its_own),
        cmocka_unit_test(a_table_without_a_topic_fails_unless_all_tables_are_published),
        cmocka_unit_test(the_log_has_the_level_of_the_file),
        cmocka_unit_test(the_log_has_the_form_of_the_file),
        cmocka_unit_test(a_denied_kafka_property_is_a_configuration_error),
        cmocka_unit_test(every_problem_of_the_rooms_is_found_at_once),
        cmocka_unit_test(a_sound_configuration_has_no_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
