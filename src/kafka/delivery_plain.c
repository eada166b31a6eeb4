#include "kafka/delivery_plain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "kafka/credential_files.h"
#include "kafka/janitor.h"
#include "kafka/kafka_error.h"
#include "kafka/notices.h"
#include "kafka/partitioner.h"
#include "kafka/producer.h"
#include "kafka/responses.h"

enum {
    FREE_WAIT_MS = 2000,  /* for producers that are still being destroyed */
    FILES_LOOK_MS = 1000, /* at credentials, while no broker is connected */
    REASON_SIZE = 512,
    USER_SIZE = 256,
};

/* Where the producer stands. */
enum health {
    HEALTH_WELL,
    HEALTH_REFUSING,  /* fatal by a refused record, whose report is still to come */
    HEALTH_LOST,      /* fatal, and told so */
    HEALTH_ABANDONED, /* what it still reports counts for nothing */
};

struct delivery_plain {
    struct delivery delivery;
    rd_kafka_conf_t *conf;           /* what each producer is made of */
    struct producer_options options; /* of which property_files are read for each producer */
    const struct partitioner *partitioner;
    int64_t message_max_bytes;
    int64_t batch_bytes; /* falls when a topic allows less */
    uint64_t cap_bytes;
    int wake_fd;
    struct producer *producer;
    struct janitor *janitor;
    enum health health;
    bool refused;            /* a REFUSED event of this producer was handed out */
    rd_kafka_event_t *event; /* reports that are read one by one */
    size_t event_records;    /* how many it began with */
    int64_t event_unix_us;
    bool cut_waits;
    uint64_t cut;
    struct credential_files files; /* as the producer has read them */
    mono_ms_t files_looked;
    uint32_t brokers_up; /* when it was looked last */
    bool connection_failed;
    struct notices notices;
    struct responses responses;
    struct error error; /* of the last event */
};

static struct delivery_plain *self_of(struct delivery *delivery)
{
    return (struct delivery_plain *)delivery;
}

