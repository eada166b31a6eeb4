#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kafka/kafka_error.h"

struct expectation {
    rd_kafka_resp_err_t code;
    enum error_class class;
    const char *name;
    const char *advice_part; /* NULL = none */
};

static const struct expectation expectations[] = {
    { RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERROR_HALT, "topic_missing",
      "kafka.allowAutoTopicCreation" },
    { RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERROR_HALT, "topic_missing", "Create the topic" },
    { RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERROR_HALT, "TOPIC_AUTHORIZATION_FAILED",
      "--operation Write" },
    { RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERROR_HALT, "CLUSTER_AUTHORIZATION_FAILED",
      "IdempotentWrite" },
    { RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERROR_HALT, "MSG_SIZE_TOO_LARGE", "max.message.bytes" },
    { RD_KAFKA_RESP_ERR_INVALID_RECORD, ERROR_HALT, "INVALID_RECORD", "compacted" },
    { RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERROR_RETRY, "_MSG_TIMED_OUT", NULL },
    { RD_KAFKA_RESP_ERR__TRANSPORT, ERROR_RETRY, "_TRANSPORT", NULL },
    { RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, ERROR_RECONNECT,
      "OUT_OF_ORDER_SEQUENCE_NUMBER", NULL },
    { RD_KAFKA_RESP_ERR__INVALID_ARG, ERROR_CONFIG, "_INVALID_ARG", NULL },
    /* without a row */
    { RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, ERROR_RETRY, "NETWORK_EXCEPTION", NULL },
};

static void each_code_has_its_class_name_and_advice(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(expectations); i++) {
        const struct expectation *expected = &expectations[i];
        struct error err = ERROR_INIT;
        assert_false(kafka_error_set(&err, expected->code, "topic \"%s\"", "orders"));
        assert_int_equal(err.class, expected->class);
        assert_int_equal(kafka_error_class(expected->code), expected->class);
        assert_string_equal(err.code, expected->name);
        assert_ptr_equal(strstr(err.text, "topic \"orders\": "), err.text);
        assert_non_null(strstr(err.text, rd_kafka_err2str(expected->code)));
        if (expected->advice_part == NULL)
            assert_string_equal(err.advice, "");
        else
            assert_non_null(strstr(err.advice, expected->advice_part));
        assert_string_equal(err.advice, kafka_error_advice(expected->code));
    }
}

static void a_halt_always_says_what_to_do(void **state)
{
    (void)state;
    const struct rd_kafka_err_desc *descriptions = NULL;
    size_t count = 0;
    rd_kafka_get_err_descs(&descriptions, &count);
    size_t halts = 0;
    for (size_t i = 0; i < count; i++) {
        if (descriptions[i].name == NULL || kafka_error_class(descriptions[i].code) != ERROR_HALT)
            continue;
        halts++;
        assert_true(strlen(kafka_error_advice(descriptions[i].code)) > 0);
    }
    assert_true(halts >= 15);
}

static void nobody_has_to_want_the_text(void **state)
{
    (void)state;
    assert_false(kafka_error_set(NULL, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "x"));
}

static void a_bad_authority_is_told_by_our_options(void **state)
{
    struct error err = ERROR_INIT;
    (void)state;
    assert_false(
        kafka_error_no_start(&err, "the client", "ssl.ca.location failed: no certificate"));
    assert_non_null(strstr(err.text, "kafka: the client does not start: ssl.ca.location failed"));
    assert_non_null(strstr(err.advice, "kafka.rootCA"));
    err = ERROR_INIT;
    assert_false(kafka_error_no_start(&err, "the client", "something else"));
    assert_null(strstr(err.advice, "kafka.rootCA"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_its_class_name_and_advice),
        cmocka_unit_test(a_halt_always_says_what_to_do),
        cmocka_unit_test(nobody_has_to_want_the_text),
        cmocka_unit_test(a_bad_authority_is_told_by_our_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
