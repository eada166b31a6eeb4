/* cdc.publication.tables: a list of objects, each read by the items of options.def. */
#ifndef CONFIG_CONFIG_TABLES_H
#define CONFIG_CONFIG_TABLES_H

#include "config/config.h"
#include "config/config_value.h"

void config_tables_read(const struct config_reading *reading, const struct config_option *option,
                        const struct config_node *node, struct config_tables *out_tables);

#endif
