/* Calls of a program's code that held the pipeline up: counted, and said, but not each. Pipeline's
 * thread. */
#ifndef CONNECTOR_SLOW_NOTICE_H
#define CONNECTOR_SLOW_NOTICE_H

#include "base/clock.h"
#include "base/log.h"
#include "connector/status.h"

enum { SLOW_NOTICE_LIMIT_MS = 100, SLOW_NOTICE_PAUSE_MS = 10 * 1000 };

struct slow_notice {
    struct clock clock;
    struct log *log;
    struct status *status;
    const char *what; /* "the handler" */
    mono_ms_t said;   /* 0 = never */
    uint64_t unsaid;  /* slow calls since */
};

static inline mono_ms_t slow_notice_begin(const struct slow_notice *notice)
{
    return clock_now(&notice->clock);
}

void slow_notice_end(struct slow_notice *notice, mono_ms_t began);

#endif
