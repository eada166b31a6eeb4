#include "unit/kafka/kafka_fixture.h"

#include <unistd.h>

static void expect_conf(const rd_kafka_conf_t *conf, const char *property, const char *expected)
{
    char text[256] = "";
    size_t size = sizeof text;
    assert_int_equal(rd_kafka_conf_get(conf, property, text, &size), RD_KAFKA_CONF_OK);
    if (strcmp(text, expected) != 0)
        fail_msg("%s = %s instead of %s", property, text, expected);
}

/* What a check says; reported_done() frees it. */
struct reported {
    struct error *items;
    uint32_t count;
};

static void reported_done(struct reported *reported)
{
    memory_free(reported->items);
}

static void take_report(void *self, const struct error *problem)
{
    struct reported *reported = self;
    reported->items =
        memory_resize(reported->items, (reported->count + 1) * sizeof(*reported->items));
    reported->items[reported->count++] = *problem;
}

static void first_problem(const struct producer_options *options, struct error *out_problem)
{
    AUTO(struct reported, reported_done) reported = { .count = 0 };
    assert_false(producer_options_check(options, take_report, &reported));
    assert_true(reported.count > 0);
    *out_problem = reported.items[0];
}

static rd_kafka_conf_t *build(const struct producer_options *options)
{
    struct error err = ERROR_INIT;
    rd_kafka_conf_t *conf = NULL;
    if (!producer_options_build(options, &conf, &err))
        fail_msg("%s: %s", err.code, err.text);
    AUTO(struct reported, reported_done) none = { .count = 0 };
    assert_true(producer_options_check(options, take_report, &none));
    assert_int_equal(none.count, 0);
    return conf;
}

struct expectation {
    const char *property, *value;
};

static void expect_all(const struct producer_options *options,
                       const struct expectation *expectations, size_t count)
{
    rd_kafka_conf_t *conf = build(options);
    for (size_t i = 0; i < count; i++)
        expect_conf(conf, expectations[i].property, expectations[i].value);
    rd_kafka_conf_destroy(conf);
}

static void our_fields_become_properties(void **state)
{
    (void)state;
    static const struct expectation expectations[] = {
        { "bootstrap.servers", "a:9092,b:9092" },
        { "client.id", "me" },
        { "acks", "-1" },
        { "enable.idempotence", "true" },
        { "enable.gapless.guarantee", "true" },
        { "max.in.flight.requests.per.connection", "5" },
        { "message.timeout.ms", "0" },
        { "message.send.max.retries", "2147483647" },
        { "batch.num.messages", "1234" },
        { "batch.size", "500000" },
        { "linger.ms", "7" },
        { "compression.codec", "zstd" },
        { "sticky.partitioning.linger.ms", "0" },
        { "socket.timeout.ms", "20000" },
        { "socket.keepalive.enable", "true" },
        { "socket.nagle.disable", "true" },
        { "topic.metadata.refresh.interval.ms", "60000" },
        { "metadata.max.age.ms", "180000" },
        { "allow.auto.create.topics", "false" },
        { "log.queue", "true" },
        { "reconnect.backoff.max.ms", "2000" },
    };
    struct producer_options options = fixture_options(NULL);
    options.brokers = "a:9092,b:9092";
    options.client_id = "me";
    options.batch_records = 1234;
    options.batch_bytes = 500000;
    options.linger_ms = 7;
    options.compression = "zstd";
    options.read_timeout_ms = 20000;
    options.write_timeout_ms = 10000;
    expect_all(&options, expectations, COUNT_OF(expectations));
}

static void fewer_acknowledgements_mean_one_request_at_a_time(void **state)
{
    (void)state;
    for (int acks = 0; acks <= 1; acks++) {
        const struct expectation expectations[] = {
            { "acks", acks == 0 ? "0" : "1" },
            { "enable.idempotence", "false" },
            { "enable.gapless.guarantee", "false" },
            { "max.in.flight.requests.per.connection", "1" },
            { "message.timeout.ms", "0" },
        };
        struct producer_options options = fixture_options(NULL);
        options.required_acks = acks;
        expect_all(&options, expectations, COUNT_OF(expectations));
    }
}

/* Its default is true for a producer, so that false must be said. */
static void topics_are_created_only_when_asked(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL);
    options.allow_auto_topic_creation = true;
    const struct expectation expected = { "allow.auto.create.topics", "true" };
    expect_all(&options, &expected, 1);
}

