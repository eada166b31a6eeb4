/* Which partition a record goes to: the balancers of segmentio/kafka-go v0.4.51, whose choice for a
 * key is the same here (tests/data/kafka-go-partitions.tsv was recorded from them).
 *
 * | name            | a record with a key                            | a null key  |
 * | Hash            | |int32(FNV-1a) % n|                            | round robin |
 * | ReferenceHash   | (FNV-1a & 0x7fffffff) % n                      | random      |
 * | CRC32Balancer   | CRC-32 % n                                     | random, also an empty key |
 * | Murmur2Balancer | (murmur2 & 0x7fffffff) % n, as Java's producer | random      |
 * | RoundRobin      | one after the other, whatever the key          |             |
 * | LeastBytes      | the one that got the fewest bytes, whatever the key |        |
 *
 * FNV-1a of Hash, CRC-32 and murmur2 are librdkafka's own; it has none that is ReferenceHash's.
 * RoundRobin and LeastBytes do not keep the order of a key's records, since they spread them. Each
 * topic is counted for by itself; the original's writer counts over all topics together.
 *
 * librdkafka calls the partitioner on the thread that produces, or on its own main thread for
 * records that were queued before the topic's metadata came; so the state is atomic or locked.
 */
#ifndef KAFKA_PARTITIONER_H
#define KAFKA_PARTITIONER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct partitioner; /* a row of the table above */

/* NULL = no such balancer. */
const struct partitioner *partitioner_find(const char *name);
/* The names, for messages: NULL at the end of the table. */
const char *partitioner_name(size_t index);

/* What one topic of one producer remembers. */
struct partitioner_state {
    const struct partitioner *partitioner;
    _Atomic uint32_t turn;         /* round robin */
    _Atomic uint64_t draw;         /* random */
    _Atomic uint64_t record_bytes; /* of the record that is being produced */
    pthread_mutex_t lock;          /* of the two below */
    uint64_t *bytes;               /* by partition */
    int32_t partition_count;
};

void partitioner_state_init(struct partitioner_state *state, const struct partitioner *partitioner,
                            uint64_t seed);
void partitioner_state_done(struct partitioner_state *state);

/* Key + value of the record that is about to be produced (LeastBytes). A record whose partition is
 * chosen later, by librdkafka's thread, is counted with the size of the latest one. */
static inline void partitioner_state_weigh(struct partitioner_state *state, size_t record_bytes)
{
    atomic_store_explicit(&state->record_bytes, record_bytes, memory_order_relaxed);
}

/* key.data NULL = null key; partition_count > 0. */
int32_t partitioner_choose(struct partitioner_state *state, struct slice key,
                           int32_t partition_count);

/* The record that was chosen for is not produced: its turn is for the next one, its bytes do not
 * count. (Who draws at random draws anew.) */
void partitioner_take_back(struct partitioner_state *state, struct slice key, int32_t partition);

#endif
