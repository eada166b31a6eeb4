/* Breadth first through everything that can happen in a world, until nothing new is found, a
 * property is broken or the limit of states is reached. */
#ifndef PROPERTY_ELECTION_EXPLORE_H
#define PROPERTY_ELECTION_EXPLORE_H

#include "settle.h"
#include "world.h"

struct explored {
    enum property broken;
    enum ill ill;    /* of properties 1 and 4 */
    uint32_t states; /* found; each was entered, and its actions tried unless `complete` is false */
    uint64_t steps;  /* actions tried */
    uint32_t settled;      /* states from which properties 1 and 4 were tried, with each ill */
    unsigned depth;        /* actions from the beginning to the last state */
    unsigned settle_ticks; /* the longest that any state took to stream */
    bool complete;         /* nothing is left that was not tried */
};

/* The way to a broken property is printed when `tell`. */
struct explored explore(const struct setting *setting, uint32_t state_limit, bool tell,
                        struct census *census);

/* Deeper, but not everywhere: so many random ways of WANDER_STEPS actions each. */
enum { WANDER_STEPS = 400 };
struct explored wander(const struct setting *setting, uint32_t ways, uint64_t seed, bool tell,
                       struct census *census);

#endif
