#include "connector/wait_notice.h"

enum { WAIT_NOTICE_AFTER_MS = 5000 };

void wait_notice_look(struct wait_notice *notice, bool waiting, mono_ms_t now)
{
    struct watcher_blindness blindness;
    if (!waiting)
        notice->since = now;
    if (!waiting || notice->since.value == 0 ||
        mono_ms_since(now, notice->since) < WAIT_NOTICE_AFTER_MS)
        return;
    bool told =
        watcher_last_error(notice->watcher, &blindness) && blindness.error.class != ERROR_NONE;
    log_warn(notice->log, "a table cannot be looked up in the catalogs: still waiting",
             LOG_STR("error", told ? blindness.error.text : NULL));
    notice->since.value = 0;
}
