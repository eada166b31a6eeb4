/* What is on the wire between a librdkafka instance and its brokers: how many brokers are
 * connected, and how many requests were written to a socket and not answered yet.
 *
 * librdkafka's own figures do not tell this: a purge empties its queues at once, though the brokers
 * may still be working on what was sent, and its statistics cost a JSON text per partition. Its
 * interceptors (rdkafka.h: on_request_sent, on_response_received, on_broker_state_change) do. They
 * run on the thread that belongs to the broker, one per connection; so a link is known by its
 * thread. A connection that ended takes its unanswered requests with it: nobody can know about
 * them.
 *
 * Counters may be read by any thread.
 */
#ifndef KAFKA_WIRE_WATCH_H
#define KAFKA_WIRE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"

struct wire_watch;

/* wake_fd: an eventfd, signalled when a broker comes or goes (not owned; -1 = none).
 * produce_answered is false with acks=0, where brokers do not answer a produce request. */
struct wire_watch *wire_watch_new(int wake_fd, bool produce_answered);
void wire_watch_free(struct wire_watch *watch); /* after rd_kafka_destroy() */
CLEANUP_POINTER(struct wire_watch, wire_watch_free)

/* Before rd_kafka_new() with that configuration. */
MUST_CHECK bool wire_watch_install(struct wire_watch *watch, rd_kafka_conf_t *conf,
                                   struct error *err);

/* After it returns the wake_fd is not touched any more. */
void wire_watch_mute(struct wire_watch *watch);

uint32_t wire_watch_brokers_up(const struct wire_watch *watch);
/* Those of them whose TCP acknowledges what is sent. Where packets vanish librdkafka learns of it
 * only when a request times out, which takes half a minute. */
uint32_t wire_watch_brokers_reached(struct wire_watch *watch);
uint64_t wire_watch_unanswered(const struct wire_watch *watch);

#endif
