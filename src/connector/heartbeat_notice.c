#include "connector/heartbeat_notice.h"

void heartbeat_notice_look(struct heartbeat_notice *notice)
{
    uint64_t turns = watcher_heart_turns(notice->watcher);
    struct watcher_heart heart;
    if (turns == notice->told)
        return;
    notice->told = turns;
    watcher_heart(notice->watcher, &heart);
    if (heart.error.class == ERROR_NONE)
        log_info(notice->log, "the heartbeat works again");
    else
        log_failure(notice->log, LOG_WARN, "the heartbeat fails; the line goes on", &heart.error);
}
