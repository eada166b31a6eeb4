#include "kafka/producer_options.h"

#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "kafka/delivery.h"
#include "kafka/partitioner.h"
#include "kafka/secure_options.h"

enum {
    IN_FLIGHT_REQUESTS_MAX = 5, /* what brokers keep to recognise a repeated batch */
    METADATA_AGE_FACTOR = 3,    /* librdkafka's own ratio of age to refresh */
    METADATA_AGE_MAX_MS = 86400000,
    REASON_SIZE = 512,
};

/* Our fields and what follows from them, ready for the table below. */
struct settings {
    const char *brokers, *client_id, *compression;
    int64_t acks, in_flight_requests, attempts_more;
    int64_t batch_records, batch_bytes, linger_ms;
    int64_t queue_kbytes, queue_records;
    int64_t socket_timeout_ms, metadata_refresh_ms, metadata_age_ms;
    int64_t zero;
    bool idempotent, auto_create, on;
};

enum setting_kind { SETTING_TEXT, SETTING_NUMBER, SETTING_FLAG };

struct setting {
    const char *property;
    enum setting_kind kind;
    size_t offset;
};

#define TEXT(property, field)                                                                      \
    {                                                                                              \
        property, SETTING_TEXT, offsetof(struct settings, field)                                   \
    }
#define NUMBER(property, field)                                                                    \
    {                                                                                              \
        property, SETTING_NUMBER, offsetof(struct settings, field)                                 \
    }
#define FLAG(property, field)                                                                      \
    {                                                                                              \
        property, SETTING_FLAG, offsetof(struct settings, field)                                   \
    }

static const struct setting settings_table[] = {
    TEXT("bootstrap.servers", brokers),
    TEXT("client.id", client_id),
    TEXT("compression.codec", compression),
    NUMBER("acks", acks),
    NUMBER("max.in.flight.requests.per.connection", in_flight_requests),
    NUMBER("message.send.max.retries", attempts_more),
    FLAG("enable.idempotence", idempotent),
    /* Else the records behind a refused one are written while we still learn of the refusal. */
    FLAG("enable.gapless.guarantee", idempotent),
    NUMBER("message.timeout.ms", zero), /* never */
    NUMBER("batch.num.messages", batch_records),
    NUMBER("batch.size", batch_bytes),
    NUMBER("linger.ms", linger_ms),
    NUMBER("queue.buffering.max.kbytes", queue_kbytes),
    NUMBER("queue.buffering.max.messages", queue_records),
    NUMBER("sticky.partitioning.linger.ms", zero), /* else null keys bypass our partitioner */
    NUMBER("socket.timeout.ms", socket_timeout_ms),
    FLAG("socket.keepalive.enable", on),
    FLAG("socket.nagle.disable", on),
    NUMBER("topic.metadata.refresh.interval.ms", metadata_refresh_ms),
    NUMBER("metadata.max.age.ms", metadata_age_ms),
    FLAG("allow.auto.create.topics", auto_create),
    FLAG("log.queue", on),
};

#undef TEXT
#undef NUMBER
#undef FLAG

/* Better than librdkafka's defaults; kafka.properties may say otherwise. */
static const struct producer_property defaults[] = {
    { "reconnect.backoff.max.ms", "2000" }, /* not 10 s more after an outage ended */
    { "topic.metadata.propagation.max.ms",
      "5000" }, /* a missing topic is said after 5 s, not 30 s */
    { "ssl.endpoint.identification.algorithm", "https" }, /* whatever the library's default is */
};

static const struct {
    const char *pattern;
    const char *why;
} denied[] = {
#define PRODUCER_DENIED(pattern, why) { pattern, why },
#include "kafka/producer_denied.def"
#undef PRODUCER_DENIED
};

CLEANUP_POINTER(rd_kafka_conf_t, rd_kafka_conf_destroy)

#define OPTION_PROPERTIES "kafka.properties"
#define OPTION_FILES      "kafka.propertyFiles"

