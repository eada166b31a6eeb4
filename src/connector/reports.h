/* Steps 6 and 7: delivery reports become progress; what the producer cannot deliver is said with
 * its place. Pipeline's thread. */
#ifndef CONNECTOR_REPORTS_H
#define CONNECTOR_REPORTS_H

#include "base/clock.h"
#include "base/log.h"
#include "connector/broker_notice.h"
#include "connector/measures.h"
#include "connector/status.h"
#include "kafka/delivery.h"
#include "progress/ack_tracker.h"

struct reports {
    struct delivery *delivery;
    struct ack_tracker *tracker;
    struct log *log;               /* for notes of the Kafka client */
    struct broker_notice *brokers; /* hears them too */
    const struct status *status;
    const struct measures *measures;
    const struct clock *clock; /* one look at it for all that is there now */
    lsn_t open_lsn;            /* final LSN of the transaction that is open, if one is */
    int64_t limit_ms;          /* then the rest is left for the next time; 0 = no limit */
};

enum reported {
    REPORTED_ALL,     /* nothing more is there now, or delivery_fd() says that there is */
    REPORTED_REFUSED, /* *err: a record that will never be written; names table and transaction */
    REPORTED_LOST,    /* *err: the producer is broken */
};

/* Reads what is there, up to the first failure. */
MUST_CHECK enum reported reports_read(const struct reports *reports, struct error *err);

/* Logs what a DELIVERY_NOTE says, and passes it on; of class ERROR_NONE it is good news. */
void reports_note(struct log *log, struct broker_notice *brokers, const struct error *note);

#endif
