#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "postgres/relation_cache.h"

static struct relation *make(uint32_t oid, struct slice name)
{
    return relation_new(oid, SLICE_TEXT("public"), name, REPLICA_IDENTITY_DEFAULT, NULL, 0);
}

static void count_release(void *attachment)
{
    (*(int *)attachment)++;
}

static void test_found_by_oid(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    AUTO(struct relation_cache, relation_cache_done) cache = RELATION_CACHE_INIT;
    assert_null(relation_cache_find(&cache, 1));
    struct relation *relations[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        relations[i] = make(i * 7, SLICE_TEXT("t"));
        relation_cache_put(&cache, relations[i]);
    }
    for (uint32_t i = COUNT; i > 0; i--) {
        assert_ptr_equal(relation_cache_find(&cache, (i - 1) * 7), relations[i - 1]);
        assert_ptr_equal(relation_cache_find(&cache, (i - 1) * 7), relations[i - 1]);
        assert_null(relation_cache_find(&cache, (i - 1) * 7 + 1));
        assert_null(relation_cache_find(&cache, (i - 1) * 7 + 1));
    }
}

static void test_a_new_version_replaces_the_old(void **state)
{
    (void)state;
    int released = 0;
    AUTO(struct relation_cache, relation_cache_done) cache = RELATION_CACHE_INIT;
    struct relation *old = make(5, SLICE_TEXT("before"));
    relation_attach(old, &released, count_release);
    relation_cache_put(&cache, old);
    relation_cache_put(&cache, make(6, SLICE_TEXT("another")));
    assert_ptr_equal(relation_cache_find(&cache, 5), old);
    assert_int_equal(released, 0);

    relation_cache_put(&cache, make(5, SLICE_TEXT("after")));
    assert_int_equal(released, 1);
    assert_true(slice_is(relation_cache_find(&cache, 5)->name, "after"));
    assert_true(slice_is(relation_cache_find(&cache, 6)->name, "another"));

    /* Also when the one that is replaced was not found last. */
    relation_cache_put(&cache, make(5, SLICE_TEXT("at last")));
    assert_true(slice_is(relation_cache_find(&cache, 5)->name, "at last"));
}

static void test_clear_forgets_and_frees(void **state)
{
    (void)state;
    int released = 0;
    AUTO(struct relation_cache, relation_cache_done) cache = RELATION_CACHE_INIT;
    relation_cache_clear(&cache);
    for (uint32_t oid = 1; oid <= 3; oid++) {
        struct relation *relation = make(oid, SLICE_TEXT("t"));
        relation_attach(relation, &released, count_release);
        relation_cache_put(&cache, relation);
    }
    relation_cache_clear(&cache);
    assert_int_equal(released, 3);
    for (uint32_t oid = 1; oid <= 3; oid++)
        assert_null(relation_cache_find(&cache, oid));
    relation_cache_put(&cache, make(3, SLICE_TEXT("new")));
    assert_true(slice_is(relation_cache_find(&cache, 3)->name, "new"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_by_oid),
        cmocka_unit_test(test_a_new_version_replaces_the_old),
        cmocka_unit_test(test_clear_forgets_and_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
