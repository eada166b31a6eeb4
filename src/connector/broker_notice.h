/* No broker that is reached, for so long that it is no mere reconnect: told to the status, with
 * what the Kafka client says of it. Pipeline's thread.
 *
 * Brokers close connections that are idle, and a producer begins without one; librdkafka then opens
 * the next within some seconds, whether there is anything to send or not. */
#ifndef CONNECTOR_BROKER_NOTICE_H
#define CONNECTOR_BROKER_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "connector/status.h"

enum { BROKER_NOTICE_AFTER_MS = 10000 };

struct broker_notice {
    struct status *status;
    bool away, told;
    mono_ms_t since;
    int64_t since_us;
    struct error lost; /* the client's own word; class ERROR_NONE = none yet */
};

/* A note of the client, of any kind. */
void broker_notice_hear(struct broker_notice *notice, const struct error *note);
/* At least once a second. */
void broker_notice_look(struct broker_notice *notice, bool reached, const struct clock *clock);

#endif
