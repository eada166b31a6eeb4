#include "connector/pipeline.h"

#include <poll.h>

#include "base/fault.h"
#include "base/memory.h"
#include "connector/heartbeat_notice.h"
#include "connector/outbox.h"
#include "connector/publication_notice.h"
#include "connector/reports.h"
#include "connector/resume.h"
#include "connector/source.h"
#include "connector/wait_notice.h"
#include "connector/wind_up.h"

enum {
    PIPELINE_TURN_CHANGES = 2048, /* per turn, so that reports and timers get their share */
    PIPELINE_TURN_LOOK = 64,      /* changes; then the time is looked at */
    PIPELINE_TURN_MS = 100,
    PIPELINE_LOOK_MS = 1000, /* the gate and the stop are looked at this often */
};

struct pipeline {
    struct pipeline_options with;
    struct source *source;
    struct wal_stream *stream;
    struct loop_watch *socket_watch, *delivery_watch, *watcher_watch, *stop_watch, *gate_watch;
    struct loop_timer *status_timer, *stop_timer;

    struct change change; /* in hand: its records are not all handed over yet, when has_change */
    bool has_change;
    bool handled;     /* it became records: they are in the outbox */
    bool more;        /* the source may have more without reading the socket */
    unsigned blocked; /* bits of enum blocked */
    struct outbox outbox;

    uint64_t bytes_counted; /* of this stream, in the status, which counts all streams */

    struct txn txn;
    ticket_t ticket;
    struct resume resume;
    lsn_t received;  /* everything that ends up to here was handed over */
    lsn_t published; /* nothing that PostgreSQL committed beyond it was handed over */
    bool cut;        /* the stream was lost; the producer and the tracker go on */

    mono_ms_t turned; /* when the last turn began */
    struct wait_notice wait;
    struct publication_notice notice;
    struct heartbeat_notice heartbeat;
    bool notice_counts; /* no shutdown was noticed at some time of this stream */

    bool stopping, ended;
    enum ending ending;
    struct error error;
};

static void end(struct pipeline *pipeline, enum ending ending)
{
    pipeline->ended = true;
    pipeline->ending = ending;
}

/* A connection that is lost is worth a resume; what a person must mend is not. */
static void end_stream(struct pipeline *pipeline)
{
    bool lost = pipeline->error.class == ERROR_RECONNECT || pipeline->error.class == ERROR_RETRY;
    end(pipeline, lost ? ENDING_STREAM_CUT : ENDING_STREAM_FAILED);
}

static void block(struct pipeline *pipeline, enum blocked reason, bool on)
{
    if (on)
        pipeline->blocked |= (unsigned)reason;
    else
        pipeline->blocked &= ~(unsigned)reason;
}

/* Steps 6 and 7: delivery reports become progress. */

/* A full ring blocks between transactions only: the open one must be read to its end. */
static void block_when_ring_full(struct pipeline *pipeline)
{
    const struct ack_tracker *tracker = pipeline->with.tracker;
    block(pipeline, BLOCKED_IN_FLIGHT, ack_tracker_full(tracker) && !ack_tracker_open(tracker));
}

static void report(struct pipeline *pipeline)
{
    const struct reports reports = {
        .delivery = pipeline->with.delivery,
        .tracker = pipeline->with.tracker,
        .log = pipeline->with.log,
        .brokers = pipeline->with.teller->brokers,
        .status = pipeline->with.status,
        .measures = pipeline->with.measures,
        .clock = &pipeline->with.clock,
        .open_lsn = pipeline->txn.final_lsn,
        .limit_ms = pipeline->with.foreign ? PIPELINE_TURN_MS : 0,
    };
    if (pipeline->ended)
        return;
    enum reported reported = reports_read(&reports, &pipeline->error);
    if (reported != REPORTED_ALL)
        end(pipeline, reported == REPORTED_LOST ? ENDING_PRODUCER_LOST : ENDING_RECORD_FAILED);
    block_when_ring_full(pipeline);
}

/* Step 5: what a change became goes to the producer; the rest waits in the outbox. */

