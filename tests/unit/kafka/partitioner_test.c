#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "kafka/partitioner.h"

static void the_same_partition_as_the_original_for_each_key(void **state)
{
    (void)state;
    FILE *file = fopen(TEST_DATA "/kafka-go-partitions.tsv", "r");
    assert_non_null(file);
    char line[256], balancer[32], key[128];
    int count = 0, partition_count = 0, partition = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%31[^\t]\t%d\t%127[^\t]\t%d", balancer, &partition_count,
                                key, &partition),
                         4);
        struct partitioner_state topic;
        partitioner_state_init(&topic, partitioner_find(balancer), 1);
        int32_t chosen = partitioner_choose(&topic, slice_of(key), partition_count);
        if (chosen != partition)
            fail_msg("%s: key \"%s\" of %d partitions: %d instead of %d", balancer, key,
                     partition_count, (int)chosen, partition);
        partitioner_state_done(&topic);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 280);
}

static void only_the_six_names_are_known(void **state)
{
    (void)state;
    static const char *const names[] = { "Hash",          "LeastBytes",    "RoundRobin",
                                         "ReferenceHash", "CRC32Balancer", "Murmur2Balancer" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_non_null(partitioner_find(names[i]));
        assert_string_equal(partitioner_name(i), names[i]);
    }
    assert_null(partitioner_name(COUNT_OF(names)));
    assert_null(partitioner_find("hash"));
    assert_null(partitioner_find(""));
}

static void null_keys_go_round_with_hash_and_round_robin(void **state)
{
    (void)state;
    static const char *const names[] = { "Hash", "RoundRobin" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct partitioner_state topic;
        partitioner_state_init(&topic, partitioner_find(names[i]), 1);
        for (int turn = 0; turn < 10; turn++)
            assert_int_equal(partitioner_choose(&topic, SLICE_NULL, 4), turn % 4);
        partitioner_state_done(&topic);
    }
}

static void round_robin_does_not_look_at_the_key(void **state)
{
    (void)state;
    struct partitioner_state topic;
    partitioner_state_init(&topic, partitioner_find("RoundRobin"), 1);
    for (int turn = 0; turn < 9; turn++)
        assert_int_equal(partitioner_choose(&topic, SLICE_TEXT("same"), 3), turn % 3);
    partitioner_state_done(&topic);
}

/* With 10,000 draws over 8 partitions a share outside 1,000..1,500 is as good as impossible. */
static void spread_is_even(const char *name, struct slice key)
{
    enum { DRAWS = 10000, PARTITIONS = 8 };
    struct partitioner_state topic;
    partitioner_state_init(&topic, partitioner_find(name), 42);
    int counts[PARTITIONS] = { 0 };
    for (int i = 0; i < DRAWS; i++) {
        int32_t partition = partitioner_choose(&topic, key, PARTITIONS);
        assert_in_range(partition, 0, PARTITIONS - 1);
        counts[partition]++;
    }
    for (int i = 0; i < PARTITIONS; i++)
        assert_in_range(counts[i], 1000, 1500);
    partitioner_state_done(&topic);
}

static void null_keys_are_spread_at_random_by_the_others(void **state)
{
    (void)state;
    spread_is_even("ReferenceHash", SLICE_NULL);
    spread_is_even("CRC32Balancer", SLICE_NULL);
    spread_is_even("Murmur2Balancer", SLICE_NULL);
}

static void an_empty_key_is_a_key_except_for_crc32(void **state)
{
    (void)state;
    spread_is_even("CRC32Balancer", SLICE_TEXT(""));
    static const char *const names[] = { "Hash", "ReferenceHash", "Murmur2Balancer" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct partitioner_state topic;
        partitioner_state_init(&topic, partitioner_find(names[i]), 7);
        int32_t first = partitioner_choose(&topic, SLICE_TEXT(""), 16);
        for (int turn = 0; turn < 20; turn++)
            assert_int_equal(partitioner_choose(&topic, SLICE_TEXT(""), 16), first);
        partitioner_state_done(&topic);
    }
}

