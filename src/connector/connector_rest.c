#include "connector/connector_rest.h"

#include <poll.h>

#include "connector/connector_private.h"
#include "connector/reports.h"

enum { WAIT_SLICE_MS = 500 };

void connector_rest_mark_turn(struct connector *connector)
{
    atomic_store(&connector->status.turned_ms, clock_now(&connector->clock).value);
    atomic_store(&connector->status.started, true);
}

/* What the Kafka client says while nothing streams; a pipeline that was cut reads it itself. */
static void log_notes(struct connector *connector)
{
    struct delivery_event event;
    while (!pipeline_is_cut(connector->pipeline) && delivery_next(connector->delivery, &event)) {
        if (event.kind == DELIVERY_NOTE || event.kind == DELIVERY_LOST)
            reports_note(connector->with.log, &connector->brokers, event.err);
        if (event.kind != DELIVERY_LOST)
            continue;
        connector->dirty = true;
        connector->lost = event.err->class == ERROR_RECONNECT;
    }
}

/* What a new producer mends is mended here already: a standby must reach the brokers to be one. */
static void renew_producer(struct connector *connector)
{
    struct error again; /* with the next slice */
    if (!connector->lost || pipeline_is_cut(connector->pipeline) ||
        !delivery_rebuild(connector->delivery, &again))
        return;
    connector->lost = false;
    connector->dirty = false;
}

/* Whether somebody else may write meanwhile: then what was sent is taken back, as far as it can be,
 * also while a session is being opened, which then hands out no stream. */
ON_PIPELINE_THREAD static void look_at_resume(struct connector *connector)
{
    mono_ms_t now = clock_now(&connector->clock);
    struct slot_sight slot;
    int64_t slot_age_ms;
    bool seen = watcher_sight(connector->watcher, &slot, &slot_age_ms);
    const struct identity_sight sight = {
        .gate_closed = connector->gate.must_stop(connector->gate.self),
        .stood_still_ms = now.value - atomic_load(&connector->status.turned_ms),
        .cut_ms = mono_ms_since(now, connector->cut_at),
        .slot = seen ? &slot : NULL,
        .slot_age_ms = slot_age_ms,
        .records_queued = !delivery_idle(connector->delivery),
        .limit_ms = connector->session.wal_sender_timeout_ms,
    };
    identity_look(&connector->memory.identity, &sight);
}

void connector_rest_abandon(struct connector *connector)
{
    if (lsn_is_none(connector->memory.identity.resume_from))
        pipeline_abandon(connector->pipeline, ENDING_SENT_AWAY);
}

/* Until a stream that was cut is abandoned, what was sent may still reach Kafka. */
void connector_rest_tell_gate(struct connector *connector)
{
    enum gate_phase phase = pipeline_is_cut(connector->pipeline) ? GATE_STARTING : connector->phase;
    gate_teller_tell(&connector->teller, phase, ack_tracker_confirmed(connector->tracker));
}

void connector_rest_serve(void *self)
{
    struct connector *connector = self;
    if (pipeline_is_cut(connector->pipeline)) {
        look_at_resume(connector);
        connector_rest_abandon(connector);
    }
    connector_rest_mark_turn(connector);
    log_notes(connector);
    renew_producer(connector);
    pipeline_serve(connector->pipeline);
    connector_rest_tell_gate(connector);
}

enum connector_rest connector_rest_until(struct connector *connector, mono_ms_t until, bool sights)
{
    for (;;) {
        connector_rest_serve(connector);
        bool looks = sights || pipeline_is_cut(connector->pipeline);
        int64_t left = mono_ms_since(until, clock_now(&connector->clock));
        int64_t slice = left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS;
        struct pollfd fds[] = {
            { .fd = connector->stop_fd, .events = POLLIN },
            { .fd = looks ? watcher_fd(connector->watcher) : -1, .events = POLLIN },
            { .fd = connector->gate.fd, .events = POLLIN },
        };
        (void)poll(fds, COUNT_OF(fds), slice > 0 ? (int)slice : 0);
        if ((fds[0].revents & POLLIN) != 0)
            return CONNECTOR_REST_STOP;
        if ((fds[2].revents & POLLIN) != 0)
            connector->gate.acknowledge(connector->gate.self);
        if ((fds[1].revents & POLLIN) != 0)
            watcher_acknowledge(connector->watcher);
        if (sights && ((fds[1].revents | fds[2].revents) & POLLIN) != 0)
            return CONNECTOR_REST_SEEN;
        if (left <= 0)
            return CONNECTOR_REST_OVER;
    }
}

bool connector_rest_for(struct connector *connector, int64_t wait_ms)
{
    mono_ms_t until = mono_ms_add(clock_now(&connector->clock), wait_ms);
    return connector_rest_until(connector, until, false) == CONNECTOR_REST_STOP;
}

bool connector_rest_pause(struct connector *connector)
{
    mono_ms_t until = mono_ms_add(clock_now(&connector->clock), connector->pause_ms);
    uint64_t sights = watcher_sights(connector->watcher);
    bool blind = connector->pause_is_blind;
    connector->pause_ms = 0;
    /* Who does not lead has nothing to wait for: a standby starts at once when it does. */
    while (connector->gate.may_start(connector->gate.self)) {
        enum connector_rest rest = connector_rest_until(connector, until, true);
        if (rest == CONNECTOR_REST_STOP)
            return true;
        if (rest == CONNECTOR_REST_OVER || (blind && watcher_sights(connector->watcher) != sights))
            break;
    }
    return false;
}

void connector_rest_set_pause(struct connector *connector, int64_t pause_ms)
{
    connector->pause_ms = pause_ms;
    connector->pause_is_blind =
        connector->error.class == ERROR_RECONNECT && !watcher_connected(connector->watcher);
}
