/* TLS and the login by options of ours: kafka.secureConnection (SCRAM-SHA-512 over TLS) with
 * kafka.scram*, and the authorities of kafka.rootCA and kafka.interCA, which count for every
 * connection with TLS. They become properties of librdkafka; kafka.properties must not say
 * otherwise. The broker's host name is verified by librdkafka's default, which nothing here
 * changes.
 */
#ifndef KAFKA_SECURE_OPTIONS_H
#define KAFKA_SECURE_OPTIONS_H

#include "kafka/producer_options.h"

/* Reports everything that contradicts or is missing; returns how much that was. Opens no file. */
uint32_t secure_options_check(const struct producer_options *options,
                              producer_options_report_fn *report, void *self);

/* Sets the properties; files are read, also when it is called again with the same `conf`. Of an
 * authority alone that is a file librdkafka is told the path, and reads it for each producer. */
MUST_CHECK bool secure_options_apply(const struct producer_options *options, rd_kafka_conf_t *conf,
                                     struct error *err);

/* True for PEM text, false for a path. NULL allowed. */
bool secure_options_is_pem(const char *authority);

#endif
