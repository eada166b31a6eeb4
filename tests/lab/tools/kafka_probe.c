/* How long a record takes, in microseconds, one line a record.
 *   kafka_probe send BROKERS TOPIC COUNT RATE [PROPERTY=VALUE...]
 *       writes COUNT small records at random moments, RATE a second on average, and prints for each
 *       the time from produce() to its delivery report: what librdkafka alone needs.
 *   kafka_probe receive BROKERS TOPIC COUNT
 *       reads COUNT records of a topic that has one partition and prints for each the time from its
 *       header commit_ts until it was here. Prints "ready" when it waits for the first.
 * Records of `send` have that header too, with the time of produce(). */
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

enum { US_PER_SECOND = 1000000, FIRST_PROPERTY = 6, PATIENCE_MS = 60000, STAMP_SIZE = 32 };

struct sender {
    rd_kafka_t *producer;
    int64_t *taken_us; /* by record; -1 = failed or not yet reported */
    int64_t *sent_us;
    _Atomic int64_t reported;
    int64_t count;
};

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

static rd_kafka_conf_t *configure(char **properties, int count)
{
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (int i = 0; i < count; i++) {
        char *value = strchr(properties[i], '=');
        if (value == NULL) {
            fprintf(stderr, "kafka_probe: %s has no =\n", properties[i]);
            return NULL;
        }
        *value++ = '\0';
        if (rd_kafka_conf_set(conf, properties[i], value, reason, sizeof(reason)) !=
            RD_KAFKA_CONF_OK) {
            fprintf(stderr, "kafka_probe: %s\n", reason);
            return NULL;
        }
    }
    return conf;
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    return rd_kafka_conf_set(conf, name, value, NULL, 0) == RD_KAFKA_CONF_OK;
}

/* ---- send ---- */

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct sender *sender = opaque;
    int64_t number = (int64_t)(intptr_t)message->_private;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        sender->taken_us[number] = now_us() - sender->sent_us[number];
    atomic_fetch_add(&sender->reported, 1);
}

static void *serve_reports(void *self)
{
    struct sender *sender = self;
    while (atomic_load(&sender->reported) < sender->count)
        rd_kafka_poll(sender->producer, 100);
    return NULL;
}

static void stamp(int64_t time_us, char *text)
{
    time_t seconds = (time_t)(time_us / US_PER_SECOND);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t size = strftime(text, STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + size, STAMP_SIZE - size, ".%06dZ", (int)(time_us % US_PER_SECOND));
}

static bool send_one(struct sender *sender, const char *topic, int64_t number)
{
    char key[24], value[96], time_text[STAMP_SIZE];
    int key_size = snprintf(key, sizeof(key), "%" PRId64, number);
    int value_size = snprintf(value, sizeof(value),
                              "{\"created_on\":null,\"id\":%" PRId64
                              ",\"name\":\"Oyleli\",\"operation\":\"INSERT\"}",
                              number);
    sender->sent_us[number] = now_us();
    stamp(sender->sent_us[number], time_text);
    return rd_kafka_producev(
               sender->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
               RD_KAFKA_V_KEY(key, (size_t)key_size), RD_KAFKA_V_VALUE(value, (size_t)value_size),
               RD_KAFKA_V_HEADER("commit_ts", time_text, -1),
               RD_KAFKA_V_OPAQUE((void *)(intptr_t)number),
               RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static void sleep_until(const struct timespec *due)
{
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL) != 0)
        ;
}

/* Intervals as between independent clients: exponential. */
static bool send_all(struct sender *sender, const char *topic, double rate)
{
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    unsigned short seed[3] = { 1, 2, 3 };
    for (int64_t number = 0; number < sender->count; number++) {
        double wait_s = -log(1 - erand48(seed)) / rate;
        int64_t ns = due.tv_nsec + (int64_t)(wait_s * 1e9);
        due.tv_sec += ns / 1000000000;
        due.tv_nsec = ns % 1000000000;
        sleep_until(&due);
        if (!send_one(sender, topic, number))
            return false;
    }
    return true;
}

