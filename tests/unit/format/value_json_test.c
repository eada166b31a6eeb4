#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "format/json_writer.h"
#include "format/value_json.h"
#include "oracle.h"

/* Where a value is not written as the ancestor writes it, and what stands there instead. Every row
 * is in docs/formats.md by its type. */
static const struct difference {
    uint32_t oid;
    const char *text;
    const char *expected;
} differences[] = {
    /* "char" as its text, not as a number */
    { 18, "a", "\"a\"" },
    { 18, "", "\"\"" },
    /* structures of the Go driver: PostgreSQL's text */
    { 27, "(1,2)", "\"(1,2)\"" },
    { 601, "[(1,2),(3,4)]", "\"[(1,2),(3,4)]\"" },
    { 602, "((1,2),(3,4))", "\"((1,2),(3,4))\"" },
    { 603, "(3,4),(1,2)", "\"(3,4),(1,2)\"" },
    { 604, "((1,2),(3,4),(5,6))", "\"((1,2),(3,4),(5,6))\"" },
    { 628, "{1,2,3}", "\"{1,2,3}\"" },
    { 718, "<(1,2),3>", "\"<(1,2),3>\"" },
    { 1083, "23:59:59.999999", "\"23:59:59.999999\"" },
    { 1083, "00:00:00", "\"00:00:00\"" },
    { 1083, "24:00:00", "\"24:00:00\"" },
    { 1186, "1 year 2 mons 3 days 04:05:06.789", "\"1 year 2 mons 3 days 04:05:06.789\"" },
    { 1186, "-1 days +02:03:00", "\"-1 days +02:03:00\"" },
    { 1186, "00:00:00", "\"00:00:00\"" },
    { 1560, "101", "\"101\"" },
    { 1560, "1", "\"1\"" },
    { 1562, "10101010101", "\"10101010101\"" },
    { 1562, "", "\"\"" },
    { 3614, "'a':1 'cat':2", "\"'a':1 'cat':2\"" },
    { 3904, "[1,5)", "\"[1,5)\"" },
    { 3904, "empty", "\"empty\"" },
    { 3904, "(,)", "\"(,)\"" },
    { 3910, "[\"2024-01-01 00:00:00+00\",\"2024-01-02 00:00:00+00\")",
      "\"[\\\"2024-01-01 00:00:00+00\\\",\\\"2024-01-02 00:00:00+00\\\")\"" },
    { 3906, "[1.5,2.5]", "\"[1.5,2.5]\"" },
    { 4451, "{[1,5),[7,9)}", "\"{[1,5),[7,9)}\"" },
    /* bytes in place of text */
    { 142, "<a/>", "\"<a/>\"" },
    { 829, "08:00:2b:01:02:03", "\"08:00:2b:01:02:03\"" },
    { 2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"" },
    { 2951, "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
      "[\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"]" },
    /* documents: verbatim */
    { 114, "{\"b\":1, \"a\":[1,2.50,null]}", "{\"b\":1, \"a\":[1,2.50,null]}" },
    { 114, "1e400", "1e400" },
    { 114, " null ", " null " },
    { 3802, "{\"a\": 1, \"b\": [true, null, 1.10]}", "{\"a\": 1, \"b\": [true, null, 1.10]}" },
    { 3802, "12345678901234567890", "12345678901234567890" },
    { 3807, "{\"{\\\"a\\\": 1}\"}", "[{\"a\": 1}]" },
    /* what no number can say */
    { 700, "NaN", "\"NaN\"" },
    { 700, "Infinity", "\"Infinity\"" },
    { 701, "NaN", "\"NaN\"" },
    { 701, "-Infinity", "\"-Infinity\"" },
    { 1700, "Infinity", "\"Infinity\"" },
    { 1700, "-Infinity", "\"-Infinity\"" },
    { 1700, "1e10", "\"1e10\"" },
    /* what RFC 3339 cannot say */
    { 1082, "infinity", "\"infinity\"" },
    { 1082, "-infinity", "\"-infinity\"" },
    { 1082, "0044-03-15 BC", "\"0044-03-15 BC\"" },
    { 1082, "10000-01-01", "\"10000-01-01\"" },
    { 1114, "infinity", "\"infinity\"" },
    { 1114, "-infinity", "\"-infinity\"" },
    { 1114, "0044-03-15 01:02:03 BC", "\"0044-03-15 01:02:03 BC\"" },
    { 1114, "294276-12-31 23:59:59.999999", "\"294276-12-31 23:59:59.999999\"" },
    { 1184, "infinity", "\"infinity\"" },
    /* dimensions are kept */
    { 1007, "{{1,2},{3,4}}", "[[1,2],[3,4]]" },
};

