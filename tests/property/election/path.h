/* A way through the world: the actions that were chosen, and what follows from them by itself. */
#ifndef PROPERTY_ELECTION_PATH_H
#define PROPERTY_ELECTION_PATH_H

#include "world.h"

void path_begin(struct world *world, const struct setting *setting);

/* Does it, and the rest of the tick while nothing else can happen; returns how many it did. */
typedef void path_listener(const struct world *world, struct action action, bool lease_changed);
unsigned path_act(struct world *world, struct action action, path_listener *listener);

/* Prints it, a line for each. */
void path_tell(const struct setting *setting, const struct action *actions, unsigned count);

#endif
