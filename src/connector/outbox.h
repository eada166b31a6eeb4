/* Step 5: what one change became, until the producer has taken all of it. Pipeline's thread. */
#ifndef CONNECTOR_OUTBOX_H
#define CONNECTOR_OUTBOX_H

#include "base/clock.h"
#include "change/record.h"
#include "kafka/delivery.h"

struct outbox {
    struct record_list list; /* filled by a handler */
    struct arena arena;
    mono_ms_t full_since; /* the producer takes nothing though nothing is in flight; 0 = it takes */
};

void outbox_init(struct outbox *outbox); /* stays where it is: the list points to the arena */
void outbox_done(struct outbox *outbox);
void outbox_clear(struct outbox *outbox);

enum outbox_sent {
    OUTBOX_EMPTY,  /* the producer has all of it */
    OUTBOX_FULL,   /* the producer is: again after one of its events */
    OUTBOX_FAILED, /* *err: a record that it will never take */
};

/* A producer that stays full for 5 s with nothing in flight has a queue that the record never fits
 * into: ERROR_HALT "record_never_fits". */
MUST_CHECK enum outbox_sent outbox_send(struct outbox *outbox, struct delivery *delivery,
                                        ticket_t ticket, mono_ms_t now, struct error *err);

#endif