/* All that became of the change in hand was taken by the producer. */
static void handed_over(struct pipeline *pipeline)
{
    enum change_kind kind = pipeline->change.kind;
    pipeline->has_change = pipeline->handled = false;
    if (change_is_item(kind))
        resume_handed(&pipeline->resume);
    if (kind != CHANGE_COMMIT)
        return;
    lsn_t commit_end = pipeline->change.as.commit.end_lsn;
    resume_closed(&pipeline->resume);
    bool written = lsn_compare(pipeline->published, pipeline->txn.final_lsn) > 0;
    measures_close(pipeline->with.measures, pipeline->with.tracker, pipeline->ticket,
                   &pipeline->change, clock_wall_us(&pipeline->with.clock), written);
    if (written)
        pipeline->published = lsn_max(pipeline->published, commit_end);
    pipeline->received = lsn_max(pipeline->received, commit_end);
    status_store(&pipeline->with.status->received_lsn, pipeline->received.value);
}

static void change_failed(struct pipeline *pipeline, enum ending ending)
{
    (void)change_prefix(&pipeline->change, pipeline->txn.final_lsn, &pipeline->error);
    end(pipeline, ending);
}

static void send(struct pipeline *pipeline)
{
    enum outbox_sent sent =
        outbox_send(&pipeline->outbox, pipeline->with.delivery, pipeline->ticket,
                    loop_now(pipeline->with.loop), &pipeline->error);
    block(pipeline, BLOCKED_OUTBOX, sent == OUTBOX_FULL);
    if (sent == OUTBOX_EMPTY)
        handed_over(pipeline);
    else if (sent == OUTBOX_FAILED)
        change_failed(pipeline, ENDING_RECORD_FAILED);
}

/* Steps 3 and 4: the change in hand becomes records. */

static enum emit handle_begin(struct pipeline *pipeline)
{
    const struct handler *handler = &pipeline->with.handler;
    enum emit emit = handler->ops->begin(handler->self, &pipeline->txn, &pipeline->outbox.list,
                                         &pipeline->error);
    if (emit == EMIT_OK && !ack_tracker_open(pipeline->with.tracker))
        pipeline->ticket = ack_tracker_begin(pipeline->with.tracker);
    return emit;
}

static enum emit handle_row(struct pipeline *pipeline)
{
    const struct handler *handler = &pipeline->with.handler;
    return handler->ops->change(handler->self, &pipeline->txn, &pipeline->change,
                                &pipeline->outbox.list, &pipeline->error);
}

static enum emit handle_commit(struct pipeline *pipeline)
{
    const struct handler *handler = &pipeline->with.handler;
    return handler->ops->commit(handler->self, &pipeline->txn, &pipeline->outbox.list,
                                &pipeline->error);
}

static enum emit handle_relation(struct pipeline *pipeline)
{
    const struct handler *handler = &pipeline->with.handler;
    return handler->ops->relation(handler->self, pipeline->change.relation, &pipeline->error);
}

static enum emit handle_nothing(struct pipeline *pipeline UNUSED)
{
    return EMIT_OK;
}

static enum emit (*const handle_kind[CHANGE_KIND_COUNT])(struct pipeline *) = {
    [CHANGE_BEGIN] = handle_begin,    [CHANGE_COMMIT] = handle_commit,
    [CHANGE_ORIGIN] = handle_nothing, [CHANGE_RELATION] = handle_relation,
    [CHANGE_TYPE] = handle_nothing,   [CHANGE_INSERT] = handle_row,
    [CHANGE_UPDATE] = handle_row,     [CHANGE_DELETE] = handle_row,
    [CHANGE_TRUNCATE] = handle_row,   [CHANGE_MESSAGE] = handle_nothing,
};

