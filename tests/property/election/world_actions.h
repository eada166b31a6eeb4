/* For each row of world_actions.def: whether it can happen, and what it does. */
#ifndef PROPERTY_ELECTION_WORLD_ACTIONS_H
#define PROPERTY_ELECTION_WORLD_ACTIONS_H

#include "world.h"

#define ACTION(name, who, when)                                                                    \
    bool world_can_##name(const struct world *world, unsigned index);                              \
    void world_do_##name(struct world *world, unsigned index);
#include "world_actions.def"
#undef ACTION

#endif
