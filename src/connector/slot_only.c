#include "connector/slot_only.h"

#include <stddef.h>

#include "base/check.h"

static bool may_start(void *self UNUSED)
{
    return true;
}

static bool must_stop(void *self UNUSED)
{
    return false;
}

static void acknowledge(void *self UNUSED)
{
}

static void report(void *self UNUSED, const struct gate_news *news UNUSED)
{
}

static bool recall(void *self UNUSED, struct gate_memory *out_memory UNUSED)
{
    return false;
}

static void remember(void *self UNUSED, const struct gate_memory *memory UNUSED)
{
}

static void describe(void *self UNUSED, struct gate_status *out_status)
{
    *out_status = (struct gate_status){ .leased = false };
}

struct gate slot_only_gate(void)
{
    return (struct gate){ NULL,   -1,     may_start, must_stop, acknowledge,
                          report, recall, remember,  NULL,      describe };
}
