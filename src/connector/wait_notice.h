/* a look-up that takes long: said once. Pipeline's thread. */
#ifndef CONNECTOR_WAIT_NOTICE_H
#define CONNECTOR_WAIT_NOTICE_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "postgres/watcher.h"

struct wait_notice {
    const struct watcher *watcher;
    struct log *log;
    mono_ms_t since; /* the wait began; 0 = there is none, or it was said */
};

void wait_notice_look(struct wait_notice *notice, bool waiting, mono_ms_t now);

#endif
