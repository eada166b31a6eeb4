#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/cleanup.h"

static void an_empty_map_has_nothing(void **state)
{
    (void)state;
    struct map map = MAP_INIT;
    size_t cursor = 0;
    assert_null(map_get(&map, 1));
    assert_null(map_remove(&map, 1));
    assert_null(map_next(&map, &cursor));
    map_clear(&map);
    map_done(&map);
}

static void put_replaces_and_returns_the_old(void **state)
{
    (void)state;
    AUTO(struct map, map_done) map = MAP_INIT;
    int a = 1;
    int b = 2;
    assert_null(map_put(&map, 0, &a));
    assert_ptr_equal(map_get(&map, 0), &a);
    assert_ptr_equal(map_put(&map, 0, &b), &a);
    assert_ptr_equal(map_get(&map, 0), &b);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(map_remove(&map, 0), &b);
    assert_null(map_remove(&map, 0));
    assert_int_equal(map.count, 0);
}

static void clear_empties_and_keeps_working(void **state)
{
    (void)state;
    AUTO(struct map, map_done) map = MAP_INIT;
    int value = 1;
    for (uint64_t key = 0; key < 100; key++)
        map_put(&map, key, &value);
    map_clear(&map);
    assert_int_equal(map.count, 0);
    for (uint64_t key = 0; key < 100; key++)
        assert_null(map_get(&map, key));
    map_put(&map, 5, &value);
    assert_ptr_equal(map_get(&map, 5), &value);
}

static void next_visits_each_value_once(void **state)
{
    (void)state;
    AUTO(struct map, map_done) map = MAP_INIT;
    int visits[500] = { 0 };
    for (uint64_t key = 0; key < 500; key++)
        map_put(&map, key * UINT64_C(0x100000000), &visits[key]);
    size_t cursor = 0;
    for (int *visit = map_next(&map, &cursor); visit != NULL; visit = map_next(&map, &cursor))
        (*visit)++;
    for (size_t i = 0; i < COUNT_OF(visits); i++)
        assert_int_equal(visits[i], 1);
}

/* Against a plain array, with few keys, so that removing meets every kind of neighbour. */
static void it_behaves_as_a_plain_array(void **state)
{
    (void)state;
    enum { KEYS = 300, STEPS = 200000 };
    AUTO(struct map, map_done) map = MAP_INIT;
    static int values[7];
    void *model[KEYS] = { NULL };
    size_t count = 0;
    uint64_t random = 88172645463325252u;
    for (int step = 0; step < STEPS; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t key = random % KEYS;
        /* Dense, and far apart: both shapes of keys. */
        uint64_t real_key = key % 2 == 0 ? key : key << 40;
        if (random >> 32 & 1) {
            void *value = &values[(random >> 40) % COUNT_OF(values)];
            assert_ptr_equal(map_put(&map, real_key, value), model[key]);
            count += model[key] == NULL;
            model[key] = value;
        } else {
            assert_ptr_equal(map_remove(&map, real_key), model[key]);
            count -= model[key] != NULL;
            model[key] = NULL;
        }
        assert_int_equal(map.count, count);
        if (step % 1000 == 0)
            for (uint64_t other = 0; other < KEYS; other++)
                assert_ptr_equal(map_get(&map, other % 2 == 0 ? other : other << 40), model[other]);
    }
}

static void hash_is_fnv_1a(void **state)
{
    (void)state;
    /* The published test vectors of FNV-1a. */
    assert_true(map_hash(SLICE_TEXT("")) == UINT64_C(0xcbf29ce484222325));
    assert_true(map_hash(SLICE_TEXT("a")) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(map_hash(SLICE_TEXT("foobar")) == UINT64_C(0x85944171f73967e8));
    assert_true(map_hash(SLICE_TEXT("\xff")) != map_hash(SLICE_TEXT("\x7f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(put_replaces_and_returns_the_old),
        cmocka_unit_test(clear_empties_and_keeps_working),
        cmocka_unit_test(next_visits_each_value_once),
        cmocka_unit_test(it_behaves_as_a_plain_array),
        cmocka_unit_test(hash_is_fnv_1a),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
