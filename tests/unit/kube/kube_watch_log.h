/* The events of a watch as text: "+a@1 ~a@2 -a@2 ok !code". */
#ifndef TESTS_UNIT_KUBE_KUBE_WATCH_LOG_H
#define TESTS_UNIT_KUBE_KUBE_WATCH_LOG_H

#include "base/buf.h"
#include "kube/kube_object.h"
#include "kube/kube_watch.h"

struct watch_log {
    struct buf text;
    struct error err;         /* of the last failure */
    struct kube_watch *watch; /* to be stopped ... */
    int stop_at;              /* ... by the so manieth event; 0 = never */
    int count;
};

static inline void watch_log_done(struct watch_log *log)
{
    buf_done(&log->text);
}

static inline void watch_log_event(void *self, const struct kube_watch_event *event)
{
    static const char signs[] = {
        [KUBE_WATCH_ADDED] = '+', [KUBE_WATCH_MODIFIED] = '~', [KUBE_WATCH_DELETED] = '-'
    };
    struct watch_log *log = self;
    const char *space = log->text.size > 0 ? " " : "";
    switch (event->kind) {
    case KUBE_WATCH_SYNCED:
        buf_append_format(&log->text, "%sok", space);
        break;
    case KUBE_WATCH_FAILED:
        log->err = *event->err;
        buf_append_format(&log->text, "%s!%s", space, event->err->code);
        break;
    case KUBE_WATCH_ADDED:
    case KUBE_WATCH_MODIFIED:
    case KUBE_WATCH_DELETED:
        buf_append_format(&log->text, "%s%c%s@%s", space, signs[event->kind],
                          kube_object_text(event->object, "metadata.name", "?"),
                          kube_object_text(event->object, "metadata.resourceVersion", "?"));
        break;
    }
    if (++log->count == log->stop_at)
        kube_watch_stop(log->watch);
}

#endif
