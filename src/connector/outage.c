#include "connector/outage.h"

bool outage_of_database(const struct watcher *watcher, struct outage *out_outage)
{
    struct watcher_blindness blindness;
    if (!watcher_last_error(watcher, &blindness) || blindness.error.class == ERROR_NONE ||
        blindness.age_ms < OUTAGE_DATABASE_MS)
        return false;
    *out_outage = (struct outage){ blindness.error, blindness.since_unix_us };
    return true;
}

void outage_reason(struct status *status, const struct watcher *watcher, struct error *out_reason)
{
    struct outage outage;
    if (status_state(status) == LIFE_CYCLE_STANDBY && outage_of_database(watcher, &outage))
        *out_reason = outage.error;
    else
        status_reason(status, out_reason);
}
