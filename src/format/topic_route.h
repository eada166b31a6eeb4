/* Table -> topic name: the configured mapping first ("schema.table", or "table" without any point
 * for schema public), that of a parent of which it is a part next, then the template, with the name
 * of the last parent, then `unmapped`. Template placeholders: {database}
 * {schema} {table}; bytes of their values that Kafka does not allow in a topic name become '_'.
 * Immutable once made; any thread. */
#ifndef FORMAT_TOPIC_ROUTE_H
#define FORMAT_TOPIC_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
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
    /* A table that is skipped without a topic, whatever `unmapped` says; NULL = none. */
    const char *aside_schema;
    const char *aside_table;
};

struct topic_route;
/* ERROR_CONFIG on a bad template ("topic_template_invalid"), an invalid topic name
 * ("topic_name_invalid") or two topics for one table ("topic_mapping_conflict"). Copies everything.
 */
MUST_CHECK bool topic_route_new(const struct topic_route_options *options,
                                struct topic_route **out_route, struct error *err);
/* All such errors, each reported; true = there is none. */
typedef void topic_route_report_fn(void *self, const struct error *problem);
bool topic_route_check(const struct topic_route_options *options, topic_route_report_fn *report,
                       void *self);
void topic_route_free(struct topic_route *route); /* NULL allowed */
CLEANUP_POINTER(struct topic_route, topic_route_free)

/* Calls for each table of the mapping, as "schema.table", that is not among `published`. */
typedef void topic_route_visit_fn(void *self, const char *table);
void topic_route_unused(const struct topic_route *route, const char *const *published,
                        uint32_t published_count, topic_route_visit_fn *visit, void *self);

/* Whether the mapping names the table itself: its parents need not be known then. */
bool topic_route_maps(const struct topic_route *route, struct slice schema, struct slice table);

/* names[0] is the table, the others are its parents, the nearest first. *out_topic = a name that
 * memory_free() takes, or NULL when the table is to be skipped. False, ERROR_HALT: no topic for
 * this table and unmapped tables fail ("topic_unmapped": names the table and says what to add), or
 * the template makes a name that Kafka refuses ("topic_name_invalid"). */
struct topic_route_name {
    struct slice schema, table;
};
MUST_CHECK bool topic_route_find(const struct topic_route *route,
                                 const struct topic_route_name *names, uint32_t count,
                                 char **out_topic, struct error *err);

#endif
