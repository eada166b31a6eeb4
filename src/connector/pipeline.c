#include "connector/pipeline.h"

#include <poll.h>

#include "base/fault.h"
#include "base/memory.h"
#include "connector/source.h"

enum {
    PIPELINE_TURN_CHANGES = 2000, /* per turn, so that reports and timers get their share */
    PIPELINE_OUTBOX_KEEP_BYTES = 1024 * 1024, /* what the outbox keeps after a giant row */
    PIPELINE_HEARTBEAT_MS = 1000,             /* the gate and the stop are looked at this often */
    PIPELINE_COPY_DONE_LIMIT_MS = 1000,
    PIPELINE_QUIET_LIMIT_MS = 1000,  /* for requests of an abandoned producer to be answered */
    PIPELINE_SETTLE_LIMIT_MS = 5000, /* for what was sent before a failure to be acked */
    PIPELINE_WAIT_COMPLAIN_MS = 5000,
    PIPELINE_POLL_MS = 100,
    PIPELINE_FULL_LIMIT_MS = 5000, /* how long an empty producer may refuse a record */
};

/* What ended the line says what is still worth doing before it is closed. */
enum ending {
    ENDING_STOPPED,       /* flushed, or not worth waiting for */
    ENDING_CHANGE_FAILED, /* a change cannot go on: the stream and the producer are well */
    ENDING_STREAM_FAILED, /* the stream is lost, the producer is well */
    ENDING_RECORD_FAILED, /* the producer refused a record: what was sent before may yet be acked */
    ENDING_PRODUCER_LOST,
    ENDING_SENT_AWAY, /* somebody else leads: at once */
};

struct pipeline {
    struct pipeline_options with;
    struct source *source;
    struct wal_stream *stream;
    struct loop_watch *socket_watch, *delivery_watch, *watcher_watch, *stop_watch;
    struct loop_timer *status_timer, *stop_timer;

    struct change change; /* in hand: not yet (fully) handled when has_change */
    bool has_change;
    bool more;        /* the source may have more without reading the socket */
    unsigned blocked; /* bits of enum blocked */
    struct arena outbox_arena;
    struct record_list outbox;

    mono_ms_t full_since; /* the producer takes nothing though nothing is in flight; 0 = it takes */

    uint64_t bytes_counted; /* of this stream, in the status, which counts all streams */

    struct txn txn;
    ticket_t ticket;

    mono_ms_t wait_since; /* BLOCKED_WAIT began; 0 = it is off or was complained about */
    bool notice_counts;   /* no shutdown was noticed at some time of this stream */

    bool stopping;
    bool ended;
    enum ending ending;
    struct error error;
};

static void end(struct pipeline *pipeline, enum ending ending)
{
    pipeline->ended = true;
    pipeline->ending = ending;
}

static void block(struct pipeline *pipeline, enum blocked reason, bool on)
{
    if (on)
        pipeline->blocked |= (unsigned)reason;
    else
        pipeline->blocked &= ~(unsigned)reason;
}

/* Steps 6 and 7: delivery reports become progress. */

static void report_one(struct pipeline *pipeline, const struct delivery_event *event)
{
    switch (event->kind) {
    case DELIVERY_ACKED:
        if (!FAULT(before_track))
            (void)ack_tracker_done(pipeline->with.tracker, event->ticket);
        return;
    case DELIVERY_REFUSED:
        pipeline->error = *event->err;
        (void)error_prefix(&pipeline->error, "topic \"%s\"",
                           delivery_topic_name(pipeline->with.delivery, event->topic));
        end(pipeline, ENDING_RECORD_FAILED);
        return;
    case DELIVERY_LOST:
        pipeline->error = *event->err;
        end(pipeline, ENDING_PRODUCER_LOST);
        return;
    case DELIVERY_NOTE:
        log_failure(pipeline->with.log, LOG_WARN, "the Kafka client reports", event->err);
        return;
    case DELIVERY_CUT:
        return;
    }
}

/* A full ring blocks between transactions only: the open one must be read to its end. */
static void block_when_ring_full(struct pipeline *pipeline)
{
    const struct ack_tracker *tracker = pipeline->with.tracker;
    block(pipeline, BLOCKED_IN_FLIGHT, ack_tracker_full(tracker) && !ack_tracker_open(tracker));
}

