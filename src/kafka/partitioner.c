#include "kafka/partitioner.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/check.h"
#include "base/memory.h"

struct partitioner {
    const char *name;
    int32_t (*choose)(struct partitioner_state *state, struct slice key, int32_t partition_count);
    /* NULL: a choice leaves no trace that matters. */
    void (*take_back)(struct partitioner_state *state, struct slice key, int32_t partition);
};

static uint32_t fnv1a(struct slice key)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 16777619U;
    return hash;
}

static int32_t round_robin(struct partitioner_state *state, struct slice key UNUSED,
                           int32_t partition_count)
{
    uint32_t turn = atomic_fetch_add_explicit(&state->turn, 1, memory_order_relaxed);
    return (int32_t)(turn % (uint32_t)partition_count);
}

static void round_robin_back(struct partitioner_state *state, struct slice key UNUSED,
                             int32_t partition UNUSED)
{
    atomic_fetch_sub_explicit(&state->turn, 1, memory_order_relaxed);
}

/* splitmix64: good enough to spread records, and one atomic addition a draw. */
static int32_t random_partition(struct partitioner_state *state, int32_t partition_count)
{
    const uint64_t step = 0x9e3779b97f4a7c15U;
    uint64_t bits = atomic_fetch_add_explicit(&state->draw, step, memory_order_relaxed) + step;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9U;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebU;
    bits ^= bits >> 31;
    return (int32_t)(bits % (uint32_t)partition_count);
}

/* The remainder is taken of the absolute value of the signed hash, as librdkafka's is: not the same
 * as of the unsigned one. */
static int32_t hash(struct partitioner_state *state, struct slice key, int32_t partition_count)
{
    if (key.data == NULL)
        return round_robin(state, key, partition_count);
    return rd_kafka_msg_partitioner_fnv1a(NULL, key.data, key.size, partition_count, NULL, NULL);
}

static void hash_back(struct partitioner_state *state, struct slice key, int32_t partition)
{
    if (key.data == NULL)
        round_robin_back(state, key, partition);
}

static int32_t reference_hash(struct partitioner_state *state, struct slice key,
                              int32_t partition_count)
{
    if (key.data == NULL)
        return random_partition(state, partition_count);
    return (int32_t)(fnv1a(key) & 0x7fffffffU) % partition_count;
}

static int32_t crc32_balancer(struct partitioner_state *state, struct slice key,
                              int32_t partition_count)
{
    if (key.size == 0)
        return random_partition(state, partition_count);
    return rd_kafka_msg_partitioner_consistent(NULL, key.data, key.size, partition_count, NULL,
                                               NULL);
}

static int32_t murmur2_balancer(struct partitioner_state *state, struct slice key,
                                int32_t partition_count)
{
    if (key.data == NULL)
        return random_partition(state, partition_count);
    return rd_kafka_msg_partitioner_murmur2(NULL, key.data, key.size, partition_count, NULL, NULL);
}

static void recount(struct partitioner_state *state, int32_t partition_count)
{
    memory_free(state->bytes);
    state->bytes = memory_array((size_t)partition_count, sizeof *state->bytes);
    state->partition_count = partition_count;
}

static int32_t least_bytes(struct partitioner_state *state, struct slice key UNUSED,
                           int32_t partition_count)
{
    uint64_t record_bytes = atomic_load_explicit(&state->record_bytes, memory_order_relaxed);
    pthread_mutex_lock(&state->lock);
    if (state->partition_count != partition_count)
        recount(state, partition_count);
    int32_t least = 0;
    for (int32_t i = 1; i < partition_count; i++)
        if (state->bytes[i] < state->bytes[least])
            least = i;
    state->bytes[least] += record_bytes;
    pthread_mutex_unlock(&state->lock);
    return least;
}

static void least_bytes_back(struct partitioner_state *state, struct slice key UNUSED,
                             int32_t partition)
{
    pthread_mutex_lock(&state->lock);
    state->bytes[partition] -= atomic_load_explicit(&state->record_bytes, memory_order_relaxed);
    pthread_mutex_unlock(&state->lock);
}

static const struct partitioner rows[] = {
    { "Hash", hash, hash_back },
    { "LeastBytes", least_bytes, least_bytes_back },
    { "RoundRobin", round_robin, round_robin_back },
    { "ReferenceHash", reference_hash, NULL },
    { "CRC32Balancer", crc32_balancer, NULL },
    { "Murmur2Balancer", murmur2_balancer, NULL },
};

const struct partitioner *partitioner_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const char *partitioner_name(size_t index)
{
    return index < COUNT_OF(rows) ? rows[index].name : NULL;
}

void partitioner_state_init(struct partitioner_state *state, const struct partitioner *partitioner,
                            uint64_t seed)
{
    memset(state, 0, sizeof *state);
    state->partitioner = partitioner;
    atomic_init(&state->draw, seed);
    CHECK(pthread_mutex_init(&state->lock, NULL) == 0);
}

void partitioner_state_done(struct partitioner_state *state)
{
    memory_free(state->bytes);
    state->bytes = NULL;
    pthread_mutex_destroy(&state->lock);
}

int32_t partitioner_choose(struct partitioner_state *state, struct slice key,
                           int32_t partition_count)
{
    return state->partitioner->choose(state, key, partition_count);
}

void partitioner_take_back(struct partitioner_state *state, struct slice key, int32_t partition)
{
    if (state->partitioner->take_back != NULL)
        state->partitioner->take_back(state, key, partition);
}
