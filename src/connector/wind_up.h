/* How a stream's end is made safe: what was sent is waited for, the producer is silenced, the
 * server is told what is safe. In this order, and as far as each side still works. While waiting, a
 * server that is there is answered. Pipeline's thread. */
#ifndef CONNECTOR_WIND_UP_H
#define CONNECTOR_WIND_UP_H

#include "base/log.h"
#include "base/thread_role.h"
#include "connector/broker_notice.h"
#include "connector/gate.h"
#include "connector/status.h"
#include "kafka/delivery.h"
#include "postgres/wal_stream.h"
#include "progress/ack_tracker.h"

/* What ended the line says what is still worth doing before it is closed. */
enum ending {
    ENDING_STOPPED,       /* flushed, or not worth waiting for */
    ENDING_CHANGE_FAILED, /* a change cannot go on: the stream and the producer are well */
    ENDING_STREAM_FAILED, /* the stream is of no use any more, the producer is well */
    ENDING_STREAM_CUT,    /* the connection is lost, the producer is well: it may be resumed */
    ENDING_RECORD_FAILED, /* the producer refused a record: what was sent before may yet be acked */
    ENDING_PRODUCER_LOST,
    ENDING_SENT_AWAY, /* somebody else leads, or may: at once */
};

struct wind_up {
    struct clock clock;
    int stop_fd; /* ends the wait of settle */
    struct log *log;
    struct broker_notice *brokers; /* hears what the Kafka client says */
    struct status *status;
    const struct measures *measures;
    struct delivery *delivery;
    struct ack_tracker *tracker;
    struct wal_stream *stream; /* NULL = there is none */
    struct gate gate;          /* ends the wait of settle when another leads */
};

void wind_up(const struct wind_up *wind_up, enum ending ending) ON_PIPELINE_THREAD;

/* Its steps.
 *
 * Serves reports until nothing is in flight, 5 s are over, or it is of no use (no broker, a refused
 * record, a lost producer, a stop, another leader). */
void wind_up_settle(const struct wind_up *wind_up) ON_PIPELINE_THREAD;
/* A live process never frees the slot while its producer can still write: what is queued is purged,
 * and requests on the wire are waited for (1 s). */
void wind_up_quiet(const struct wind_up *wind_up) ON_PIPELINE_THREAD;
/* The last word to the server: what is safe. Then it frees the slot. */
void wind_up_goodbye(const struct wind_up *wind_up) ON_PIPELINE_THREAD;

#endif
