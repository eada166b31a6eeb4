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

static void report(void *self UNUSED, enum gate_phase phase UNUSED,
                   const struct slot_sight *sight UNUSED)
{
}

struct gate slot_only_gate(void)
{
    return (struct gate){ NULL, may_start, must_stop, report };
}
