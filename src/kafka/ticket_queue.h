/* Tickets of records that are done and not told yet, for deliveries that are done at once. Runs of
 * one ticket are kept as one. An eventfd is readable while something is queued. Not thread-safe. */
#ifndef KAFKA_TICKET_QUEUE_H
#define KAFKA_TICKET_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "change/ticket.h"

struct ticket_run {
    ticket_t ticket;
    uint64_t count;
};

struct ticket_queue {
    struct ticket_run *runs; /* a ring */
    uint32_t first, run_count, run_max;
    int wake_fd;
};

struct ticket_queue ticket_queue_init(uint32_t run_max);
void ticket_queue_done(struct ticket_queue *queue);

/* False = run_max different tickets are waiting. */
MUST_CHECK bool ticket_queue_push(struct ticket_queue *queue, ticket_t ticket);
MUST_CHECK bool ticket_queue_pop(struct ticket_queue *queue, ticket_t *out_ticket);
void ticket_queue_clear(struct ticket_queue *queue);

/* Makes wake_fd readable until the next pop that finds nothing. */
void ticket_queue_wake(struct ticket_queue *queue);

#endif