static bool looks_secret(const char *property)
{
    static const char *const parts[] = { "password", "secret", ".pem", "token",    "jaas",
                                         "config",   "key",    "jwt",  "assertion" };
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (strstr(property, parts[i]) != NULL)
            return true;
    return false;
}

/* The first column of librdkafka's own table, one name a line; those that are denied are left out,
 * so that none of them is proposed. */
static size_t known_properties(char *table, const char **out_names, size_t names_max)
{
    size_t count = 0;
    char *rest = table;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        size_t size = strcspn(line, " |");
        if (size == 0 || line[size] != ' ' || strchr("#-P", line[0]) != NULL || count == names_max)
            continue;
        line[size] = '\0';
        bool is_denied = false;
        for (size_t i = 0; i < COUNT_OF(denied); i++)
            is_denied = is_denied || fnmatch(denied[i].pattern, line, 0) == 0;
        if (!is_denied)
            out_names[count++] = line;
    }
    return count;
}

static bool unknown_property(const char *option, const char *name, struct error *err)
{
    enum { NAMES_MAX = 512 };
    error_set(err, ERROR_CONFIG, "property_unknown", "%s: librdkafka has no property \"%s\"",
              option, name);
    char *table = NULL;
    size_t table_size = 0;
    FILE *stream = open_memstream(&table, &table_size);
    if (stream == NULL)
        return false;
    rd_kafka_conf_properties_show(stream);
    if (fclose(stream) == 0) {
        const char *names[NAMES_MAX];
        const char *nearest = text_nearest(name, names, known_properties(table, names, NAMES_MAX));
        if (nearest != NULL)
            error_advise(err, "did you mean \"%s\"?", nearest);
    }
    free(table);
    return false;
}

/* librdkafka's reasons quote the value, so they are not repeated where it may be a secret. */
static bool set_property(rd_kafka_conf_t *conf, const struct producer_property *property,
                         struct error *err)
{
    char reason[REASON_SIZE];
    switch (rd_kafka_conf_set(conf, property->name, property->value, reason, sizeof reason)) {
    case RD_KAFKA_CONF_OK:
        return true;
    case RD_KAFKA_CONF_UNKNOWN:
        return unknown_property(OPTION_PROPERTIES, property->name, err);
    case RD_KAFKA_CONF_INVALID:
        break;
    }
    return error_set(err, ERROR_CONFIG, "property_invalid", OPTION_PROPERTIES ": \"%s\": %s",
                     property->name,
                     looks_secret(property->name) ? "librdkafka refuses the value" : reason);
}

static bool read_property(rd_kafka_conf_t *conf, const struct producer_property *file,
                          struct error *err)
{
    AUTO(char *, secret_free_p) value = NULL;
    struct error unreadable = ERROR_INIT;
    if (!secret_read(file->value, &value, &unreadable)) {
        error_set(err, unreadable.class, unreadable.code, OPTION_FILES ": \"%s\": %s", file->name,
                  unreadable.text);
        return error_advise(err, "%s", unreadable.advice);
    }
    switch (rd_kafka_conf_set(conf, file->name, value, NULL, 0)) {
    case RD_KAFKA_CONF_OK:
        return true;
    case RD_KAFKA_CONF_UNKNOWN:
        return unknown_property(OPTION_FILES, file->name, err);
    case RD_KAFKA_CONF_INVALID:
        break;
    }
    return error_set(err, ERROR_CONFIG, "property_invalid",
                     OPTION_FILES ": \"%s\": librdkafka refuses what \"%s\" holds", file->name,
                     file->value);
}

