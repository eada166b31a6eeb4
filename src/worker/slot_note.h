/* What the Lease's annotation pqcdc.io/source says of the slot, as JSON:
 * {"systemId","timeline","slot","consistentPoint","delivered"}; the LSNs as PostgreSQL writes them.
 * Pure. */
#ifndef WORKER_SLOT_NOTE_H
#define WORKER_SLOT_NOTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "connector/gate.h"

void slot_note_write(const struct gate_memory *memory, const char *slot, char *out, size_t size);
/* False: it is no such text, or of another slot. */
MUST_CHECK bool slot_note_read(const char *text, const char *slot, struct gate_memory *out_memory);

#endif
