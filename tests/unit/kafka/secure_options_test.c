#include "kafka/secure_options.h"

#include "unit/kafka/kafka_fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

#define PEM_ROOT  "-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----"
#define PEM_INTER "-----BEGIN CERTIFICATE-----\ninter\n-----END CERTIFICATE-----"

static struct producer_options secure_options(void)
{
    struct producer_options options = fixture_options(NULL);
    options.secure_connection = true;
    options.scram_username = "alice";
    options.scram_password = "hunter2";
    return options;
}

static void append_problem(void *self, const struct error *problem)
{
    assert_int_equal(problem->class, ERROR_CONFIG);
    buf_append_format(self, "%s\n", problem->text);
}

static void assert_problems(const struct producer_options *options, const char *expected)
{
    AUTO(struct buf, buf_done) lines = buf_init(64 * 1024);
    bool well = producer_options_check(options, append_problem, &lines);
    assert_string_equal(buf_text(&lines), expected);
    assert_int_equal(well, *expected == '\0');
    struct error err = ERROR_INIT;
    rd_kafka_conf_t *conf = NULL;
    assert_int_equal(producer_options_build(options, &conf, &err), well);
    if (well)
        rd_kafka_conf_destroy(conf);
    assert_null(strstr(buf_text(&lines), "hunter2"));
}

static void assert_conf(const rd_kafka_conf_t *conf, const char *property, const char *expected)
{
    char text[1024] = "";
    size_t size = sizeof text;
    rd_kafka_conf_res_t result = rd_kafka_conf_get(conf, property, text, &size);
    assert_string_equal(result == RD_KAFKA_CONF_OK ? text : "", expected);
}

static rd_kafka_conf_t *build(const struct producer_options *options)
{
    struct error err = ERROR_INIT;
    rd_kafka_conf_t *conf = NULL;
    if (!producer_options_build(options, &conf, &err))
        fail_msg("%s: %s", err.code, err.text);
    return conf;
}

/* A file that the test writes anew. */
static char path[] = "/tmp/pqcdc-secure-test-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    strcpy(path, "/tmp/pqcdc-secure-test-XXXXXX");
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static void a_secure_connection_is_scram_over_tls_to_the_host_that_is_meant(void **state)
{
    (void)state;
    struct producer_options options = secure_options();
    rd_kafka_conf_t *conf = build(&options);
    assert_conf(conf, "security.protocol", "sasl_ssl");
    assert_conf(conf, "sasl.mechanisms", "SCRAM-SHA-512");
    assert_conf(conf, "sasl.username", "alice");
    assert_conf(conf, "sasl.password", "hunter2");
    assert_conf(conf, "enable.ssl.certificate.verification", "true");
    assert_conf(conf, "ssl.endpoint.identification.algorithm", "https");
    assert_conf(conf, "ssl.ca.pem", "");
    rd_kafka_conf_destroy(conf);
}

static void the_host_is_verified_without_options_of_ours_as_well(void **state)
{
    (void)state;
    const struct producer_property ssl = { "security.protocol", "ssl" };
    struct producer_options options = fixture_options(NULL);
    options.properties = &ssl;
    options.property_count = 1;
    rd_kafka_conf_t *conf = build(&options);
    assert_conf(conf, "ssl.endpoint.identification.algorithm", "https");
    rd_kafka_conf_destroy(conf);
}

static void the_password_file_wins_and_is_read_again(void **state)
{
    (void)state;
    struct producer_options options = secure_options();
    struct error err = ERROR_INIT;
    options.scram_password_file = path;
    write_file("first\n");
    rd_kafka_conf_t *conf = build(&options);
    assert_conf(conf, "sasl.password", "first");
    write_file("second");
    assert_true(producer_options_read_files(&options, conf, &err));
    assert_conf(conf, "sasl.password", "second");
    write_file("\n");
    assert_false(producer_options_read_files(&options, conf, &err));
    assert_non_null(strstr(err.text, "kafka.scramPasswordFile: secret file"));
    assert_non_null(strstr(err.text, "holds no password"));
    options.scram_password_file = "/nowhere";
    assert_false(producer_options_read_files(&options, conf, &err));
    assert_string_equal(err.text, "kafka.scramPasswordFile: secret file \"/nowhere\": No such file "
                                  "or directory");
    assert_conf(conf, "sasl.password", "second");
    rd_kafka_conf_destroy(conf);
}

static void authorities_are_texts_or_files_and_together_a_chain(void **state)
{
    (void)state;
    struct producer_options options = secure_options();
    write_file(PEM_INTER "\n");
    options.root_ca = PEM_ROOT;
    rd_kafka_conf_t *conf = build(&options);
    assert_conf(conf, "ssl.ca.pem", PEM_ROOT "\n");
    rd_kafka_conf_destroy(conf);

    options.inter_ca = path;
    conf = build(&options);
    assert_conf(conf, "ssl.ca.pem", PEM_ROOT "\n" PEM_INTER "\n");
    write_file(PEM_ROOT);
    struct error err = ERROR_INIT;
    assert_true(producer_options_read_files(&options, conf, &err));
    assert_conf(conf, "ssl.ca.pem", PEM_ROOT "\n" PEM_ROOT "\n");
    rd_kafka_conf_destroy(conf);

    options.root_ca = path;
    options.inter_ca = NULL;
    conf = build(&options);
    assert_conf(conf, "ssl.ca.location", path);
    assert_conf(conf, "ssl.ca.pem", "");
    rd_kafka_conf_destroy(conf);
}

