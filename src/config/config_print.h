/* The effective configuration as YAML, for `pqcdc config`: every option with its value, secrets as
 * "***", and a comment where a value did not come from the defaults. The text can be loaded again
 * (the secrets excepted). */
#ifndef CONFIG_CONFIG_PRINT_H
#define CONFIG_CONFIG_PRINT_H

#include "base/buf.h"
#include "config/config.h"

void config_print_effective(const struct config *config, struct buf *out);

#endif
