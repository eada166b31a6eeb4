/* The line: the only place that sees all eight steps, from the socket to the confirmed LSN.
 *
 * | # | step    | file                                   | in -> out                              |
 * |---|---------|----------------------------------------|----------------------------------------|
 * | 1 | receive | postgres/wal_stream.c                  | socket -> struct wal_message           |
 * | 2 | decode  | postgres/pgoutput.c (connector/source) | payload -> struct change               |
 * | 3 | handle  | connector/handler_*.c                  | change -> 0..n records                 |
 * | 4 | encode  | format/flat_json.c                     | change + plan -> key and value bytes   |
 * | 5 | send    | kafka/delivery.c                       | record + ticket -> queued, or FULL     |
 * | 6 | report  | kafka/delivery.c                       | delivery report -> ticket + outcome    |
 * | 7 | track   | progress/ack_tracker.c                 | tickets -> confirmed LSN               |
 * | 8 | confirm | postgres/wal_stream.c                  | confirmed LSN -> Standby Status Update |
 *
 * One thread runs it (ON_PIPELINE_THREAD): one poll() over the socket, the delivery's eventfd, the
 * watcher's eventfd, timers and the stop descriptor. The socket is read if and only if nothing
 * blocks; while blocked, status updates, delivery events, the stop and a hang-up of the server go
 * on.
 */
#ifndef CONNECTOR_PIPELINE_H
#define CONNECTOR_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/thread_role.h"
#include "connector/gate_teller.h"
#include "connector/handler.h"
#include "connector/measures.h"
#include "connector/status.h"
#include "connector/wind_up.h"
#include "kafka/delivery.h"
#include "postgres/wal_stream.h"
#include "postgres/watcher.h"
#include "progress/ack_tracker.h"

/* Why the socket is not read; each is a metric label. */
#define PIPELINE_BLOCKED(X)                                                                        \
    X(OUTBOX, 1, "outbox")       /* the producer is full */                                        \
    X(IN_FLIGHT, 2, "in_flight") /* too many transactions are unconfirmed */                       \
    X(WAIT, 4, "wait")           /* a key is being looked up */                                    \
    X(COMMIT, 8, "commit")       /* a Kafka transaction is being committed */                      \
    X(COPY, 16, "copy")          /* a snapshot is being copied */                                  \
    X(GATE, 32, "gate")          /* somebody else leads */                                         \
    X(STOP, 64, "stop")          /* asked to stop, and no transaction is open */

enum blocked {
#define X(name, bit, text) BLOCKED_##name = (bit),
    PIPELINE_BLOCKED(X)
#undef X
};

struct pipeline_options {
    struct clock clock;
    struct loop *loop;       /* not owned, as all below */
    int stop_fd;             /* readable = stop gracefully */
    int64_t stop_timeout_ms; /* how long the open transaction may still take */
    int64_t freeze_limit_ms; /* who stood still for longer gives up what is queued */
    bool foreign; /* others' code is called, for changes or for reports: each call may be slow */
    struct log *log;
    struct status *status;
    const struct measures *measures;
    struct handler handler;
    struct delivery *delivery;
    struct ack_tracker *tracker;
    struct watcher *watcher;
    const char *publication;                          /* that the watcher looks at, or NULL */
    const struct publication_sight *publication_left; /* see publication_notice.h */
    struct gate gate;
    struct gate_teller *teller;
};

struct pipeline;

struct pipeline *pipeline_new(const struct pipeline_options *options);
void pipeline_free(struct pipeline *pipeline);

enum pipeline_end {
    PIPELINE_STOPPED, /* asked to stop: what could be flushed is flushed and confirmed */
    PIPELINE_FAILED,  /* *err says why, and its class what to do */
};

/* Streams until it is asked to stop or something fails, and winds up: where the producer is well,
 * what was sent is waited for (5 s); the producer is abandoned and its requests on the wire are
 * waited for (1 s); where the stream is well, the server is told what is safe. The stream stays the
 * caller's, to be closed. The delivery must be rebuilt and the tracker restarted before the next
 * run.
 *
 * But when only the connection was lost, nothing is wound up: the pipeline is cut, its producer and
 * tracker go on. Then either the next stream starts at pipeline_received() and is the same
 * server's, whom nobody else has read meanwhile, and the run goes on with it; or pipeline_abandon()
 * comes first. */
enum pipeline_end pipeline_run(struct pipeline *pipeline, struct wal_stream *stream,
                               struct error *err) ON_PIPELINE_THREAD;

/* A session is being opened for the next run: the publication as it is from now on is what counts.
 */
void pipeline_begin(struct pipeline *pipeline);
bool pipeline_is_cut(const struct pipeline *pipeline);
/* All of it for what was read since the last start anew; LSN_NONE = nothing.
 * received: every transaction that ends up to here was handed over whole.
 * published: nothing of a transaction that was committed at or beyond it was handed over. */
lsn_t pipeline_received(const struct pipeline *pipeline);
lsn_t pipeline_published(const struct pipeline *pipeline);
/* Items of the transaction that was cut (connector/resume.h). */
uint64_t pipeline_handed(const struct pipeline *pipeline);
/* While it is cut: reports become progress. A producer that fails is met by the next run. */
void pipeline_serve(struct pipeline *pipeline) ON_PIPELINE_THREAD;
/* No resume: winds up as for that ending. Nothing when not cut. */
void pipeline_abandon(struct pipeline *pipeline, enum ending ending) ON_PIPELINE_THREAD;

#endif