static void authorities_that_cannot_be_read_are_said(void **state)
{
    (void)state;
    struct producer_options options = secure_options();
    options.root_ca = "/nowhere";
    assert_problems(&options,
                    "kafka.rootCA: cannot read \"/nowhere\": No such file or directory\n");
    options.inter_ca = PEM_INTER;
    assert_problems(&options,
                    "kafka.rootCA: secret file \"/nowhere\": No such file or directory\n");
    options.root_ca = "/dev/null";
    assert_problems(&options, "kafka.rootCA: \"/dev/null\" holds no certificate in PEM\n");
}

static void what_contradicts_a_secure_connection_is_a_problem(void **state)
{
    (void)state;
    const struct producer_property properties[] = {
        { "security.protocol", "PLAINTEXT" }, { "sasl.mechanism", "PLAIN" },
        { "sasl.username", "bob" },           { "sasl.password", "hunter2" },
        { "ssl.ca.pem", PEM_INTER },
    };
    const struct producer_property file = { "sasl.password", "/dev/null" };
    struct producer_options options = secure_options();
    options.root_ca = PEM_ROOT;
    options.properties = properties;
    options.property_count = COUNT_OF(properties);
    options.property_files = &file;
    options.property_file_count = 1;
    assert_problems(
        &options,
        "kafka.properties: \"security.protocol\" contradicts kafka.secureConnection, which means "
        "SASL_SSL\n"
        "kafka.properties: \"sasl.mechanism\" contradicts kafka.secureConnection, which means "
        "SCRAM-SHA-512\n"
        "kafka.properties: \"sasl.username\" is what kafka.scramUsername says: remove one of them\n"
        "kafka.properties: \"sasl.password\" is what kafka.scramPassword says: remove one of them\n"
        "kafka.properties: \"ssl.ca.pem\" is what kafka.rootCA says: remove one of them\n"
        "kafka.propertyFiles: \"sasl.password\" is what kafka.scramPassword says: remove one of "
        "them\n");
}

static void what_says_the_same_is_none(void **state)
{
    (void)state;
    const struct producer_property properties[] = {
        { "security.protocol", "sasl_ssl" },
        { "sasl.mechanisms", "SCRAM-SHA-512" },
        { "ssl.ca.location", "/dev/null" }, /* no authority is given otherwise */
    };
    struct producer_options options = secure_options();
    options.properties = properties;
    options.property_count = COUNT_OF(properties);
    assert_problems(&options, "");
}

static void what_is_missing_is_a_problem(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL);
    options.secure_connection = true;
    assert_problems(&options, "kafka.scramUsername: required with kafka.secureConnection\n"
                              "kafka.scramPassword: it or kafka.scramPasswordFile is required with "
                              "kafka.secureConnection\n");
    options = secure_options();
    options.secure_connection = false;
    options.scram_password_file = "/dev/null";
    options.inter_ca = PEM_INTER;
    assert_problems(&options,
                    "kafka.scramUsername: needs kafka.secureConnection: true\n"
                    "kafka.scramPassword: needs kafka.secureConnection: true\n"
                    "kafka.scramPasswordFile: needs kafka.secureConnection: true\n"
                    "kafka.interCA: needs TLS: kafka.secureConnection: true, or the property "
                    "security.protocol (SSL, SASL_SSL)\n");
}

static void authorities_serve_every_connection_with_tls(void **state)
{
    (void)state;
    static const char *const protocols[] = { "ssl", "SASL_SSL" };
    for (size_t i = 0; i < COUNT_OF(protocols); i++) {
        const struct producer_property property = { "security.protocol", protocols[i] };
        struct producer_options options = fixture_options(NULL);
        options.root_ca = PEM_ROOT;
        options.properties = &property;
        options.property_count = 1;
        rd_kafka_conf_t *conf = build(&options);
        assert_conf(conf, "ssl.ca.pem", PEM_ROOT "\n");
        rd_kafka_conf_destroy(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secure_connection_is_scram_over_tls_to_the_host_that_is_meant),
        cmocka_unit_test(the_host_is_verified_without_options_of_ours_as_well),
        cmocka_unit_test_setup_teardown(the_password_file_wins_and_is_read_again, make_file,
                                        remove_file),
        cmocka_unit_test_setup_teardown(authorities_are_texts_or_files_and_together_a_chain,
                                        make_file, remove_file),
        cmocka_unit_test(authorities_that_cannot_be_read_are_said),
        cmocka_unit_test(what_contradicts_a_secure_connection_is_a_problem),
        cmocka_unit_test(what_says_the_same_is_none),
        cmocka_unit_test(what_is_missing_is_a_problem),
        cmocka_unit_test(authorities_serve_every_connection_with_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
