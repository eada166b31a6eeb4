#include "base/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void integers_are_big_endian(void **state)
{
    (void)state;
    struct reader reader =
        reader_init(SLICE_TEXT("\x7f\x12\x34\xff\xfe\xfd\xfc\x01\x02\x03\x04\x05\x06\x07\x88"));
    assert_int_equal(reader_u8(&reader), 0x7f);
    assert_int_equal(reader_u16(&reader), 0x1234);
    assert_int_equal(reader_u32(&reader), 0xfffefdfc);
    assert_false(reader_complete(&reader));
    assert_true(reader_u64(&reader) == UINT64_C(0x0102030405060788));
    assert_true(reader_complete(&reader));
}

static void texts_and_bytes_are_views(void **state)
{
    (void)state;
    struct slice input = SLICE_TEXT("public\0\0rest");
    struct reader reader = reader_init(input);
    struct slice text = reader_text(&reader);
    assert_true(slice_is(text, "public"));
    assert_ptr_equal(text.data, input.data);
    assert_true(slice_is(reader_text(&reader), ""));
    assert_int_equal(reader_left(&reader), 4);
    assert_true(slice_is(reader_bytes(&reader, 4), "rest"));
    assert_true(slice_is(reader_bytes(&reader, 0), ""));
    assert_true(reader_complete(&reader));
}

static void failure_is_sticky(void **state)
{
    (void)state;
    struct reader reader = reader_init(SLICE_TEXT("abc"));
    assert_int_equal(reader_u8(&reader), 'a');
    assert_int_equal(reader_u32(&reader), 0);
    assert_true(reader.failed);
    /* Two bytes are there, yet nothing is read any more. */
    assert_int_equal(reader_u8(&reader), 0);
    assert_int_equal(reader_u16(&reader), 0);
    assert_true(reader_u64(&reader) == 0);
    assert_int_equal(reader_bytes(&reader, 1).size, 0);
    assert_non_null(reader_bytes(&reader, 1).data);
    assert_int_equal(reader_bytes(&reader, 0).size, 0);
    assert_int_equal(reader_text(&reader).size, 0);
    assert_int_equal(reader_left(&reader), 0);
    assert_false(reader_complete(&reader));
}

static void a_text_without_end_fails(void **state)
{
    (void)state;
    struct reader reader = reader_init(SLICE_TEXT("abc"));
    assert_int_equal(reader_text(&reader).size, 0);
    assert_true(reader.failed);
}

static void a_length_that_overflows_fails(void **state)
{
    (void)state;
    struct reader reader = reader_init(SLICE_TEXT("abc"));
    assert_int_equal(reader_bytes(&reader, SIZE_MAX).size, 0);
    assert_true(reader.failed);
}

static void no_bytes_at_all(void **state)
{
    (void)state;
    struct reader reader = reader_init(SLICE_NULL);
    assert_true(reader_complete(&reader));
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader.failed);
    reader = reader_init(SLICE_NULL);
    assert_int_equal(reader_text(&reader).size, 0);
    assert_true(reader.failed);
}

static void the_caller_can_fail_it(void **state)
{
    (void)state;
    struct reader reader = reader_init(SLICE_TEXT("abc"));
    reader_fail(&reader);
    assert_int_equal(reader_u8(&reader), 0);
    assert_false(reader_complete(&reader));
}

/* Every prefix of a message fails except the whole. */
static void every_prefix_is_refused(void **state)
{
    (void)state;
    struct slice message = SLICE_TEXT("\0\0\0\x05hello\0name\0\x01\x02");
    for (size_t size = 0; size <= message.size; size++) {
        struct reader reader = reader_init((struct slice){ message.data, size });
        reader_bytes(&reader, reader_u32(&reader));
        reader_u8(&reader);
        reader_text(&reader);
        reader_u16(&reader);
        assert_int_equal(reader_complete(&reader), size == message.size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(texts_and_bytes_are_views),
        cmocka_unit_test(failure_is_sticky),
        cmocka_unit_test(a_text_without_end_fails),
        cmocka_unit_test(a_length_that_overflows_fails),
        cmocka_unit_test(no_bytes_at_all),
        cmocka_unit_test(the_caller_can_fail_it),
        cmocka_unit_test(every_prefix_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