static void report(struct pipeline *pipeline)
{
    struct delivery_event event;
    while (!pipeline->ended && delivery_next(pipeline->with.delivery, &event))
        report_one(pipeline, &event);
    block_when_ring_full(pipeline);
}

/* Step 5: what a change became goes to the producer; the rest waits in the outbox. */

static bool nothing_in_flight(const struct pipeline *pipeline)
{
    return atomic_load_explicit(&delivery_stats(pipeline->with.delivery)->in_flight_records,
                                memory_order_relaxed) == 0;
}

/* FULL with nothing in flight is either a producer that broke, whose event is on its way, or a
 * queue that this record never fits into. */
static void send_full(struct pipeline *pipeline)
{
    mono_ms_t now = loop_now(pipeline->with.loop);
    if (pipeline->full_since.value == 0 || !nothing_in_flight(pipeline))
        pipeline->full_since = now;
    block(pipeline, BLOCKED_OUTBOX, true);
    if (mono_ms_since(now, pipeline->full_since) < PIPELINE_FULL_LIMIT_MS)
        return;
    (void)error_set(&pipeline->error, ERROR_HALT, "record_never_fits",
                    "a record does not fit into the empty producer queue");
    (void)error_advise(&pipeline->error, "raise kafka.maxInFlightBytes above the largest row");
    end(pipeline, ENDING_RECORD_FAILED);
}

static void send(struct pipeline *pipeline)
{
    struct record_list *outbox = &pipeline->outbox;
    while (outbox->sent < outbox->count) {
        switch (delivery_send(pipeline->with.delivery, &outbox->items[outbox->sent],
                              pipeline->ticket, &pipeline->error)) {
        case DELIVERY_OK:
            outbox->sent++;
            pipeline->full_since = (mono_ms_t){ 0 };
            (void)FAULT(after_send);
            break;
        case DELIVERY_FULL:
            send_full(pipeline);
            return;
        case DELIVERY_FAILED:
            (void)error_prefix(&pipeline->error, "transaction at %s",
                               lsn_text(pipeline->txn.final_lsn).text);
            end(pipeline, ENDING_RECORD_FAILED);
            return;
        }
    }
    block(pipeline, BLOCKED_OUTBOX, false);
    record_list_clear(outbox);
}

/* Steps 3 and 4: the change in hand becomes records. */

static enum emit handle_begin(struct pipeline *pipeline)
{
    const struct change *change = &pipeline->change;
    pipeline->txn = (struct txn){
        .xid = change->as.begin.xid,
        .final_lsn = change->as.begin.final_lsn,
        .commit_time = change->as.begin.commit_time,
    };
    const struct handler *handler = &pipeline->with.handler;
    enum emit emit =
        handler->ops->begin(handler->self, &pipeline->txn, &pipeline->outbox, &pipeline->error);
    if (emit == EMIT_OK) {
        pipeline->ticket = ack_tracker_begin(pipeline->with.tracker);
        ack_tracker_add(pipeline->with.tracker, pipeline->ticket, pipeline->outbox.count);
        atomic_store(&pipeline->with.status->transaction_open, true);
    }
    return emit;
}

static enum emit handle_row(struct pipeline *pipeline)
{
    const struct handler *handler = &pipeline->with.handler;
    enum emit emit = handler->ops->change(handler->self, &pipeline->txn, &pipeline->change,
                                          &pipeline->outbox, &pipeline->error);
    if (emit == EMIT_OK) {
        pipeline->txn.ordinal++;
        ack_tracker_add(pipeline->with.tracker, pipeline->ticket, pipeline->outbox.count);
    }
    return emit;
}

static void note_commit(struct pipeline *pipeline)
{
    struct status *status = pipeline->with.status;
    int64_t commit_us = server_time_unix_us(pipeline->change.as.commit.commit_time);
    status_store(&status->received_lsn, pipeline->change.as.commit.end_lsn.value);
    atomic_store(&status->commit_time_us, commit_us);
    atomic_store(&status->lag_us, clock_wall_us(&pipeline->with.clock) - commit_us);
    atomic_store(&status->transaction_open, false);
}

