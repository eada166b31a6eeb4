#include "kafka/kafka_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct kafka_error_row {
    rd_kafka_resp_err_t code;
    const char *name; /* our code for it; NULL = librdkafka's */
    enum error_class class;
    const char *advice;
};

static const struct kafka_error_row rows[] = {
#define KAFKA_ERROR(code, name, class, advice) { RD_KAFKA_RESP_ERR_##code, name, class, advice },
#include "kafka/kafka_error.def"
#undef KAFKA_ERROR
};

static const struct kafka_error_row *row_of(rd_kafka_resp_err_t code)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].code == code)
            return &rows[i];
    return NULL;
}

enum error_class kafka_error_class(rd_kafka_resp_err_t code)
{
    const struct kafka_error_row *row = row_of(code);
    return row != NULL ? row->class : ERROR_RETRY;
}

const char *kafka_error_advice(rd_kafka_resp_err_t code)
{
    const struct kafka_error_row *row = row_of(code);
    return row != NULL ? row->advice : "";
}

bool kafka_error_set(struct error *err, rd_kafka_resp_err_t code, const char *format, ...)
{
    char where[ERROR_TEXT_SIZE];
    va_list values;
    va_start(values, format);
    vsnprintf(where, sizeof where, format, values);
    va_end(values);
    const struct kafka_error_row *row = row_of(code);
    const char *name = row != NULL && row->name != NULL ? row->name : rd_kafka_err2name(code);
    error_set(err, kafka_error_class(code), name, "%s: %s", where, rd_kafka_err2str(code));
    const char *advice = kafka_error_advice(code);
    return advice[0] == '\0' ? false : error_advise(err, "%s", advice);
}

bool kafka_error_no_start(struct error *err, const char *who, const char *reason)
{
    (void)kafka_error_set(err, rd_kafka_last_error(), "kafka: %s does not start: %s", who, reason);
    if (strstr(reason, "ssl.ca.") == NULL)
        return false;
    return error_advise(err, "kafka.rootCA and kafka.interCA must hold certificates in PEM, whole");
}
