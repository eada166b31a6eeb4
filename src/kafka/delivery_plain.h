/* At-least-once delivery by one idempotent librdkafka producer. See delivery.h for the contract.
 *
 * Delivery reports come as events of the main queue, read on the pipeline's thread; an eventfd is
 * signalled when some are there. Of librdkafka's own logs and errors, notices.h makes NOTE events.
 *
 * FULL comes from our cap (producer_options.in_flight_bytes); a record that is larger than the cap
 * goes alone. It comes also while the producer is new to the record's partition: until that has
 * acknowledged a first record no second one is sent there (first_acks.h). Once a record is refused
 * or the producer failed fatally, nothing that was sent after it is written any more (idempotent
 * producers only), so the order of first appearance holds when the line starts again; send then
 * answers FULL until the event that says so was read.
 *
 * A broker that finds a whole batch too large for the topic (max.message.bytes below the batch
 * size) makes a REFUSED with ERROR_RETRY, and the batches of the next producer are made smaller; a
 * single record that is too large is ERROR_HALT.
 *
 * Round robin and least-bytes counts begin again with each producer. */
#ifndef KAFKA_DELIVERY_PLAIN_H
#define KAFKA_DELIVERY_PLAIN_H

#include "kafka/delivery.h"
#include "kafka/producer_options.h"

/* Copies the options, but for property_files, which must outlive it: they are read for each
 * producer, user and password also when a broker refuses them. Does not need a broker to be there.
 */
MUST_CHECK bool delivery_plain_new(const struct producer_options *options,
                                   struct delivery **out_delivery, struct error *err);

#endif
