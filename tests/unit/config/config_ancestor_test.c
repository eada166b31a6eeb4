/* A file that was written for go-pq-cdc-kafka loads unchanged: tests/data/ancestor.yaml has every
 * option that it has, and here is what each becomes. */
#include "config/config.h"

#include "config_fixture.h"

#include <stdio.h>

#include "config/config_option.h"

static struct config *load_ancestor(void)
{
    AUTO(struct config_problems, config_problems_done) problems = CONFIG_PROBLEMS_INIT;
    struct config_sources sources = { .file = TEST_DATA "/ancestor.yaml" };
    struct config *config = NULL;
    if (!config_load(&sources, &config, &problems)) {
        AUTO(struct buf, buf_done) lines = buf_init(FIXTURE_MAX_BYTES);
        config_problems_write(&problems, &lines);
        fail_msg("%s", buf_text(&lines));
    }
    return config;
}

static void assert_list(const struct config_list *list, const char *first, const char *second)
{
    assert_int_equal(list->count, 2);
    assert_string_equal(list->items[0], first);
    assert_string_equal(list->items[1], second);
}

static void postgresql_and_the_connector(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = load_ancestor();
    assert_string_equal(config->cdc_host, "localhost");
    assert_string_equal(config->cdc_port, "5432");
    assert_string_equal(config->cdc_username, "cdc_user");
    assert_string_equal(config->cdc_password, "cdc_pass");
    assert_string_equal(config->cdc_database, "cdc_db");
    assert_false(config->cdc_debug_mode);
    assert_int_equal(config->cdc_metric_port, 8081);
    assert_int_equal(config->cdc_logger_log_level, CONFIG_LOG_LEVEL_WARN);
    assert_true(config->cdc_slot_create_if_not_exists);
    assert_string_equal(config->cdc_slot_name, "cdc_slot");
    assert_int_equal(config->cdc_slot_slot_activity_checker_interval_ms, 1000);
    assert_int_equal(config->cdc_slot_proto_version, 2);
    assert_true(config->cdc_slot_failover);
    assert_string_equal(config->cdc_heartbeat_table_name, "heartbeat");
    assert_string_equal(config->cdc_heartbeat_table_schema, "ops");
    assert_int_equal(config->cdc_heartbeat_interval_ms, 100);
    assert_true(config->cdc_extension_support_enable_timescale_db);
    assert_false(config->cdc_snapshot_enabled);
    assert_int_equal(config->cdc_snapshot_mode, CONFIG_SNAPSHOT_MODE_INITIAL);
}

static void the_publication(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = load_ancestor();
    assert_true(config->cdc_publication_create_if_not_exists);
    assert_string_equal(config->cdc_publication_name, "cdc_publication");
    assert_int_equal(config->cdc_publication_operations,
                     CONFIG_OPERATION_INSERT | CONFIG_OPERATION_UPDATE | CONFIG_OPERATION_DELETE |
                         CONFIG_OPERATION_TRUNCATE);
    assert_int_equal(config->cdc_publication_tables.count, 2);
    const struct config_table *users = &config->cdc_publication_tables.items[0];
    const struct config_table *books = &config->cdc_publication_tables.items[1];
    assert_string_equal(users->name, "users");
    assert_string_equal(users->schema, "public");
    assert_string_equal(users->replica_identity, "FULL");
    assert_int_equal(users->columns.count, 0);
    assert_string_equal(books->name, "books");
    assert_string_equal(books->schema, "public");
    assert_string_equal(books->replica_identity, "DEFAULT");
    assert_list(&books->columns, "id", "title");
    assert_true(books->partitioned);
    assert_false(users->partitioned);
}

static void kafka(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = load_ancestor();
    const struct config_map *mapping = &config->kafka_table_topic_mapping;
    assert_int_equal(mapping->count, 2);
    assert_string_equal(mapping->pairs[0].name, "public.users");
    assert_string_equal(mapping->pairs[0].value, "users.0");
    assert_string_equal(mapping->pairs[1].name, "public.books");
    assert_string_equal(mapping->pairs[1].value, "books.0");
    assert_list(&config->kafka_brokers, "localhost:19092", "localhost:29092");
    assert_int_equal(config->kafka_producer_batch_size, 2000);
    assert_int_equal(config->kafka_producer_batch_bytes, 10 * 1024 * 1024);
    assert_int_equal(config->kafka_producer_max_attempts, INT64_MAX);
    assert_int_equal(config->kafka_producer_batch_ticker_duration_ms, 200);
    assert_int_equal(config->kafka_read_timeout_ms, 30000);
    assert_int_equal(config->kafka_write_timeout_ms, 20000);
    assert_string_equal(config->kafka_compression, "zstd");
    assert_string_equal(config->kafka_balancer, "Murmur2Balancer");
    assert_int_equal(config->kafka_required_acks, -1);
    assert_int_equal(config->kafka_metadata_ttl_ms, 90000);
    assert_list(&config->kafka_metadata_topics, "users.0", "books.0");
    assert_string_equal(config->kafka_client_id, "cdc_client");
    assert_true(config->kafka_allow_auto_topic_creation);
}

static void secured_kafka(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config = load_ancestor();
    assert_true(config->kafka_secure_connection);
    assert_string_equal(config->kafka_root_ca, "root.pem");
    assert_string_equal(config->kafka_inter_ca, "inter.pem");
    assert_string_equal(config->kafka_scram_username, "cdc_kafka");
    assert_string_equal(config->kafka_scram_password, "kafka_pass");
}

