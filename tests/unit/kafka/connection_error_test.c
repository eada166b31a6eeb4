#include "kafka/connection_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "kafka/kafka_error.h"

#define UNVERIFIED                                                                                 \
    "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker "        \
    "certificate could not be verified, verify that ssl.ca.location is correctly configured "      \
    "(after 5ms in state SSL_HANDSHAKE)"

typedef int verify_fn(rd_kafka_t *, const char *, int32_t, int *, int, const char *, size_t, char *,
                      size_t, void *);

/* What librdkafka would call. */
static verify_fn *installed(struct tls_watch *watch, const char *property, const char *value)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (property != NULL)
        assert_int_equal(rd_kafka_conf_set(conf, property, value, NULL, 0), RD_KAFKA_CONF_OK);
    tls_watch_install(watch, conf);
    char text[64] = "";
    size_t size = sizeof text;
    void *function = NULL;
    if (rd_kafka_conf_get(conf, "ssl.certificate.verify_cb", text, &size) == RD_KAFKA_CONF_OK)
        assert_int_equal(sscanf(text, "%p", &function), 1);
    rd_kafka_conf_destroy(conf);
    verify_fn *verify;
    memcpy(&verify, &function, sizeof verify);
    return verify;
}

static void refuse(verify_fn *verify, struct tls_watch *watch, const char *broker, int verdict)
{
    char reason[64] = "";
    int error = verdict;
    assert_int_equal(verify(NULL, broker, 1, &error, 0, "", 0, reason, sizeof reason, watch), 0);
    assert_int_equal(error, verdict);
    assert_string_not_equal(reason, "");
}

static void a_refused_certificate_says_why(void **state)
{
    (void)state;
    static const struct {
        int verdict;
        const char *code, *what, *advice;
    } cases[] = {
        { 10, "certificate_expired", "it has expired", "new certificate" },
        { 20, "certificate_untrusted", "its authority is not known here", "kafka.rootCA" },
        { 62, "certificate_of_other_host", "it is for another host", "advertised.listeners" },
        { 4711, "certificate_refused", "verdict 4711", "openssl s_client" },
    };
    struct tls_watch *watch = tls_watch_new();
    verify_fn *verify = installed(watch, NULL, NULL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct error err = ERROR_INIT;
        refuse(verify, watch, "a:9093", cases[i].verdict);
        refuse(verify, watch, "b:9093", 1);
        assert_false(connection_error_set(&err, RD_KAFKA_RESP_ERR__SSL,
                                          "ssl://a:9093/1: " UNVERIFIED, watch));
        assert_string_equal(err.code, cases[i].code);
        assert_int_equal(err.class, ERROR_RETRY);
        assert_non_null(strstr(err.text, "kafka: a:9093/1: the broker's certificate is refused: "));
        assert_non_null(strstr(err.text, cases[i].what));
        assert_non_null(strstr(err.advice, cases[i].advice));
        assert_int_equal(connection_error_is_refusal(&err), cases[i].verdict != 4711);
    }
    tls_watch_free(watch);
}

static void a_certificate_that_is_in_order_leaves_no_verdict(void **state)
{
    (void)state;
    struct tls_watch *watch = tls_watch_new();
    verify_fn *verify = installed(watch, NULL, NULL);
    char reason[64] = "";
    int error = 0;
    assert_int_equal(verify(NULL, "a:1", 1, &error, 0, "", 0, reason, 64, watch), 1);
    assert_int_equal(tls_watch_verdict(watch, slice_of("a:1")), 0);
    struct error err = ERROR_INIT;
    connection_error_set(&err, RD_KAFKA_RESP_ERR__SSL, "ssl://a:1/1: " UNVERIFIED, watch);
    assert_string_equal(err.code, "_SSL");
    tls_watch_free(watch);
}

/* Whoever switched verification off is not asked. */
static void nothing_is_installed_where_nothing_is_verified(void **state)
{
    (void)state;
    struct tls_watch *watch = tls_watch_new();
    assert_null(installed(watch, "enable.ssl.certificate.verification", "false"));
    tls_watch_free(watch);
}

