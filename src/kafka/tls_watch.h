/* What TLS found out about the brokers of one librdkafka instance: why a certificate is refused.
 * librdkafka itself says only that it could not be verified.
 *
 * It is asked about each certificate (rdkafka.h: rd_kafka_conf_set_ssl_cert_verify_cb()) on the
 * thread of the broker, and leaves OpenSSL's verdict as it is. Any thread may look. */
#ifndef KAFKA_TLS_WATCH_H
#define KAFKA_TLS_WATCH_H

#include <stdbool.h>

#include <librdkafka/rdkafka.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/slice.h"

struct tls_watch;

struct tls_watch *tls_watch_new(void);
void tls_watch_free(struct tls_watch *watch); /* after rd_kafka_destroy(); NULL allowed */
CLEANUP_POINTER(struct tls_watch, tls_watch_free)

/* Before rd_kafka_new() with that configuration, whose opaque it becomes. Without effect where
 * certificates are not verified. */
void tls_watch_install(struct tls_watch *watch, rd_kafka_conf_t *conf);

/* OpenSSL's error (X509_V_ERR_...) at the last refusal of a certificate of that broker,
 * "host:port"; 0 = none was refused. */
int tls_watch_verdict(struct tls_watch *watch, struct slice broker);

/* Whether this client has a certificate of its own to show. */
bool tls_watch_has_certificate(const struct tls_watch *watch);

#endif
