#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>

#include "base/cleanup.h"

static void appends_build_a_text(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) buf = buf_init(1000);
    assert_string_equal(buf_text(&buf), "");
    buf_append_text(&buf, "lsn ");
    buf_append_u64(&buf, 42);
    buf_append_byte(&buf, ' ');
    buf_append_slice(&buf, SLICE_TEXT("a\0b"));
    buf_append_format(&buf, " %s=%d", "n", -7);
    buf_append(&buf, NULL, 0);
    buf_append_slice(&buf, SLICE_NULL);
    assert_true(slice_equal(buf_slice(&buf), SLICE_TEXT("lsn 42 a\0b n=-7")));
    assert_false(buf.failed);
}

static void it_grows_and_keeps_the_content(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) buf = buf_init(1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.size, 100000);
    for (size_t i = 0; i < buf.size; i++)
        assert_int_equal(buf.data[i], 'a' + i % 26);
    assert_int_equal(strlen(buf_text(&buf)), 100000);
}

static void the_limit_itself_is_allowed(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) buf = buf_init(10);
    buf_append_text(&buf, "0123456789");
    assert_false(buf.failed);
    assert_string_equal(buf_text(&buf), "0123456789");
    buf_append_byte(&buf, 'x');
    assert_true(buf.failed);
    assert_string_equal(buf_text(&buf), "0123456789");
}

static void failure_changes_nothing_and_stays(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) buf = buf_init(10);
    buf_append_text(&buf, "01234");
    buf_append_format(&buf, "%s", "too long for it");
    assert_true(buf.failed);
    buf_append_byte(&buf, 'x'); /* would fit */
    buf_append_text(&buf, "y");
    assert_false(buf_reserve(&buf, 1));
    assert_string_equal(buf_text(&buf), "01234");
    buf_clear(&buf);
    assert_false(buf.failed);
    buf_append_text(&buf, "new");
    assert_string_equal(buf_text(&buf), "new");
}

static void a_size_that_overflows_fails(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) buf = buf_init(1 << 20);
    buf_append_text(&buf, "abc");
    assert_false(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.failed);
    assert_string_equal(buf_text(&buf), "abc");
}

static void failing_first_gives_an_empty_text(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) buf = buf_init(2);
    buf_append_text(&buf, "abc");
    assert_true(buf.failed);
    assert_string_equal(buf_text(&buf), "");
    assert_non_null(buf_slice(&buf).data);
    assert_int_equal(buf_slice(&buf).size, 0);
}

static void clear_keeps_the_memory(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) buf = buf_init(100000);
    assert_true(buf_reserve(&buf, 5000));
    const char *data = buf.data;
    buf_clear(&buf);
    assert_true(buf_reserve(&buf, 5000));
    assert_ptr_equal(buf.data, data);
}

static void an_arena_buffer_grows_in_place(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(1 << 20);
    arena_shrink(&arena, arena_alloc(&arena, 100000), 100000, 1);
    struct buf buf = buf_init_arena(&arena, 64, 1 << 20);
    const char *data = buf.data;
    for (int i = 0; i < 50000; i++)
        buf_append_byte(&buf, 'a');
    assert_ptr_equal(buf.data, data);
}

static void an_arena_buffer_moves_when_it_must(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(1 << 20);
    struct buf first = buf_init_arena(&arena, 0, 1 << 20);
    struct buf second = buf_init_arena(&arena, 16, 1 << 20);
    for (int i = 0; i < 30000; i++) {
        buf_append_byte(&first, 'f');
        buf_append_byte(&second, 's');
    }
    struct slice a = buf_finish(&first);
    struct slice b = buf_finish(&second);
    assert_int_equal(a.size, 30000);
    assert_int_equal(b.size, 30000);
    for (size_t i = 0; i < 30000; i++)
        assert_true(a.data[i] == 'f' && b.data[i] == 's');
}

