#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "format/json_writer.h"
#include "format/value_json.h"
#include "unit/format/oracle.h"

enum { ROUNDS_PER_TYPE = 400, ROUNDS = 20000, TEXT_SIZE = 64, DOCUMENT_DEPTH = 4 };

static const uint32_t oids[] = {
#define VALUE_JSON(oid, array_oid, name, writer, delimiter) oid, array_oid,
#include "format/value_json.def"
#undef VALUE_JSON
    99999,
};

/* xorshift64: the same texts in every run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t random_below(uint64_t *seed, size_t bound)
{
    return (size_t)(next_random(seed) % bound);
}

/* Bytes of one of several alphabets: near to what types look like, or anything. */
static struct slice random_text(uint64_t *seed, char out[static TEXT_SIZE])
{
    static const char *const alphabets[] = {
        "0123456789",        "0123456789-+.e",      "0123456789-: +.",          "{},\"\\a1;N",
        "{}[],:\"1 tfnul\\", "\\x0123456789abcdef", "abc \xC3\xBC\xE2\x82\xAC", "\"\\\b\f\n\r\t",
        "NULinfty{}\"",
    };
    size_t size = random_below(seed, TEXT_SIZE);
    size_t choice = random_below(seed, COUNT_OF(alphabets) + 2);
    for (size_t i = 0; i < size; i++) {
        if (choice < COUNT_OF(alphabets))
            out[i] = alphabets[choice][random_below(seed, strlen(alphabets[choice]))];
        else
            out[i] = (char)next_random(seed);
    }
    return (struct slice){ out, size };
}

static void fail_with(uint32_t oid, struct slice text, struct slice json)
{
    print_error("oid %u, text:", oid);
    for (size_t i = 0; i < text.size; i++)
        print_error(" %02x", (unsigned char)text.data[i]);
    fail_msg("writes %.*s", SLICE_ARGS(json));
}

static void check_text(uint32_t oid, struct slice text)
{
    value_json_fn *write = value_json_for(oid);
    AUTO(struct buf, buf_done) out = oracle_write(write, text);
    if (!oracle_accepts_of(oid, buf_slice(&out)))
        fail_with(oid, text, buf_slice(&out));
    if (write == json_writer_string && text_is_utf8(text) &&
        !oracle_is_string(buf_slice(&out), text))
        fail_with(oid, text, buf_slice(&out));
}

static void any_bytes_become_valid_json(void **state)
{
    (void)state;
    uint64_t seed = 0x9E3779B97F4A7C15;
    char text[TEXT_SIZE];
    for (size_t i = 0; i < COUNT_OF(oids); i++)
        for (int round = 0; round < ROUNDS_PER_TYPE; round++)
            check_text(oids[i], random_text(&seed, text));
}

/* A text that one byte was changed in is still written, and so is every part of it. */
static void damaged_texts_become_valid_json(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid;
        const char *text;
    } rows[] = {
        { 701, "-1.2345678901234567e-107" },
        { 1700, "-12345.6789" },
        { 1184, "2024-02-29 12:34:56.123456+05:30" },
        { 1114, "2024-02-29 12:34:56.12" },
        { 1082, "2024-02-29" },
        { 17, "\\x00ff10deadbeef" },
        { 869, "2001:db8::1" },
        { 114, "{\"a\":[1,2.5,\"\\n\"],\"b\":null}" },
        { 1009, "[0:1][1:2]={{a,\"b \\\"c\"},{NULL,\"\"}}" },
        { 3807, "{\"{\\\"a\\\": 1}\",NULL}" },
        { 1020, "{(3,4),(1,2);(7,8),(5,6)}" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        size_t size = strlen(rows[i].text);
        for (size_t at = 0; at < size; at++) {
            char text[TEXT_SIZE];
            memcpy(text, rows[i].text, size);
            check_text(rows[i].oid, (struct slice){ text, at });
            check_text(rows[i].oid, (struct slice){ text + at, size - at });
            for (int byte = 0; byte < 256; byte++) {
                text[at] = (char)byte;
                check_text(rows[i].oid, (struct slice){ text, size });
            }
        }
    }
}

/* Writes one array element as the server does, and the same for the expected JSON. */
static json_t *random_element(uint64_t *seed, struct buf *text)
{
    static const char letters[] = "ab \"\\{},\n1";
    char element[8];
    size_t size = random_below(seed, sizeof(element));
    if (random_below(seed, 5) == 0) {
        buf_append_text(text, "NULL");
        return json_null();
    }
    buf_append_byte(text, '"');
    for (size_t i = 0; i < size; i++) {
        element[i] = letters[random_below(seed, sizeof(letters) - 1)];
        if (element[i] == '"' || element[i] == '\\')
            buf_append_byte(text, '\\');
        buf_append_byte(text, element[i]);
    }
    buf_append_byte(text, '"');
    return json_stringn(element, size);
}

