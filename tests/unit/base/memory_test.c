#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/base/child.h"

static void memory_comes_zeroed(void **state)
{
    (void)state;
    for (size_t size = 1; size < 5000; size += 613) {
        AUTO(unsigned char *, memory_free_p) bytes = memory_alloc(size);
        AUTO(unsigned char *, memory_free_p) items = memory_array(size, 3);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(bytes[i], 0);
        for (size_t i = 0; i < 3 * size; i++)
            assert_int_equal(items[i], 0);
    }
}

static void size_zero_is_memory_too(void **state)
{
    (void)state;
    AUTO(char *, memory_free_p) a = memory_alloc(0);
    AUTO(char *, memory_free_p) b = memory_array(0, 8);
    AUTO(char *, memory_free_p) c = memory_array(8, 0);
    AUTO(char *, memory_free_p) d = memory_resize(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_non_null(d);
}

static void resize_keeps_the_content(void **state)
{
    (void)state;
    char *bytes = memory_resize(NULL, 4);
    memcpy(bytes, "abc", 4);
    bytes = memory_resize(bytes, 100000);
    assert_string_equal(bytes, "abc");
    memory_free(bytes);
}

static void texts_are_copied(void **state)
{
    (void)state;
    char original[] = "orders";
    AUTO(char *, memory_free_p) copy = memory_text(original);
    AUTO(char *, memory_free_p) part = memory_text_n(original, 3);
    AUTO(char *, memory_free_p) nothing = memory_text_n(NULL, 0);
    original[0] = 'X';
    assert_string_equal(copy, "orders");
    assert_string_equal(part, "ord");
    assert_string_equal(nothing, "");
    assert_null(memory_text(NULL));
    memory_free(NULL);
}

static void take_leaves_null(void **state)
{
    (void)state;
    AUTO(char *, memory_free_p) text = memory_text("x");
    char *taken = TAKE(text);
    assert_null(text);
    assert_string_equal(taken, "x");
    memory_free(taken);
}

static void exhaust_array(void *self)
{
    (void)self;
    volatile size_t count = SIZE_MAX / 2;
    memory_free(memory_array(count, 4));
}

static void exhaust_resize(void *self)
{
    (void)self;
    volatile size_t size = SIZE_MAX / 2;
    memory_free(memory_resize(NULL, size));
}

static void exhaust_text(void *self)
{
    volatile size_t size = SIZE_MAX;
    memory_free(memory_text_n(self, size));
}

static void out_of_memory_ends_the_process(void **state)
{
    (void)state;
    void (*const bodies[])(void *) = { exhaust_array, exhaust_resize, exhaust_text };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        char text[] = "text";
        struct child_end end = child_run(bodies[i], text);
        assert_int_not_equal(end.status, 0);
        /* A sanitizer's allocator ends the process itself, with its own words. */
        if (!CHILD_SANITIZED)
            assert_true(child_aborted(end, "pqcdc: out of memory\n"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_comes_zeroed),
        cmocka_unit_test(size_zero_is_memory_too),
        cmocka_unit_test(resize_keeps_the_content),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(take_leaves_null),
        cmocka_unit_test(out_of_memory_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