/* The tracker counts records before they are sent; those of an earlier stream it knows. */
static void count_records(struct pipeline *pipeline)
{
    struct record_list *list = &pipeline->outbox.list;
    if (list->count == 0)
        return;
    list->sent = resume_sent(&pipeline->resume, list->count);
    ack_tracker_add(pipeline->with.tracker, pipeline->ticket, list->count - list->sent);
    lsn_t behind_commit = { pipeline->txn.final_lsn.value + 1 };
    pipeline->published = lsn_max(pipeline->published, behind_commit);
}

static void handle(struct pipeline *pipeline)
{
    enum emit emit = handle_kind[pipeline->change.kind](pipeline);
    block(pipeline, BLOCKED_WAIT, emit == EMIT_WAIT);
    switch (emit) {
    case EMIT_OK:
        pipeline->handled = true;
        status_count(&pipeline->with.status->changes[pipeline->change.kind], 1);
        (void)FAULT(after_handle);
        count_records(pipeline);
        send(pipeline); /* the outbox holds what became of one change, and views its relation */
        return;
    case EMIT_WAIT:
        return;
    case EMIT_FAILED:
        change_failed(pipeline, ENDING_CHANGE_FAILED);
        return;
    }
}

/* What comes is looked at before it is handled: was it handed over before the stream was lost? */

static void missed(struct pipeline *pipeline, lsn_t came)
{
    (void)error_set(&pipeline->error, ERROR_RETRY, "resume_missed",
                    "the transaction at %s, which was cut, did not come again: at %s it was passed",
                    lsn_text(pipeline->resume.final_lsn).text, lsn_text(came).text);
    end(pipeline, ENDING_CHANGE_FAILED);
}

static bool begin(struct pipeline *pipeline)
{
    pipeline->txn = (struct txn){
        .xid = pipeline->change.as.begin.xid,
        .final_lsn = pipeline->change.as.begin.final_lsn,
        .commit_time = pipeline->change.as.begin.commit_time,
    };
    atomic_store(&pipeline->with.status->transaction_open, true);
    if (resume_begin(&pipeline->resume, pipeline->txn.xid, pipeline->txn.final_lsn))
        return true;
    missed(pipeline, pipeline->txn.final_lsn);
    return false;
}

/* True: the change is new and to be handled. */
static bool accept(struct pipeline *pipeline)
{
    enum change_kind kind = pipeline->change.kind;
    if (kind == CHANGE_BEGIN && !begin(pipeline))
        return false;
    if (!change_is_item(kind))
        return true;
    bool skipped = resume_skips(&pipeline->resume);
    if (skipped && kind == CHANGE_COMMIT) /* no Commit was handed over: fewer items came */
        missed(pipeline, pipeline->txn.final_lsn);
    if (kind != CHANGE_BEGIN)
        pipeline->txn.ordinal = pipeline->resume.seen - 2; /* the first item was the Begin */
    return !skipped;
}

/* Steps 1 and 2: the next change, or how far the server is. */

static void idle(struct pipeline *pipeline, lsn_t server_end)
{
    struct ack_tracker *tracker = pipeline->with.tracker;
    if (resume_missed(&pipeline->resume, server_end)) {
        missed(pipeline, server_end);
    } else if (!pipeline->resume.open && !ack_tracker_full(tracker)) {
        ack_tracker_idle(tracker, server_end);
        pipeline->received = lsn_max(pipeline->received, server_end);
    }
}

ON_PIPELINE_THREAD static void receive(struct pipeline *pipeline)
{
    struct wal_message message;
    switch (source_next(pipeline->source, &pipeline->change, &message, &pipeline->error)) {
    case PULL_CHANGE:
        pipeline->has_change = accept(pipeline);
        break;
    case PULL_KEEPALIVE:
        idle(pipeline, message.server_end);
        break;
    case PULL_EMPTY:
        pipeline->more = false;
        return;
    case PULL_END:
        (void)error_set(&pipeline->error, ERROR_RECONNECT, "stream_ended",
                        "the server ended the replication stream");
        end_stream(pipeline);
        return;
    case PULL_FAILED:
        end_stream(pipeline);
        return;
    }
    if (message.server_end.value > pipeline->with.status->server_lsn)
        status_store(&pipeline->with.status->server_lsn, message.server_end.value);
}

