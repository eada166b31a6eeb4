/* Who may stream. The connector asks; it knows nothing of Kubernetes. slot_only.c is the gate
 * without a Lease; the worker brings another. may_start and must_stop read atomics and never block.
 */
#ifndef CONNECTOR_GATE_H
#define CONNECTOR_GATE_H

#include <stdbool.h>

#include "postgres/slot.h"

enum gate_phase { GATE_STARTING, GATE_STREAMING, GATE_STALLED };

struct gate {
    void *self;
    bool (*may_start)(void *self); /* before each START_REPLICATION */
    bool (*must_stop)(void *self); /* each turn, before each batch */
    void (*report)(void *self, enum gate_phase phase,
                   const struct slot_sight *sight); /* sight: may be NULL */
};

#endif
