/* --set path=value as a source. The path names
 *   an option                        cdc.slot.name=s
 *   a section, with a mapping        cdc.slot={name: s, createIfNotExists: true}
 *   an entry of a mapping            kafka.tableTopicMapping.public.users=users
 *   an element of a list             kafka.brokers[1]=b:9092
 *   an option of a table             cdc.publication.tables[0].columns[2]=name
 * The index after the last element adds one. */
#ifndef CONFIG_CONFIG_SET_H
#define CONFIG_CONFIG_SET_H

#include "config/config_layer.h"

void config_set_add(struct config_layers *layers, const char *const *sets, uint32_t set_count);

#endif