/* Step 8: what is safe in Kafka is confirmed to PostgreSQL. */

ON_PIPELINE_THREAD static void confirm(struct pipeline *pipeline)
{
    lsn_t confirmed = ack_tracker_confirmed(pipeline->with.tracker);
    if (confirmed.value > wal_stream_confirmed(pipeline->stream).value)
        (void)FAULT(before_confirm);
    wal_stream_confirm(pipeline->stream, confirmed);
    mono_ms_t next;
    if (!wal_stream_tick(pipeline->stream, &next, &pipeline->error)) {
        end_stream(pipeline);
        return;
    }
    if (wal_stream_confirmed(pipeline->stream).value > pipeline->with.status->confirmed_lsn) {
        status_store(&pipeline->with.status->confirmed_lsn,
                     wal_stream_confirmed(pipeline->stream).value);
        (void)FAULT(after_confirm);
    }
    mono_ms_t look = mono_ms_add(loop_now(pipeline->with.loop), PIPELINE_LOOK_MS);
    loop_timer_set(pipeline->status_timer, mono_ms_before(next, look) ? next : look);
}

/* The end: asked to stop, sent away by the gate, or a server that shuts down and waits for us. */

static void look_at_stop(struct pipeline *pipeline)
{
    bool between = !ack_tracker_open(pipeline->with.tracker) && !pipeline->has_change;
    block(pipeline, BLOCKED_STOP, between);
    bool flushed = between && ack_tracker_in_flight(pipeline->with.tracker) == 0 &&
                   pipeline->outbox.list.count == 0;
    bool hopeless =
        !delivery_connected(pipeline->with.delivery) && !delivery_idle(pipeline->with.delivery);
    if (flushed || hopeless)
        end(pipeline, ENDING_STOPPED);
}

static bool has_work(const struct pipeline *pipeline)
{
    return ack_tracker_in_flight(pipeline->with.tracker) > 0 || pipeline->has_change ||
           pipeline->outbox.list.count > 0;
}

/* Who slept longer than the server waits for an answer has lost the slot, and somebody else may
 * have written since: what is queued must not follow that. */
static void look_at_clock(struct pipeline *pipeline)
{
    mono_ms_t now = clock_now(&pipeline->with.clock);
    int64_t gap_ms = mono_ms_since(now, pipeline->turned);
    pipeline->turned = now;
    if (gap_ms <= pipeline->with.freeze_limit_ms)
        return;
    (void)error_set(&pipeline->error, ERROR_RECONNECT, "frozen",
                    "the process stood still for %lld ms, longer than cdc.walSenderTimeout",
                    (long long)gap_ms);
    end(pipeline, ENDING_SENT_AWAY);
}

static void look_at_gate(struct pipeline *pipeline)
{
    bool noticed = watcher_shutdown_noticed(pipeline->with.watcher);
    if (!noticed)
        pipeline->notice_counts = true; /* else it is of the time before this stream */
    if (pipeline->with.gate.must_stop(pipeline->with.gate.self)) {
        (void)error_set(&pipeline->error, ERROR_STEP_DOWN, "not_leader",
                        "another replica leads now");
        end(pipeline, ENDING_SENT_AWAY);
    } else if (noticed && pipeline->notice_counts && has_work(pipeline)) {
        /* It waits for our confirmation, which Kafka does not let us give: let it go. */
        (void)error_set(&pipeline->error, ERROR_RECONNECT, "server_shutdown",
                        "PostgreSQL shuts down while changes are not delivered yet");
        end_stream(pipeline);
    } else if (!publication_notice_look(&pipeline->notice, &pipeline->error)) {
        end(pipeline, ENDING_CHANGE_FAILED);
    }
    if (!pipeline->ended)
        gate_teller_tell(pipeline->with.teller, GATE_STREAMING,
                         wal_stream_confirmed(pipeline->stream));
}