static void least_bytes_takes_the_emptiest_the_first_of_equals(void **state)
{
    (void)state;
    struct partitioner_state topic;
    partitioner_state_init(&topic, partitioner_find("LeastBytes"), 1);
    static const struct {
        size_t bytes;
        int32_t partition;
    } steps[] = {
        { 100, 0 }, { 10, 1 }, { 50, 2 }, { 10, 1 }, /* 20 */
        { 40, 1 },                                   /* 60 */
        { 60, 2 },                                   /* 110 */
        { 45, 1 },                                   /* 105 */
        { 1, 0 },   { 1, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        partitioner_state_weigh(&topic, steps[i].bytes);
        assert_int_equal(partitioner_choose(&topic, SLICE_TEXT("k"), 3), steps[i].partition);
    }
    /* Other partitions: counted anew. */
    partitioner_state_weigh(&topic, 5);
    assert_int_equal(partitioner_choose(&topic, SLICE_TEXT("k"), 4), 0);
    assert_int_equal(partitioner_choose(&topic, SLICE_TEXT("k"), 4), 1);
    partitioner_state_done(&topic);
}

static void a_choice_that_is_taken_back_is_made_again(void **state)
{
    (void)state;
    static const char *const names[] = { "Hash", "RoundRobin", "LeastBytes" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct partitioner_state topic;
        partitioner_state_init(&topic, partitioner_find(names[i]), 1);
        partitioner_state_weigh(&topic, 10);
        for (int turn = 0; turn < 10; turn++) {
            int32_t held = partitioner_choose(&topic, SLICE_NULL, 4);
            partitioner_take_back(&topic, SLICE_NULL, held);
            int32_t keyed = partitioner_choose(&topic, SLICE_TEXT("k"), 4);
            partitioner_take_back(&topic, SLICE_TEXT("k"), keyed);
            assert_int_equal(held, turn % 4);
            assert_int_equal(partitioner_choose(&topic, SLICE_NULL, 4), turn % 4);
        }
        partitioner_state_done(&topic);
    }
    struct partitioner_state topic; /* nothing to take back */
    partitioner_state_init(&topic, partitioner_find("Murmur2Balancer"), 1);
    partitioner_take_back(&topic, SLICE_NULL, partitioner_choose(&topic, SLICE_NULL, 4));
    partitioner_state_done(&topic);
}

enum { THREADS = 2, TURNS = 20000, SHARED_PARTITIONS = 5 };

struct chooser {
    struct partitioner_state *topic;
    int counts[SHARED_PARTITIONS];
};

static void *choose_often(void *opaque)
{
    struct chooser *chooser = opaque;
    for (int i = 0; i < TURNS; i++) {
        partitioner_state_weigh(chooser->topic, 10);
        chooser->counts[partitioner_choose(chooser->topic, SLICE_NULL, SHARED_PARTITIONS)]++;
    }
    return NULL;
}

static void two_threads_share_a_topic_without_losing_a_turn(void **state)
{
    (void)state;
    static const char *const names[] = { "Hash", "RoundRobin", "LeastBytes" };
    for (size_t n = 0; n < COUNT_OF(names); n++) {
        struct partitioner_state topic;
        partitioner_state_init(&topic, partitioner_find(names[n]), 1);
        struct chooser choosers[THREADS] = { { .topic = &topic }, { .topic = &topic } };
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, choose_often, &choosers[i]), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < SHARED_PARTITIONS; i++)
            assert_int_equal(choosers[0].counts[i] + choosers[1].counts[i],
                             THREADS * TURNS / SHARED_PARTITIONS);
        partitioner_state_done(&topic);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_partition_as_the_original_for_each_key),
        cmocka_unit_test(only_the_six_names_are_known),
        cmocka_unit_test(null_keys_go_round_with_hash_and_round_robin),
        cmocka_unit_test(round_robin_does_not_look_at_the_key),
        cmocka_unit_test(null_keys_are_spread_at_random_by_the_others),
        cmocka_unit_test(an_empty_key_is_a_key_except_for_crc32),
        cmocka_unit_test(least_bytes_takes_the_emptiest_the_first_of_equals),
        cmocka_unit_test(a_choice_that_is_taken_back_is_made_again),
        cmocka_unit_test(two_threads_share_a_topic_without_losing_a_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
