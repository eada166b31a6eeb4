/* One replica of the world: its machine, its calls, its worker. Replicas are counted from 0 here.
 */
#ifndef PROPERTY_ELECTION_WORLD_REPLICA_H
#define PROPERTY_ELECTION_WORLD_REPLICA_H

#include "world.h"

const char *world_replica_identity(uint8_t who);    /* as it stands in the lease */
const char *world_replica_application(uint8_t who); /* as it reads the slot */

void world_replica_begin(struct world *world, unsigned index); /* a process with a new identity */
void world_replica_die(struct world *world, unsigned index);
void world_replica_tell(struct world *world, unsigned index, const struct election_event *event);
void world_replica_turn(struct world *world, unsigned index);
void world_replica_stream(struct world *world, unsigned index); /* it reads the slot from now on */
void world_replica_land(struct world *world, unsigned index);
void world_replica_halt(struct world *world, unsigned index);
void world_replica_hint(struct world *world, unsigned index, const struct lease *lease);
bool world_replica_api_works(const struct world *world, unsigned index);
bool world_replica_db_works(const struct world *world, unsigned index);
bool world_replica_may_stream(const struct world *world, unsigned index);

/* Calls. */
void world_replica_apply(struct world *world, struct request *request); /* at the store */
void world_replica_answer(struct world *world, unsigned index);
void world_replica_fail(struct world *world, unsigned index, enum election_outcome outcome);

void world_set_lease(struct world *world, bool exists, uint8_t holder, uint8_t phase);
void world_free_slot(struct world *world, unsigned index); /* if it reads it */

#endif
