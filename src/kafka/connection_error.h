/* Why a broker cannot be reached, in words that tell what to do: where the cause is known
 * (connection_error.def), instead of what librdkafka says of it. */
#ifndef KAFKA_CONNECTION_ERROR_H
#define KAFKA_CONNECTION_ERROR_H

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "kafka/tls_watch.h"

/* Sets *err from an error event: its code and its text, "broker: reason". Class and, where no row
 * matches, code and advice are those of kafka_error.def. watch may be NULL. Returns false. */
bool connection_error_set(struct error *err, rd_kafka_resp_err_t code, const char *text,
                          struct tls_watch *watch);

/* Whether trying again is of no use before a person, or time, has changed something. */
bool connection_error_is_refusal(const struct error *err);

#endif