static void a_batch_is_never_larger_than_a_message_may_be(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL);
    options.batch_bytes = 10 * 1024 * 1024;
    const struct expectation by_default = { "batch.size", "1000000" };
    expect_all(&options, &by_default, 1);
    const struct producer_property larger = { "message.max.bytes", "8000000" };
    options.properties = &larger;
    options.property_count = 1;
    const struct expectation raised[] = { { "batch.size", "8000000" },
                                          { "message.max.bytes", "8000000" } };
    expect_all(&options, raised, COUNT_OF(raised));
    rd_kafka_conf_t *conf = build(&options);
    assert_int_equal(producer_options_message_max_bytes(conf), 8000000);
    rd_kafka_conf_destroy(conf);
}

static void librdkafkas_queue_stands_above_our_cap(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL);
    options.in_flight_bytes = 16 * 1024 * 1024;
    options.batch_bytes = 100000;
    options.batch_records = 2000;
    const struct expectation expectations[] = {
        { "queue.buffering.max.kbytes", "17459" },   /* (16 MiB + 1,000,000 + 100,000) / 1024 + 1 */
        { "queue.buffering.max.messages", "67537" }, /* 16 MiB / 256 + 2000 + 1 */
    };
    expect_all(&options, expectations, COUNT_OF(expectations));
    options.in_flight_bytes = INT64_C(2) * 1024 * 1024 * 1024;
    const struct expectation largest = { "queue.buffering.max.messages", "8390609" };
    expect_all(&options, &largest, 1);
}