static enum emit handle_commit(struct pipeline *pipeline)
{
    const struct handler *handler = &pipeline->with.handler;
    enum emit emit =
        handler->ops->commit(handler->self, &pipeline->txn, &pipeline->outbox, &pipeline->error);
    if (emit == EMIT_OK) {
        ack_tracker_add(pipeline->with.tracker, pipeline->ticket, pipeline->outbox.count);
        ack_tracker_close(pipeline->with.tracker, pipeline->ticket,
                          pipeline->change.as.commit.end_lsn);
        note_commit(pipeline);
    }
    return emit;
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

/* The decoder knows messages, not their order: rows and Commit belong inside Begin and Commit. */
static bool in_order(struct pipeline *pipeline)
{
    static const bool needs_open[CHANGE_KIND_COUNT] = {
        [CHANGE_COMMIT] = true, [CHANGE_INSERT] = true,   [CHANGE_UPDATE] = true,
        [CHANGE_DELETE] = true, [CHANGE_TRUNCATE] = true,
    };
    enum change_kind kind = pipeline->change.kind;
    bool open = ack_tracker_open(pipeline->with.tracker);
    if (open ? kind != CHANGE_BEGIN : !needs_open[kind])
        return true;
    return error_set(&pipeline->error, ERROR_HALT, "undecodable",
                     "%s message %s a transaction; the last one was at %s", change_kind_name(kind),
                     open ? "inside" : "outside", lsn_text(pipeline->txn.final_lsn).text);
}

static enum emit (*const handle_kind[CHANGE_KIND_COUNT])(struct pipeline *) = {
    [CHANGE_BEGIN] = handle_begin,    [CHANGE_COMMIT] = handle_commit,
    [CHANGE_ORIGIN] = handle_nothing, [CHANGE_RELATION] = handle_relation,
    [CHANGE_TYPE] = handle_nothing,   [CHANGE_INSERT] = handle_row,
    [CHANGE_UPDATE] = handle_row,     [CHANGE_DELETE] = handle_row,
    [CHANGE_TRUNCATE] = handle_row,   [CHANGE_MESSAGE] = handle_nothing,
};

static void handle_failed(struct pipeline *pipeline)
{
    const struct relation *relation = pipeline->change.relation;
    const char *kind = change_kind_name(pipeline->change.kind);
    struct lsn_text lsn = lsn_text(pipeline->txn.final_lsn);
    if (relation != NULL)
        (void)error_prefix(&pipeline->error, "%s of table %.*s.%.*s, transaction at %s", kind,
                           SLICE_ARGS(relation->schema), SLICE_ARGS(relation->name), lsn.text);
    else
        (void)error_prefix(&pipeline->error, "%s, transaction at %s", kind, lsn.text);
    end(pipeline, ENDING_CHANGE_FAILED);
}

static void handle(struct pipeline *pipeline)
{
    if (!in_order(pipeline)) {
        end(pipeline, ENDING_STREAM_FAILED);
        return;
    }
    enum emit emit = handle_kind[pipeline->change.kind](pipeline);
    block(pipeline, BLOCKED_WAIT, emit == EMIT_WAIT);
    switch (emit) {
    case EMIT_OK:
        pipeline->has_change = false;
        status_count(&pipeline->with.status->changes[pipeline->change.kind], 1);
        (void)FAULT(after_handle);
        send(pipeline); /* the outbox holds what became of one change, and views its relation */
        return;
    case EMIT_WAIT:
        return;
    case EMIT_FAILED:
        handle_failed(pipeline);
        return;
    }
}

/* Steps 1 and 2: the next change, or how far the server is. */

static void idle(struct pipeline *pipeline, lsn_t server_end)
{
    struct ack_tracker *tracker = pipeline->with.tracker;
    if (!ack_tracker_open(tracker) && !ack_tracker_full(tracker))
        ack_tracker_idle(tracker, server_end);
}

ON_PIPELINE_THREAD static void receive(struct pipeline *pipeline)
{
    struct wal_message message;
    switch (source_next(pipeline->source, &pipeline->change, &message, &pipeline->error)) {
    case PULL_CHANGE:
        pipeline->has_change = true;
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
        end(pipeline, ENDING_STREAM_FAILED);
        return;
    case PULL_FAILED:
        end(pipeline, ENDING_STREAM_FAILED);
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
        end(pipeline, ENDING_STREAM_FAILED);
        return;
    }
    if (wal_stream_confirmed(pipeline->stream).value > pipeline->with.status->confirmed_lsn) {
        status_store(&pipeline->with.status->confirmed_lsn,
                     wal_stream_confirmed(pipeline->stream).value);
        (void)FAULT(after_confirm);
    }
    mono_ms_t heartbeat = mono_ms_add(loop_now(pipeline->with.loop), PIPELINE_HEARTBEAT_MS);
    loop_timer_set(pipeline->status_timer, mono_ms_before(next, heartbeat) ? next : heartbeat);
}

/* The end: asked to stop, sent away by the gate, or a server that shuts down and waits for us. */

static void look_at_stop(struct pipeline *pipeline)
{
    bool between = !ack_tracker_open(pipeline->with.tracker) && !pipeline->has_change;
    block(pipeline, BLOCKED_STOP, between);
    bool flushed = between && ack_tracker_in_flight(pipeline->with.tracker) == 0 &&
                   pipeline->outbox.count == 0;
    bool hopeless = !delivery_connected(pipeline->with.delivery) && !nothing_in_flight(pipeline);
    if (flushed || hopeless)
        end(pipeline, ENDING_STOPPED);
}

static bool has_work(const struct pipeline *pipeline)
{
    return ack_tracker_in_flight(pipeline->with.tracker) > 0 || pipeline->has_change ||
           pipeline->outbox.count > 0;
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
        end(pipeline, ENDING_STREAM_FAILED);
    }
}

