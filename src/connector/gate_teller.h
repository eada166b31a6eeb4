/* Tells the gate what it should know: how the connector stands, and each look of the watcher at the
 * slot, soon after it was taken. Pipeline's thread. */
#ifndef CONNECTOR_GATE_TELLER_H
#define CONNECTOR_GATE_TELLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "connector/broker_notice.h"
#include "connector/gate.h"
#include "kafka/delivery.h"
#include "postgres/watcher.h"

struct gate_teller {
    struct gate gate;
    struct clock clock;
    const struct watcher *watcher;
    const struct delivery *delivery;
    struct broker_notice *brokers; /* looks along */
    enum gate_phase phase;         /* as told last */
    uint64_t sights;               /* looks that were told */
    mono_ms_t told_at;
    bool told;
};

/* Tells when the phase changed, when the watcher has looked again, and once a second. Cheap when
 * there is nothing to tell. */
void gate_teller_tell(struct gate_teller *teller, enum gate_phase phase, lsn_t confirmed);

#endif
