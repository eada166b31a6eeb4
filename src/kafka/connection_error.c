#include "kafka/connection_error.h"

#include <string.h>

#include "kafka/kafka_error.h"

enum { SCRAM_MENDED_VERSION = 0x020601ff }; /* its pull request 4895 */

enum when { ALWAYS, WITHOUT_CERTIFICATE, IN_HANDSHAKE, OLD_SCRAM };

struct certificate_row {
    int verdict;
    const char *code, *what, *advice;
};

struct link_row {
    const char *part;
    enum when when;
    const char *code, *what, *advice; /* what NULL: as librdkafka says it */
};

static const struct certificate_row certificate_rows[] = {
#define CERTIFICATE_ERROR(verdict, code, what, advice) { verdict, code, what, advice },
#include "kafka/connection_error.def"
};

static const struct link_row link_rows[] = {
#define LINK_ERROR(part, when, code, what, advice) { part, when, code, what, advice },
#include "kafka/connection_error.def"
};

/* "ssl://host:port/id" before the first ": " */
static struct slice broker_of(const char *text)
{
    const char *end = strstr(text, ": ");
    return (struct slice){ text, end != NULL ? (size_t)(end - text) : 0 };
}

/* The broker as it is configured: without the protocol. */
static struct slice shown(struct slice broker)
{
    const char *scheme = memmem(broker.data, broker.size, "://", 3);
    if (scheme == NULL)
        return broker;
    size_t skipped = (size_t)(scheme - broker.data) + 3;
    return (struct slice){ broker.data + skipped, broker.size - skipped };
}

/* "host:port" of "ssl://host:port/id" */
static struct slice address_of(struct slice broker)
{
    struct slice address = shown(broker);
    const char *slash = memchr(address.data, '/', address.size);
    if (slash != NULL)
        address.size = (size_t)(slash - address.data);
    return address;
}

static bool set_certificate(struct error *err, rd_kafka_resp_err_t code, struct slice broker,
                            int verdict)
{
    static const struct certificate_row unknown = { 0, "certificate_refused", "OpenSSL refuses it",
                                                    "Look at it with: openssl s_client -connect." };
    const struct certificate_row *row = &unknown;
    for (size_t i = 0; i < COUNT_OF(certificate_rows); i++)
        if (certificate_rows[i].verdict == verdict)
            row = &certificate_rows[i];
    error_set(err, kafka_error_class(code), row->code,
              "kafka: %.*s: the broker's certificate is refused: %s (OpenSSL's verdict %d)",
              SLICE_ARGS(shown(broker)), row->what, verdict);
    return error_advise(err, "%s", row->advice);
}

static bool applies(enum when when, const char *text, const struct tls_watch *watch)
{
    switch (when) {
    case ALWAYS:
        return true;
    case WITHOUT_CERTIFICATE:
        return watch != NULL && !tls_watch_has_certificate(watch);
    case IN_HANDSHAKE:
        return strstr(text, "in state SSL_HANDSHAKE") != NULL;
    case OLD_SCRAM:
        return strstr(text, "SCRAM") != NULL && rd_kafka_version() < SCRAM_MENDED_VERSION;
    }
    return false;
}

static const struct link_row *find_link(const char *text, const struct tls_watch *watch)
{
    for (size_t i = 0; i < COUNT_OF(link_rows); i++)
        if (strstr(text, link_rows[i].part) != NULL && applies(link_rows[i].when, text, watch))
            return &link_rows[i];
    return NULL;
}

bool connection_error_set(struct error *err, rd_kafka_resp_err_t code, const char *text,
                          struct tls_watch *watch)
{
    struct slice broker = broker_of(text);
    int verdict = watch != NULL && strstr(text, "certificate verify failed") != NULL
                      ? tls_watch_verdict(watch, address_of(broker))
                      : 0;
    if (verdict != 0)
        return set_certificate(err, code, broker, verdict);
    const struct link_row *row = find_link(text, watch);
    if (row == NULL)
        return kafka_error_set(err, code, "kafka: %s", text);
    if (row->what != NULL)
        error_set(err, kafka_error_class(code), row->code, "kafka: %.*s: %s",
                  SLICE_ARGS(shown(broker)), row->what);
    else
        error_set(err, kafka_error_class(code), row->code, "kafka: %.*s%s",
                  SLICE_ARGS(shown(broker)), text + broker.size);
    return error_advise(err, "%s", row->advice);
}

bool connection_error_is_refusal(const struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(certificate_rows); i++)
        if (strcmp(err->code, certificate_rows[i].code) == 0)
            return true;
    for (size_t i = 0; i < COUNT_OF(link_rows); i++)
        if (strcmp(err->code, link_rows[i].code) == 0)
            return true;
    return strcmp(err->code, "_AUTHENTICATION") == 0;
}
