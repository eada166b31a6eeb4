/* The core of the operator: from everything that was seen of one Connector to everything that is to
 * be done about it. Pure: no I/O, no clock, no memory of earlier calls; the same sight gives the
 * same plan, and a plan that was carried out gives an empty one. Any thread.
 *
 * A plan is carried out in the order of its members; the first write that fails ends it, and the
 * next look begins anew. */
#ifndef OPERATOR_RECONCILE_H
#define OPERATOR_RECONCILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "operator/operator_settings.h"

/* Borrowed. NULL stands for "nothing there" everywhere but in connector and settings. */
struct reconcile_seen {
    const json_t *connector;
    const json_t *children; /* array: objects that exist, have our labels, and are named as ours */
    const json_t *pods;     /* array: pods with the label pqcdc.io/connector, the Job's too */
    const json_t *reports;  /* {pod name: {"body": /status as JSON} or {"error": text}}; a pod that
                               has not been asked has none */
    const json_t *job;      /* the Job that drops the slot */
    const json_t *twin;     /* an older Connector with the same resource_slot_key(); one of the same
                               namespace stops this one, one of another only when it was not
                               admitted before; no slot is dropped that has a twin */
    const json_t *sharer;   /* any other Connector with that key that is not being deleted; no slot
                               is dropped that has one */
    bool namespace_terminating;
    bool no_pod_monitors;        /* the cluster does not know that kind */
    int64_t now_us;              /* wall clock */
    const struct error *failure; /* why the last plan was not carried out; shows as ApplyFailed */
    const struct operator_settings *settings;
};

/* Owned; reconcile_plan_done() releases it. Arrays are never NULL, but may be empty. */
struct reconcile_plan {
    json_t *stop;   /* {name, resourceVersion}: the Deployment that shall have no pod, or NULL */
    json_t *apply;  /* whole objects for server-side apply, in this order; with the uid of
                       what is there and ours */
    json_t *job;    /* Jobs, of which the first that the server does not refuse is made */
    json_t *remove; /* {apiVersion, kind, name, uid}; without uid it is whatever has the name;
                       that it is not there is as good */
    json_t *pod_patches; /* {name, labels?, annotations?}: metadata, merge patch; null removes */
    json_t *status;      /* the whole content of .status, NULL = it says that, or nearly */
    json_t *events;      /* {reason, action, warning, note}, regarding the Connector */
    json_t *finalizers;  /* merge patch {"metadata": {"finalizers", "resourceVersion"}}, or NULL */
    int64_t again_ms;    /* look again after so long; 0 = at the resync */
};

/* out_plan need not be initialised. */
void reconcile_plan(const struct reconcile_seen *seen, struct reconcile_plan *out_plan);

/* The same of a Connector that was deleted (a watch's DELETED): what is said of its slot. Only
 * events; nothing of a slot that belongs to an older one, be it that twin or its last status says
 * so.
 */
void reconcile_gone(const struct reconcile_seen *seen, struct reconcile_plan *out_plan);

/* Takes out what it says of workers, some of which were not heard yet: marks of pods, the status,
 * and the events that tell of it. What is said of a slot when a Connector is let go stays. */
void reconcile_plan_silence(struct reconcile_plan *plan);

void reconcile_plan_done(struct reconcile_plan *plan);

#endif
