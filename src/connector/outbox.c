#include "connector/outbox.h"

#include "base/fault.h"

enum {
    KEEP_BYTES = 1024 * 1024, /* what it keeps after a giant row */
    FULL_LIMIT_MS = 5000,
};

void outbox_init(struct outbox *outbox)
{
    *outbox = (struct outbox){ .arena = arena_init(KEEP_BYTES) };
    outbox->list.arena = &outbox->arena;
}

void outbox_done(struct outbox *outbox)
{
    record_list_done(&outbox->list);
    arena_done(&outbox->arena);
}

void outbox_clear(struct outbox *outbox)
{
    record_list_clear(&outbox->list);
    outbox->full_since = (mono_ms_t){ 0 };
}

/* FULL with nothing in flight is either a producer that broke, whose event is on its way, or a
 * queue that this record never fits into. */
static enum outbox_sent full(struct outbox *outbox, const struct delivery *delivery, mono_ms_t now,
                             struct error *err)
{
    if (outbox->full_since.value == 0 || !delivery_idle(delivery))
        outbox->full_since = now;
    if (mono_ms_since(now, outbox->full_since) < FULL_LIMIT_MS)
        return OUTBOX_FULL;
    (void)error_set(err, ERROR_HALT, "record_never_fits",
                    "a record does not fit into the empty producer queue");
    (void)error_advise(err, "raise kafka.maxInFlightBytes above the largest row");
    return OUTBOX_FAILED;
}

enum outbox_sent outbox_send(struct outbox *outbox, struct delivery *delivery, ticket_t ticket,
                             mono_ms_t now, struct error *err)
{
    struct record_list *list = &outbox->list;
    while (list->sent < list->count) {
        switch (delivery_send(delivery, &list->items[list->sent], ticket, err)) {
        case DELIVERY_OK:
            list->sent++;
            outbox->full_since = (mono_ms_t){ 0 };
            (void)FAULT(after_send);
            break;
        case DELIVERY_FULL:
            return full(outbox, delivery, now, err);
        case DELIVERY_FAILED:
            return OUTBOX_FAILED;
        }
    }
    outbox_clear(outbox);
    return OUTBOX_EMPTY;
}
