/* A Kafka record on its way: what a handler makes of a change. Slices live in the list's arena (or
 * in the relation's attachment) until the list is cleared. */
#ifndef CHANGE_RECORD_H
#define CHANGE_RECORD_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

struct header {
    const char *name; /* NUL-terminated, outlives the record */
    struct slice value;
};

/* The change that a record was made of. */
struct record_origin {
    uint64_t commit_lsn, ordinal;
    uint32_t xid;
};

struct record {
    uint32_t topic;     /* a topic id of kafka/delivery.h */
    int32_t partition;  /* -1 = the partitioner chooses */
    struct slice key;   /* data NULL = null key */
    struct slice value; /* data NULL = null value, a tombstone */
    const struct header *headers;
    uint32_t header_count;
    const struct record_origin *origin; /* NULL = nobody asks; lives as long as the slices */
};

/* The outbox of one change: sent < count means the producer was full. */
struct record_list {
    struct record *items;
    uint32_t count;
    uint32_t sent;
    uint32_t capacity;
    struct arena *arena; /* not owned: the pipeline's, reset when the list is cleared */
};

#define RECORD_PARTITION_ANY (-1)

/* Zeroed, partition = any. The pointer is good until the next one is added. */
struct record *record_list_add(struct record_list *list);
void record_list_clear(struct record_list *list); /* empty, resets the arena */
void record_list_done(struct record_list *list);

#endif