static void what_means_nothing_here_is_listed(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "cdc.logger.logger",
        "cdc.publication.tables[1].snapshotPartitionStrategy",
        "cdc.publication.tables[1].queryCondition",
        "cdc.snapshot.tables",
        "cdc.snapshot.chunkSize",
        "cdc.snapshot.queryCondition",
        "cdc.snapshot.claimTimeout",
        "cdc.snapshot.heartbeatInterval",
        "cdc.snapshot.instanceId",
        "cdc.snapshot.id",
        "cdc.snapshot.resnapshot",
        "kafka.maxMessageBytes",
        "kafka.skipOversizedMessages",
    };
    AUTO(struct config *, config_free_p) config = load_ancestor();
    uint32_t count, all;
    const struct config_ignored *ignored = config_ignored_all(config, &count);
    (void)config_option_ignored(&all);
    assert_int_equal(count, COUNT_OF(expected));
    assert_int_equal(count, all); /* the file has each of them */
    for (uint32_t i = 0; i < count; i++)
        assert_string_equal(ignored[i].path, expected[i]);
}

/* Each of the spellings that the ancestor takes, and the number that it becomes. */
static void numbers_sizes_and_durations(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        int64_t value;
    } cases[] = {
        { "kafka.producerBatchBytes=1mb", 1048576 },
        { "kafka.producerBatchBytes=1MB", 1048576 },
        { "kafka.producerBatchBytes=512kb", 524288 },
        { "kafka.producerBatchBytes=1048576", 1048576 },
        { "kafka.producerBatchTickerDuration=10s", 10000 },
        { "kafka.producerBatchTickerDuration=1m30s", 90000 },
        { "kafka.producerBatchTickerDuration=200ms", 200 },
        { "kafka.readTimeout=1.5s", 1500 },
        { "kafka.writeTimeout=1m", 60000 },
        { "kafka.metadataTTL=60s", 60000 },
        { "kafka.producerMaxAttempts=3", 3 },
        { "kafka.producerBatchSize=500", 500 },
        { "kafka.requiredAcks=0", 0 },
        { "kafka.requiredAcks=1", 1 },
        { "kafka.requiredAcks=-1", -1 },
        { "cdc.slot.slotActivityCheckerInterval=3000", 3000 },
        { "cdc.slot.protoVersion=1", 1 },
        { "cdc.metric.port=9090", 9090 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(struct config *, config_free_p) config =
            fixture_config(FIXTURE_MINIMAL, FIXTURE_NONE,
                           FIXTURE_LIST(cases[i].set, "kafka.maxInFlightBytes=64mb"));
        struct slice path = { cases[i].set, strcspn(cases[i].set, "=") };
        const struct config_option *option = config_option_find(path);
        int64_t value;
        memcpy(&value, (const char *)config + option->offset, sizeof(value));
        if (value != cases[i].value)
            fail_msg("%s became %lld", cases[i].set, (long long)value);
    }
}

static void words_and_their_numbers(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "kafka.compression=0", "none" },
        { "kafka.compression=1", "gzip" },
        { "kafka.compression=2", "snappy" },
        { "kafka.compression=3", "lz4" },
        { "kafka.compression=4", "zstd" },
        { "kafka.compression=snappy", "snappy" },
        { "kafka.balancer=Hash", "Hash" },
        { "kafka.balancer=LeastBytes", "LeastBytes" },
        { "kafka.balancer=RoundRobin", "RoundRobin" },
        { "kafka.balancer=ReferenceHash", "ReferenceHash" },
        { "kafka.balancer=CRC32Balancer", "CRC32Balancer" },
        { "kafka.balancer=Murmur2Balancer", "Murmur2Balancer" },
        { "kafka.balancer=", "Hash" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(struct config *, config_free_p) config = fixture_set(cases[i][0]);
        bool compression = strstr(cases[i][0], "compression") != NULL;
        assert_string_equal(compression ? config->kafka_compression : config->kafka_balancer,
                            cases[i][1]);
    }
    fixture_set_refused(
        "kafka.compression=5",
        "--set kafka.compression: expected one of none, gzip, snappy, lz4, zstd; got "
        "\"5\"\n");
}

static void levels_by_both_names(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        enum config_log_level level;
    } cases[] = {
        { "cdc.logger.level=debug", CONFIG_LOG_LEVEL_DEBUG },
        { "cdc.logger.level=INFO", CONFIG_LOG_LEVEL_INFO },
        { "cdc.logger.logLevel=warn", CONFIG_LOG_LEVEL_WARN },
        { "cdc.logger.logLevel=ERROR", CONFIG_LOG_LEVEL_ERROR },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO(struct config *, config_free_p) config = fixture_set(cases[i].set);
        assert_int_equal(config->cdc_logger_log_level, cases[i].level);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postgresql_and_the_connector),
        cmocka_unit_test(the_publication),
        cmocka_unit_test(kafka),
        cmocka_unit_test(secured_kafka),
        cmocka_unit_test(what_means_nothing_here_is_listed),
        cmocka_unit_test(numbers_sizes_and_durations),
        cmocka_unit_test(words_and_their_numbers),
        cmocka_unit_test(levels_by_both_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
