/* Topic names and the small ids that stand for them. An id is stable for the life of the table, so
 * relations keep it while producers come and go. Ids count from 0 without gaps. Not thread-safe. */
#ifndef KAFKA_TOPIC_TABLE_H
#define KAFKA_TOPIC_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "base/map.h"

struct topic_entry;

/* All zero = empty. */
struct topic_table {
    struct topic_entry **entries; /* by id */
    uint32_t count;
    uint32_t capacity;
    struct map by_hash; /* the newest entry of each hash, others chained behind it */
};

void topic_table_done(struct topic_table *table);

/* Finds or adds. An error (ERROR_HALT, "topic_invalid") when Kafka would refuse the name: 1 to 249
 * characters of [a-zA-Z0-9._-], and neither "." nor "..". */
MUST_CHECK bool topic_table_add(struct topic_table *table, const char *name, uint32_t *out_topic,
                                struct error *err);

/* NULL when no such id was given out; else valid for the life of the table. */
const char *topic_table_name(const struct topic_table *table, uint32_t topic);

#endif
