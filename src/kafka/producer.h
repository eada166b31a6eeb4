/* One librdkafka producer with everything that lives as long as it: its queue of events, the topic
 * handles by topic id, what is on its wire. A delivery outlives several of them.
 *
 * Belongs to the pipeline's thread until it is retired; producer_free() may then run on any. */
#ifndef KAFKA_PRODUCER_H
#define KAFKA_PRODUCER_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "change/record.h"
#include "change/ticket.h"
#include "kafka/partitioner.h"

struct producer;

struct producer_setup {
    const rd_kafka_conf_t *conf; /* copied: of producer_options_build() */
    const struct partitioner *partitioner;
    int64_t batch_bytes; /* batch.size */
    int wake_fd;         /* an eventfd, signalled when producer_event() may have something */
    bool tagged;         /* records carry their origin */
};

/* Whether a producer of that configuration would start: files that it names can be read and used.
 */
MUST_CHECK bool producer_rehearse(const rd_kafka_conf_t *conf, struct error *err);

/* Starts connecting; does not wait for a broker. */
MUST_CHECK bool producer_new(const struct producer_setup *setup, struct producer **out_producer,
                             struct error *err);

/* After it returns the wake_fd is not touched any more, and nothing that is still queued is sent.
 */
void producer_retire(struct producer *producer);
/* Blocks until librdkafka's threads have ended. */
void producer_free(struct producer *producer);
CLEANUP_POINTER(struct producer, producer_free)

/* User and password of that configuration (SASL PLAIN and SCRAM) count from the next connection on.
 */
void producer_renew_login(struct producer *producer, const rd_kafka_conf_t *conf);

/* Topics are added in the order of their ids; librdkafka asks for their metadata at once. */
MUST_CHECK bool producer_topic_add(struct producer *producer, const char *name, struct error *err);
uint32_t producer_topic_count(const struct producer *producer);

/* Copies the record; its topic must have been added. _QUEUE_FULL: not before a report came; also
 * while the producer is new to the record's partition (first_acks.h). */
MUST_CHECK rd_kafka_resp_err_t producer_send(struct producer *producer, const struct record *record,
                                             ticket_t ticket);

/* The next event of the queue (rd_kafka_event_destroy() it), or NULL. */
rd_kafka_event_t *producer_event(struct producer *producer);

/* Of a message of a delivery report. Call producer_reported() once for each, last. */
ticket_t producer_ticket(const struct producer *producer, const rd_kafka_message_t *message);
/* NULL unless tagged; good until producer_reported(). */
const struct record_origin *producer_origin(const struct producer *producer,
                                            const rd_kafka_message_t *message);
uint32_t producer_message_topic(const rd_kafka_message_t *message);
uint64_t producer_message_header_cost(const rd_kafka_message_t *message);
void producer_reported(struct producer *producer, const rd_kafka_message_t *message);

/* Everything that is queued or in flight is reported as purged, without waiting. */
void producer_purge(struct producer *producer);
/* Nothing is queued, nothing is on the wire: every record was reported and every request answered.
 */
bool producer_quiet(const struct producer *producer);
/* Sets *err from an error event of this producer: connection_error.h. Returns false. */
bool producer_describe(const struct producer *producer, rd_kafka_resp_err_t code, const char *text,
                       struct error *err);
uint32_t producer_brokers_up(const struct producer *producer);
uint32_t producer_brokers_reached(const struct producer *producer); /* see wire_watch.h */
/* False: the producer is well. */
bool producer_fatal(const struct producer *producer, rd_kafka_resp_err_t *out_code, char *reason,
                    size_t reason_size);

#endif
