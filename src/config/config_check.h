/* What one option alone cannot tell: rules between options, and the shape of texts. */
#ifndef CONFIG_CONFIG_CHECK_H
#define CONFIG_CONFIG_CHECK_H

#include "config/config.h"

void config_check_all(const struct config *config, struct config_problems *problems);

#endif