static uint64_t in_flight(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Making producers. */

static bool make_producer(struct delivery_plain *plain, struct producer **out_producer,
                          struct error *err)
{
    AUTO(struct producer *, producer_free_p) producer = NULL;
    struct producer_setup setup = {
        .conf = plain->conf,
        .partitioner = plain->partitioner,
        .batch_bytes = plain->batch_bytes,
        .wake_fd = plain->wake_fd,
        .tagged = plain->responses.tell != NULL,
    };
    struct credential_files files = credential_files_look(&plain->options);
    if (!producer_options_read_files(&plain->options, plain->conf, err) ||
        !producer_new(&setup, &producer, err))
        return false;
    for (uint32_t i = 0; i < plain->delivery.topics.count; i++)
        if (!producer_topic_add(producer, topic_table_name(&plain->delivery.topics, i), err))
            return false;
    plain->files = files;
    *out_producer = TAKE(producer);
    return true;
}

static void drop_event(struct delivery_plain *plain)
{
    if (plain->event != NULL)
        rd_kafka_event_destroy(plain->event);
    plain->event = NULL;
}

static void free_producer(void *producer)
{
    producer_free(producer);
}

static void bury_producer(struct delivery_plain *plain)
{
    drop_event(plain);
    if (plain->producer == NULL)
        return;
    producer_retire(plain->producer);
    janitor_bury(plain->janitor, free_producer, TAKE(plain->producer));
}

static bool plain_rebuild(struct delivery *delivery, struct error *err)
{
    struct delivery_plain *plain = self_of(delivery);
    struct producer *producer = NULL;
    if (!make_producer(plain, &producer, err)) {
        /* What was in order before is so again soon: a file is being replaced. */
        if (err->class == ERROR_CONFIG)
            err->class = ERROR_RETRY;
        return false;
    }
    bury_producer(plain);
    plain->producer = producer;
    plain->health = HEALTH_WELL;
    plain->refused = false;
    plain->cut_waits = false;
    notices_restart(&plain->notices);
    delivery_count_none_in_flight(delivery);
    atomic_store_explicit(&delivery->stats.brokers_up, 0, memory_order_relaxed);
    return true;
}

static bool plain_topic(struct delivery *delivery, const char *name, uint32_t *out_topic,
                        struct error *err)
{
    struct delivery_plain *plain = self_of(delivery);
    uint32_t topic = 0;
    if (!topic_table_add(&delivery->topics, name, &topic, err))
        return false;
    /* More than one is missing when an earlier one failed here. */
    for (uint32_t i = producer_topic_count(plain->producer); i <= topic; i++)
        if (!producer_topic_add(plain->producer, topic_table_name(&delivery->topics, i), err))
            return false;
    *out_topic = topic;
    return true;
}

/* Sending. */

static bool too_large(const struct delivery_plain *plain, uint64_t size, const char *topic,
                      const char *limit, int64_t limit_bytes, struct error *err)
{
    char bytes[32] = "";
    if (limit_bytes > 0)
        snprintf(bytes, sizeof bytes, " = %lld", (long long)limit_bytes);
    error_set(err, ERROR_HALT, "record_too_large",
              "kafka: topic \"%s\": a record of %llu bytes is larger than %s%s allows", topic,
              (unsigned long long)size, limit, bytes);
    return error_advise(err,
                        "Raise message.max.bytes in kafka.properties (now %lld) and the topic's "
                        "max.message.bytes above the record's size, or keep large columns out with "
                        "cdc.publication.tables[].columns.",
                        (long long)plain->message_max_bytes);
}

/* The command that gives the rights that are missing, for the same without names. topic NULL: it
 * is not known which. */
static void advise_rights(const struct delivery_plain *plain, const char *topic, struct error *err)
{
    char user[USER_SIZE];
    producer_options_user(plain->conf, user, sizeof user);
    AUTO(char *, memory_free_p)
    command = producer_options_rights(plain->options.brokers, user, topic,
                                      plain->options.allow_auto_topic_creation);
    err->advice[0] = '\0';
    error_advise(err, "Allow it by: %s", command);
}

static enum delivery_send refuse_to_send(struct delivery_plain *plain, const struct record *record,
                                         rd_kafka_resp_err_t code, struct error *err)
{
    const char *topic = topic_table_name(&plain->delivery.topics, record->topic);
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        too_large(plain, record->key.size + record->value.size, topic, "message.max.bytes",
                  plain->message_max_bytes, err);
    else
        kafka_error_set(err, code, "kafka: topic \"%s\"", topic);
    if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        advise_rights(plain, topic, err);
    if (plain->responses.tell != NULL && err->class == ERROR_HALT)
        responses_refused(&plain->responses, record, topic, err);
    return DELIVERY_FAILED;
}

static enum delivery_send send_unwell(const struct delivery_plain *plain, struct error *err)
{
    if (plain->health == HEALTH_REFUSING)
        return DELIVERY_FULL;
    error_set(err, ERROR_RECONNECT, "producer_gone",
              "kafka: the producer was %s and not yet rebuilt",
              plain->health == HEALTH_LOST ? "lost" : "abandoned");
    return DELIVERY_FAILED;
}

static enum delivery_send plain_send(struct delivery *delivery, const struct record *record,
                                     ticket_t ticket, struct error *err)
{
    struct delivery_plain *plain = self_of(delivery);
    if (UNLIKELY(plain->health != HEALTH_WELL))
        return send_unwell(plain, err);
    uint64_t cost = delivery_record_cost(record);
    if (plain->cut_waits || (in_flight(&delivery->stats.in_flight_records) > 0 &&
                             in_flight(&delivery->stats.in_flight_bytes) + cost > plain->cap_bytes))
        return DELIVERY_FULL;
    rd_kafka_resp_err_t code = producer_send(plain->producer, record, ticket);
    if (LIKELY(code == RD_KAFKA_RESP_ERR_NO_ERROR)) {
        delivery_count_sent(delivery, record, cost);
        return DELIVERY_OK;
    }
    /* FATAL: an event that says more is on its way. */
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL || code == RD_KAFKA_RESP_ERR__FATAL)
        return DELIVERY_FULL;
    return refuse_to_send(plain, record, code, err);
}

