#include "kafka/notices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LOG_KIND_LENGTH = 24 }; /* of a log line, what tells its kind: numbers come behind it */

static bool long_ago(mono_ms_t then, int64_t limit_ms, mono_ms_t now)
{
    return then.value == 0 || mono_ms_since(now, then) >= limit_ms;
}

/* The kind of that name, or the place of the one that was told longest ago. */
static struct notice_kind *kind_of(struct notices *notices, const char *name)
{
    struct notice_kind *oldest = &notices->kinds[0];
    for (size_t i = 0; i < NOTICE_KINDS; i++) {
        struct notice_kind *kind = &notices->kinds[i];
        if (strcmp(kind->name, name) == 0)
            return kind;
        if (mono_ms_before(kind->told, oldest->told))
            oldest = kind;
    }
    *oldest = (struct notice_kind){ 0 };
    snprintf(oldest->name, sizeof oldest->name, "%s", name);
    return oldest;
}

/* Whether this kind may be told now. What was left out before is added to its text. */
static bool tell(struct notices *notices, const char *name, mono_ms_t now, struct error *note)
{
    struct notice_kind *kind = kind_of(notices, name);
    if (!long_ago(kind->told, NOTICE_REPEAT_MS, now)) {
        kind->untold++;
        return false;
    }
    if (kind->untold > 0) {
        char text[ERROR_TEXT_SIZE];
        snprintf(text, sizeof text, "%s", note->text);
        snprintf(note->text, sizeof note->text, "%.960s (and %" PRIu64 " more like it)", text,
                 kind->untold);
    }
    kind->told = now;
    kind->untold = 0;
    return true;
}

/* Errors begin with the broker: "host:port/id: ...". While none is connected all are one kind. */
static bool tell_error(struct notices *notices, const struct error *error, mono_ms_t now,
                       struct error *out_note)
{
    char name[NOTICE_KIND_SIZE];
    const char *broker = strstr(error->text, ": ");
    broker = broker != NULL ? broker + 2 : "";
    const char *scheme = strstr(broker, "://"); /* of the broker only when no space is before it */
    if (scheme != NULL && (size_t)(scheme - broker) < strcspn(broker, " "))
        broker = scheme + 3;
    int size = notices->away ? 0 : (int)strcspn(broker, "/ ");
    snprintf(name, sizeof name, "%s %.*s", error->code, size, broker);
    *out_note = *error;
    return tell(notices, name, now, out_note);
}

static bool tell_loss(struct notices *notices, mono_ms_t now, struct error *out_note)
{
    struct error *error = &notices->error;
    notices->away = true;
    notices->away_since = notices->held_since;
    notices->loss_told = now;
    notices->held = false;
    struct error ignored;
    (void)tell_error(notices, error, now, &ignored); /* told herewith */
    *out_note = *error;
    const char *reason = strncmp(error->text, "kafka: ", 7) == 0 ? error->text + 7 : error->text;
    (void)error_set(out_note, ERROR_RETRY, "brokers_lost", "kafka: no broker is connected: %s",
                    reason);
    return !error_advise(out_note, "Records wait until a broker is back; nothing is lost. %s",
                         error->advice[0] != '\0'
                             ? error->advice
                             : "Check kafka.brokers, the brokers and the network.");
}

static bool tell_return(struct notices *notices, mono_ms_t now, struct error *out_note)
{
    notices->away = false;
    int64_t away_ms = mono_ms_since(now, notices->away_since);
    return !error_set(out_note, ERROR_NONE, "brokers_back",
                      "kafka: a broker is connected again; none was for %" PRId64 ".%" PRId64 " s",
                      away_ms / 1000, away_ms % 1000 / 100);
}

static void hold(struct notices *notices, const struct error *error, mono_ms_t now)
{
    if (notices->held)
        return; /* the first one is the cause */
    notices->held = true;
    notices->held_since = now;
    notices->error = *error;
}

static bool is_all_down(const struct error *error)
{
    return strcmp(error->code, "_ALL_BROKERS_DOWN") == 0;
}

bool notices_error(struct notices *notices, const struct error *error, uint32_t brokers_up,
                   mono_ms_t now, struct error *out_note)
{
    bool all_down = is_all_down(error);
    if (notices->away || brokers_up > 1)
        return !all_down && tell_error(notices, error, now, out_note);
    struct error kept = *error;
    if (all_down)
        kept.advice[0] = '\0'; /* said anyway */
    hold(notices, &kept, now);
    return notices_look(notices, brokers_up, now, out_note);
}

bool notices_say(struct notices *notices, const struct error *error, mono_ms_t now,
                 struct error *out_note)
{
    return tell_error(notices, error, now, out_note);
}

bool notices_log(struct notices *notices, const char *facility, const char *text, mono_ms_t now,
                 struct error *out_note)
{
    static const char *const said_by_error_events[] = { "FAIL", "ERROR", "FATAL", "SSLCERTVRFY" };
    for (size_t i = 0; i < COUNT_OF(said_by_error_events); i++)
        if (strcmp(facility, said_by_error_events[i]) == 0)
            return false;
    if (strcmp(facility, "CONFWARN") == 0 && strstr(text, "enable.gapless.guarantee") != NULL)
        return false; /* that one is ours, and meant */
    const char *rest = strncmp(text, "[thrd:", 6) == 0 ? strstr(text, "]: ") : NULL;
    if (rest != NULL)
        text = rest + 3;
    char name[NOTICE_KIND_SIZE];
    snprintf(name, sizeof name, "%s %.*s", facility, (int)LOG_KIND_LENGTH, text);
    (void)error_set(out_note, ERROR_RETRY, "librdkafka", "kafka: %s: %s", facility, text);
    return tell(notices, name, now, out_note);
}

bool notices_look(struct notices *notices, uint32_t brokers_up, mono_ms_t now,
                  struct error *out_note)
{
    if (notices->away)
        return brokers_up > 0 && tell_return(notices, now, out_note);
    if (!notices->held)
        return false;
    if (brokers_up == 0)
        return long_ago(notices->loss_told, NOTICE_LOSSES_MS, now) &&
               tell_loss(notices, now, out_note);
    if (mono_ms_since(now, notices->held_since) < NOTICE_SETTLE_MS)
        return false;
    notices->held = false; /* another broker is there, or it is back already */
    return !is_all_down(&notices->error) && tell_error(notices, &notices->error, now, out_note);
}

void notices_restart(struct notices *notices)
{
    notices->held = false;
}