static void attempts_are_one_more_than_retries(void **state)
{
    (void)state;
    static const struct {
        int64_t attempts;
        int acks;
        const char *retries;
    } cases[] = {
        { 0, -1, "2147483647" }, { INT64_MAX, -1, "2147483647" },
        { 10, -1, "9" },         { 1, -1, "1" }, /* an idempotent producer must be able to retry */
        { 1, 1, "0" },           { 10, 0, "9" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct producer_options options = fixture_options(NULL);
        options.max_attempts = cases[i].attempts;
        options.required_acks = cases[i].acks;
        const struct expectation expected = { "message.send.max.retries", cases[i].retries };
        expect_all(&options, &expected, 1);
    }
}

static void given_properties_pass_through(void **state)
{
    (void)state;
    static const struct producer_property properties[] = {
        { "security.protocol", "sasl_ssl" },
        { "sasl.mechanism", "SCRAM-SHA-512" },
        { "sasl.username", "me" },
        { "sasl.password", "secret" },
        { "request.timeout.ms", "12345" },
        { "retry.backoff.ms", "50" },
        { "compression.level", "3" },
        { "debug", "broker,msg" },
        { "reconnect.backoff.max.ms", "3000" },
        { "ssl.endpoint.identification.algorithm", "https" },
    };
    static const struct expectation expectations[] = {
        { "security.protocol", "sasl_ssl" },
        { "sasl.mechanisms", "SCRAM-SHA-512" },
        { "sasl.username", "me" },
        { "request.timeout.ms", "12345" },
        { "retry.backoff.ms", "50" },
        { "compression.level", "3" },
        { "reconnect.backoff.max.ms", "3000" },
    };
    struct producer_options options = fixture_options(NULL);
    options.properties = properties;
    options.property_count = COUNT_OF(properties);
    expect_all(&options, expectations, COUNT_OF(expectations));
}

/* Fails, and returns what was said. */
static struct error refused(const char *property, const char *value)
{
    const struct producer_property given = { property, value };
    struct producer_options options = fixture_options(NULL);
    options.properties = &given;
    options.property_count = 1;
    struct error err = ERROR_INIT;
    rd_kafka_conf_t *conf = NULL;
    if (producer_options_build(&options, &conf, &err))
        fail_msg("%s = %s was taken", property, value);
    assert_null(conf);
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_non_null(strstr(err.text, property));
    AUTO(struct reported, reported_done) reported = { .count = 0 };
    assert_false(producer_options_check(&options, take_report, &reported));
    assert_int_equal(reported.count, 1);
    assert_string_equal(err.text, reported.items[0].text);
    return err;
}

static void what_delivery_depends_on_cannot_be_set(void **state)
{
    (void)state;
    static const struct {
        const char *property, *why;
    } denied[] = {
        { "bootstrap.servers", "kafka.brokers" },
        { "metadata.broker.list", "kafka.brokers" },
        { "client.id", "kafka.clientID" },
        { "acks", "kafka.requiredAcks" },
        { "request.required.acks", "kafka.requiredAcks" },
        { "linger.ms", "kafka.producerBatchTickerDuration" },
        { "queue.buffering.max.ms", "kafka.producerBatchTickerDuration" },
        { "queue.buffering.max.kbytes", "kafka.maxInFlightBytes" },
        { "queue.buffering.max.messages", "kafka.maxInFlightBytes" },
        { "queue.buffering.backpressure.threshold", "kafka.maxInFlightBytes" },
        { "batch.num.messages", "kafka.producerBatchSize" },
        { "batch.size", "kafka.producerBatchBytes" },
        { "compression.codec", "kafka.compression" },
        { "compression.type", "kafka.compression" },
        { "partitioner", "kafka.balancer" },
        { "partitioner_cb", "kafka.balancer" },
        { "sticky.partitioning.linger.ms", "kafka.balancer" },
        { "allow.auto.create.topics", "kafka.allowAutoTopicCreation" },
        { "socket.timeout.ms", "kafka.readTimeout" },
        { "topic.metadata.refresh.interval.ms", "kafka.metadataTTL" },
        { "metadata.max.age.ms", "kafka.metadataTTL" },
        { "retries", "kafka.producerMaxAttempts" },
        { "message.send.max.retries", "kafka.producerMaxAttempts" },
        { "enable.idempotence", "kafka.requiredAcks" },
        { "enable.gapless.guarantee", "overtake" },
        { "max.in.flight", "order" },
        { "max.in.flight.requests.per.connection", "order" },
        { "message.timeout.ms", "never expires" },
        { "delivery.timeout.ms", "never expires" },
        { "queuing.strategy", "order" },
        { "transactional.id", "transactional" },
        { "transaction.timeout.ms", "transactional" },
        { "delivery.report.only.error", "reports" },
        { "dr_cb", "callbacks" },
        { "dr_msg_cb", "callbacks" },
        { "log_cb", "callbacks" },
        { "opaque", "callbacks" },
        { "enabled_events", "" },
        { "log.queue", "" },
        { "statistics.interval.ms", "/metrics" },
        { "interceptors", "code" },
        { "plugin.library.paths", "code" },
        { "ssl.engine.location", "code" },
        { "sasl.kerberos.kinit.cmd", "shell" },
        { "socket.nagle.disable", "" },
        { "socket.keepalive.enable", "" },
        { "test.mock.num.brokers", "mock" },
    };
    for (size_t i = 0; i < COUNT_OF(denied); i++) {
        struct error err = refused(denied[i].property, "1");
        assert_string_equal(err.code, "property_denied");
        assert_non_null(strstr(err.text, denied[i].why));
    }
}

/* Each row of the list is about something that librdkafka has. */
static void the_list_of_denied_names_real_properties(void **state)
{
    (void)state;
    static const char *const patterns[] = {
#define PRODUCER_DENIED(pattern, why) pattern,
#include "kafka/producer_denied.def"
#undef PRODUCER_DENIED
    };
    char *table = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&table, &size);
    rd_kafka_conf_properties_show(stream);
    fclose(stream);
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        char stem[64];
        snprintf(stem, sizeof stem, "%s", patterns[i] + (patterns[i][0] == '*' ? 1 : 0));
        stem[strcspn(stem, "*")] = '\0';
        bool hidden = strncmp(stem, "test.", 5) == 0 || strncmp(stem, "ut_", 3) == 0 ||
                      strcmp(stem, "msg_order_cmp") == 0;
        if (!hidden && strstr(table, stem) == NULL)
            fail_msg("librdkafka has no %s", patterns[i]);
    }
    free(table);
}