static bool set_own(rd_kafka_conf_t *conf, const struct setting *setting,
                    const struct settings *settings, struct error *err)
{
    const char *field = (const char *)settings + setting->offset;
    char number[32];
    const char *value = NULL;
    switch (setting->kind) {
    case SETTING_TEXT:
        memcpy(&value, field, sizeof value);
        break;
    case SETTING_NUMBER:
        snprintf(number, sizeof number, "%lld", (long long)*(const int64_t *)(const void *)field);
        value = number;
        break;
    case SETTING_FLAG:
        value = *(const bool *)field ? "true" : "false";
        break;
    }
    char reason[REASON_SIZE];
    if (value == NULL || rd_kafka_conf_set(conf, setting->property, value, reason, sizeof reason) ==
                             RD_KAFKA_CONF_OK)
        return true;
    return error_set(err, ERROR_CONFIG, "option_invalid", "kafka: %s: %s", setting->property,
                     reason);
}

static bool is_allowed(const char *option, const char *property, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(denied); i++)
        if (fnmatch(denied[i].pattern, property, 0) == 0)
            return error_set(err, ERROR_CONFIG, "property_denied", "%s: \"%s\" cannot be set: %s",
                             option, property, denied[i].why);
    return true;
}

static bool unknown_balancer(const char *balancer, struct error *err)
{
    AUTO(struct buf, buf_done) names = buf_init(ERROR_ADVICE_SIZE);
    for (size_t i = 0; partitioner_name(i) != NULL; i++)
        buf_append_format(&names, "%s%s", i == 0 ? "" : ", ", partitioner_name(i));
    error_set(err, ERROR_CONFIG, "balancer_unknown", "kafka.balancer: there is no \"%s\"",
              balancer);
    return error_advise(err, "use one of %s", buf_text(&names));
}

/* Where problems go. */
struct reporter {
    producer_options_report_fn *report;
    void *self;
    uint32_t count;
};

static void expect(struct reporter *to, bool well, const struct error *problem)
{
    if (well)
        return;
    to->count++;
    to->report(to->self, problem);
}

static void check_fields(const struct producer_options *options, struct reporter *to)
{
    struct error err = ERROR_INIT;
    if (options->brokers == NULL || options->brokers[0] == '\0')
        expect(to, error_set(&err, ERROR_CONFIG, "brokers_missing", "kafka.brokers is empty"),
               &err);
    if (options->required_acks < -1 || options->required_acks > 1)
        expect(to,
               error_set(&err, ERROR_CONFIG, "acks_invalid",
                         "kafka.requiredAcks: %d is none of -1, 0, 1", options->required_acks),
               &err);
    if (options->in_flight_bytes <= 0)
        expect(to,
               error_set(&err, ERROR_CONFIG, "in_flight_invalid",
                         "kafka.maxInFlightBytes must be above 0"),
               &err);
    if (options->balancer == NULL || partitioner_find(options->balancer) == NULL)
        expect(to, unknown_balancer(options->balancer == NULL ? "" : options->balancer, &err),
               &err);
}

int64_t producer_options_message_max_bytes(const rd_kafka_conf_t *conf)
{
    char text[32];
    size_t size = sizeof text;
    int64_t bytes = 0;
    CHECK(rd_kafka_conf_get(conf, "message.max.bytes", text, &size) == RD_KAFKA_CONF_OK);
    CHECK(text_parse_i64(text, &bytes));
    return bytes;
}

void producer_options_user(const rd_kafka_conf_t *conf, char *out_user, size_t size)
{
    size_t room = size;
    if (rd_kafka_conf_get(conf, "sasl.username", out_user, &room) != RD_KAFKA_CONF_OK ||
        room > size)
        out_user[0] = '\0';
}

