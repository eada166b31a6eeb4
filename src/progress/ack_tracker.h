/* Step 7: which LSN may be confirmed to PostgreSQL.
 *
 * The confirmed LSN is the end LSN of the longest prefix of transactions that are committed in
 * PostgreSQL (closed here) and fully acknowledged by Kafka (every record added is done). Pure: no
 * I/O, no clock, no lock; it belongs to the pipeline's thread. Broken calls abort (CHECK).
 *
 * A ring of entries in commit order. Only the newest may be open. Groups (snapshot chunks) share
 * the ticket space but stand outside the ring: several may be open, and they move no LSN.
 *
 * ticket = generation (16 bits, never 0) | group flag | number. After ack_tracker_restart() tickets
 * of an older generation are ignored by done(): late reports of an abandoned producer count for
 * nothing. Everywhere else an old ticket is a broken call.
 *
 * Resume (the connection was lost, the producer is healthy): an open transaction stays open, and
 * its ticket goes on when the same transaction comes again; what of it was added but not sent is
 * withdrawn, to be added again. When another one comes instead, the caller restarts.
 *
 * Every call is O(1) (amortised); memory is taken only when the ring or the groups grow.
 */
#ifndef PROGRESS_ACK_TRACKER_H
#define PROGRESS_ACK_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "change/lsn.h"
#include "change/ticket.h"

struct ack_tracker;

/* Of a transaction, as its caller has them; the tracker does not look at them. */
struct ack_times {
    int64_t commit_us, received_us;
};

/* entry_limit: transactions in the ring at most; a full ring blocks the pipeline. It grows to that.
 */
struct ack_tracker *ack_tracker_new(uint32_t entry_limit);
void ack_tracker_free(struct ack_tracker *tracker);
CLEANUP_POINTER(struct ack_tracker, ack_tracker_free)

bool ack_tracker_full(const struct ack_tracker *tracker); /* begin() needs room */

ticket_t ack_tracker_begin(struct ack_tracker *tracker); /* one open, at the tail; not when full */
ticket_t ack_tracker_begin_group(struct ack_tracker *tracker, uint32_t chunk);
/* count records of this ticket will be sent; call before they are sent. */
void ack_tracker_add(struct ack_tracker *tracker, ticket_t ticket, uint32_t count);
/* count records of the open transaction that were added will not be sent after all. */
void ack_tracker_withdraw(struct ack_tracker *tracker, ticket_t ticket, uint32_t count);
/* end: of the Commit; groups: LSN_NONE. An end below an earlier one (something came again) moves
 * nothing back. True: complete now, since every record of it is done already. */
bool ack_tracker_close(struct ack_tracker *tracker, ticket_t ticket, lsn_t end);
/* Of the open transaction. */
void ack_tracker_note(struct ack_tracker *tracker, ticket_t ticket, struct ack_times times);
/* Right after done() said that it is complete: what was noted. False: it is a group. */
bool ack_tracker_times(const struct ack_tracker *tracker, ticket_t ticket,
                       struct ack_times *out_times);
/* A keepalive: everything up to wal_end was sent to us. Ignored while a transaction is open;
 * otherwise it raises the tail's end when nothing of the tail is in flight, or appends an empty
 * entry, which the next keepalive raises: an outage does not grow the ring. With an empty ring it
 * is confirmed at once; with a full one it is left out, since a later one says the same and more.
 */
void ack_tracker_idle(struct ack_tracker *tracker, lsn_t wal_end);

/* One record of the ticket is acknowledged. True: its transaction or chunk is complete now. */
bool ack_tracker_done(struct ack_tracker *tracker, ticket_t ticket);

/* Never falls within a generation; LSN_NONE until something was confirmed in it. */
lsn_t ack_tracker_confirmed(const struct ack_tracker *tracker);

bool ack_tracker_open(const struct ack_tracker *tracker);          /* a transaction is open */
uint64_t ack_tracker_in_flight(const struct ack_tracker *tracker); /* records added, not done */
uint32_t ack_tracker_entries(const struct ack_tracker *tracker);   /* not yet confirmed */
/* The end of the ticket's transaction; LSN_NONE while it is open, of a group, and of one that is
 * confirmed or forgotten. */
lsn_t ack_tracker_end(const struct ack_tracker *tracker, ticket_t ticket);
/* Of a group; also right after it was completed, until the next begin_group(). */
uint32_t ack_tracker_chunk(const struct ack_tracker *tracker, ticket_t ticket);

/* Restart: forgets every entry, group and count, and what was confirmed: the server may have been
 * set back, and a promise made to what it was before would make it skip what comes now. A new
 * generation. */
void ack_tracker_restart(struct ack_tracker *tracker);
uint16_t ack_tracker_generation(const struct ack_tracker *tracker);

#endif
