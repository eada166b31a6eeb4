/* What /metrics and /status tell, as plain numbers, read once from what the other threads publish.
 * Any thread. */
#ifndef CONNECTOR_READING_H
#define CONNECTOR_READING_H

#include <stdbool.h>
#include <stdint.h>

#include "connector/endpoints.h"

struct reading {
    enum life_cycle_state state;
    bool postgres_up, slot_active;
    uint32_t brokers_up, blocked, transactions_unconfirmed;
    uint64_t changes[CHANGE_KIND_COUNT];
    uint64_t skipped_changes, handler_slow, received_bytes, stream_starts, failures,
        publication_changes;
    uint64_t heartbeats, heartbeat_failures;
    uint64_t records_sent, records_acked, records_refused, bytes_sent;
    uint64_t in_flight_records, in_flight_bytes;
    uint64_t received_lsn, confirmed_lsn;
    uint64_t slot_confirmed_flush, current_lsn, lag_bytes, retained_bytes;
    enum slot_wal_status slot_wal_status;
    double slot_safe_wal_bytes; /* +Inf: without limit, or not known */
    uint64_t log_dropped;
    double lag_seconds;
    int64_t ack_us, change_ns;
    struct gate_status gate;
};

void reading_take(const struct endpoints_options *from, struct reading *out_now);

/* Bytes of WAL; 0 = none, or `from` is not known. */
uint64_t reading_lsn_distance(uint64_t to, uint64_t from);

#endif
