#include "connector/life_cycle.h"

#include <stddef.h>

#include "base/check.h"

static const struct life_cycle_row rows[] = {
#define LIFE_CYCLE(state_, event_, next_, meaning_)                                                \
    { LIFE_CYCLE_##state_, LIFE_CYCLE_ON_##event_, LIFE_CYCLE_##next_, meaning_ },
#include "connector/life_cycle.def"
#undef LIFE_CYCLE
};

const struct life_cycle_row *life_cycle_find(enum life_cycle_state state,
                                             enum life_cycle_event event)
{
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        if (rows[i].state == state && rows[i].event == event)
            return &rows[i];
    }
    return NULL;
}

const struct life_cycle_row *life_cycle_rows(unsigned *out_count)
{
    *out_count = COUNT_OF(rows);
    return rows;
}

const char *life_cycle_state_name(enum life_cycle_state state)
{
    static const char *const names[] = {
#define X(name, text) text,
        LIFE_CYCLE_STATES(X)
#undef X
    };
    CHECK((unsigned)state < COUNT_OF(names));
    return names[state];
}

const char *life_cycle_event_name(enum life_cycle_event event)
{
    static const char *const names[] = {
#define X(name, text) text,
        LIFE_CYCLE_EVENTS(X)
#undef X
    };
    CHECK((unsigned)event < COUNT_OF(names));
    return names[event];
}
