/* What a new producer waits for before records follow each other closely.
 *
 * A broker refuses what comes behind a refused batch by the gap in the sequence. But it takes any
 * first sequence of a producer that it does not know at a partition. So until a partition has
 * acknowledged a record of the producer, one record is on its way there and no second: nothing is
 * on the wire then that could pass it.
 *
 * While librdkafka does not know the topic's partitions it cannot say where a record will go; so
 * one record is on its way to the whole topic until an acknowledgement shows that it knows.
 *
 * Nothing is held when no record of the topic is unreported: who waits, waits for a report.
 * Of one topic of one producer; belongs to the thread that produces. */
#ifndef KAFKA_FIRST_ACKS_H
#define KAFKA_FIRST_ACKS_H

#include <stdbool.h>
#include <stdint.h>

/* All zero = nothing sent yet. */
struct first_acks {
    unsigned char *stages; /* by partition; beyond: none was sent there */
    int32_t stage_count;
    bool known; /* librdkafka asks for the partition while a record is produced */
    uint64_t unreported;
};

void first_acks_done(struct first_acks *acks);

/* Whether a record to this partition must wait. Negative: not known yet which. */
bool first_acks_hold(const struct first_acks *acks, int32_t partition);
/* A record was handed over. Negative: librdkafka chooses its partition later. */
void first_acks_sent(struct first_acks *acks, int32_t partition);
/* Each record that was handed over comes here once. Negative: it never got a partition. */
void first_acks_reported(struct first_acks *acks, int32_t partition, bool acknowledged);

#endif
