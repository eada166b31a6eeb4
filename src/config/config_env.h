/* The environment as a source: PQCDC_CDC_SLOT_NAME is cdc.slot.name. */
#ifndef CONFIG_CONFIG_ENV_H
#define CONFIG_CONFIG_ENV_H

#include "config/config_layer.h"

/* Adds each variable that is an option's. A name that is ours by its prefix but no option's is a
 * problem; all others are ignored. `environment` ends with NULL. */
void config_env_add(struct config_layers *layers, const char *const *environment);

#endif
