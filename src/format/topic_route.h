/* Table -> topic name: the configured mapping first ("schema.table", or "table" for schema public),
 * then the template, then `unmapped`. Template placeholders: {database} {schema} {table}; bytes
 * that Kafka does not allow in a topic name become '_'. Immutable once made; any thread. */
#ifndef FORMAT_TOPIC_ROUTE_H
#define FORMAT_TOPIC_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slice.h"

enum topic_route_unmapped { TOPIC_ROUTE_FAIL, TOPIC_ROUTE_SKIP };

struct topic_route_pair {
    const char *table;
    const char *topic;
};

struct topic_route_options {
    const struct topic_route_pair *pairs;
    uint32_t pair_count;
    const char *topic_template; /* NULL = none */
    const char *database;
    enum topic_route_unmapped unmapped;
};

struct topic_route;
/* ERROR_CONFIG on a bad template or an invalid topic name. Copies everything. */
MUST_CHECK bool topic_route_new(const struct topic_route_options *options,
                                struct topic_route **out_route, struct error *err);
void topic_route_free(struct topic_route *route);

/* *out_topic = a name that memory_free() takes, or NULL when the table is to be skipped. False: no
 * topic for this table and unmapped tables fail (ERROR_HALT, names the table and says what to add).
 */
MUST_CHECK bool topic_route_find(const struct topic_route *route, struct slice schema,
                                 struct slice table, char **out_topic, struct error *err);

#endif
