/* The gate with a Lease (connector/gate.h): joins the connector to election/lease_elector, says
 * what happens, and keeps in the Lease what is known of the slot. */
#ifndef WORKER_LEADERSHIP_H
#define WORKER_LEADERSHIP_H

#include <stdbool.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/uuid.h"
#include "config/config.h"
#include "connector/gate.h"

/* Whether a Lease decides beside the slot: election.mode, or where the process runs. */
bool leadership_is_leased(const struct config *config);

struct leadership;

/* Reads where the API server is, and begins to stand for election. config and log must outlive it.
 */
MUST_CHECK bool leadership_start(const struct config *config, struct log *log,
                                 struct leadership **out_leadership, struct error *err);
/* The connector is over: gives the Lease back, so that another replica need not wait for it. */
void leadership_leave(struct leadership *leadership);
void leadership_stop(struct leadership *leadership); /* NULL allowed */
CLEANUP_POINTER(struct leadership, leadership_stop)

const struct gate *leadership_gate(const struct leadership *leadership);
const char *leadership_instance(const struct leadership *leadership); /* a UUID */
int64_t leadership_alive_age_ms(const struct leadership *leadership); /* any thread */

/* Forgets the slot that the Lease remembers: a gap was accepted. Whatever leads goes on. */
MUST_CHECK bool leadership_forget_slot(const struct config *config, struct error *err);
/* What the Lease remembers of the configured slot; nothing where *out_remembers is false. */
MUST_CHECK bool leadership_recall_slot(const struct config *config, struct gate_memory *out_memory,
                                       bool *out_remembers, struct error *err);

#endif