static void publish(struct pipeline *pipeline)
{
    struct status *status = pipeline->with.status;
    atomic_store_explicit(&status->turned_ms, loop_now(pipeline->with.loop).value,
                          memory_order_relaxed);
    atomic_store_explicit(&status->blocked, pipeline->blocked, memory_order_relaxed);
    atomic_store_explicit(&status->transactions_unconfirmed,
                          ack_tracker_entries(pipeline->with.tracker), memory_order_relaxed);
    uint64_t bytes = wal_stream_bytes(pipeline->stream);
    status_count(&status->received_bytes, bytes - pipeline->bytes_counted);
    pipeline->bytes_counted = bytes;
}

/* A slow handler keeps nobody waiting: others' code is looked at after each row. */
static bool time_is_over(const struct pipeline *pipeline, mono_ms_t began, int left)
{
    return (pipeline->with.foreign || left % PIPELINE_TURN_LOOK == 0) &&
           mono_ms_since(clock_now(&pipeline->with.clock), began) >= PIPELINE_TURN_MS;
}

ON_PIPELINE_THREAD static void turn(struct pipeline *pipeline)
{
    look_at_gate(pipeline);
    heartbeat_notice_look(&pipeline->heartbeat);
    wait_notice_look(&pipeline->wait, (pipeline->blocked & BLOCKED_WAIT) != 0,
                     loop_now(pipeline->with.loop));
    report(pipeline);
    if (!pipeline->ended && pipeline->has_change)
        (pipeline->handled ? send : handle)(pipeline);

    uint32_t changes = 0;
    int64_t began_us = clock_wall_us(&pipeline->with.clock);
    mono_ms_t began = clock_now(&pipeline->with.clock);
    for (int left = PIPELINE_TURN_CHANGES; left > 0 && !pipeline->ended && pipeline->more; left--) {
        if (pipeline->stopping)
            look_at_stop(pipeline);
        if (pipeline->blocked != 0 || pipeline->ended || time_is_over(pipeline, began, left))
            break;
        receive(pipeline);
        changes += pipeline->has_change;
        if (pipeline->has_change && !pipeline->ended)
            handle(pipeline);
        block_when_ring_full(pipeline);
    }
    if (changes > 0)
        measures_turn(pipeline->with.measures, changes,
                      clock_wall_us(&pipeline->with.clock) - began_us);
    if (!pipeline->ended)
        confirm(pipeline);
    if (pipeline->stopping && !pipeline->ended)
        look_at_stop(pipeline);
    publish(pipeline);
}

/* The loop's callbacks. */