static void look_at_wait(struct pipeline *pipeline)
{
    mono_ms_t now = loop_now(pipeline->with.loop);
    if ((pipeline->blocked & BLOCKED_WAIT) == 0) {
        pipeline->wait_since = now;
    } else if (pipeline->wait_since.value != 0 &&
               mono_ms_since(now, pipeline->wait_since) >= PIPELINE_WAIT_COMPLAIN_MS) {
        char reason[ERROR_TEXT_SIZE];
        watcher_last_error(pipeline->with.watcher, reason, sizeof(reason));
        log_warn(pipeline->with.log,
                 "the primary key of a table cannot be looked up: still waiting",
                 LOG_STR("error", reason[0] != '\0' ? reason : NULL));
        pipeline->wait_since.value = 0; /* said once */
    }
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

ON_PIPELINE_THREAD static void turn(struct pipeline *pipeline)
{
    look_at_gate(pipeline);
    look_at_wait(pipeline);
    report(pipeline);
    if (!pipeline->ended && pipeline->outbox.count > 0)
        send(pipeline);
    if (!pipeline->ended && pipeline->has_change && (pipeline->blocked & BLOCKED_WAIT) != 0)
        handle(pipeline);

    for (int left = PIPELINE_TURN_CHANGES; left > 0 && !pipeline->ended && pipeline->more; left--) {
        if (pipeline->stopping)
            look_at_stop(pipeline);
        if (pipeline->blocked != 0 || pipeline->ended)
            break;
        receive(pipeline);
        if (pipeline->has_change && !pipeline->ended)
            handle(pipeline);
        block_when_ring_full(pipeline);
    }
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
            end(pipeline, ENDING_STREAM_FAILED);
        }
        return;
    }
    if (!wal_stream_fill(pipeline->stream, &pipeline->error))
        end(pipeline, ENDING_STREAM_FAILED);
    pipeline->more = true;
}

static void on_delivery(void *self UNUSED, short revents UNUSED)
{
    /* The turn reads the events. */
}

static void on_watcher(void *self, short revents UNUSED)
{
    struct pipeline *pipeline = self;
    watcher_acknowledge(pipeline->with.watcher);
}

static void on_status_due(void *self UNUSED)
{
    /* The turn sends it. */
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
    pipeline->status_timer = loop_timer_add(loop, on_status_due, pipeline);
    pipeline->stop_timer = loop_timer_add(loop, on_stop_late, pipeline);
}

static void unwatch(struct pipeline *pipeline)
{
    loop_watch_remove(TAKE(pipeline->socket_watch));
    loop_watch_remove(TAKE(pipeline->delivery_watch));
    loop_watch_remove(TAKE(pipeline->watcher_watch));
    loop_watch_remove(TAKE(pipeline->stop_watch));
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
}