static void more_brokers_than_are_remembered(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct tls_watch *watch = tls_watch_new();
    verify_fn *verify = installed(watch, NULL, NULL);
    char broker[400];
    for (int i = 0; i < MANY; i++) {
        snprintf(broker, sizeof broker, "broker-%d:1", i);
        refuse(verify, watch, broker, 1000 + i);
        assert_int_equal(tls_watch_verdict(watch, slice_of(broker)), 1000 + i);
    }
    assert_int_equal(tls_watch_verdict(watch, slice_of("broker-0:1")), 0);
    memset(broker, 'x', sizeof broker - 1);
    broker[sizeof broker - 1] = '\0';
    refuse(verify, watch, broker, 10);
    tls_watch_free(watch);
}

static void causes_that_librdkafkas_text_tells(void **state)
{
    (void)state;
    static const struct {
        const char *property, *reason, *code, *advice;
    } cases[] = {
        { NULL,
          "Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert "
          "number 42 (after 0ms in state APIVERSION_QUERY)",
          "client_certificate_missing", "ssl.certificate.location" },
        { "ssl.certificate.location",
          "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert "
          "number 42 (after 2ms in state APIVERSION_QUERY)",
          "client_certificate_refused", "expired" },
        { "ssl.certificate.location",
          "Receive failed: error:0A000416:SSL routines::sslv3 alert certificate unknown: SSL alert "
          "number 46 (after 3ms in state APIVERSION_QUERY)",
          "client_certificate_refused", "expired" },
        { NULL,
          "SASL authentication error: Authentication failed during authentication due to invalid "
          "credentials with SASL mechanism PLAIN (after 312ms in state AUTH_REQ)",
          "login_refused", "Check user and password" },
        { NULL,
          "Disconnected while requesting ApiVersion: might be caused by incorrect "
          "security.protocol "
          "configuration (connecting to a SSL listener?) or broker version is < 0.10",
          "tls_expected", "kafka.secureConnection" },
        { NULL,
          "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener? (after "
          "1ms in state SSL_HANDSHAKE)",
          "tls_not_expected", "kafka.brokers" },
        { NULL,
          "SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading (after "
          "0ms in state SSL_HANDSHAKE)",
          "tls_not_expected", "kafka.brokers" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct tls_watch *watch = tls_watch_new();
        (void)installed(watch, cases[i].property, "/dev/null");
        char text[512];
        struct error err = ERROR_INIT;
        snprintf(text, sizeof text, "sasl_ssl://a:9093/bootstrap: %s", cases[i].reason);
        connection_error_set(&err, RD_KAFKA_RESP_ERR__TRANSPORT, text, watch);
        assert_string_equal(err.code, cases[i].code);
        assert_non_null(strstr(err.text, "kafka: a:9093/bootstrap: "));
        assert_non_null(strstr(err.advice, cases[i].advice));
        assert_true(connection_error_is_refusal(&err));
        tls_watch_free(watch);
    }
}

/* librdkafka before 2.6.1 (its pull request 4895). */
static void scram_that_an_old_library_cannot_speak(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    connection_error_set(
        &err, RD_KAFKA_RESP_ERR__AUTHENTICATION,
        "a:1/1: SASL authentication error: invalid credentials with SASL mechanism "
        "SCRAM-SHA-512",
        NULL);
    bool old = rd_kafka_version() < 0x020601ff;
    assert_int_equal(strstr(err.advice, "takes 2.6.1") != NULL, old);
    assert_non_null(strstr(err.advice, "kafka.scramUsername"));
    assert_non_null(strstr(err.text, "a:1/1: SASL authentication error"));
}

static void anything_else_is_as_librdkafka_says_it(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ssl://a:1/1: Disconnected (after 3ms in state UP)",
        "ssl://a:1/1: unexpected eof while reading (after 3ms in state UP)", /* not of a handshake
                                                                              */
        "1/1 brokers are down",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct error err = ERROR_INIT, expected = ERROR_INIT;
        connection_error_set(&err, RD_KAFKA_RESP_ERR__TRANSPORT, texts[i], NULL);
        kafka_error_set(&expected, RD_KAFKA_RESP_ERR__TRANSPORT, "kafka: %s", texts[i]);
        assert_memory_equal(&err, &expected, sizeof err);
        assert_false(connection_error_is_refusal(&err));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_certificate_says_why),
        cmocka_unit_test(a_certificate_that_is_in_order_leaves_no_verdict),
        cmocka_unit_test(nothing_is_installed_where_nothing_is_verified),
        cmocka_unit_test(more_brokers_than_are_remembered),
        cmocka_unit_test(causes_that_librdkafkas_text_tells),
        cmocka_unit_test(scram_that_an_old_library_cannot_speak),
        cmocka_unit_test(anything_else_is_as_librdkafka_says_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
