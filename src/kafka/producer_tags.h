/* What a record carries through librdkafka beside its ticket, where somebody asks what became of
 * records: its origin. A pool, so that nothing is allocated per record once as many are in flight
 * as ever; what librdkafka never reported goes with it. One thread's. */
#ifndef KAFKA_PRODUCER_TAGS_H
#define KAFKA_PRODUCER_TAGS_H

#include "change/record.h"
#include "change/ticket.h"

struct producer_tag {
    ticket_t ticket;
    struct record_origin origin;
    struct producer_tag *next; /* while it is free */
};

struct producer_tag_block;

/* All zero = empty. */
struct producer_tags {
    struct producer_tag *free;
    struct producer_tag_block *blocks;
};

struct producer_tag *producer_tags_take(struct producer_tags *tags);
void producer_tags_give(struct producer_tags *tags, struct producer_tag *tag);
void producer_tags_done(struct producer_tags *tags);

#endif
