/* kafka_ceiling BROKERS TOPIC ROWS TEMPLATE [PROPERTY=VALUE...]: what librdkafka alone can do. Row
 * n's record has the key n and the value TEMPLATE with n wherever it has a $; it is written with
 * the given producer properties. Prints one JSON object: seconds, CPU seconds, peak memory,
 * failures. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

enum { FIRST_PROPERTY = 5, VALUE_MAX = 64 * 1024 };

struct tally {
    int64_t acked;
    int64_t failed;
};

static void on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque)
{
    (void)producer;
    struct tally *tally = opaque;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        tally->acked++;
    else
        tally->failed++;
}

static rd_kafka_t *start_producer(int argc, char **argv, struct tally *tally)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, tally);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    bool good = rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof(text)) ==
                RD_KAFKA_CONF_OK;
    for (int i = FIRST_PROPERTY; good && i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL) {
            snprintf(text, sizeof(text), "%s: no =", argv[i]);
            good = false;
            break;
        }
        *value++ = '\0';
        good = rd_kafka_conf_set(conf, argv[i], value, text, sizeof(text)) == RD_KAFKA_CONF_OK;
    }
    rd_kafka_t *producer = good ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text)) : NULL;
    if (producer == NULL)
        fprintf(stderr, "kafka_ceiling: %s\n", text);
    return producer;
}

/* Returns the size; what does not fit is cut. */
static size_t fill_template(const char *template, const char *number, size_t number_size,
                            char *value)
{
    size_t size = 0;
    for (const char *at = template; *at != '\0' && size + number_size < VALUE_MAX;) {
        size_t plain = strcspn(at, "$");
        if (plain > VALUE_MAX - size - number_size)
            plain = VALUE_MAX - size - number_size;
        memcpy(value + size, at, plain);
        size += plain;
        at += plain;
        if (*at != '$')
            continue;
        memcpy(value + size, number, number_size);
        size += number_size;
        at++;
    }
    return size;
}

/* One record; waits while the queue is full. */
static bool send_row(rd_kafka_t *producer, rd_kafka_topic_t *topic, const char *template,
                     int64_t id)
{
    char key[24];
    static char value[VALUE_MAX];
    size_t key_size = (size_t)snprintf(key, sizeof(key), "%" PRId64, id);
    size_t value_size = fill_template(template, key, key_size, value);
    while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value, value_size,
                            key, key_size, NULL) != 0) {
        if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            return false;
        rd_kafka_poll(producer, 5);
    }
    if (id % 1024 == 0)
        rd_kafka_poll(producer, 0);
    return true;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

/* Not ru_maxrss, which begins with the peak of the process that started this one. */
static long peak_rss_kb(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kb = 0;
    while (status != NULL && fgets(line, sizeof(line), status) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (status != NULL)
        fclose(status);
    return kb;
}

int main(int argc, char **argv)
{
    if (argc < FIRST_PROPERTY) {
        fprintf(stderr, "usage: kafka_ceiling BROKERS TOPIC ROWS TEMPLATE [PROPERTY=VALUE...]\n");
        return 64;
    }
    struct tally tally = { 0 };
    rd_kafka_t *producer = start_producer(argc, argv, &tally);
    if (producer == NULL)
        return 69;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argv[2], NULL);
    int64_t rows = strtoll(argv[3], NULL, 10);
    double start = seconds_now();
    for (int64_t id = 1; id <= rows; id++)
        tally.failed += send_row(producer, topic, argv[4], id) ? 0 : 1;
    while (rd_kafka_outq_len(producer) > 0)
        rd_kafka_poll(producer, 20);
    double seconds = seconds_now() - start;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"rows\": %" PRId64 ", \"acked\": %" PRId64 ", \"failed\": %" PRId64
           ", \"seconds\": %.4f, \"cpu_seconds\": %.4f, \"rss_kb\": %ld}\n",
           rows, tally.acked, tally.failed, seconds, cpu_seconds(&usage), peak_rss_kb());
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(producer);
    return tally.failed == 0 ? EXIT_SUCCESS : 69;
}
