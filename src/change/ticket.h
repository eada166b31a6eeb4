/* Which transaction (or snapshot chunk) a record belongs to: small enough for librdkafka's message
 * opaque. The generation makes reports of an abandoned producer count for nothing. */
#ifndef CHANGE_TICKET_H
#define CHANGE_TICKET_H

#include <stdint.h>

typedef struct {
    uint64_t value;
} ticket_t;

#endif
