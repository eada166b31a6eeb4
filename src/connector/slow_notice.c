#include "connector/slow_notice.h"

void slow_notice_end(struct slow_notice *notice, mono_ms_t began)
{
    mono_ms_t now = clock_now(&notice->clock);
    int64_t took_ms = mono_ms_since(now, began);
    if (took_ms <= SLOW_NOTICE_LIMIT_MS)
        return;
    status_count(&notice->status->handler_slow, 1);
    notice->unsaid++;
    if (notice->said.value != 0 && mono_ms_since(now, notice->said) < SLOW_NOTICE_PAUSE_MS)
        return;
    log_warn(notice->log, "a call of the handler was slow: nothing is read or confirmed meanwhile",
             LOG_STR("call", notice->what), LOG_INT("took_ms", took_ms),
             LOG_UINT("slow_calls", notice->unsaid),
             LOG_STR("advice", "it must not wait for anything: no network, no disk, no lock"));
    notice->said = now;
    notice->unsaid = 0;
}
