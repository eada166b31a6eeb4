/* mock_broker TOPIC: librdkafka's broker emulation as a process of its own, for machines that
 * cannot run a real Kafka, and for errors that a real one does not make at will. Makes the topic
 * with one partition, prints the address, and serves until a signal ends it. Each line of its input
 * is the number of an error with which the next produce request is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

static rd_kafka_t *start_owner(void)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "log_level", "3", text, sizeof(text)) != RD_KAFKA_CONF_OK ||
        rd_kafka_conf_set(conf, "test.mock.num.brokers", "1", text, sizeof(text)) !=
            RD_KAFKA_CONF_OK) {
        fprintf(stderr, "mock_broker: %s\n", text);
        return NULL;
    }
    rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (owner == NULL)
        fprintf(stderr, "mock_broker: %s\n", text);
    return owner;
}

static void take_orders(rd_kafka_mock_cluster_t *cluster)
{
    enum { API_PRODUCE = 0 };
    char line[32];
    while (fgets(line, sizeof(line), stdin) != NULL)
        rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
                                          (rd_kafka_resp_err_t)strtol(line, NULL, 10));
    pause();
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: mock_broker TOPIC\n");
        return 64;
    }
    rd_kafka_t *owner = start_owner();
    if (owner == NULL)
        return EXIT_FAILURE;
    rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(owner);
    rd_kafka_resp_err_t refused = rd_kafka_mock_topic_create(cluster, argv[1], 1, 1);
    if (refused == RD_KAFKA_RESP_ERR_NO_ERROR) {
        printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
        fflush(stdout);
        take_orders(cluster);
    } else {
        fprintf(stderr, "mock_broker: topic %s: %s\n", argv[1], rd_kafka_err2str(refused));
    }
    rd_kafka_destroy(owner);
    return refused == RD_KAFKA_RESP_ERR_NO_ERROR ? EXIT_SUCCESS : EXIT_FAILURE;
}
