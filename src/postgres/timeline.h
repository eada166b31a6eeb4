/* Timelines: what a failover or a restore makes of the write-ahead log. A new timeline branches off
 * its parent at the switch point: what the parent wrote at or beyond it is not part of it. */
#ifndef POSTGRES_TIMELINE_H
#define POSTGRES_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "change/lsn.h"
#include "postgres/db_conn.h"

/* Where `timeline` branched off its ancestor `parent`, by TIMELINE_HISTORY on a replication
 * connection. *out_switch is LSN_NONE when `parent` is no ancestor of it. */
MUST_CHECK bool timeline_switch_point(struct db_conn *conn, uint32_t timeline, uint32_t parent,
                                      lsn_t *out_switch, struct error *err);

#endif