static void an_unknown_property_is_met_with_the_nearest(void **state)
{
    (void)state;
    struct error err = refused("security.protocl", "ssl");
    assert_string_equal(err.code, "property_unknown");
    assert_non_null(strstr(err.advice, "\"security.protocol\""));
    /* Properties without a value are proposed too. */
    err = refused("sasl.pasword", "hunter2");
    assert_non_null(strstr(err.advice, "\"sasl.password\""));
    assert_null(strstr(err.text, "hunter2"));
    assert_null(strstr(err.advice, "hunter2"));
    /* Never one that would be denied. */
    err = refused("bootstrap.server", "x");
    assert_null(strstr(err.advice, "bootstrap.servers"));
    err = refused("completely different", "x");
    assert_string_equal(err.advice, "");
}

static void a_bad_value_is_explained_unless_it_may_be_a_secret(void **state)
{
    (void)state;
    struct error err = refused("request.timeout.ms", "soon");
    assert_string_equal(err.code, "property_invalid");
    err = refused("security.protocol", "telnet");
    assert_non_null(strstr(err.text, "telnet"));
    err = refused("message.max.bytes", "5");
    assert_non_null(strstr(err.text, "1000..1000000000"));
    err = refused("enable.sasl.oauthbearer.unsecure.jwt", "hunter2");
    assert_null(strstr(err.text, "hunter2"));
    assert_non_null(strstr(err.text, "refuses the value"));
}

static void bad_fields_are_named(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL);
    options.brokers = "";
    struct error err;
    first_problem(&options, &err);
    assert_string_equal(err.code, "brokers_missing");
    assert_int_equal(err.class, ERROR_CONFIG);

    options = fixture_options(NULL);
    options.required_acks = 2;
    first_problem(&options, &err);
    assert_string_equal(err.code, "acks_invalid");
    assert_non_null(strstr(err.text, "kafka.requiredAcks: 2"));

    options = fixture_options(NULL);
    options.balancer = "Sticky";
    first_problem(&options, &err);
    assert_string_equal(err.code, "balancer_unknown");
    assert_non_null(strstr(err.text, "\"Sticky\""));
    assert_string_equal(err.advice, "use one of Hash, LeastBytes, RoundRobin, ReferenceHash, "
                                    "CRC32Balancer, Murmur2Balancer");

    options = fixture_options(NULL);
    options.in_flight_bytes = 0;
    first_problem(&options, &err);
    assert_string_equal(err.code, "in_flight_invalid");

    options = fixture_options(NULL);
    options.compression = "brotli";
    first_problem(&options, &err);
    assert_string_equal(err.code, "option_invalid");
    assert_non_null(strstr(err.text, "compression.codec"));

    options = fixture_options(NULL);
    options.linger_ms = 900001;
    first_problem(&options, &err);
    assert_non_null(strstr(err.text, "linger.ms"));
    rd_kafka_conf_t *conf = NULL;
    assert_false(producer_options_build(&options, &conf, NULL));
}

static void every_problem_is_reported(void **state)
{
    (void)state;
    static const struct producer_property given[] = {
        { "acks", "1" },
        { "linger", "1" },
        { "client.rack", "cellar" },
        { "security.protocol", "telnet" },
    };
    struct producer_options options = fixture_options(NULL);
    options.properties = given;
    options.property_count = COUNT_OF(given);
    options.required_acks = 2;
    options.balancer = "Sticky";
    AUTO(struct reported, reported_done) reported = { .count = 0 };
    assert_false(producer_options_check(&options, take_report, &reported));
    static const char *const codes[] = { "acks_invalid", "balancer_unknown", "property_denied",
                                         "property_unknown", "property_invalid" };
    assert_int_equal(reported.count, COUNT_OF(codes));
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_string_equal(reported.items[i].code, codes[i]);
        assert_int_equal(reported.items[i].class, ERROR_CONFIG);
    }
    rd_kafka_conf_t *conf = NULL;
    struct error err = ERROR_INIT;
    assert_false(producer_options_build(&options, &conf, &err));
    assert_string_equal(err.code, codes[0]);
}

/* A file that holds a property's value; file_done() removes it. */
struct file {
    char path[64];
};

static void write_file(struct file *file, const char *content)
{
    FILE *stream = fopen(file->path, "w");
    assert_non_null(stream);
    fputs(content, stream);
    fclose(stream);
}

static struct file new_file(const char *content)
{
    struct file file = { "/tmp/pqcdc-property-XXXXXX" };
    int fd = mkstemp(file.path);
    assert_true(fd >= 0);
    close(fd);
    write_file(&file, content);
    return file;
}

static void file_done(struct file *file)
{
    unlink(file->path);
}

