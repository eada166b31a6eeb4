#include "connector/reading.h"

#include <math.h>

enum { READING_PING_LIMIT_MS = 1000 };

uint64_t reading_lsn_distance(uint64_t to, uint64_t from)
{
    return from != 0 && to > from ? to - from : 0;
}

static bool postgres_up(const struct endpoints_options *from)
{
    return watcher_ping_age_ms(from->watcher) <= READING_PING_LIMIT_MS;
}

/* So that who is warned below some limit is not, where there is none. */
static double safe_wal_bytes(const struct slot_sight *sight)
{
    if (sight->wal_status == SLOT_WAL_LOST)
        return 0;
    if (sight->safe_wal_size_bytes == -1)
        return HUGE_VAL;
    return sight->safe_wal_size_bytes > 0 ? (double)sight->safe_wal_size_bytes : 0;
}

static void read_slot(const struct endpoints_options *from, struct reading *now)
{
    struct slot_sight sight;
    int64_t age_ms;
    now->slot_safe_wal_bytes = HUGE_VAL;
    if (!watcher_sight(from->watcher, &sight, &age_ms) || !sight.exists)
        return;
    now->slot_wal_status = sight.wal_status;
    now->slot_safe_wal_bytes = safe_wal_bytes(&sight);
    now->slot_active = sight.active;
    now->slot_confirmed_flush = sight.confirmed_flush.value;
    now->current_lsn = sight.current_lsn.value;
    now->lag_bytes = reading_lsn_distance(sight.current_lsn.value, sight.confirmed_flush.value);
    now->retained_bytes = reading_lsn_distance(sight.current_lsn.value, sight.restart_lsn.value);
}

static void read_heart(const struct endpoints_options *from, struct reading *now)
{
    struct watcher_heart heart;
    watcher_heart(from->watcher, &heart);
    now->heartbeats = heart.beats;
    now->heartbeat_failures = heart.failures;
}

static void read_delivery(const struct endpoints_options *from, struct reading *now)
{
    const struct delivery_stats *stats = from->delivery;
    now->brokers_up = atomic_load(&stats->brokers_up);
    now->records_sent = atomic_load(&stats->records_sent);
    now->records_acked = atomic_load(&stats->records_acked);
    now->records_refused = atomic_load(&stats->records_refused);
    now->bytes_sent = atomic_load(&stats->bytes_sent);
    now->in_flight_records = atomic_load(&stats->in_flight_records);
    now->in_flight_bytes = atomic_load(&stats->in_flight_bytes);
}

/* Between two machines' clocks: where ours is behind, none can be told. */
static double lag_seconds(const struct status *status)
{
    int64_t lag_us = atomic_load(&status->lag_us);
    return lag_us > 0 ? (double)lag_us / 1e6 : 0;
}

void reading_take(const struct endpoints_options *from, struct reading *now)
{
    const struct status *status = from->status;
    *now = (struct reading){
        .state = status_state(status),
        .postgres_up = postgres_up(from),
        .blocked = atomic_load(&status->blocked),
        .transactions_unconfirmed = atomic_load(&status->transactions_unconfirmed),
        .skipped_changes = atomic_load(&status->skipped_changes),
        .handler_slow = atomic_load(&status->handler_slow),
        .received_bytes = atomic_load(&status->received_bytes),
        .publication_changes = watcher_publication_changes(from->watcher),
        .stream_starts = atomic_load(&status->stream_starts),
        .failures = atomic_load(&status->failures),
        .received_lsn = atomic_load(&status->received_lsn),
        .confirmed_lsn = atomic_load(&status->confirmed_lsn),
        .lag_seconds = lag_seconds(status),
        .ack_us = atomic_load(&status->ack_us),
        .change_ns = atomic_load(&status->change_ns),
        .log_dropped = log_dropped_count(from->log),
    };
    for (int kind = 0; kind < CHANGE_KIND_COUNT; kind++)
        now->changes[kind] = atomic_load(&status->changes[kind]);
    read_delivery(from, now);
    read_slot(from, now);
    read_heart(from, now);
    from->gate.describe(from->gate.self, &now->gate);
}
