/* A publication that changes under a stream: said, and where the server would pass over its changes
 * in silence, stopped. Pipeline's thread. */
#ifndef CONNECTOR_PUBLICATION_NOTICE_H
#define CONNECTOR_PUBLICATION_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "postgres/watcher.h"

struct publication_notice {
    const struct watcher *watcher;
    const char *publication; /* NULL = it is not watched */
    struct log *log;
    const struct publication_sight *left; /* as our start left it; NULL or none = not known */
    uint64_t told; /* changes that were said, or came before the start of the stream began */
};

/* False: it is gone, and the server says nothing of it (ERROR_RETRY "publication_dropped": the next
 * start finds out what is left). */
MUST_CHECK bool publication_notice_look(struct publication_notice *notice, struct error *err);

#endif
