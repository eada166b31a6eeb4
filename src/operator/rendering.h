/* The worker's configuration of a Connector: spec's cdc, kafka, format, handler and election as
 * they are, less references, which become paths of files that are projected into the pod, plus what
 * the operator decides (election.mode and leaseName, the port, defaults). Written as JSON, of which
 * YAML is the superset; the same resource gives the same bytes.
 *
 * No secret is ever seen here, only names of Secrets. Pure; any thread. */
#ifndef OPERATOR_RENDERING_H
#define OPERATOR_RENDERING_H

#include <jansson.h>

#include "base/error.h"
#include "operator/objects.h"
#include "operator/operator_settings.h"
#include "operator/resource.h"

#define RENDERING_DIRECTORY      "/etc/pqcdc"             /* where the ConfigMap is mounted */
#define RENDERING_FILE           "config.yaml"            /* its key */
#define RENDERING_SECRETS        "/var/run/secrets/pqcdc" /* where the projected volume is mounted */
#define RENDERING_HANDLER        "/var/lib/pqcdc-handler" /* where handler.volume is mounted */
#define RENDERING_HANDLER_VOLUME "pqcdc-handler"

struct rendering {
    char *text;
    char hash[OBJECTS_HASH_SIZE]; /* of the text */
    json_t *sources; /* of the projected volume: [{"secret"|"configMap": {name, items}}] */
    json_t *handler; /* the volume of handler.volume, or NULL */
};

/* ERROR_CONFIG where a reference is none. Success: rendering_done() releases it. */
MUST_CHECK bool rendering_make(const struct resource *resource,
                               const struct operator_settings *settings,
                               struct rendering *out_rendering, struct error *err);
void rendering_done(struct rendering *rendering);

#endif
