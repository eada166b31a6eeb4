/* What the connector says about the producer, and how it becomes librdkafka's configuration.
 *
 * A table in producer_options.c maps each field to a librdkafka property; `properties` are passed
 * through after a deny list (producer_denied.def) was applied: callbacks, plug-ins, and what
 * delivery depends on. `property_files` are the same with the value in a file, and win.
 * secure_options.h has what is about TLS and the login. */
#ifndef KAFKA_PRODUCER_OPTIONS_H
#define KAFKA_PRODUCER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/check.h"
#include "base/error.h"
#include "kafka/response.h"

struct producer_property {
    const char *name;
    const char *value;
};

struct producer_options {
    const char *brokers;   /* comma-separated */
    const char *client_id; /* NULL = librdkafka's */
    int required_acks;     /* -1, 0, 1; not -1: idempotence off, one request in flight */
    int64_t batch_records;
    int64_t batch_bytes;
    int64_t linger_ms;
    int64_t read_timeout_ms, write_timeout_ms; /* socket.timeout.ms = the larger of the two */
    int64_t metadata_ttl_ms;
    const char *compression; /* none gzip snappy lz4 zstd */
    const char *balancer;    /* a name of partitioner.h */
    bool allow_auto_topic_creation;
    int64_t in_flight_bytes; /* our cap, see delivery.h */
    int64_t max_attempts;    /* 0 or INT64_MAX = without end */
    const struct producer_property *properties;
    uint32_t property_count;
    const struct producer_property *property_files; /* value: the file's path */
    uint32_t property_file_count;
    bool secure_connection;         /* SCRAM-SHA-512 over TLS: secure_options.h */
    const char *root_ca, *inter_ca; /* PEM text, or the path of a file; NULL = none */
    const char *scram_username;     /* NULL = none, as the two below */
    const char *scram_password;
    const char *scram_password_file; /* wins */
    response_fn *respond;            /* told what becomes of each record; NULL: nobody asks */
    void *respond_self;
};

/* A configuration ready for rd_kafka_new(): the caller owns it. Errors are ERROR_CONFIG, name the
 * property, say why, and never hold a value of a secret property. */
MUST_CHECK bool producer_options_build(const struct producer_options *options,
                                       rd_kafka_conf_t **out_conf, struct error *err);

/* All such errors, for a configuration check: each is reported; true = there is none. Files that
 * properties name are not opened; those of options of ours are. */
typedef void producer_options_report_fn(void *self, const struct error *problem);
bool producer_options_check(const struct producer_options *options,
                            producer_options_report_fn *report, void *self);

/* Reads all files of options of ours once more into what was built: before each further producer.
 */
MUST_CHECK bool producer_options_read_files(const struct producer_options *options,
                                            rd_kafka_conf_t *conf, struct error *err);

/* Who logs in: sasl.username; "" = that is not said. */
void producer_options_user(const rd_kafka_conf_t *conf, char *out_user, size_t size);
/* The command that lets the user write to the topic, for the caller to free. User "" and topic NULL
 * stay open. */
char *producer_options_rights(const char *brokers, const char *user, const char *topic,
                              bool create);

/* How large a record may be on the wire: message.max.bytes. */
int64_t producer_options_message_max_bytes(const rd_kafka_conf_t *conf);

#endif
