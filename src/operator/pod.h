/* The pods of a Connector: the worker's, and the one that drops its slot. Both run the same image
 * with the same configuration and secrets, under restricted Pod Security. Pure; any thread. */
#ifndef OPERATOR_POD_H
#define OPERATOR_POD_H

#include <jansson.h>

#include "operator/operator_settings.h"
#include "operator/rendering.h"
#include "operator/resource.h"

enum { POD_USER = 65532 /* of the image */, POD_GRACE_SECONDS = 10, POD_COMPONENT_SIZE = 8 };

#define POD_CONTAINER   "worker"
#define POD_CONFIG_HASH "pqcdc.io/config-hash" /* annotation of the template: a change rolls */

/* A pod template ({metadata, spec}); the caller's. */
json_t *pod_worker(const struct resource *resource, const struct operator_settings *settings,
                   const struct rendering *rendering);
json_t *pod_drop(const struct resource *resource, const struct operator_settings *settings,
                 const struct rendering *rendering);

/* Labels of everything that belongs to the resource; component: "worker" or "drop". */
json_t *pod_labels(const struct resource *resource, const char *component);
/* Those that select its pods: a part that never changes. */
json_t *pod_selector(const struct resource *resource, const char *component);

#endif