static int send_command(int argc, char **argv)
{
    struct sender sender = { .count = strtoll(argv[4], NULL, 10) };
    rd_kafka_conf_t *conf = configure(argv + FIRST_PROPERTY, argc - FIRST_PROPERTY);
    if (conf == NULL || !set(conf, "bootstrap.servers", argv[2]))
        return 64;
    rd_kafka_conf_set_opaque(conf, &sender);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    sender.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    sender.taken_us = malloc((size_t)sender.count * sizeof(int64_t));
    sender.sent_us = malloc((size_t)sender.count * sizeof(int64_t));
    if (sender.producer == NULL || sender.taken_us == NULL || sender.sent_us == NULL)
        return 69;
    memset(sender.taken_us, -1, (size_t)sender.count * sizeof(int64_t));
    pthread_t reports;
    if (pthread_create(&reports, NULL, serve_reports, &sender) != 0 ||
        !send_all(&sender, argv[3], strtod(argv[5], NULL)))
        return 69;
    pthread_join(reports, NULL);
    for (int64_t i = 0; i < sender.count; i++) {
        if (sender.taken_us[i] < 0)
            return 69;
        printf("%" PRId64 "\n", sender.taken_us[i]);
    }
    rd_kafka_destroy(sender.producer);
    free(sender.taken_us);
    free(sender.sent_us);
    return 0;
}

/* ---- receive ---- */

static bool commit_time_us(const rd_kafka_message_t *message, int64_t *out_us)
{
    rd_kafka_headers_t *headers = NULL;
    const void *value = NULL;
    size_t size = 0;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, "commit_ts", &value, &size) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        size >= STAMP_SIZE)
        return false;
    char text[STAMP_SIZE];
    memcpy(text, value, size);
    text[size] = '\0';
    struct tm parts = { .tm_isdst = 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == NULL)
        return false;
    double fraction = *rest == '.' ? strtod(rest, NULL) : 0;
    *out_us = (int64_t)timegm(&parts) * US_PER_SECOND + (int64_t)(fraction * US_PER_SECOND + 0.5);
    return true;
}

static rd_kafka_t *start_consumer(const char *brokers, const char *topic)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!set(conf, "bootstrap.servers", brokers) || !set(conf, "group.id", "kafka_probe") ||
        !set(conf, "enable.auto.commit", "false") || !set(conf, "enable.partition.eof", "true") ||
        !set(conf, "fetch.wait.max.ms", "100") || !set(conf, "socket.nagle.disable", "true"))
        return NULL;
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    if (consumer == NULL)
        return NULL;
    rd_kafka_poll_set_consumer(consumer);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return consumer;
}

static int receive_command(char **argv)
{
    int64_t count = strtoll(argv[4], NULL, 10);
    int64_t *taken_us = malloc((size_t)count * sizeof(int64_t));
    rd_kafka_t *consumer = start_consumer(argv[2], argv[3]);
    if (consumer == NULL || taken_us == NULL)
        return 69;
    bool ready = false;
    for (int64_t number = 0; number < count;) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, PATIENCE_MS);
        int64_t now = now_us(), committed = 0;
        if (message == NULL)
            return 75;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && !ready) {
            ready = puts("ready") >= 0 && fflush(stdout) == 0;
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            if (!commit_time_us(message, &committed))
                return 65;
            taken_us[number++] = now - committed;
        }
        rd_kafka_message_destroy(message);
    }
    for (int64_t i = 0; i < count; i++)
        printf("%" PRId64 "\n", taken_us[i]);
    free(taken_us);
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "receive") == 0)
        return receive_command(argv);
    if (argc >= FIRST_PROPERTY && strcmp(argv[1], "send") == 0)
        return send_command(argc, argv);
    fprintf(stderr, "usage: kafka_probe send BROKERS TOPIC COUNT RATE [PROPERTY=VALUE...]\n"
                    "       kafka_probe receive BROKERS TOPIC COUNT\n");
    return 64;
}