static json_t *random_array(uint64_t *seed, struct buf *text, size_t dimensions)
{
    json_t *array = json_array();
    size_t count = 1 + random_below(seed, 3);
    buf_append_byte(text, '{');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_append_byte(text, ',');
        json_array_append_new(array, dimensions > 1 ? random_array(seed, text, dimensions - 1)
                                                    : random_element(seed, text));
    }
    buf_append_byte(text, '}');
    return array;
}

static void arrays_of_text_come_back_element_by_element(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < ROUNDS / 10; round++) {
        AUTO(struct buf, buf_done) text = buf_init(ORACLE_LIMIT_BYTES);
        json_t *expected = random_array(&seed, &text, 1 + random_below(&seed, 4));
        AUTO(struct buf, buf_done) out = oracle_write(value_json_for(1009), buf_slice(&text));
        enum json_error_code code;
        json_t *found = oracle_parse(buf_slice(&out), &code);
        if (!json_equal(found, expected))
            fail_with(1009, buf_slice(&text), buf_slice(&out));
        json_decref(found);
        json_decref(expected);
    }
}

static json_t *random_document(uint64_t *seed, int depth)
{
    char text[TEXT_SIZE];
    size_t kind = random_below(seed, depth > 0 ? 7 : 5);
    if (kind >= 5) {
        json_t *holder = kind == 5 ? json_array() : json_object();
        for (size_t count = random_below(seed, 4); count > 0; count--) {
            json_t *value = random_document(seed, depth - 1);
            snprintf(text, sizeof(text), "k\"%zu", count);
            if (kind == 5)
                json_array_append_new(holder, value);
            else
                json_object_set_new(holder, text, value);
        }
        return holder;
    }
    if (kind == 0)
        return json_null();
    if (kind == 1)
        return json_boolean(random_below(seed, 2));
    if (kind == 2)
        return json_integer((json_int_t)next_random(seed));
    if (kind == 3)
        return json_real((double)next_random(seed) / 3.0);
    return json_stringn_nocheck("a\n\"\xC3\xBC\xE2\x82\xAC", random_below(seed, 4));
}

static void documents_are_copied_byte_by_byte(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int round = 0; round < ROUNDS / 10; round++) {
        json_t *document = random_document(&seed, DOCUMENT_DEPTH);
        char *text = json_dumps(document, JSON_ENCODE_ANY | (round % 2 == 0 ? JSON_INDENT(2) : 0));
        AUTO(struct buf, buf_done) out = oracle_write(value_json_for(3802), slice_of(text));
        assert_string_equal(buf_text(&out), text);
        free(text);
        json_decref(document);
    }
}

/* The shortest text that reads back as the same double, as PostgreSQL sends it. */
static void shortest_text(double value, char out[static TEXT_SIZE])
{
    for (int digits = 1; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(out, TEXT_SIZE, "%.*e", digits - 1, value);
        double back = strtod(out, NULL);
        if (memcmp(&back, &value, sizeof(value)) == 0)
            return;
    }
}

static void floats_keep_their_value_and_get_their_shape(void **state)
{
    (void)state;
    uint64_t seed = 13;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t bits = next_random(&seed);
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (round % 2 == 0)
            value = ldexp((double)(bits >> 40), (int)(bits % 120) - 60);
        if (!isfinite(value))
            continue;
        char text[TEXT_SIZE];
        shortest_text(value, text);
        AUTO(struct buf, buf_done) out = oracle_write(value_json_for(701), slice_of(text));
        double back = strtod(buf_text(&out), NULL);
        bool small_or_large = value != 0 && (fabs(value) < 1e-6 || fabs(value) >= 1e21);
        if (memcmp(&back, &value, sizeof(value)) != 0 || !oracle_accepts(buf_slice(&out)) ||
            (strchr(buf_text(&out), 'e') != NULL) != small_or_large)
            fail_with(701, slice_of(text), buf_slice(&out));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_bytes_become_valid_json),
        cmocka_unit_test(damaged_texts_become_valid_json),
        cmocka_unit_test(arrays_of_text_come_back_element_by_element),
        cmocka_unit_test(documents_are_copied_byte_by_byte),
        cmocka_unit_test(floats_keep_their_value_and_get_their_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
