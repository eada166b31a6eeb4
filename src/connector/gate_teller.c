#include "connector/gate_teller.h"

enum { GATE_TELLER_EVERY_MS = 1000 };

void gate_teller_tell(struct gate_teller *teller, enum gate_phase phase, lsn_t confirmed)
{
    mono_ms_t now = clock_now(&teller->clock);
    uint64_t sights = watcher_sights(teller->watcher);
    bool looked = sights != teller->sights;
    if (teller->told && phase == teller->phase && !looked &&
        mono_ms_since(now, teller->told_at) < GATE_TELLER_EVERY_MS)
        return;
    struct slot_sight sight;
    int64_t age_ms;
    looked = looked && watcher_sight(teller->watcher, &sight, &age_ms);
    bool reached = delivery_reaches(teller->delivery);
    broker_notice_look(teller->brokers, reached, &teller->clock);
    const struct gate_news news = {
        .phase = phase,
        .sight = looked ? &sight : NULL,
        .brokers_up = reached,
        .records_waiting = !delivery_idle(teller->delivery),
        .confirmed = confirmed,
    };
    teller->phase = phase;
    teller->sights = sights;
    teller->told_at = now;
    teller->told = true;
    teller->gate.report(teller->gate.self, &news);
}