static void plain_cut(struct delivery *delivery, uint64_t cut, struct slice progress UNUSED)
{
    struct delivery_plain *plain = self_of(delivery);
    plain->cut_waits = true;
    plain->cut = cut;
}

/* Events. */

/* A refused batch of several records says nothing about each of them: the next producer's batches
 * are at most half as large, down to single records. */
static bool batch_too_large(struct delivery_plain *plain, const rd_kafka_message_t *message,
                            const char *topic)
{
    int64_t batch = (int64_t)((message->len + message->key_len) * plain->event_records);
    int64_t limit = (batch < plain->batch_bytes ? batch : plain->batch_bytes) / 2;
    plain->batch_bytes = limit > 1 ? limit : 1;
    return error_set(&plain->error, ERROR_RETRY, "batch_too_large",
                     "kafka: topic \"%s\": a batch of %zu records is larger than the topic's "
                     "max.message.bytes allows; batches are kept below %lld bytes from now on",
                     topic, plain->event_records, (long long)plain->batch_bytes);
}

static void describe_refusal(struct delivery_plain *plain, const rd_kafka_message_t *message,
                             const char *topic)
{
    char partition[32] = ""; /* none was chosen when the topic itself is refused */
    if (message->partition != RD_KAFKA_PARTITION_UA)
        snprintf(partition, sizeof partition, ", partition %d", (int)message->partition);
    if (message->err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        kafka_error_set(&plain->error, message->err, "kafka: topic \"%s\"%s", topic, partition);
    else if (plain->event_records > 1)
        batch_too_large(plain, message, topic);
    else
        too_large(plain, message->len + message->key_len, topic, "the topic's max.message.bytes", 0,
                  &plain->error);
    if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        advise_rights(plain, topic, &plain->error);
}

static bool lose(struct delivery_plain *plain, rd_kafka_resp_err_t code, const char *reason,
                 struct delivery_event *out_event)
{
    if (plain->health == HEALTH_LOST || plain->health == HEALTH_ABANDONED)
        return false;
    plain->health = HEALTH_LOST;
    kafka_error_set(&plain->error, code, "kafka: the producer failed: %s", reason);
    if (plain->error.class != ERROR_HALT && plain->error.class != ERROR_CONFIG)
        plain->error.class = ERROR_RECONNECT;
    if (code == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
        code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        advise_rights(
            plain,
            plain->delivery.topics.count == 1 ? topic_table_name(&plain->delivery.topics, 0) : NULL,
            &plain->error);
    *out_event = (struct delivery_event){ .kind = DELIVERY_LOST, .err = &plain->error };
    return true;
}

/* A refusal is fatal to the producer (gapless), but the refusal is the news. */
static bool on_fatal(struct delivery_plain *plain, struct delivery_event *out_event)
{
    char reason[REASON_SIZE];
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!producer_fatal(plain->producer, &code, reason, sizeof reason))
        return false;
    if (code != RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE)
        return lose(plain, code, reason, out_event);
    if (plain->health == HEALTH_WELL)
        plain->health = HEALTH_REFUSING;
    return false;
}

static void respond(struct delivery_plain *plain, const rd_kafka_message_t *message,
                    const struct error *err)
{
    if (UNLIKELY(plain->responses.tell != NULL))
        responses_tell(&plain->responses, message,
                       topic_table_name(&plain->delivery.topics, producer_message_topic(message)),
                       producer_origin(plain->producer, message), err);
}

static bool on_failed_report(struct delivery_plain *plain, const rd_kafka_message_t *message,
                             struct delivery_event *out_event)
{
    if (plain->health == HEALTH_ABANDONED || plain->health == HEALTH_LOST ||
        message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return false;
    if (on_fatal(plain, out_event))
        return true;
    uint32_t topic = producer_message_topic(message);
    describe_refusal(plain, message, topic_table_name(&plain->delivery.topics, topic));
    if (plain->error.class == ERROR_HALT || plain->error.class == ERROR_CONFIG)
        respond(plain, message, &plain->error); /* else it comes again */
    delivery_count_refused(&plain->delivery);
    topic_table_count_refused(&plain->delivery.topics, topic);
    plain->refused = true;
    *out_event = (struct delivery_event){
        .kind = DELIVERY_REFUSED,
        .ticket = producer_ticket(plain->producer, message),
        .topic = topic,
        .err = &plain->error,
    };
    return true;
}

static bool on_live_report(struct delivery_plain *plain, const rd_kafka_message_t *message,
                           struct delivery_event *out_event)
{
    if (UNLIKELY(plain->health == HEALTH_ABANDONED))
        return false;
    delivery_count_settled(&plain->delivery, DELIVERY_RECORD_COST + message->len +
                                                 message->key_len +
                                                 producer_message_header_cost(message));
    if (UNLIKELY(message->err != RD_KAFKA_RESP_ERR_NO_ERROR))
        return on_failed_report(plain, message, out_event);
    delivery_count_acked(&plain->delivery, plain->event_unix_us);
    topic_table_count_acked(&plain->delivery.topics, producer_message_topic(message));
    respond(plain, message, NULL);
    *out_event = (struct delivery_event){
        .kind = DELIVERY_ACKED,
        .ticket = producer_ticket(plain->producer, message),
    };
    return true;
}

static bool on_report(struct delivery_plain *plain, const rd_kafka_message_t *message,
                      struct delivery_event *out_event)
{
    bool came = on_live_report(plain, message, out_event);
    producer_reported(plain->producer, message);
    return came;
}

static mono_ms_t now(void)
{
    struct clock clock = clock_system();
    return clock_now(&clock);
}

/* What /status says agrees with what is told. */
static uint32_t look_at_brokers(struct delivery_plain *plain)
{
    uint32_t up = producer_brokers_up(plain->producer);
    atomic_store_explicit(&plain->delivery.stats.brokers_up, up, memory_order_relaxed);
    return up;
}

static bool note_if(struct delivery_plain *plain, bool told, struct delivery_event *out_event)
{
    if (told)
        *out_event = (struct delivery_event){ .kind = DELIVERY_NOTE, .err = &plain->error };
    return told;
}

static bool on_error(struct delivery_plain *plain, struct delivery_event *out_event)
{
    if (rd_kafka_event_error_is_fatal(plain->event) != 0)
        return on_fatal(plain, out_event);
    struct error error = ERROR_INIT;
    plain->connection_failed = true;
    producer_describe(plain->producer, rd_kafka_event_error(plain->event),
                      rd_kafka_event_error_string(plain->event), &error);
    return note_if(
        plain, notices_error(&plain->notices, &error, look_at_brokers(plain), now(), &plain->error),
        out_event);
}

static bool on_log(struct delivery_plain *plain, struct delivery_event *out_event)
{
    const char *facility = "", *text = "";
    int level = 0;
    return rd_kafka_event_log(plain->event, &facility, &text, &level) == 0 &&
           note_if(plain, notices_log(&plain->notices, facility, text, now(), &plain->error),
                   out_event);
}

/* True: an event of ours came out. Whatever it was, what is left of it stays in plain->event. */
static bool read_event(struct delivery_plain *plain, struct delivery_event *out_event)
{
    bool came = false;
    switch (rd_kafka_event_type(plain->event)) {
    case RD_KAFKA_EVENT_DR:
        for (const rd_kafka_message_t *message = rd_kafka_event_message_next(plain->event);
             message != NULL; message = rd_kafka_event_message_next(plain->event))
            if (on_report(plain, message, out_event))
                return true;
        break;
    case RD_KAFKA_EVENT_ERROR:
        came = on_error(plain, out_event);
        break;
    case RD_KAFKA_EVENT_LOG:
        came = on_log(plain, out_event);
        break;
    }
    drop_event(plain);
    return came;
}

/* The eventfd is read before the queue is looked at for the last time: what comes after that look
 * signals it again. */
static bool take_event(struct delivery_plain *plain)
{
    plain->event = producer_event(plain->producer);
    eventfd_t signals = 0;
    if (plain->event == NULL && eventfd_read(plain->wake_fd, &signals) == 0)
        plain->event = producer_event(plain->producer);
    if (plain->event == NULL)
        return false;
    struct clock clock = clock_system();
    plain->event_records = rd_kafka_event_message_count(plain->event);
    plain->event_unix_us = clock_wall_us(&clock);
    return true;
}

/* A refusal was announced and all is reported, but no report said it: then the producer is lost. */
static bool refusal_missing(struct delivery_plain *plain, struct delivery_event *out_event)
{
    return plain->health == HEALTH_REFUSING && !plain->refused &&
           in_flight(&plain->delivery.stats.in_flight_records) == 0 &&
           lose(plain, RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, "a record was refused", out_event);
}

static bool cut_done(struct delivery_plain *plain, struct delivery_event *out_event)
{
    if (!plain->cut_waits || plain->health != HEALTH_WELL ||
        in_flight(&plain->delivery.stats.in_flight_records) > 0)
        return false;
    plain->cut_waits = false;
    *out_event = (struct delivery_event){ .kind = DELIVERY_CUT, .cut = plain->cut };
    return true;
}

/* Whether it is time: a connection was lost or refused, or there is none. */
static bool files_due(struct delivery_plain *plain, uint32_t brokers_up)
{
    plain->connection_failed = plain->connection_failed || brokers_up < plain->brokers_up;
    plain->brokers_up = brokers_up;
    if (plain->health == HEALTH_REFUSING || (brokers_up > 0 && !plain->connection_failed) ||
        mono_ms_since(now(), plain->files_looked) < FILES_LOOK_MS)
        return false;
    plain->connection_failed = false;
    plain->files_looked = now();
    return true;
}

/* A login is renewed. Whether a new producer would start with anything else is only tried. */
static bool take_up_files(struct delivery_plain *plain, const struct credential_files *files,
                          struct error *err)
{
    if (!producer_options_read_files(&plain->options, plain->conf, err))
        return false;
    if (files->login != plain->files.login)
        producer_renew_login(plain->producer, plain->conf);
    plain->files.login = files->login;
    return files->rest == plain->files.rest || producer_rehearse(plain->conf, err);
}

static bool files_unfit(struct delivery_plain *plain, struct error *err,
                        struct delivery_event *out_event)
{
    error_prefix(err, "a file with credentials has changed, and is not used");
    return note_if(plain, notices_say(&plain->notices, err, now(), &plain->error), out_event);
}

/* Passwords and certificates that were changed meanwhile: brokers may not let this producer in any
 * more, which would try the old ones for ever; told until it is rebuilt. What is no use yet (half
 * of it is written, a key without its certificate) is looked at again. */
static bool files_changed(struct delivery_plain *plain, uint32_t brokers_up,
                          struct delivery_event *out_event)
{
    if (!files_due(plain, brokers_up))
        return false;
    struct credential_files files = credential_files_look(&plain->options);
    if (files.login == plain->files.login && files.rest == plain->files.rest)
        return false;
    struct error err = ERROR_INIT;
    if (!take_up_files(plain, &files, &err))
        return files_unfit(plain, &err, out_event);
    if (files.rest == plain->files.rest)
        return false;
    if (plain->health == HEALTH_WELL)
        plain->health = HEALTH_LOST;
    error_set(&plain->error, ERROR_RECONNECT, "credentials_changed",
              "kafka: a file with a certificate, a key or an authority has changed: a new producer "
              "takes it up");
    *out_event = (struct delivery_event){ .kind = DELIVERY_LOST, .err = &plain->error };
    return true;
}

static bool plain_next(struct delivery *delivery, struct delivery_event *out_event)
{
    struct delivery_plain *plain = self_of(delivery);
    while (plain->event != NULL || take_event(plain))
        if (read_event(plain, out_event))
            return true;
    uint32_t brokers_up = look_at_brokers(plain);
    return refusal_missing(plain, out_event) || cut_done(plain, out_event) ||
           files_changed(plain, brokers_up, out_event) ||
           note_if(plain, notices_look(&plain->notices, brokers_up, now(), &plain->error),
                   out_event);
}

static bool plain_reaches(const struct delivery *delivery)
{
    const struct delivery_plain *plain = (const struct delivery_plain *)delivery;
    return plain->producer != NULL && producer_brokers_reached(plain->producer) > 0;
}

static int plain_fd(const struct delivery *delivery)
{
    return ((const struct delivery_plain *)delivery)->wake_fd;
}

/* Ending. */

static void plain_abandon(struct delivery *delivery)
{
    struct delivery_plain *plain = self_of(delivery);
    producer_purge(plain->producer);
    plain->health = HEALTH_ABANDONED;
    plain->cut_waits = false;
    delivery_count_none_in_flight(delivery);
}

static bool plain_quiet(const struct delivery *delivery)
{
    return producer_quiet(((const struct delivery_plain *)delivery)->producer);
}

static void plain_free(struct delivery *delivery)
{
    struct delivery_plain *plain = self_of(delivery);
    bury_producer(plain);
    janitor_free(plain->janitor, FREE_WAIT_MS);
    responses_done(&plain->responses);
    topic_table_done(&delivery->topics);
    if (plain->wake_fd >= 0)
        close(plain->wake_fd);
    if (plain->conf != NULL)
        rd_kafka_conf_destroy(plain->conf);
    memory_free(plain);
}

static const struct delivery_ops plain_ops = {
    .topic = plain_topic,
    .send = plain_send,
    .cut = plain_cut,
    .next = plain_next,
    .rebuild = plain_rebuild,
    .abandon = plain_abandon,
    .quiet = plain_quiet,
    .fd = plain_fd,
    .reaches = plain_reaches,
    .free = plain_free,
};

static int64_t batch_bytes_of(const rd_kafka_conf_t *conf)
{
    char text[32];
    size_t size = sizeof text;
    int64_t bytes = 0;
    CHECK(rd_kafka_conf_get(conf, "batch.size", text, &size) == RD_KAFKA_CONF_OK);
    CHECK(text_parse_i64(text, &bytes));
    return bytes;
}

bool delivery_plain_new(const struct producer_options *options, struct delivery **out_delivery,
                        struct error *err)
{
    rd_kafka_conf_t *conf = NULL;
    if (!producer_options_build(options, &conf, err))
        return false;
    struct delivery_plain *plain = memory_alloc(sizeof *plain);
    AUTO(struct delivery *, delivery_free_p) delivery = &plain->delivery;
    delivery->ops = &plain_ops;
    plain->conf = conf;
    plain->options = *options;
    plain->responses =
        (struct responses){ .tell = options->respond, .self = options->respond_self };
    plain->partitioner = partitioner_find(options->balancer);
    plain->message_max_bytes = producer_options_message_max_bytes(conf);
    plain->batch_bytes = batch_bytes_of(conf);
    plain->cap_bytes = (uint64_t)options->in_flight_bytes;
    plain->janitor = janitor_new();
    plain->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (plain->wake_fd < 0)
        return error_set(err, ERROR_RETRY, "eventfd", "kafka: no eventfd: %s", strerror(errno));
    if (!make_producer(plain, &plain->producer, err))
        return false;
    *out_delivery = TAKE(delivery);
    return true;
}