static const struct difference *find_difference(uint32_t oid, struct slice text)
{
    for (size_t i = 0; i < COUNT_OF(differences); i++)
        if (differences[i].oid == oid && slice_is(text, differences[i].text))
            return &differences[i];
    return NULL;
}

/* Go escapes these for HTML; a reader sees the same. */
static char *without_html_escapes(const char *json)
{
    static const struct {
        const char *escaped, *plain;
    } rows[] = {
        { "\\u003c", "<" },
        { "\\u003e", ">" },
        { "\\u0026", "&" },
        { "\\u2028", "\xE2\x80\xA8" },
        { "\\u2029", "\xE2\x80\xA9" },
    };
    struct buf out = buf_init(ORACLE_LIMIT_BYTES);
    while (*json != '\0') {
        size_t i = 0;
        while (i < COUNT_OF(rows) && strncmp(json, rows[i].escaped, 6) != 0)
            i++;
        if (i < COUNT_OF(rows)) {
            buf_append_text(&out, rows[i].plain);
            json += 6;
        } else {
            buf_append_byte(&out, *json++);
        }
    }
    char *copy = memory_text(buf_text(&out));
    buf_done(&out);
    return copy;
}

struct recorded {
    uint32_t oid;
    json_t *text; /* a string */
    char *ancestor;
};

/* "type\toid\ttext as JSON\twhat the ancestor writes" */
static struct recorded parse_line(char *line)
{
    (void)strtok(line, "\t");
    const char *oid = strtok(NULL, "\t");
    const char *text = strtok(NULL, "\t");
    const char *ancestor = strtok(NULL, "\n");
    assert_non_null(ancestor);
    json_t *decoded = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_true(json_is_string(decoded));
    return (struct recorded){ (uint32_t)strtoul(oid, NULL, 10), decoded,
                              without_html_escapes(ancestor) };
}

static bool check_recorded(const struct recorded *row)
{
    struct slice text = { json_string_value(row->text), json_string_length(row->text) };
    AUTO(struct buf, buf_done) out = oracle_write(value_json_for(row->oid), text);
    const struct difference *difference = find_difference(row->oid, text);
    assert_true(oracle_accepts(buf_slice(&out)));
    assert_string_equal(buf_text(&out), difference ? difference->expected : row->ancestor);
    if (difference != NULL)
        assert_string_not_equal(difference->expected, row->ancestor);
    return difference != NULL;
}

static void writes_what_the_ancestor_writes_or_what_is_listed(void **state)
{
    (void)state;
    FILE *file = fopen(TEST_DATA "/ancestor-json.tsv", "r");
    assert_non_null(file);
    char line[1024];
    size_t same_count = 0;
    size_t differing_count = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#')
            continue;
        struct recorded row = parse_line(line);
        bool differs = check_recorded(&row);
        differing_count += differs;
        same_count += !differs;
        json_decref(row.text);
        memory_free(row.ancestor);
    }
    fclose(file);
    assert_int_equal(differing_count, COUNT_OF(differences));
    assert_int_equal(same_count + differing_count, 118);
}

static void assert_written(uint32_t oid, const char *text, const char *expected)
{
    AUTO(struct buf, buf_done) out = oracle_write(value_json_for(oid), slice_of(text));
    assert_string_equal(buf_text(&out), expected);
    assert_true(oracle_accepts(buf_slice(&out)));
}