char *producer_options_rights(const char *brokers, const char *user, const char *topic, bool create)
{
    return text_format("kafka-acls.sh --bootstrap-server %s --add --allow-principal 'User:%s' "
                       "--operation Write --operation Describe%s --topic %s",
                       brokers, user[0] != '\0' ? user : "<user>",
                       create ? " --operation Create" : "", topic != NULL ? topic : "<topic>");
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* librdkafka's queue stands above our cap by the largest record, which goes alone, and by a batch,
 * which it frees only when all of its reports were read: so our cap is the one that is met. */
static struct settings derive(const struct producer_options *options, int64_t message_max_bytes)
{
    bool idempotent = options->required_acks == -1;
    int64_t batch_bytes = clamp(options->batch_bytes, 1, message_max_bytes);
    int64_t attempts = options->max_attempts == 0 ? INT64_MAX : options->max_attempts;
    int64_t queue_bytes = options->in_flight_bytes + message_max_bytes + batch_bytes;
    return (struct settings){
        .brokers = options->brokers,
        .client_id = options->client_id,
        .compression = options->compression,
        .acks = options->required_acks,
        .idempotent = idempotent,
        .in_flight_requests = idempotent ? IN_FLIGHT_REQUESTS_MAX : 1,
        .attempts_more = clamp(attempts - 1, idempotent ? 1 : 0, INT32_MAX),
        .batch_records = options->batch_records,
        .batch_bytes = batch_bytes,
        .linger_ms = options->linger_ms,
        .queue_kbytes = clamp(queue_bytes / 1024 + 1, 1, INT32_MAX),
        .queue_records =
            clamp(options->in_flight_bytes / DELIVERY_RECORD_COST + options->batch_records + 1, 1,
                  INT32_MAX),
        .socket_timeout_ms = options->read_timeout_ms > options->write_timeout_ms
                                 ? options->read_timeout_ms
                                 : options->write_timeout_ms,
        .metadata_refresh_ms = options->metadata_ttl_ms,
        .metadata_age_ms =
            clamp(options->metadata_ttl_ms * METADATA_AGE_FACTOR, 1, METADATA_AGE_MAX_MS),
        .auto_create = options->allow_auto_topic_creation,
        .on = true,
    };
}

static void apply(const struct producer_options *options, rd_kafka_conf_t *conf,
                  struct reporter *to)
{
    struct error err = ERROR_INIT;
    check_fields(options, to);
    for (size_t i = 0; i < COUNT_OF(defaults); i++)
        expect(to, set_property(conf, &defaults[i], &err), &err);
    for (uint32_t i = 0; i < options->property_count; i++)
        expect(to,
               is_allowed(OPTION_PROPERTIES, options->properties[i].name, &err) &&
                   set_property(conf, &options->properties[i], &err),
               &err);
    for (uint32_t i = 0; i < options->property_file_count; i++)
        expect(to,
               is_allowed(OPTION_FILES, options->property_files[i].name, &err) &&
                   read_property(conf, &options->property_files[i], &err),
               &err);
    to->count += secure_options_check(options, to->report, to->self);
    expect(to, secure_options_apply(options, conf, &err), &err);
    struct settings settings = derive(options, producer_options_message_max_bytes(conf));
    for (size_t i = 0; i < COUNT_OF(settings_table); i++)
        expect(to, set_own(conf, &settings_table[i], &settings, &err), &err);
}

bool producer_options_read_files(const struct producer_options *options, rd_kafka_conf_t *conf,
                                 struct error *err)
{
    for (uint32_t i = 0; i < options->property_file_count; i++)
        if (!read_property(conf, &options->property_files[i], err))
            return false;
    return secure_options_apply(options, conf, err);
}

bool producer_options_check(const struct producer_options *options,
                            producer_options_report_fn *report, void *self)
{
    AUTO(rd_kafka_conf_t *, rd_kafka_conf_destroy_p) conf = rd_kafka_conf_new();
    struct reporter to = { report, self, 0 };
    apply(options, conf, &to);
    return to.count == 0;
}

static void keep_first(void *self, const struct error *problem)
{
    struct error *first = self;
    if (first->class == ERROR_NONE)
        *first = *problem;
}

bool producer_options_build(const struct producer_options *options, rd_kafka_conf_t **out_conf,
                            struct error *err)
{
    AUTO(rd_kafka_conf_t *, rd_kafka_conf_destroy_p) conf = rd_kafka_conf_new();
    struct error first = ERROR_INIT;
    struct reporter to = { keep_first, &first, 0 };
    apply(options, conf, &to);
    if (to.count > 0) {
        if (err != NULL)
            *err = first;
        return false;
    }
    *out_conf = TAKE(conf);
    return true;
}