static void finish_gives_room_back_and_detaches(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(1 << 20);
    struct buf buf = buf_init_arena(&arena, 400, 500);
    buf_append_text(&buf, "value");
    struct slice bytes = buf_finish(&buf);
    assert_true(slice_is(bytes, "value"));
    assert_ptr_equal(arena_alloc(&arena, 1), bytes.data + ARENA_ALIGN_BYTES);
    buf_append_byte(&buf, 'x'); /* detached: the limit is 0 */
    assert_true(buf.failed);
    assert_true(slice_is(bytes, "value"));
    struct buf unused = buf_init_arena(&arena, 0, 10);
    struct slice empty = buf_finish(&unused);
    assert_non_null(empty.data);
    assert_int_equal(empty.size, 0);
}

static void the_hint_is_no_licence_to_pass_the_limit(void **state)
{
    (void)state;
    AUTO(struct arena, arena_done) arena = arena_init(1 << 20);
    struct buf buf = buf_init_arena(&arena, 1000, 4);
    buf_append_text(&buf, "1234");
    assert_false(buf.failed);
    buf_append_text(&buf, "5");
    assert_true(buf.failed);
    assert_true(slice_is(buf_finish(&buf), "1234"));
}

static void integers_of_every_length(void **state)
{
    (void)state;
    uint64_t value = 1;
    for (int digits = 0; digits < 20; digits++, value *= 10) {
        const uint64_t values[] = { value - 1, value, value + 1 };
        for (size_t i = 0; i < COUNT_OF(values); i++) {
            AUTO(struct buf, buf_done) buf = buf_init(64);
            char expected[32];
            snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
            buf_append_u64(&buf, values[i]);
            assert_string_equal(buf_text(&buf), expected);
        }
    }
    AUTO(struct buf, buf_done) buf = buf_init(64);
    buf_append_u64(&buf, UINT64_MAX);
    assert_string_equal(buf_text(&buf), "18446744073709551615");
}

static void reals_are_short_and_exact(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        { 0, "0" },
        { -0.0, "-0" },
        { 1, "1" },
        { 0.1, "0.1" },
        { -2.5, "-2.5" },
        { 0.0005, "0.0005" },
        { 1.0 / 3, "0.3333333333333333" },
        { 0.1 + 0.2, "0.30000000000000004" },
        { 123456789012, "123456789012" },
        { 1e300, "1e+300" },
        { (double)NAN, "NaN" },
        { (double)INFINITY, "+Inf" },
        { -(double)INFINITY, "-Inf" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct buf, buf_done) buf = buf_init(64);
        buf_append_real(&buf, rows[i].value);
        assert_string_equal(buf_text(&buf), rows[i].text);
    }
}

static void reals_have_a_point_in_every_locale(void **state)
{
    (void)state;
    static const char *const names[] = { "de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "tr_TR.UTF-8" };
    locale_t comma = (locale_t)0;
    for (size_t i = 0; i < COUNT_OF(names) && comma == (locale_t)0; i++)
        comma = newlocale(LC_ALL_MASK, names[i], (locale_t)0);
    if (comma == (locale_t)0)
        skip(); /* no such locale on this machine */
    locale_t before = uselocale(comma);
    AUTO(struct buf, buf_done) buf = buf_init(64);
    buf_append_real(&buf, 1234.5);
    uselocale(before);
    freelocale(comma);
    assert_string_equal(buf_text(&buf), "1234.5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_build_a_text),
        cmocka_unit_test(it_grows_and_keeps_the_content),
        cmocka_unit_test(the_limit_itself_is_allowed),
        cmocka_unit_test(failure_changes_nothing_and_stays),
        cmocka_unit_test(a_size_that_overflows_fails),
        cmocka_unit_test(failing_first_gives_an_empty_text),
        cmocka_unit_test(clear_keeps_the_memory),
        cmocka_unit_test(an_arena_buffer_grows_in_place),
        cmocka_unit_test(an_arena_buffer_moves_when_it_must),
        cmocka_unit_test(finish_gives_room_back_and_detaches),
        cmocka_unit_test(the_hint_is_no_licence_to_pass_the_limit),
        cmocka_unit_test(integers_of_every_length),
        cmocka_unit_test(reals_are_short_and_exact),
        cmocka_unit_test(reals_have_a_point_in_every_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
