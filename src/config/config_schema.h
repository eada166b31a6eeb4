/* The options as parts of the Connector resource: an OpenAPI v3 schema as Kubernetes wants it
 * (structural, with rules in CEL), in YAML, made from options.def and resource.def. The options of
 * CONFIG_NOT_IN_RESOURCE are left out. A secret is {secretRef}; what CONFIG_FILE marks is exactly
 * one of {path}, {secretRef}, {configMapRef}. Any thread. */
#ifndef CONFIG_CONFIG_SCHEMA_H
#define CONFIG_CONFIG_SCHEMA_H

#include <stdint.h>

#include "base/buf.h"

/* Appends the entries cdc, kafka, format and election of `properties`, each line indented by that
 * many spaces. */
void config_schema_write(uint32_t indent, struct buf *out);

#endif
