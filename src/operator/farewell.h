/* The end of a Connector with deletionPolicy: Delete, whose finalizer holds it until its slot and
 * publication are dropped. The stages follow from what is seen:
 *
 *     workers run -> scaled to 0 -> the Job is made -> it succeeded -> the finalizer goes
 *                                                   -> it failed: a person decides
 *
 * The finalizer goes at once when nobody can or may drop: the namespace is terminating, the slot is
 * another Connector's too and no Job is under way, the annotation pqcdc.io/abandon-slot gives up,
 * the policy became Retain. What a Job has dropped by then is said to be dropped.
 * Pure; any thread. */
#ifndef OPERATOR_FAREWELL_H
#define OPERATOR_FAREWELL_H

#include "operator/conditions.h"
#include "operator/reconcile.h"
#include "operator/resource.h"
#include "operator/workers.h"

struct farewell {
    bool over;                         /* the plan lets it go: no status is written any more */
    char waits[CONDITIONS_TEXT_SIZE];  /* for what, for people */
    char failed[CONDITIONS_TEXT_SIZE]; /* why the Job gave up; "" = it did not */
};

/* A resource that is being deleted and has our finalizer. invalid: NULL = it was understood. */
void farewell_plan(const struct reconcile_seen *seen, const struct resource *resource,
                   const struct error *invalid, const struct workers *workers,
                   struct reconcile_plan *plan, struct farewell *out_farewell);

/* Adds our finalizer, or takes it away, by merge patch under the resourceVersion that was seen. */
json_t *farewell_finalizers(const struct resource *resource, bool present);

/* The event that says what is left in the database, and how to drop it; of the publication only
 * where the Connector may have made it. */
void farewell_tell_kept(const struct resource *resource, const char *reason, bool warning,
                        const char *why, json_t *events);
/* The event that says that the slot is left to the other Connector. */
void farewell_tell_shared(const struct resource *resource, const json_t *other, json_t *events);

#endif