static void a_file_holds_the_value_of_a_property_and_wins(void **state)
{
    (void)state;
    AUTO(struct file, file_done) user = new_file("from-file\n");
    AUTO(struct file, file_done) rack = new_file("cellar");
    const struct producer_property given = { "sasl.username", "given" };
    const struct producer_property files[] = { { "sasl.username", user.path },
                                               { "client.rack", rack.path } };
    const struct expectation expectations[] = { { "sasl.username", "from-file" },
                                                { "client.rack", "cellar" } };
    struct producer_options options = fixture_options(NULL);
    options.properties = &given;
    options.property_count = 1;
    options.property_files = files;
    options.property_file_count = COUNT_OF(files);
    expect_all(&options, expectations, COUNT_OF(expectations));
}

static void files_are_read_again_for_a_further_producer(void **state)
{
    (void)state;
    AUTO(struct file, file_done) file = new_file("one");
    const struct producer_property files[] = { { "sasl.username", file.path } };
    struct producer_options options = fixture_options(NULL);
    options.property_files = files;
    options.property_file_count = 1;
    rd_kafka_conf_t *conf = build(&options);
    expect_conf(conf, "sasl.username", "one");
    write_file(&file, "two\n");
    struct error err = ERROR_INIT;
    assert_true(producer_options_read_files(&options, conf, &err));
    expect_conf(conf, "sasl.username", "two");
    unlink(file.path);
    assert_false(producer_options_read_files(&options, conf, &err));
    assert_string_equal(err.code, "secret_unreadable");
    expect_conf(conf, "sasl.username", "two");
    rd_kafka_conf_destroy(conf);
}

/* What is wrong with one property in a file of that content, or in one that is not there (NULL). */
static struct error refused_file(const char *property, const char *content)
{
    AUTO(struct file, file_done) file = new_file(content != NULL ? content : "");
    if (content == NULL)
        unlink(file.path);
    const struct producer_property given = { property, file.path };
    struct producer_options options = fixture_options(NULL);
    options.property_files = &given;
    options.property_file_count = 1;
    struct error err = ERROR_INIT;
    first_problem(&options, &err);
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_memory_equal(err.text, "kafka.propertyFiles: ", strlen("kafka.propertyFiles: "));
    assert_non_null(strstr(err.text, property));
    assert_null(strstr(err.text, "hunter2"));
    assert_null(strstr(err.advice, "hunter2"));
    return err;
}

static void what_is_wrong_with_a_file_is_said_without_its_content(void **state)
{
    (void)state;
    struct error err = refused_file("sasl.password", NULL);
    assert_string_equal(err.code, "secret_unreadable");
    assert_non_null(strstr(err.text, "No such file or directory"));
    err = refused_file("acks", "hunter2");
    assert_string_equal(err.code, "property_denied");
    assert_non_null(strstr(err.text, "kafka.requiredAcks"));
    err = refused_file("sasl.pasword", "hunter2");
    assert_string_equal(err.code, "property_unknown");
    assert_non_null(strstr(err.advice, "\"sasl.password\""));
    err = refused_file("security.protocol", "hunter2");
    assert_string_equal(err.code, "property_invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_fields_become_properties),
        cmocka_unit_test(fewer_acknowledgements_mean_one_request_at_a_time),
        cmocka_unit_test(topics_are_created_only_when_asked),
        cmocka_unit_test(a_batch_is_never_larger_than_a_message_may_be),
        cmocka_unit_test(librdkafkas_queue_stands_above_our_cap),
        cmocka_unit_test(attempts_are_one_more_than_retries),
        cmocka_unit_test(given_properties_pass_through),
        cmocka_unit_test(what_delivery_depends_on_cannot_be_set),
        cmocka_unit_test(the_list_of_denied_names_real_properties),
        cmocka_unit_test(an_unknown_property_is_met_with_the_nearest),
        cmocka_unit_test(a_bad_value_is_explained_unless_it_may_be_a_secret),
        cmocka_unit_test(bad_fields_are_named),
        cmocka_unit_test(every_problem_is_reported),
        cmocka_unit_test(a_file_holds_the_value_of_a_property_and_wins),
        cmocka_unit_test(files_are_read_again_for_a_further_producer),
        cmocka_unit_test(what_is_wrong_with_a_file_is_said_without_its_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