ON_PIPELINE_THREAD static void on_socket(void *self, short revents)
{
    struct pipeline *pipeline = self;
    if (pipeline->blocked != 0) {
        if ((revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0) {
            (void)error_set(&pipeline->error, ERROR_RECONNECT, "connection_lost",
                            "PostgreSQL closed the replication connection");
            end_stream(pipeline);
        }
        return;
    }
    if (!wal_stream_fill(pipeline->stream, &pipeline->error))
        end_stream(pipeline);
    pipeline->more = true;
}

/* A delivery event is there, or a status is due: the turn sees to it. */
static void on_delivery(void *self UNUSED, short revents UNUSED)
{
}

static void on_status_due(void *self UNUSED)
{
}

static void on_watcher(void *self, short revents UNUSED)
{
    struct pipeline *pipeline = self;
    watcher_acknowledge(pipeline->with.watcher);
}

static void on_gate(void *self, short revents UNUSED)
{
    struct pipeline *pipeline = self;
    pipeline->with.gate.acknowledge(pipeline->with.gate.self);
}

static void on_stop_late(void *self)
{
    end(self, ENDING_STOPPED);
}

static void on_stop(void *self, short revents UNUSED)
{
    struct pipeline *pipeline = self;
    (void)FAULT(in_stop);
    pipeline->stopping = true;
    loop_watch_set(pipeline->stop_watch, 0);
    loop_timer_set(pipeline->stop_timer,
                   mono_ms_add(loop_now(pipeline->with.loop), pipeline->with.stop_timeout_ms));
    log_info(pipeline->with.log, "stopping: reading the open transaction to its end",
             LOG_BOOL("transaction_open", ack_tracker_open(pipeline->with.tracker)),
             LOG_UINT("in_flight", ack_tracker_in_flight(pipeline->with.tracker)));
}

static void watch(struct pipeline *pipeline)
{
    struct loop *loop = pipeline->with.loop;
    pipeline->socket_watch =
        loop_watch_add(loop, wal_stream_fd(pipeline->stream), POLLIN, on_socket, pipeline);
    pipeline->delivery_watch =
        loop_watch_add(loop, delivery_fd(pipeline->with.delivery), POLLIN, on_delivery, pipeline);
    pipeline->watcher_watch =
        loop_watch_add(loop, watcher_fd(pipeline->with.watcher), POLLIN, on_watcher, pipeline);
    pipeline->stop_watch = loop_watch_add(loop, pipeline->with.stop_fd, POLLIN, on_stop, pipeline);
    if (pipeline->with.gate.fd >= 0)
        pipeline->gate_watch =
            loop_watch_add(loop, pipeline->with.gate.fd, POLLIN, on_gate, pipeline);
    pipeline->status_timer = loop_timer_add(loop, on_status_due, pipeline);
    pipeline->stop_timer = loop_timer_add(loop, on_stop_late, pipeline);
}

static void unwatch(struct pipeline *pipeline)
{
    loop_watch_remove(TAKE(pipeline->socket_watch));
    loop_watch_remove(TAKE(pipeline->delivery_watch));
    loop_watch_remove(TAKE(pipeline->watcher_watch));
    loop_watch_remove(TAKE(pipeline->stop_watch));
    loop_watch_remove(TAKE(pipeline->gate_watch));
    loop_timer_remove(TAKE(pipeline->status_timer));
    loop_timer_remove(TAKE(pipeline->stop_timer));
}

static void wait_for_work(struct pipeline *pipeline)
{
    int events = POLLRDHUP;
    if (pipeline->blocked == 0)
        events |= POLLIN;
    if (wal_stream_wants_write(pipeline->stream))
        events |= POLLOUT;
    loop_watch_set(pipeline->socket_watch, (short)events);
    bool ready = pipeline->more && pipeline->blocked == 0;
    (void)loop_turn(pipeline->with.loop, ready ? 0 : -1);
    look_at_clock(pipeline); /* whatever else woke it */
}

static void log_what_is_left(const struct pipeline *pipeline)
{
    uint64_t unconfirmed = ack_tracker_in_flight(pipeline->with.tracker);
    bool cut = ack_tracker_open(pipeline->with.tracker);
    if (unconfirmed > 0 || cut)
        log_warn(pipeline->with.log, "ended in the middle: what is unconfirmed comes again",
                 LOG_STR("transaction", lsn_text(pipeline->txn.final_lsn).text),
                 LOG_BOOL("transaction_cut", cut), LOG_UINT("records_unconfirmed", unconfirmed));
}

/* The outbox views what the next stream forgets: what of it was not sent is made anew there. */
static void keep_for_resume(struct pipeline *pipeline)
{
    const struct record_list *list = &pipeline->outbox.list;
    resume_cut(&pipeline->resume, list->sent);
    if (list->count > list->sent)
        ack_tracker_withdraw(pipeline->with.tracker, pipeline->ticket, list->count - list->sent);
    pipeline->cut = true;
    pipeline->ended = false; /* what the producer reports may end it again */
    log_info(pipeline->with.log, "the stream was lost: what was sent goes on to Kafka",
             LOG_STR("received", lsn_text(pipeline->received).text),
             LOG_BOOL("transaction_cut", pipeline->resume.open),
             LOG_UINT("records_unconfirmed", ack_tracker_in_flight(pipeline->with.tracker)));
}

ON_PIPELINE_THREAD static void close_line(struct pipeline *pipeline, enum ending ending)
{
    const struct wind_up options = {
        .clock = pipeline->with.clock,
        .stop_fd = pipeline->with.stop_fd,
        .log = pipeline->with.log,
        .brokers = pipeline->with.teller->brokers,
        .status = pipeline->with.status,
        .measures = pipeline->with.measures,
        .delivery = pipeline->with.delivery,
        .tracker = pipeline->with.tracker,
        .stream = pipeline->stream,
        .gate = pipeline->with.gate,
    };
    wind_up(&options, ending);
}

/* Between two streams. */

void pipeline_serve(struct pipeline *pipeline)
{
    if (pipeline->cut)
        report(pipeline);
}

void pipeline_begin(struct pipeline *pipeline)
{
    pipeline->notice.told = watcher_publication_changes(pipeline->with.watcher);
}

bool pipeline_is_cut(const struct pipeline *pipeline)
{
    return pipeline->cut;
}

lsn_t pipeline_received(const struct pipeline *pipeline)
{
    return pipeline->received;
}

lsn_t pipeline_published(const struct pipeline *pipeline)
{
    return pipeline->published;
}

uint64_t pipeline_handed(const struct pipeline *pipeline)
{
    return pipeline->resume.handed;
}

void pipeline_abandon(struct pipeline *pipeline, enum ending ending)
{
    if (!pipeline->cut)
        return;
    pipeline->cut = false;
    close_line(pipeline, ending);
    log_what_is_left(pipeline);
}

static void begin_anew(struct pipeline *pipeline)
{
    pipeline->ended = false;
    pipeline->error = ERROR_INIT;
    pipeline->resume = (struct resume){ .open = false };
    pipeline->received = pipeline->published = LSN_NONE;
    status_store(&pipeline->with.status->confirmed_lsn, 0);
}

ON_PIPELINE_THREAD static void attach(struct pipeline *pipeline, struct wal_stream *stream)
{
    if (!pipeline->cut)
        begin_anew(pipeline);
    pipeline->cut = false;
    pipeline->stream = stream;
    pipeline->blocked = 0;
    pipeline->has_change = pipeline->handled = pipeline->stopping = false;
    pipeline->notice_counts = false;
    pipeline->turned = clock_now(&pipeline->with.clock);
    pipeline->bytes_counted = 0;
    pipeline->more = true;
    outbox_clear(&pipeline->outbox);
    source_attach(pipeline->source, stream);
}

static void detach(struct pipeline *pipeline)
{
    if (pipeline->ending == ENDING_STREAM_CUT)
        keep_for_resume(pipeline);
    else
        log_what_is_left(pipeline);
    pipeline->stream = NULL;
    atomic_store(&pipeline->with.status->transaction_open, false);
    atomic_store(&pipeline->with.status->blocked, 0);
}

enum pipeline_end pipeline_run(struct pipeline *pipeline, struct wal_stream *stream,
                               struct error *err)
{
    attach(pipeline, stream);
    watch(pipeline);
    while (!pipeline->ended) {
        turn(pipeline);
        if (!pipeline->ended)
            wait_for_work(pipeline);
    }
    look_at_clock(pipeline); /* who was frozen in a turn meets a lost connection first */
    unwatch(pipeline);
    close_line(pipeline, pipeline->ending);
    detach(pipeline);
    if (pipeline->ending == ENDING_STOPPED)
        return PIPELINE_STOPPED;
    *err = pipeline->error;
    return PIPELINE_FAILED;
}

struct pipeline *pipeline_new(const struct pipeline_options *options)
{
    struct pipeline *pipeline = memory_alloc(sizeof(*pipeline));
    pipeline->with = *options;
    pipeline->source = source_new();
    outbox_init(&pipeline->outbox);
    pipeline->wait = (struct wait_notice){ .watcher = options->watcher, .log = options->log };
    pipeline->notice = (struct publication_notice){ options->watcher, options->publication,
                                                    options->log, options->publication_left, 0 };
    pipeline->heartbeat = (struct heartbeat_notice){ options->watcher, options->log, 0 };
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    source_free(pipeline->source);
    outbox_done(&pipeline->outbox);
    memory_free(pipeline);
}
