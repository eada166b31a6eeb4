/* The transaction that a lost connection cut, and how much of it was handed over already: what
 * comes again on the next stream is recognised by (final LSN, xid) and skipped by count. Pure;
 * pipeline's thread.
 *
 * Items are counted, not LSNs compared: several rows share one. An item is the Begin, a row or the
 * Commit, and it is handed over when all its records were taken by the producer. The order and the
 * number of items of a transaction are the same each time the server decodes it, since it decodes
 * with the catalogs of that moment. Of the item in hand at the cut some records may be sent: the
 * handler is asked for it again, and as many are left out.
 */
#ifndef CONNECTOR_RESUME_H
#define CONNECTOR_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "change/lsn.h"

struct resume {
    uint32_t xid;
    lsn_t final_lsn;
    uint64_t handed; /* items of the open transaction that were handed over */
    uint64_t seen;   /* items of it that came on this stream */
    uint32_t sent;   /* records of the item after those that were sent before the cut */
    bool open;       /* a transaction was begun and is not closed */
    bool awaited;    /* it was cut: its Begin must come next */
};

/* A Begin came. False: a transaction was cut and this is another one. */
bool resume_begin(struct resume *resume, uint32_t xid, lsn_t final_lsn);
/* An item of the open transaction came: its Begin, a row, its Commit. True: it was handed over
 * before the cut, skip it. */
bool resume_skips(struct resume *resume);
/* How many of the records that the item in hand became were sent before the cut (at most count). */
uint32_t resume_sent(const struct resume *resume, uint32_t count);
/* The item in hand was handed over. */
void resume_handed(struct resume *resume);
/* The Commit was handed over: nothing is open. */
void resume_closed(struct resume *resume);
/* The connection is lost; sent: records of the item in hand that the producer took, those left out
 * by resume_sent() among them; 0 when none is in hand. */
void resume_cut(struct resume *resume, uint32_t sent);
/* The server sent everything up to server_end, but not the transaction that was cut. */
bool resume_missed(const struct resume *resume, lsn_t server_end);

#endif
