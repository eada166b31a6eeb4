/* The state standby: somebody else streams, or nobody may. Pipeline's thread. */
#ifndef CONNECTOR_CONNECTOR_STANDBY_H
#define CONNECTOR_CONNECTOR_STANDBY_H

#include "base/thread_role.h"
#include "connector/life_cycle.h"

struct connector;

/* Says why it stands by: connector->error. What halted it before is said on, while nobody streams:
 * that another replica may try is no news of it. */
void connector_standby_enter(struct connector *connector);

/* Until the slot is free and it may stream. While the slot is not seen it stays a standby, and says
 * so; only who may lead starts over, to find out. */
enum life_cycle_event connector_standby_run(struct connector *connector) ON_PIPELINE_THREAD;

#endif
