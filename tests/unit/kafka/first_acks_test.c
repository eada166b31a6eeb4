#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "kafka/first_acks.h"

enum { ANY = -1 };

/* Its topic's partitions are known, partition 0 has acknowledged a record. */
static struct first_acks known(void)
{
    struct first_acks acks = { 0 };
    first_acks_sent(&acks, ANY);
    first_acks_reported(&acks, 0, true);
    return acks;
}

static void one_record_goes_to_a_topic_whose_partitions_are_not_known(void **state)
{
    (void)state;
    static const int32_t firsts[] = { ANY, 0, INT32_MAX };
    for (size_t i = 0; i < COUNT_OF(firsts); i++) {
        struct first_acks acks = { 0 };
        assert_false(first_acks_hold(&acks, ANY));
        assert_false(first_acks_hold(&acks, 7));
        first_acks_sent(&acks, firsts[i]);
        assert_true(first_acks_hold(&acks, ANY));
        assert_true(first_acks_hold(&acks, 7));
        first_acks_reported(&acks, ANY, false); /* the topic is not there */
        assert_false(first_acks_hold(&acks, ANY));
        first_acks_sent(&acks, firsts[i]);
        assert_true(first_acks_hold(&acks, 7));
        first_acks_reported(&acks, 7, true);
        first_acks_sent(&acks, 7);
        assert_false(first_acks_hold(&acks, ANY));
        assert_false(first_acks_hold(&acks, 7));
        first_acks_done(&acks);
    }
}

static void each_partition_waits_for_its_own(void **state)
{
    (void)state;
    struct first_acks acks = known();
    for (int32_t partition = 0; partition < 100; partition++) {
        assert_false(first_acks_hold(&acks, partition));
        first_acks_sent(&acks, partition);
        assert_int_equal(first_acks_hold(&acks, partition), partition > 0);
        assert_false(first_acks_hold(&acks, ANY)); /* nobody knows yet */
    }
    for (int32_t partition = 99; partition > 0; partition--) {
        assert_true(first_acks_hold(&acks, partition));
        first_acks_reported(&acks, partition, true);
        assert_false(first_acks_hold(&acks, partition));
        first_acks_sent(&acks, partition);
        assert_false(first_acks_hold(&acks, partition));
    }
    first_acks_done(&acks);
}

static void a_refused_record_does_not_open_its_partition(void **state)
{
    (void)state;
    struct first_acks acks = known();
    first_acks_sent(&acks, 0);
    first_acks_sent(&acks, 3);
    first_acks_reported(&acks, 3, false);
    assert_true(first_acks_hold(&acks, 3));
    first_acks_reported(&acks, 0, true);
    /* No report would come that ends the waiting. */
    assert_false(first_acks_hold(&acks, 3));
    first_acks_sent(&acks, 3);
    assert_true(first_acks_hold(&acks, 3));
    first_acks_done(&acks);
}

/* The topic was made anew, and has no partitions for a moment. */
static void what_gets_its_partition_late_is_waited_for(void **state)
{
    (void)state;
    struct first_acks acks = known();
    first_acks_sent(&acks, 0);
    first_acks_sent(&acks, ANY);
    assert_true(first_acks_hold(&acks, 0));
    first_acks_reported(&acks, 0, true);
    assert_true(first_acks_hold(&acks, 0));
    first_acks_reported(&acks, 1, true);
    first_acks_sent(&acks, 0);
    assert_false(first_acks_hold(&acks, 1));
    first_acks_done(&acks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_record_goes_to_a_topic_whose_partitions_are_not_known),
        cmocka_unit_test(each_partition_waits_for_its_own),
        cmocka_unit_test(a_refused_record_does_not_open_its_partition),
        cmocka_unit_test(what_gets_its_partition_late_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
