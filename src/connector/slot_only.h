/* The gate without a Lease: the replication slot alone decides who streams, as it lets only one
 * session read. */
#ifndef CONNECTOR_SLOT_ONLY_H
#define CONNECTOR_SLOT_ONLY_H

#include "connector/gate.h"

struct gate slot_only_gate(void);

#endif
