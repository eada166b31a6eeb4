/* What a walsender's CopyData holds. Pure: no connection, no state.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-replication.html. */
#ifndef POSTGRES_WAL_MESSAGE_H
#define POSTGRES_WAL_MESSAGE_H

#include <stdbool.h>

#include "base/check.h"
#include "base/slice.h"
#include "change/lsn.h"
#include "change/server_time.h"

enum wal_kind { WAL_DATA, WAL_KEEPALIVE };

struct wal_message {
    enum wal_kind kind;
    lsn_t start, server_end; /* 'w': start, end; both may be 0. 'k': server_end */
    server_time_t sent_at;
    bool reply_asked;     /* 'k' */
    struct slice payload; /* 'w': a view of what was read */
};

/* False: these bytes are no message; *out_message is untouched. */
MUST_CHECK bool wal_message_read(struct slice copy_data, struct wal_message *out_message);

#endif
