#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "unit/base/child.h"

enum { KEEP = 64 * 1024 };

static void allocations_are_aligned_and_apart(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    enum { COUNT = 600 };
    unsigned char *pointers[COUNT];
    size_t sizes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = i * 7919 % 301;
        pointers[i] = arena_alloc(&arena, sizes[i]);
        assert_non_null(pointers[i]);
        assert_int_equal((uintptr_t)pointers[i] % ARENA_ALIGN_BYTES, 0);
        memset(pointers[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(pointers[i][j], i % 251);
}

static void size_zero_gives_a_place_of_its_own(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    void *a = arena_alloc(&arena, 0);
    void *b = arena_alloc(&arena, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
}

static void a_fresh_arena_holds_nothing(void **state)
{
    (void)state;
    struct arena arena = arena_init(KEEP);
    assert_int_equal(arena_footprint(&arena), 0);
    arena_reset(&arena);
    arena_done(&arena);
    arena_done(&arena);
    assert_int_equal(arena_footprint(&arena), 0);
}

static void a_block_is_filled_to_its_last_byte(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    memset(arena_alloc(&arena, 16), 1, 16);
    size_t footprint = arena_footprint(&arena);
    size_t left = arena.left_bytes;
    memset(arena_alloc(&arena, left), 2, left);
    assert_int_equal(arena.left_bytes, 0);
    assert_int_equal(arena_footprint(&arena), footprint);
    memset(arena_alloc(&arena, 1), 3, 1);
    assert_true(arena_footprint(&arena) > footprint);
}

static void reset_reuses_the_block(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    void *first = arena_alloc(&arena, 100);
    size_t footprint = arena_footprint(&arena);
    for (int i = 0; i < 100; i++) {
        arena_reset(&arena);
        assert_ptr_equal(arena_alloc(&arena, 100), first);
        assert_int_equal(arena_footprint(&arena), footprint);
    }
}

static void fill(struct arena *arena, size_t total)
{
    for (size_t i = 0; i < total; i += 100)
        memset(arena_alloc(arena, 100), 0x55, 100);
}

/* Equal messages must not allocate from the system once the first few are through. */
static void equal_rounds_settle_in_one_block(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    for (int i = 0; i < 4; i++) {
        fill(&arena, 20000);
        arena_reset(&arena);
    }
    size_t footprint = arena_footprint(&arena);
    assert_true(footprint >= 20000);
    fill(&arena, 20000);
    assert_int_equal(arena_footprint(&arena), footprint);
}

static void a_giant_does_not_stay(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    arena_alloc(&arena, 100);
    memset(arena_alloc(&arena, 10 * 1024 * 1024), 1, 10 * 1024 * 1024);
    arena_alloc(&arena, 100);
    assert_true(arena_footprint(&arena) > 10 * 1024 * 1024);
    /* The block after a giant does not double it. */
    assert_true(arena_footprint(&arena) < 12 * 1024 * 1024);
    arena_reset(&arena);
    assert_true(arena_footprint(&arena) <= KEEP + 64);
    memset(arena_alloc(&arena, 500), 1, 500);
}

static void nothing_is_kept_with_keep_zero(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(0);
    arena_alloc(&arena, 100);
    arena_reset(&arena);
    assert_int_equal(arena_footprint(&arena), 0);
}

static void shrink_gives_the_tail_back(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    char *a = arena_alloc(&arena, 500);
    arena_shrink(&arena, a, 500, 10);
    char *b = arena_alloc(&arena, 8);
    assert_ptr_equal(b, a + ARENA_ALIGN_BYTES);
    arena_shrink(&arena, a, 10, 0); /* not the newest any more */
    assert_ptr_equal(arena_alloc(&arena, 8), b + ARENA_ALIGN_BYTES);
}

static void extend_grows_only_the_newest(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    char *a = arena_alloc(&arena, 20);
    assert_true(arena_extend(&arena, a, 20, 100));
    memset(a, 7, 100);
    char *b = arena_alloc(&arena, 8);
    assert_ptr_equal(b, a + 112);
    assert_false(arena_extend(&arena, a, 100, 200));
    size_t left = arena.left_bytes;
    assert_false(arena_extend(&arena, b, 8, 16 + left + 1));
    assert_int_equal(arena.left_bytes, left);
    assert_true(arena_extend(&arena, b, 8, 16 + left));
    assert_int_equal(arena.left_bytes, 0);
}

static void copies_end_in_nul(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    memset(arena_alloc(&arena, 1000), 'x', 1000);
    arena_reset(&arena);
    char original[] = "orders";
    struct slice copy = arena_copy(&arena, slice_of(original));
    original[0] = 'X';
    assert_true(slice_is(copy, "orders"));
    assert_string_equal(copy.data, "orders");
    struct slice empty = arena_copy(&arena, SLICE_TEXT(""));
    assert_non_null(empty.data);
    assert_string_equal(empty.data, "");
    assert_null(arena_copy(&arena, SLICE_NULL).data);
}

static void overflow_array(void *self)
{
    volatile size_t count = SIZE_MAX / 4;
    arena_array(self, count, 8);
}

static void overflow_alloc(void *self)
{
    volatile size_t size = SIZE_MAX - 4;
    arena_alloc(self, size);
}

static void sizes_that_overflow_abort(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    assert_true(child_aborted(child_run(overflow_array, &arena), "broken invariant"));
    assert_true(child_aborted(child_run(overflow_alloc, &arena), "broken invariant"));
    uint64_t *items = arena_array(&arena, 100, sizeof(*items));
    for (uint64_t i = 0; i < 100; i++)
        items[i] = i;
    assert_int_equal(items[99], 99);
}

static void it_knows_its_own_bytes(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(KEEP);
    char other = 'x';
    assert_false(arena_holds(&arena, &other));
    char *small = arena_alloc(&arena, 10);
    char *large = arena_alloc(&arena, 100 * 1024); /* of another block */
    assert_true(arena_holds(&arena, small) && arena_holds(&arena, small + 9));
    assert_true(arena_holds(&arena, large) && arena_holds(&arena, large + 100 * 1024 - 1));
    assert_false(arena_holds(&arena, &other));
    assert_false(arena_holds(&arena, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(size_zero_gives_a_place_of_its_own),
        cmocka_unit_test(a_fresh_arena_holds_nothing),
        cmocka_unit_test(a_block_is_filled_to_its_last_byte),
        cmocka_unit_test(reset_reuses_the_block),
        cmocka_unit_test(equal_rounds_settle_in_one_block),
        cmocka_unit_test(a_giant_does_not_stay),
        cmocka_unit_test(nothing_is_kept_with_keep_zero),
        cmocka_unit_test(shrink_gives_the_tail_back),
        cmocka_unit_test(extend_grows_only_the_newest),
        cmocka_unit_test(copies_end_in_nul),
        cmocka_unit_test(sizes_that_overflow_abort),
        cmocka_unit_test(it_knows_its_own_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
