/* Properties 1 and 4: what becomes of a state when the faults end.
 *
 * Every fault ends but perhaps one, which never does and is of who holds the lease. From then on
 * nothing is late or lost, and no hint comes; when nobody is left who can work the dead are started
 * again. A replica that can work must stream, as the holder, within SETTLE_LIMIT ticks, and go on
 * streaming. */
#ifndef PROPERTY_ELECTION_SETTLE_H
#define PROPERTY_ELECTION_SETTLE_H

#include "world.h"

enum {
    SETTLE_LIMIT = 12, /* T, in ticks */
    SETTLE_CALM = 8,   /* so long it must go on */
};

#define ILLS(X)                                                                                    \
    X(NONE, "nothing")                                                                             \
    X(DEAD, "dead")                                                                                \
    X(FROZEN, "frozen")                                                                            \
    X(API, "cut from the API server")                                                              \
    X(DB, "cut from PostgreSQL")                                                                   \
    X(KAFKA, "cut from Kafka")                                                                     \
    X(API_DB, "cut from the API server and PostgreSQL")                                            \
    X(API_KAFKA, "cut from the API server and Kafka")                                              \
    X(HALTED, "halted")

enum ill {
#define X(name, text) ILL_##name,
    ILLS(X)
#undef X
        ILL_COUNT
};

/* What was found out already; grows. */
struct settle_memory;
struct settle_memory *settle_memory_new(void);
void settle_memory_free(struct settle_memory *memory);

struct settled {
    enum property broken; /* HOLDS: all is well */
    unsigned ticks;       /* until it streamed */
};
struct settled settle(const struct world *world, enum ill ill, struct settle_memory *memory);
const char *settle_ill_name(enum ill ill);
void settle_begin(struct world *world); /* until somebody streams, as if nothing ever went wrong */

#endif
