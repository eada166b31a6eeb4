/* The connector's states, events and transitions: a pure table (life_cycle.def). */
#ifndef CONNECTOR_LIFE_CYCLE_H
#define CONNECTOR_LIFE_CYCLE_H

#include <stdbool.h>

#define LIFE_CYCLE_STATES(X)                                                                       \
    X(STARTING, "starting")                                                                        \
    X(STANDBY, "standby")                                                                          \
    X(STREAMING, "streaming")                                                                      \
    X(STOPPING, "stopping")                                                                        \
    X(HALTED, "halted")                                                                            \
    X(OVER, "over")

#define LIFE_CYCLE_EVENTS(X)                                                                       \
    X(STREAM_OPEN, "stream_open")                                                                  \
    X(SLOT_BUSY, "slot_busy")                                                                      \
    X(SLOT_FREE, "slot_free")                                                                      \
    X(FAILED, "failed")                                                                            \
    X(HALT, "halt")                                                                                \
    X(RETRY, "retry")                                                                              \
    X(STOP, "stop")                                                                                \
    X(ENDED, "ended")

enum life_cycle_state {
#define X(name, text) LIFE_CYCLE_##name,
    LIFE_CYCLE_STATES(X)
#undef X
        LIFE_CYCLE_STATE_COUNT
};

enum life_cycle_event {
#define X(name, text) LIFE_CYCLE_ON_##name,
    LIFE_CYCLE_EVENTS(X)
#undef X
        LIFE_CYCLE_EVENT_COUNT
};

struct life_cycle_row {
    enum life_cycle_state state;
    enum life_cycle_event event;
    enum life_cycle_state next;
    const char *meaning;
};

/* The row of an event in a state, or NULL: such an event must not happen there. */
const struct life_cycle_row *life_cycle_find(enum life_cycle_state state,
                                             enum life_cycle_event event);
const struct life_cycle_row *life_cycle_rows(unsigned *out_count);
const char *life_cycle_state_name(enum life_cycle_state state);
const char *life_cycle_event_name(enum life_cycle_event event);

#endif
