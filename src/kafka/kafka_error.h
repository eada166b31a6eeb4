/* What librdkafka's and Kafka's error codes mean for the line: a class that picks the action, and
 * advice. The rows are in kafka_error.def; a code without a row is ERROR_RETRY (start again from
 * the slot after a back-off), which loses nothing. Any thread. */
#ifndef KAFKA_KAFKA_ERROR_H
#define KAFKA_KAFKA_ERROR_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

#include "base/check.h"
#include "base/error.h"

enum error_class kafka_error_class(rd_kafka_resp_err_t code);

/* "" when the table has none. */
const char *kafka_error_advice(rd_kafka_resp_err_t code);

/* Sets class, code (Kafka's name, as TOPIC_AUTHORIZATION_FAILED; librdkafka's own start with an
 * underscore), the text "<where>: <what the code means>", and the advice. Returns false. */
bool kafka_error_set(struct error *err, rd_kafka_resp_err_t code, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* "kafka: <who> does not start": what rd_kafka_new() refused. It names a property of librdkafka,
 * the advice our option. Returns false. */
bool kafka_error_no_start(struct error *err, const char *who, const char *reason);

#endif
