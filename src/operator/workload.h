/* What a Connector owns in its namespace, all by the name pqcdc-NAME, as whole objects for
 * server-side apply: only fields that the operator means to own. Pure; any thread. */
#ifndef OPERATOR_WORKLOAD_H
#define OPERATOR_WORKLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "operator/operator_settings.h"
#include "operator/rendering.h"
#include "operator/resource.h"

/* ServiceAccount (unless the resource names one), Role, RoleBinding, ConfigMap, Deployment,
 * Service, PodDisruptionBudget (from two replicas on), PodMonitor (when it is switched on): in this
 * order, so that nothing is missing when pods start, and they wait for nothing that they do not
 * need. Each with OBJECTS_APPLIED. replicas: of the Deployment, which may be 0 while the resource
 * asks for more. The caller's. */
json_t *workload_wanted(const struct resource *resource, const struct operator_settings *settings,
                        const struct rendering *rendering, int64_t replicas);

/* What of it the Job needs that drops slot and publication. */
json_t *workload_wanted_of_drop(const struct resource *resource,
                                const struct operator_settings *settings,
                                const struct rendering *rendering);
/* That Job. plain: without what the resource's template says of where it runs and how it is bounded
 * (all but environment, volumes, service account and pull secrets), should the server refuse that.
 */
json_t *workload_drop_job(const struct resource *resource, const struct operator_settings *settings,
                          const struct rendering *rendering, bool plain);

/* What of `wanted` does not stand in `children` as it should goes into `apply`, with the uid of
 * what is there when that is ours. */
void workload_lacking(const struct resource *resource, const json_t *children, const json_t *wanted,
                      json_t *apply);
/* What of `children` is ours and not wanted (only kinds that workload_wanted() makes) goes into
 * `remove`. */
void workload_surplus(const struct resource *resource, const json_t *children, const json_t *wanted,
                      json_t *remove);

/* The Deployment that shall have no pod, as the plan's `stop` names it, which is by itself: of the
 * whole Deployment the server may refuse something, or something before it. NULL: it is to have
 * none already, or is somebody else's. */
json_t *workload_stop(const json_t *connector, const json_t *deployment);

/* True when the object is controlled by this very resource. */
bool workload_is_ours(const struct resource *resource, const json_t *object);

/* Whether an object that has the name of a child of that Connector may be written over: it is
 * controlled by it, or it was made for one of its name and nobody controls it any more. False:
 * "name_leftover", when it belongs to an earlier Connector of that name and goes by itself, else
 * "name_taken". */
MUST_CHECK bool workload_may_take(const json_t *connector, const json_t *object, struct error *err);

#endif