static void quotes_text_that_is_not_of_its_type(void **state)
{
    (void)state;
    assert_written(16, "true", "\"true\"");
    assert_written(16, "", "\"\"");
    assert_written(17, "\\000abc", "\"\\\\000abc\"");
    assert_written(17, "\\x0", "\"\\\\x0\"");
    assert_written(17, "\\xzz", "\"\\\\xzz\"");
    assert_written(17, "", "\"\"");
    assert_written(23, "one", "\"one\"");
    assert_written(114, "{broken", "\"{broken\"");
    assert_written(114, "\"\xFF\"", "\"\\\"\xEF\xBF\xBD\\\"\"");
    assert_written(3802, "", "\"\"");
    assert_written(1007, "1,2", "\"1,2\"");
}

static void adds_the_mask_of_a_host(void **state)
{
    (void)state;
    assert_written(869, "::1", "\"::1/128\"");
    assert_written(869, "::ffff:1.2.3.4", "\"::ffff:1.2.3.4/128\"");
    assert_written(869, "1.2.3.4", "\"1.2.3.4/32\"");
    assert_written(869, "1.2.3.4/32", "\"1.2.3.4/32\"");
    assert_written(869, "nonsense", "\"nonsense\"");
    assert_written(869, "", "\"\"");
    assert_written(650, "10.0.0.0/8", "\"10.0.0.0/8\"");
    assert_written(1041, "{1.2.3.4,::1/64,NULL}", "[\"1.2.3.4/32\",\"::1/64\",null]");
}

static void writes_arrays_by_their_element(void **state)
{
    (void)state;
    assert_written(1000, "{{t,f},{NULL,t}}", "[[true,false],[null,true]]");
    assert_written(1022, "{1e+21,NaN,1e-07}", "[1e+21,\"NaN\",1e-7]");
    assert_written(1115, "{\"2024-02-29 12:34:56\",infinity}",
                   "[\"2024-02-29T12:34:56Z\",\"infinity\"]");
    assert_written(1182, "{2024-02-29}", "[\"2024-02-29T00:00:00Z\"]");
    assert_written(1020, "{(3,4),(1,2);(7,8),(5,6)}", "[\"(3,4),(1,2)\",\"(7,8),(5,6)\"]");
    assert_written(1017, "{\"(1,2)\",\"(3,4)\"}", "[\"(1,2)\",\"(3,4)\"]");
    assert_written(199, "{\"{\\\"a\\\": \\\"\\\\\\\"\\\"}\",NULL,null}",
                   "[{\"a\": \"\\\"\"},null,null]");
    assert_written(3807, "{\"null\"}", "[null]");
    assert_written(1001, "{\"\\\\x00ff\",NULL}", "[\"AP8=\",null]");
    assert_written(271, "{18446744073709551615}", "[18446744073709551615]");
    assert_written(6150, "{\"{[1,5),[7,9)}\"}", "[\"{[1,5),[7,9)}\"]");
}

static void names_the_types_of_its_table(void **state)
{
    (void)state;
    assert_string_equal(value_json_type_name(16), "bool");
    assert_string_equal(value_json_type_name(18), "char");
    assert_string_equal(value_json_type_name(3807), "jsonb[]");
    assert_null(value_json_type_name(99999));
    assert_null(value_json_type_name(0));
    assert_ptr_equal(value_json_for(99999), json_writer_string);
}

static void has_each_oid_once(void **state)
{
    (void)state;
    static const struct {
        uint32_t oid, array_oid;
        const char *name;
    } rows[] = {
#define VALUE_JSON(oid, array_oid, name, writer, delimiter) { oid, array_oid, #name },
#include "format/value_json.def"
#undef VALUE_JSON
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char array_name[64];
        snprintf(array_name, sizeof(array_name), "%s[]", rows[i].name);
        assert_string_equal(value_json_type_name(rows[i].oid), rows[i].name);
        assert_string_equal(value_json_type_name(rows[i].array_oid), array_name);
        assert_true(i == 0 || rows[i].oid > rows[i - 1].oid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_the_ancestor_writes_or_what_is_listed),
        cmocka_unit_test(quotes_text_that_is_not_of_its_type),
        cmocka_unit_test(adds_the_mask_of_a_host),
        cmocka_unit_test(writes_arrays_by_their_element),
        cmocka_unit_test(names_the_types_of_its_table),
        cmocka_unit_test(has_each_oid_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
