#include "postgres/read_pace.h"

enum { MS_PER_SECOND = 1000 };

static void look_back(struct read_pace *pace, uint64_t messages, mono_ms_t now)
{
    int64_t elapsed_ms = mono_ms_since(now, pace->since);
    if (elapsed_ms < READ_PACE_WINDOW_MS)
        return;
    uint64_t came = messages - pace->messages;
    pace->busy = came * MS_PER_SECOND >= (uint64_t)elapsed_ms * READ_PACE_BUSY_PER_SECOND;
    pace->since = now;
    pace->messages = messages;
}

int32_t read_pace_us(struct read_pace *pace, int waiting_bytes, uint64_t messages, mono_ms_t now)
{
    look_back(pace, messages, now);
    return pace->busy && waiting_bytes < pace->enough_bytes ? READ_PACE_PAUSE_US : 0;
}
