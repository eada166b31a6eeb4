/* A heartbeat that fails, or works again, is said once for each cause. Pipeline's thread. */
#ifndef CONNECTOR_HEARTBEAT_NOTICE_H
#define CONNECTOR_HEARTBEAT_NOTICE_H

#include <stdint.h>

#include "base/log.h"
#include "postgres/watcher.h"

struct heartbeat_notice {
    const struct watcher *watcher;
    struct log *log;
    uint64_t told; /* turns that were said */
};

void heartbeat_notice_look(struct heartbeat_notice *notice); /* cheap while nothing is new */

#endif
