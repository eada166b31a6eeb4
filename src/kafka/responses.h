/* What became of each record, for who asks. Nobody asking costs nothing: records then carry their
 * ticket alone. Pipeline's thread. */
#ifndef KAFKA_RESPONSES_H
#define KAFKA_RESPONSES_H

#include <stdbool.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

#include "base/error.h"
#include "base/slice.h"
#include "change/record.h"
#include "kafka/response.h"

struct responses {
    response_fn *tell; /* NULL: nobody asks */
    void *self;
    struct header *headers; /* of the record that is told of */
    size_t header_capacity;
};

void responses_done(struct responses *responses);

/* Tells of a message of a delivery report; err NULL = it was acknowledged. */
void responses_tell(struct responses *responses, const rd_kafka_message_t *message,
                    const char *topic, const struct record_origin *origin, const struct error *err);
/* Tells of a record that was not even queued. */
void responses_refused(struct responses *responses, const struct record *record, const char *topic,
                       const struct error *err);

#endif
