/* Step 2: bytes of pgoutput, protocol 1, become changes. One decoder per connection: the relation
 * cache is emptied by pgoutput_reset() at each new stream. Not thread-safe.
 *
 * Anything undecodable is an error (ERROR_HALT "undecodable") that names the message type, the
 * relation when it is known, and the offset of what is wrong (of the end, when bytes are missing);
 * no row is ever skipped. A row or a truncation of an unknown relation, bytes after the message's
 * end, unknown flags, and messages of options that we do not ask for (streaming, two-phase commits)
 * are such errors as well. Nothing is kept of a message that failed.
 */
#ifndef POSTGRES_PGOUTPUT_H
#define POSTGRES_PGOUTPUT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/slice.h"
#include "change/change.h"

struct pgoutput;

struct pgoutput *pgoutput_new(void);
void pgoutput_free(struct pgoutput *decoder);
CLEANUP_POINTER(struct pgoutput, pgoutput_free)
void pgoutput_reset(struct pgoutput *decoder);

/* Arrays (tuples, truncated relations) go into `arena`; texts view `payload`. Which message may
 * follow which is not looked at. */
MUST_CHECK bool pgoutput_decode(struct pgoutput *decoder, struct slice payload, struct arena *arena,
                                struct change *out_change, struct error *err);

#endif
