#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/json_writer.h"
#include "format/utf8.h"
#include "oracle.h"

static void assert_written(struct slice text, const char *expected)
{
    AUTO(struct buf, buf_done) out = oracle_write(json_writer_string, text);
    assert_string_equal(buf_text(&out), expected);
}

static void escapes_what_json_requires(void **state)
{
    (void)state;
    assert_written(SLICE_TEXT(""), "\"\"");
    assert_written(SLICE_TEXT("plain"), "\"plain\"");
    assert_written(SLICE_TEXT("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    assert_written(SLICE_TEXT("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
    assert_written(SLICE_TEXT("\x00\x01\x0b\x1f\x7f"), "\"\\u0000\\u0001\\u000b\\u001f\x7f\"");
    assert_written(SLICE_TEXT("<a&b>\xE2\x80\xA8"), "\"<a&b>\xE2\x80\xA8\"");
}

static void finds_special_bytes_at_every_position(void **state)
{
    (void)state;
    const unsigned char specials[] = { '"', '\\', 0x00, 0x1f, 0x80, 0xff };
    for (size_t size = 1; size <= 40; size++) {
        for (size_t at = 0; at < size; at++) {
            for (size_t i = 0; i < COUNT_OF(specials); i++) {
                char text[40];
                memset(text, 'x', sizeof(text));
                text[at] = (char)specials[i];
                AUTO(struct buf, buf_done) out =
                    oracle_write(json_writer_string, (struct slice){ text, size });
                enum json_error_code code;
                json_t *value = oracle_parse(buf_slice(&out), &code);
                assert_non_null(value);
                size_t grown = specials[i] >= 0x80 ? 2 : 0;
                assert_int_equal(json_string_length(value), size + grown);
                if (grown == 0)
                    assert_memory_equal(json_string_value(value), text, size);
                else
                    assert_memory_equal(json_string_value(value) + at, "\xEF\xBF\xBD", 3);
                json_decref(value);
            }
        }
    }
}

static void keeps_utf8_and_replaces_each_other_byte(void **state)
{
    (void)state;
    assert_written(SLICE_TEXT("ünï 😀 \xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"),
                   "\"ünï 😀 \xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\"");
    assert_written(SLICE_TEXT("a\xFFz"), "\"a\xEF\xBF\xBDz\"");
    assert_written(SLICE_TEXT("\xC3"), "\"\xEF\xBF\xBD\"");
    assert_written(SLICE_TEXT("\xC3("), "\"\xEF\xBF\xBD(\"");
    assert_written(SLICE_TEXT("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_written(SLICE_TEXT("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_written(SLICE_TEXT("\xC0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

/* The size by decoding: what the code point would be, and how many bytes it should take. */
static size_t decoded_size(const unsigned char *at, size_t left)
{
    static const struct {
        unsigned char mask, lead;
        size_t size;
        uint32_t first, last;
    } rows[] = {
        { 0x80, 0x00, 1, 0, 0x7F },
        { 0xE0, 0xC0, 2, 0x80, 0x7FF },
        { 0xF0, 0xE0, 3, 0x800, 0xFFFF },
        { 0xF8, 0xF0, 4, 0x10000, 0x10FFFF },
    };
    for (size_t row = 0; row < COUNT_OF(rows); row++) {
        if ((at[0] & rows[row].mask) != rows[row].lead || left < rows[row].size)
            continue;
        uint32_t point = at[0] & (unsigned char)~rows[row].mask;
        for (size_t i = 1; i < rows[row].size; i++) {
            if ((at[i] & 0xC0) != 0x80)
                return 0;
            point = point << 6 | (at[i] & 0x3F);
        }
        bool surrogate = point >= 0xD800 && point <= 0xDFFF;
        bool fits = point >= rows[row].first && point <= rows[row].last;
        return fits && !surrogate ? rows[row].size : 0;
    }
    return 0;
}

static void knows_every_sequence(void **state)
{
    (void)state;
    static const unsigned char last_bytes[] = { 0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF };
    for (uint32_t word = 0; word < 0x1000000; word++) {
        unsigned char bytes[4] = { (unsigned char)(word >> 16), (unsigned char)(word >> 8),
                                   (unsigned char)word, last_bytes[word % 6] };
        size_t left = 1 + word / 6 % 4;
        if (utf8_sequence(bytes, left) != decoded_size(bytes, left))
            fail_msg("bytes %06x of which %zu", word, left);
    }
}

static void stops_at_the_limit(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) out = buf_init(6);
    json_writer_string(&out, SLICE_TEXT("1234"));
    assert_false(out.failed);
    buf_clear(&out);
    json_writer_string(&out, SLICE_TEXT("12345"));
    assert_true(out.failed);
    buf_clear(&out);
    json_writer_string(&out, SLICE_TEXT("12\n4"));
    assert_true(out.failed);
    buf_clear(&out);
    assert_true(json_writer_base64(&out, SLICE_TEXT("00112233")));
    assert_true(out.failed);
}

static void encodes_base64(void **state)
{
    (void)state;
    static const struct {
        const char *hex, *expected;
    } rows[] = {
        { "", "\"\"" },
        { "66", "\"Zg==\"" },
        { "666f", "\"Zm8=\"" },
        { "666F6f", "\"Zm9v\"" },
        { "666f6f62", "\"Zm9vYg==\"" },
        { "666f6f6261", "\"Zm9vYmE=\"" },
        { "666f6f626172", "\"Zm9vYmFy\"" },
        { "fffefdfc", "\"//79/A==\"" },
        { "fbefbe", "\"++++\"" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct buf, buf_done) out = buf_init(ORACLE_LIMIT_BYTES);
        assert_true(json_writer_base64(&out, slice_of(rows[i].hex)));
        assert_string_equal(buf_text(&out), rows[i].expected);
    }
}

static void refuses_what_is_not_hex(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "0", "0g", "g0", "00 1", "@0", "0`", "/0", "0:", "001122zz"
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct buf, buf_done) out = buf_init(ORACLE_LIMIT_BYTES);
        buf_append_text(&out, "kept");
        assert_false(json_writer_base64(&out, slice_of(rows[i])));
        assert_string_equal(buf_text(&out), "kept");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_what_json_requires),
        cmocka_unit_test(finds_special_bytes_at_every_position),
        cmocka_unit_test(keeps_utf8_and_replaces_each_other_byte),
        cmocka_unit_test(knows_every_sequence),
        cmocka_unit_test(stops_at_the_limit),
        cmocka_unit_test(encodes_base64),
        cmocka_unit_test(refuses_what_is_not_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
