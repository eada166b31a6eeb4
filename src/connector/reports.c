#include "connector/reports.h"

#include <sys/eventfd.h>

#include "base/fault.h"

enum { TABLES_SIZE = 400 };

/* A record carries its topic only, of which several tables may be. */
static void name_place(const struct reports *reports, const struct delivery_event *event,
                       struct error *err)
{
    char tables[TABLES_SIZE];
    const char *topic = delivery_topic_name(reports->delivery, event->topic);
    lsn_t end = ack_tracker_end(reports->tracker, event->ticket);
    const char *where = lsn_is_none(end) ? "at" : "that ends at";
    struct lsn_text lsn = lsn_text(lsn_is_none(end) ? reports->open_lsn : end);
    status_tables_of_topic(reports->status, topic, tables, sizeof(tables));
    if (tables[0] == '\0')
        (void)error_prefix(err, "a record of topic \"%s\", transaction %s %s", topic, where,
                           lsn.text);
    else
        (void)error_prefix(err, "a row of table %s, transaction %s %s", tables, where, lsn.text);
}

void reports_note(struct log *log, struct broker_notice *brokers, const struct error *note)
{
    broker_notice_hear(brokers, note);
    if (note->class == ERROR_NONE)
        log_info(log, note->text, LOG_STR("code", note->code));
    else
        log_failure(log, LOG_WARN, "the Kafka client reports", note);
}

static void acked(const struct reports *reports, ticket_t ticket, int64_t *now_us)
{
    struct ack_times times;
    if (FAULT(before_track) || !ack_tracker_done(reports->tracker, ticket) ||
        !ack_tracker_times(reports->tracker, ticket, &times))
        return;
    if (*now_us == 0)
        *now_us = clock_wall_us(reports->clock);
    measures_acked(reports->measures, times, *now_us);
}

/* Who is told of each record may be slow, and there is other work: the time from the first event on
 * is measured. True: the descriptor says that more may be there. */
static bool time_is_over(const struct reports *reports, mono_ms_t *began)
{
    if (reports->limit_ms == 0)
        return false;
    mono_ms_t now = clock_now(reports->clock);
    if (began->value == 0)
        *began = now;
    if (mono_ms_since(now, *began) < reports->limit_ms)
        return false;
    CHECK(eventfd_write(delivery_fd(reports->delivery), 1) == 0);
    return true;
}

enum reported reports_read(const struct reports *reports, struct error *err)
{
    struct delivery_event event;
    int64_t now_us = 0;
    mono_ms_t began = { 0 };
    while (delivery_next(reports->delivery, &event)) {
        switch (event.kind) {
        case DELIVERY_ACKED:
            acked(reports, event.ticket, &now_us);
            break;
        case DELIVERY_REFUSED:
            *err = *event.err;
            name_place(reports, &event, err);
            return REPORTED_REFUSED;
        case DELIVERY_LOST:
            *err = *event.err;
            return REPORTED_LOST;
        case DELIVERY_NOTE:
            reports_note(reports->log, reports->brokers, event.err);
            break;
        case DELIVERY_CUT:
            break;
        }
        if (time_is_over(reports, &began))
            break;
    }
    return REPORTED_ALL;
}
