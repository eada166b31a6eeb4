/* What a Connector owns in its namespace, all by the name pqcdc-NAME, as whole objects for
 * server-side apply: only fields that the operator means to own. Pure; any thread. */
#ifndef OPERATOR_WORKLOAD_H
#define OPERATOR_WORKLOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "operator/operator_settings.h"
#include "operator/rendering.h"
#include "operator/resource.h"

/* ServiceAccount (unless the resource names one), Role, RoleBinding, ConfigMap, Service,
 * PodDisruptionBudget (from two replicas on), PodMonitor (when it is switched on), Deployment: in
 * this order, so that nothing is missing when pods start. Each with OBJECTS_APPLIED. replicas: of
 * the Deployment, which may be 0 while the resource asks for more. The caller's. */
json_t *workload_wanted(const struct resource *resource, const struct operator_settings *settings,
                        const struct rendering *rendering, int64_t replicas);

/* The Job that drops slot and publication. */
json_t *workload_drop_job(const struct resource *resource, const struct operator_settings *settings,
                          const struct rendering *rendering);

/* Of `wanted`, what does not stand in `children` as it should goes into `apply`; of `children`,
 * what is ours and not wanted (only kinds that workload_wanted() makes) goes into `remove`. */
void workload_compare(const struct resource *resource, const json_t *children, const json_t *wanted,
                      json_t *apply, json_t *remove);

/* True when the object is controlled by this very resource. */
bool workload_is_ours(const struct resource *resource, const json_t *object);

#endif