/* Serves reports until nothing is in flight, the time is over, or it is of no use. */
static void settle(struct pipeline *pipeline)
{
    mono_ms_t until = mono_ms_add(clock_now(&pipeline->with.clock), PIPELINE_SETTLE_LIMIT_MS);
    struct delivery_event event;
    while (!nothing_in_flight(pipeline) && delivery_connected(pipeline->with.delivery) &&
           mono_ms_before(clock_now(&pipeline->with.clock), until)) {
        while (delivery_next(pipeline->with.delivery, &event)) {
            if (event.kind == DELIVERY_ACKED)
                (void)ack_tracker_done(pipeline->with.tracker, event.ticket);
            else if (event.kind == DELIVERY_LOST || event.kind == DELIVERY_REFUSED)
                return;
        }
        struct pollfd fds[] = {
            { .fd = delivery_fd(pipeline->with.delivery), .events = POLLIN },
            { .fd = pipeline->with.stop_fd, .events = POLLIN },
        };
        (void)poll(fds, COUNT_OF(fds), PIPELINE_POLL_MS);
        if ((fds[1].revents & POLLIN) != 0)
            return;
    }
}

/* A live process never frees the slot while its producer can still write: what is queued is purged,
 * and requests on the wire are waited for. */
static void quiet(struct pipeline *pipeline)
{
    struct delivery *delivery = pipeline->with.delivery;
    delivery_abandon(delivery);
    mono_ms_t until = mono_ms_add(clock_now(&pipeline->with.clock), PIPELINE_QUIET_LIMIT_MS);
    struct delivery_event event;
    for (;;) {
        while (delivery_next(delivery, &event))
            ;
        if (delivery_quiet(delivery))
            return;
        if (!mono_ms_before(clock_now(&pipeline->with.clock), until))
            break;
        struct pollfd ready = { .fd = delivery_fd(delivery), .events = POLLIN };
        (void)poll(&ready, 1, PIPELINE_POLL_MS);
    }
    log_warn(pipeline->with.log,
             "requests to Kafka are still unanswered: their records may arrive late");
}

/* The last word to the server: what is safe. Then it frees the slot. */
ON_PIPELINE_THREAD static void say_goodbye(struct pipeline *pipeline)
{
    wal_stream_confirm(pipeline->stream, ack_tracker_confirmed(pipeline->with.tracker));
    struct error error = ERROR_INIT;
    if (!wal_stream_finish(pipeline->stream, PIPELINE_COPY_DONE_LIMIT_MS, &error)) {
        log_failure(pipeline->with.log, LOG_WARN, "the stream did not end cleanly", &error);
        return;
    }
    status_store(&pipeline->with.status->confirmed_lsn,
                 wal_stream_confirmed(pipeline->stream).value);
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

ON_PIPELINE_THREAD static void wind_up(struct pipeline *pipeline)
{
    enum ending ending = pipeline->ending;
    if (ending == ENDING_CHANGE_FAILED || ending == ENDING_STREAM_FAILED ||
        ending == ENDING_RECORD_FAILED)
        settle(pipeline);
    quiet(pipeline);
    if (ending == ENDING_STOPPED || ending == ENDING_CHANGE_FAILED ||
        ending == ENDING_RECORD_FAILED)
        say_goodbye(pipeline);
    log_what_is_left(pipeline);
}

enum pipeline_end pipeline_run(struct pipeline *pipeline, struct wal_stream *stream,
                               struct error *err)
{
    pipeline->stream = stream;
    pipeline->blocked = 0;
    pipeline->has_change = pipeline->stopping = pipeline->ended = false;
    pipeline->notice_counts = false;
    pipeline->bytes_counted = 0;
    pipeline->more = true;
    pipeline->full_since = (mono_ms_t){ 0 };
    pipeline->error = ERROR_INIT;
    status_store(&pipeline->with.status->confirmed_lsn, 0);
    record_list_clear(&pipeline->outbox);
    source_attach(pipeline->source, stream);
    watch(pipeline);
    while (!pipeline->ended) {
        turn(pipeline);
        if (!pipeline->ended)
            wait_for_work(pipeline);
    }
    unwatch(pipeline);
    wind_up(pipeline);
    atomic_store(&pipeline->with.status->transaction_open, false);
    atomic_store(&pipeline->with.status->blocked, 0);
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
    pipeline->outbox_arena = arena_init(PIPELINE_OUTBOX_KEEP_BYTES);
    pipeline->outbox.arena = &pipeline->outbox_arena;
    return pipeline;
}

void pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    source_free(pipeline->source);
    record_list_done(&pipeline->outbox);
    arena_done(&pipeline->outbox_arena);
    memory_free(pipeline);
}
