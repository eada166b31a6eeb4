/* At-least-once delivery by one idempotent librdkafka producer. See delivery.h for the contract.
 *
 * Delivery reports come as events of the main queue, read on the pipeline's thread; an eventfd is
 * signalled when some are there. librdkafka's own logs and errors become NOTE events. */
#ifndef KAFKA_DELIVERY_PLAIN_H
#define KAFKA_DELIVERY_PLAIN_H

#include "kafka/delivery.h"
#include "kafka/producer_options.h"

/* Copies the options. Does not need a broker to be there. */
MUST_CHECK bool delivery_plain_new(const struct producer_options *options,
                                   struct delivery **out_delivery, struct error *err);

#endif
