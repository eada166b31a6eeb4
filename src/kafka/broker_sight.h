/* The brokers and topics as a producer with these options would find them. Reads only: no topic is
 * made, no producer id is asked for. */
#ifndef KAFKA_BROKER_SIGHT_H
#define KAFKA_BROKER_SIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "kafka/producer_options.h"
#include "kafka/topic_rights.h"

struct topic_sight {
    const char *name;     /* the caller's */
    bool exists;          /* false: no such topic, or `failure` says why it is not seen */
    struct error failure; /* class ERROR_NONE = none */
    uint32_t partition_count;
    uint32_t leaderless_count;
    uint32_t least_in_sync;      /* of the partition with the fewest replicas in sync */
    struct error limits_failure; /* the settings below are not known */
    int64_t max_message_bytes;   /* max.message.bytes */
    int64_t min_in_sync;         /* min.insync.replicas */
    enum topic_rights rights;
};

struct broker_sight {
    uint32_t broker_count;
    char user[128];            /* sasl.username; "" = none */
    int64_t message_max_bytes; /* ours: the property message.max.bytes */
    struct topic_sight *topics;
    uint32_t topic_count;
};

/* Asks some broker, then for each topic; waits at most 10 s for each answer. An error when no
 * broker answers: what the client last said of them. */
MUST_CHECK bool broker_sight_look(const struct producer_options *options, char *const *topics,
                                  uint32_t topic_count, struct broker_sight *out_sight,
                                  struct error *err);
void broker_sight_done(struct broker_sight *sight); /* all zero allowed */

#endif
