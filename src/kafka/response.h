/* What became of one record. */
#ifndef KAFKA_RESPONSE_H
#define KAFKA_RESPONSE_H

#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"
#include "change/record.h"

struct response {
    const struct error *err; /* NULL = the brokers have it, as acks asks for */
    const char *topic;
    int32_t partition; /* -1 = none was chosen */
    int64_t offset;    /* -1 = not known */
    struct slice key, value;
    const struct header *headers;
    uint32_t header_count;
    struct record_origin origin;
};

/* All of the response lives until the function returns, which must not block. */
typedef void response_fn(void *self, const struct response *response);

#endif
