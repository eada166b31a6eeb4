/* The topic of a table of PostgreSQL, whose parents are known: the one place where the route meets
 * the catalogs. */
#ifndef CONNECTOR_TABLE_TOPIC_H
#define CONNECTOR_TABLE_TOPIC_H

#include "format/topic_route.h"
#include "postgres/relation_facts.h"

/* As topic_route_find(). */
MUST_CHECK bool table_topic_find(const struct topic_route *route, struct slice schema,
                                 struct slice name, const struct relation_name *parents,
                                 uint16_t parent_count, char **out_topic, struct error *err);
MUST_CHECK bool table_topic_of_published(const struct topic_route *route,
                                         const struct published_table *table, char **out_topic,
                                         struct error *err);

#endif
