/* Topic names and the small ids that stand for them. An id is stable for the life of the table, so
 * relations keep it while producers come and go. Ids count from 0 without gaps. One thread's, but
 * for topic_table_newest(). */
#ifndef KAFKA_TOPIC_TABLE_H
#define KAFKA_TOPIC_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "base/map.h"

struct topic_entry {
    char *name;
    uint32_t topic;
    struct topic_entry *same_hash;
    const struct topic_entry *older; /* by id; NULL = this is the first */
    /* Records; who writes them reports, any thread may read. */
    _Atomic uint64_t acked, refused;
};

/* All zero = empty. */
struct topic_table {
    struct topic_entry **entries; /* by id */
    uint32_t count;
    uint32_t capacity;
    const struct topic_entry *_Atomic newest;
    struct map by_hash; /* the newest entry of each hash, others chained behind it */
};

void topic_table_done(struct topic_table *table);

/* Finds or adds. An error (ERROR_HALT, "topic_invalid") when Kafka would refuse the name: 1 to 249
 * characters of [a-zA-Z0-9._-], and neither "." nor "..". */
MUST_CHECK bool topic_table_add(struct topic_table *table, const char *name, uint32_t *out_topic,
                                struct error *err);

/* NULL when no such id was given out; else valid for the life of the table. */
const char *topic_table_name(const struct topic_table *table, uint32_t topic);

/* Any thread: the entry with the highest id, NULL = there is none. Entries live as long as the
 * table. */
const struct topic_entry *topic_table_newest(const struct topic_table *table);

/* One record more of that topic was acknowledged, or refused for good. */
void topic_table_count_acked(struct topic_table *table, uint32_t topic);
void topic_table_count_refused(struct topic_table *table, uint32_t topic);

#endif
