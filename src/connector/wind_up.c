#include "connector/wind_up.h"

#include <poll.h>

#include "base/check.h"
#include "connector/reports.h"

enum {
    SETTLE_LIMIT_MS = 5000,
    QUIET_LIMIT_MS = 1000,
    COPY_DONE_LIMIT_MS = 1000,
    TURN_MS = 100,
};

/* A server that is not answered cuts the connection before the last word. */
ON_PIPELINE_THREAD static void answer(const struct wind_up *wind_up)
{
    mono_ms_t next;
    struct error ignored = ERROR_INIT; /* the goodbye meets it again */
    if (wind_up->stream == NULL)
        return;
    wal_stream_confirm(wind_up->stream, ack_tracker_confirmed(wind_up->tracker));
    (void)!wal_stream_tick(wind_up->stream, &next, &ignored);
}

/* True: asked to stop. */
ON_PIPELINE_THREAD static bool wait_for_event(const struct wind_up *wind_up, bool stoppable)
{
    answer(wind_up);
    struct pollfd fds[] = {
        { .fd = delivery_fd(wind_up->delivery), .events = POLLIN },
        { .fd = stoppable ? wind_up->stop_fd : -1, .events = POLLIN },
    };
    (void)poll(fds, COUNT_OF(fds), TURN_MS);
    return (fds[1].revents & POLLIN) != 0;
}

/* False: waiting is of no use any more. */
static bool serve(const struct wind_up *wind_up)
{
    const struct reports reports = {
        .delivery = wind_up->delivery,
        .tracker = wind_up->tracker,
        .log = wind_up->log,
        .brokers = wind_up->brokers,
        .status = wind_up->status,
        .measures = wind_up->measures,
        .clock = &wind_up->clock,
        .limit_ms = TURN_MS,
    };
    struct error ignored; /* what ended the line was said before */
    return reports_read(&reports, &ignored) == REPORTED_ALL;
}

static bool time_is_left(const struct wind_up *wind_up, mono_ms_t until)
{
    return mono_ms_before(clock_now(&wind_up->clock), until);
}

void wind_up_settle(const struct wind_up *wind_up)
{
    mono_ms_t until = mono_ms_add(clock_now(&wind_up->clock), SETTLE_LIMIT_MS);
    while (!delivery_idle(wind_up->delivery) && delivery_connected(wind_up->delivery) &&
           time_is_left(wind_up, until) && !wind_up->gate.must_stop(wind_up->gate.self))
        if (!serve(wind_up) || wait_for_event(wind_up, true))
            return;
}

void wind_up_quiet(const struct wind_up *wind_up)
{
    mono_ms_t until = mono_ms_add(clock_now(&wind_up->clock), QUIET_LIMIT_MS);
    delivery_abandon(wind_up->delivery);
    for (;;) {
        struct delivery_event event;
        while (delivery_next(wind_up->delivery, &event))
            ;
        if (delivery_quiet(wind_up->delivery))
            return;
        if (!time_is_left(wind_up, until))
            break;
        (void)wait_for_event(wind_up, false);
    }
    log_warn(wind_up->log, "requests to Kafka are still unanswered: their records may arrive late");
}

void wind_up_goodbye(const struct wind_up *wind_up)
{
    struct error error = ERROR_INIT;
    if (wind_up->stream == NULL)
        return;
    wal_stream_confirm(wind_up->stream, ack_tracker_confirmed(wind_up->tracker));
    if (!wal_stream_finish(wind_up->stream, COPY_DONE_LIMIT_MS, &error)) {
        log_failure(wind_up->log, LOG_WARN, "the stream did not end cleanly", &error);
        return;
    }
    status_store(&wind_up->status->confirmed_lsn, wal_stream_confirmed(wind_up->stream).value);
}

void wind_up(const struct wind_up *wind_up, enum ending ending)
{
    enum { SETTLE = 1, QUIET = 2, GOODBYE = 4 };
    static const unsigned steps_of[] = {
        [ENDING_STOPPED] = QUIET | GOODBYE,
        [ENDING_CHANGE_FAILED] = SETTLE | QUIET | GOODBYE,
        [ENDING_STREAM_FAILED] = SETTLE | QUIET,
        [ENDING_STREAM_CUT] = 0,
        [ENDING_RECORD_FAILED] = SETTLE | QUIET | GOODBYE,
        [ENDING_PRODUCER_LOST] = QUIET,
        [ENDING_SENT_AWAY] = QUIET,
    };
    unsigned steps = steps_of[ending];
    struct wind_up with = *wind_up;
    if ((steps & GOODBYE) == 0)
        with.stream = NULL; /* nobody to answer */
    if ((steps & SETTLE) != 0)
        wind_up_settle(&with);
    if ((steps & QUIET) != 0)
        wind_up_quiet(&with);
    if ((steps & GOODBYE) != 0)
        wind_up_goodbye(&with);
}
