#include "kafka/tls_watch.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { BROKER_SIZE = 300, BROKERS_MAX = 64 };

struct verdict {
    char broker[BROKER_SIZE];
    int error;
};

struct tls_watch {
    bool has_certificate;
    pthread_mutex_t lock;
    struct verdict verdicts[BROKERS_MAX]; /* the oldest makes place */
    uint32_t count, next;
};

struct tls_watch *tls_watch_new(void)
{
    struct tls_watch *watch = memory_alloc(sizeof *watch);
    CHECK(pthread_mutex_init(&watch->lock, NULL) == 0);
    return watch;
}

void tls_watch_free(struct tls_watch *watch)
{
    if (watch == NULL)
        return;
    pthread_mutex_destroy(&watch->lock);
    memory_free(watch);
}

static struct verdict *find(struct tls_watch *watch, struct slice broker)
{
    for (uint32_t i = 0; i < watch->count; i++)
        if (slice_is(broker, watch->verdicts[i].broker))
            return &watch->verdicts[i];
    return NULL;
}

static void keep(struct tls_watch *watch, const char *broker, int error)
{
    pthread_mutex_lock(&watch->lock);
    struct verdict *verdict = find(watch, slice_of(broker));
    if (verdict == NULL) {
        verdict = &watch->verdicts[watch->next];
        watch->next = (watch->next + 1) % BROKERS_MAX;
        watch->count += watch->count < BROKERS_MAX ? 1 : 0;
        snprintf(verdict->broker, sizeof verdict->broker, "%s", broker);
    }
    verdict->error = error;
    pthread_mutex_unlock(&watch->lock);
}

/* Called with *error = 0 for what is in order. */
static int on_certificate(rd_kafka_t *handle UNUSED, const char *broker, int32_t broker_id UNUSED,
                          int *error, int depth UNUSED, const char *der UNUSED, size_t size UNUSED,
                          char *reason, size_t reason_size, void *opaque)
{
    if (*error == 0)
        return 1;
    keep(opaque, broker, *error);
    snprintf(reason, reason_size, "OpenSSL's verdict is %d", *error);
    return 0;
}

static bool is_set(const rd_kafka_conf_t *conf, const char *property)
{
    size_t size = 0;
    return rd_kafka_conf_get(conf, property, NULL, &size) == RD_KAFKA_CONF_OK && size > 1;
}

static bool verifies(const rd_kafka_conf_t *conf)
{
    char text[16] = "";
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, "enable.ssl.certificate.verification", text, &size) ==
               RD_KAFKA_CONF_OK &&
           strcmp(text, "true") == 0;
}

void tls_watch_install(struct tls_watch *watch, rd_kafka_conf_t *conf)
{
    watch->has_certificate = is_set(conf, "ssl.certificate.location") ||
                             is_set(conf, "ssl.certificate.pem") ||
                             is_set(conf, "ssl.keystore.location");
    if (!verifies(conf))
        return;
    rd_kafka_conf_set_opaque(conf, watch);
    /* A librdkafka without TLS refuses it, and security.protocol as well. */
    (void)rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
}

int tls_watch_verdict(struct tls_watch *watch, struct slice broker)
{
    pthread_mutex_lock(&watch->lock);
    const struct verdict *verdict = find(watch, broker);
    int error = verdict != NULL ? verdict->error : 0;
    pthread_mutex_unlock(&watch->lock);
    return error;
}

bool tls_watch_has_certificate(const struct tls_watch *watch)
{
    return watch->has_certificate;
}
