/* Steps 1 and 8: the replication connection while it streams. Belongs to the pipeline's thread.
 *
 * Protocol: https://www.postgresql.org/docs/current/protocol-replication.html. CopyData in: 'w'
 * XLogData, 'k' keepalive; out: 'r' Standby Status Update (34 bytes). Status updates are sent by
 * wal_stream_tick(): when a reply was asked for, 10 ms after the last status at the earliest; when
 * the confirmed LSN rose, 100 ms after the last one; and at least every status_interval_ms;
 * independent of reading. While the socket takes no bytes, at most one waits to be sent. flush
 * never goes back; write = flush = apply; LSN_NONE is sent as 0, which the server ignores.
 */
#ifndef POSTGRES_WAL_STREAM_H
#define POSTGRES_WAL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/slice.h"
#include "base/thread_role.h"
#include "change/lsn.h"
#include "change/server_time.h"
#include "postgres/db_conn.h"
#include "postgres/wal_message.h"

struct wal_stream;

struct wal_stream_options {
    const char *slot;
    const char *publication;
    bool messages;              /* ask for logical messages ('M') */
    int64_t status_interval_ms; /* a third of wal_sender_timeout at most */
    struct clock clock;
};

/* Takes the (idle, replication) connection over on success. START_REPLICATION at `from` (LSN_NONE =
 * where the slot stands). 55006 (the slot is active) is ERROR_WAIT and names the pid. */
MUST_CHECK bool wal_stream_start(const struct wal_stream_options *options, struct db_conn *conn,
                                 lsn_t from, struct wal_stream **out_stream, struct error *err)
    ON_PIPELINE_THREAD;

enum wal_next { WAL_NEXT_MESSAGE, WAL_NEXT_EMPTY, WAL_NEXT_END, WAL_NEXT_FAILED };

/* The next message that libpq has whole; its payload lives until the next call. EMPTY: wait for the
 * socket, then wal_stream_fill(). END: the server ended the copy. FAILED: *err, classified
 * (ERROR_RECONNECT when the connection is gone). */
MUST_CHECK enum wal_next wal_stream_next(struct wal_stream *stream, struct wal_message *out_message,
                                         struct error *err) ON_PIPELINE_THREAD;
/* Reads what the socket has. */
MUST_CHECK bool wal_stream_fill(struct wal_stream *stream, struct error *err) ON_PIPELINE_THREAD;
int wal_stream_fd(const struct wal_stream *stream);
bool wal_stream_wants_write(const struct wal_stream *stream); /* unsent bytes: poll POLLOUT, tick */
uint64_t wal_stream_bytes(const struct wal_stream *stream);   /* received payload bytes */

/* Remembers what may be confirmed; lower values are ignored. Sent by tick. */
void wal_stream_confirm(struct wal_stream *stream, lsn_t confirmed) ON_PIPELINE_THREAD;
lsn_t wal_stream_confirmed(const struct wal_stream *stream); /* the last one sent to the server */

/* Sends what is due; *out_next = when to call it again at the latest. With wants_write, libpq may
 * have read from the socket as well: ask wal_stream_next() before waiting. */
MUST_CHECK bool wal_stream_tick(struct wal_stream *stream, mono_ms_t *out_next, struct error *err)
    ON_PIPELINE_THREAD;

/* The clean end: final status, CopyDone, discards until the server's CopyDone or `limit_ms`. True:
 * the server saw the final status. Frees nothing; the stop descriptor does not interrupt it;
 * nothing is sent after it. */
MUST_CHECK bool wal_stream_finish(struct wal_stream *stream, int64_t limit_ms, struct error *err)
    ON_PIPELINE_THREAD;
/* Closes the connection (which frees the slot) and frees the stream; NULL allowed. */
void wal_stream_close(struct wal_stream *stream) ON_PIPELINE_THREAD;

#endif
