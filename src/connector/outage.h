/* What of PostgreSQL and Kafka is away, for those who ask how the connector is. Brief ones are
 * none: a session that is opened again, a broker that closes idle connections.
 *
 * Any thread.
 */
#ifndef CONNECTOR_OUTAGE_H
#define CONNECTOR_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "connector/status.h"
#include "postgres/watcher.h"

enum { OUTAGE_DATABASE_MS = 5000 }; /* from then on it is said that the slot is not seen */

/* The watcher has not seen the slot for so long, and why. False: it sees it, or is about to. */
bool outage_of_database(const struct watcher *watcher, struct outage *out_outage);

/* Why it does not stream, class ERROR_NONE = nothing to say. Of a standby that does not see the
 * slot it is this: whoever leads, it cannot take over. */
void outage_reason(struct status *status, const struct watcher *watcher, struct error *out_reason);

#endif
