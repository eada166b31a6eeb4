#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "postgres/pgoutput.h"

enum { MESSAGE_MAX = 1 << 20 };

/* What a test works with. */
struct bench {
    struct pgoutput *decoder;
    struct arena arena;
    struct change change;
    struct error err;
};

static struct bench bench_open(void)
{
    return (struct bench){ .decoder = pgoutput_new(), .arena = arena_init(64 * 1024) };
}

static void bench_done(struct bench *bench)
{
    pgoutput_free(bench->decoder);
    arena_done(&bench->arena);
}

/* From a block of exactly that size, so that a sanitizer sees a read past the end; it is kept until
 * the next one. */
static bool decode(struct bench *bench, struct slice message)
{
    arena_reset(&bench->arena);
    char *exact = arena_alloc(&bench->arena, message.size > 0 ? message.size : 1);
    memcpy(exact, message.data, message.size);
    bench->err = ERROR_INIT;
    return pgoutput_decode(bench->decoder, (struct slice){ exact, message.size }, &bench->arena,
                           &bench->change, &bench->err);
}

/* Builders. */

static void put(struct buf *out, uint64_t value, size_t size_bytes)
{
    for (size_t i = size_bytes; i > 0; i--)
        buf_append_byte(out, (char)(value >> (8 * (i - 1))));
}

static void put_name(struct buf *out, const char *name)
{
    buf_append(out, name, strlen(name) + 1);
}

static void put_value(struct buf *out, char kind, const char *text)
{
    buf_append_byte(out, kind);
    if (text != NULL) {
        put(out, strlen(text), 4);
        buf_append_text(out, text);
    }
}

enum { TABLE = 7, TABLE_COLUMNS = 3, UNKNOWN_TABLE = 4242 };

static void build_relation(struct buf *out)
{
    static const char *const names[TABLE_COLUMNS] = { "id", "note", "big" };
    buf_append_byte(out, 'R');
    put(out, TABLE, 4);
    put_name(out, "public");
    put_name(out, "orders");
    buf_append_byte(out, 'd');
    put(out, TABLE_COLUMNS, 2);
    for (uint32_t i = 0; i < TABLE_COLUMNS; i++) {
        put(out, i == 0, 1);
        put_name(out, names[i]);
        put(out, 20 + i, 4);
        put(out, UINT32_MAX - i, 4);
    }
}

static void put_tuple(struct buf *out, char mark)
{
    buf_append_byte(out, mark);
    put(out, TABLE_COLUMNS, 2);
    put_value(out, 't', "12");
    put_value(out, 'n', NULL);
    put_value(out, 'u', NULL);
}

static void put_head(struct buf *out, char type)
{
    buf_append_byte(out, type);
    put(out, TABLE, 4);
}

static void build_begin(struct buf *out)
{
    buf_append_byte(out, 'B');
    put(out, UINT64_C(0x16B374D848), 8);
    put(out, UINT64_C(761234567890123), 8);
    put(out, UINT32_MAX, 4);
}

static void build_commit(struct buf *out)
{
    buf_append_byte(out, 'C');
    put(out, 0, 1);
    put(out, UINT64_C(0x16B374D848), 8);
    put(out, UINT64_C(0x16B374D878), 8);
    put(out, UINT64_MAX, 8);
}

static void build_origin(struct buf *out)
{
    buf_append_byte(out, 'O');
    put(out, UINT64_C(0x100000002), 8);
    put_name(out, "upstream");
}

static void build_type(struct buf *out)
{
    buf_append_byte(out, 'Y');
    put(out, 16400, 4);
    put_name(out, "shop");
    put_name(out, "mood");
}

static void build_insert(struct buf *out)
{
    put_head(out, 'I');
    put_tuple(out, 'N');
}

static void build_update(struct buf *out)
{
    put_head(out, 'U');
    put_tuple(out, 'N');
}

static void build_update_key(struct buf *out)
{
    put_head(out, 'U');
    put_tuple(out, 'K');
    put_tuple(out, 'N');
}

static void build_update_full(struct buf *out)
{
    put_head(out, 'U');
    put_tuple(out, 'O');
    put_tuple(out, 'N');
}

static void build_delete_key(struct buf *out)
{
    put_head(out, 'D');
    put_tuple(out, 'K');
}

static void build_delete_full(struct buf *out)
{
    put_head(out, 'D');
    put_tuple(out, 'O');
}

static void build_truncate(struct buf *out)
{
    buf_append_byte(out, 'T');
    put(out, 2, 4);
    put(out, 2, 1);
    put(out, TABLE, 4);
    put(out, TABLE, 4);
}

static void build_message(struct buf *out)
{
    buf_append_byte(out, 'M');
    put(out, 1, 1);
    put(out, 99, 8);
    put_name(out, "prefix");
    put(out, 4, 4);
    buf_append(out, "a\0bc", 4);
}

static const struct {
    enum change_kind kind;
    void (*build)(struct buf *out);
} messages[] = {
    { CHANGE_BEGIN, build_begin },       { CHANGE_COMMIT, build_commit },
    { CHANGE_ORIGIN, build_origin },     { CHANGE_TYPE, build_type },
    { CHANGE_INSERT, build_insert },     { CHANGE_UPDATE, build_update },
    { CHANGE_UPDATE, build_update_key }, { CHANGE_UPDATE, build_update_full },
    { CHANGE_DELETE, build_delete_key }, { CHANGE_DELETE, build_delete_full },
    { CHANGE_TRUNCATE, build_truncate }, { CHANGE_MESSAGE, build_message },
    { CHANGE_RELATION, build_relation },
};

static bool decode_built(struct bench *bench, void (*build)(struct buf *out))
{
    AUTO(struct buf, buf_done) out = buf_init(MESSAGE_MAX);
    build(&out);
    return decode(bench, buf_slice(&out));
}

static struct bench bench_with_table(void)
{
    struct bench bench = bench_open();
    assert_true(decode_built(&bench, build_relation));
    return bench;
}

static void assert_slice(struct slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    assert_memory_equal(slice.data, text, slice.size);
}

/* The values of put_tuple(). */
static void assert_tuple(struct tuple tuple)
{
    assert_int_equal(tuple.count, TABLE_COLUMNS);
    assert_int_equal(tuple.values[0].kind, VALUE_TEXT);
    assert_slice(tuple.values[0].bytes, "12");
    assert_int_equal(tuple.values[1].kind, VALUE_NULL);
    assert_int_equal(tuple.values[2].kind, VALUE_UNCHANGED);
}

/* Each message. */

static void test_begin_and_commit(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_open();
    assert_true(decode_built(&bench, build_begin));
    assert_int_equal(bench.change.kind, CHANGE_BEGIN);
    assert_null(bench.change.relation);
    assert_string_equal(lsn_text(bench.change.as.begin.final_lsn).text, "16/B374D848");
    assert_int_equal(bench.change.as.begin.commit_time.value, INT64_C(761234567890123));
    assert_int_equal(bench.change.as.begin.xid, UINT32_MAX);

    assert_true(decode_built(&bench, build_commit));
    assert_int_equal(bench.change.kind, CHANGE_COMMIT);
    assert_string_equal(lsn_text(bench.change.as.commit.commit_lsn).text, "16/B374D848");
    assert_string_equal(lsn_text(bench.change.as.commit.end_lsn).text, "16/B374D878");
    assert_int_equal(bench.change.as.commit.commit_time.value, -1);
}

static void test_origin_type_and_message(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_open();
    assert_true(decode_built(&bench, build_origin));
    assert_int_equal(bench.change.kind, CHANGE_ORIGIN);
    assert_string_equal(lsn_text(bench.change.as.origin.lsn).text, "1/2");
    assert_slice(bench.change.as.origin.name, "upstream");

    assert_true(decode_built(&bench, build_type));
    assert_int_equal(bench.change.kind, CHANGE_TYPE);
    assert_int_equal(bench.change.as.type.oid, 16400);
    assert_slice(bench.change.as.type.schema, "shop");
    assert_slice(bench.change.as.type.name, "mood");

    assert_true(decode_built(&bench, build_message));
    assert_int_equal(bench.change.kind, CHANGE_MESSAGE);
    assert_true(bench.change.as.message.transactional);
    assert_int_equal(bench.change.as.message.lsn.value, 99);
    assert_slice(bench.change.as.message.prefix, "prefix");
    assert_int_equal(bench.change.as.message.content.size, 4);
    assert_memory_equal(bench.change.as.message.content.data, "a\0bc", 4);
}

static void test_relation(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    assert_int_equal(bench.change.kind, CHANGE_RELATION);
    const struct relation *relation = bench.change.relation;
    assert_int_equal(relation->oid, TABLE);
    assert_slice(relation->schema, "public");
    assert_slice(relation->name, "orders");
    assert_int_equal(relation->identity, REPLICA_IDENTITY_DEFAULT);
    assert_int_equal(relation->column_count, TABLE_COLUMNS);
    assert_slice(relation->columns[0].name, "id");
    assert_true(relation->columns[0].identity);
    assert_int_equal(relation->columns[0].type_oid, 20);
    assert_int_equal(relation->columns[0].type_modifier, -1);
    assert_slice(relation->columns[2].name, "big");
    assert_false(relation->columns[2].identity);
    assert_int_equal(relation->columns[2].type_oid, 22);
    assert_int_equal(relation->columns[2].type_modifier, -3);
}

static void test_an_empty_schema_is_pg_catalog(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_open();
    assert_true(decode(&bench, SLICE_TEXT("R\0\0\0\1\0t\0f\0\0")));
    assert_slice(bench.change.relation->schema, "pg_catalog");
    assert_int_equal(bench.change.relation->identity, REPLICA_IDENTITY_FULL);
    assert_int_equal(bench.change.relation->column_count, 0);
    assert_true(decode(&bench, SLICE_TEXT("Y\0\0\0\1\0int8\0")));
    assert_slice(bench.change.as.type.schema, "pg_catalog");
    assert_true(decode(&bench, SLICE_TEXT("I\0\0\0\1N\0\0")));
    assert_int_equal(bench.change.as.row.new.count, 0);
}

static void test_insert(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    const struct relation *relation = bench.change.relation;
    assert_true(decode_built(&bench, build_insert));
    assert_int_equal(bench.change.kind, CHANGE_INSERT);
    assert_ptr_equal(bench.change.relation, relation);
    assert_int_equal(bench.change.as.row.old_kind, OLD_NONE);
    assert_int_equal(bench.change.as.row.old.count, 0);
    assert_tuple(bench.change.as.row.new);
}

static void test_empty_and_binary_values(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    assert_true(decode(&bench, SLICE_TEXT("I\0\0\0\7N\0\3t\0\0\0\0b\0\0\0\2\0\xFFn")));
    const struct value *values = bench.change.as.row.new.values;
    assert_int_equal(values[0].kind, VALUE_TEXT);
    assert_int_equal(values[0].bytes.size, 0);
    assert_non_null(values[0].bytes.data);
    assert_int_equal(values[1].kind, VALUE_BINARY);
    assert_int_equal(values[1].bytes.size, 2);
    assert_memory_equal(values[1].bytes.data, "\0\xFF", 2);
    assert_int_equal(values[2].kind, VALUE_NULL);
}

static void test_update_carries_what_was_sent_of_the_row_before(void **state)
{
    (void)state;
    static const struct {
        void (*build)(struct buf *out);
        enum old_tuple old_kind;
    } cases[] = {
        { build_update, OLD_NONE },
        { build_update_key, OLD_KEY },
        { build_update_full, OLD_FULL },
    };
    AUTO(struct bench, bench_done) bench = bench_with_table();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_true(decode_built(&bench, cases[i].build));
        assert_int_equal(bench.change.kind, CHANGE_UPDATE);
        assert_int_equal(bench.change.relation->oid, TABLE);
        assert_int_equal(bench.change.as.row.old_kind, cases[i].old_kind);
        if (cases[i].old_kind == OLD_NONE)
            assert_int_equal(bench.change.as.row.old.count, 0);
        else
            assert_tuple(bench.change.as.row.old);
        assert_tuple(bench.change.as.row.new);
    }
}

static void test_delete(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    assert_true(decode_built(&bench, build_delete_key));
    assert_int_equal(bench.change.kind, CHANGE_DELETE);
    assert_int_equal(bench.change.as.row.old_kind, OLD_KEY);
    assert_tuple(bench.change.as.row.old);
    assert_int_equal(bench.change.as.row.new.count, 0);
    assert_true(decode_built(&bench, build_delete_full));
    assert_int_equal(bench.change.as.row.old_kind, OLD_FULL);
    assert_tuple(bench.change.as.row.old);
}

static void test_truncate(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    assert_true(decode_built(&bench, build_truncate));
    assert_int_equal(bench.change.kind, CHANGE_TRUNCATE);
    assert_null(bench.change.relation);
    assert_int_equal(bench.change.as.truncate.count, 2);
    assert_slice(bench.change.as.truncate.relations[1]->name, "orders");
    assert_false(bench.change.as.truncate.cascade);
    assert_true(bench.change.as.truncate.restart_identity);
    assert_true(decode(&bench, SLICE_TEXT("T\0\0\0\1\1\0\0\0\7")));
    assert_true(bench.change.as.truncate.cascade);
    assert_false(bench.change.as.truncate.restart_identity);
}

/* The relations that a decoder knows. */

static void test_a_relation_replaces_the_one_before(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    assert_true(decode(&bench, SLICE_TEXT("R\0\0\0\7s\0t\0n\0\1\0c\0\0\0\0\1\0\0\0\2")));
    assert_slice(bench.change.relation->name, "t");
    assert_false(decode_built(&bench, build_insert));
    assert_true(decode(&bench, SLICE_TEXT("I\0\0\0\7N\0\1n")));
    assert_slice(bench.change.relation->schema, "s");
    assert_slice(bench.change.relation->columns[0].name, "c");
}

static void test_a_broken_relation_replaces_nothing(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    assert_false(decode(&bench, SLICE_TEXT("R\0\0\0\7s\0t\0n\0\1\0c\0\0\0\0\1\0\0\0\2+")));
    assert_false(decode(&bench, SLICE_TEXT("R\0\0\0\7s\0t\0n\0\1\0c\0\0\0\0\1\0\0\0")));
    assert_true(decode_built(&bench, build_insert));
    assert_slice(bench.change.relation->name, "orders");
}

static void test_reset_forgets_the_relations(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    pgoutput_reset(bench.decoder);
    assert_false(decode_built(&bench, build_insert));
    assert_true(decode_built(&bench, build_relation));
    assert_true(decode_built(&bench, build_insert));
    pgoutput_free(NULL);
}

/* What cannot be decoded. */

/* Fails, says so as it should, and leaves the change alone. */
static void assert_undecodable(struct bench *bench, struct slice message)
{
    struct change before;
    memset(&before, 0x5A, sizeof before);
    memcpy(&bench->change, &before, sizeof before);
    assert_false(decode(bench, message));
    assert_memory_equal(&bench->change, &before, sizeof before);
    assert_int_equal(bench->err.class, ERROR_HALT);
    assert_string_equal(bench->err.code, "undecodable");
    assert_true(strlen(bench->err.advice) > 0);
}

static void assert_refused(struct bench *bench, struct slice message, const char *text)
{
    assert_undecodable(bench, message);
    assert_string_equal(bench->err.text, text);
}

static void test_every_cut_of_every_message_fails(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        AUTO(struct buf, buf_done) out = buf_init(MESSAGE_MAX);
        messages[i].build(&out);
        struct slice whole = buf_slice(&out);
        for (size_t size = 0; size < whole.size; size++) {
            assert_undecodable(&bench, (struct slice){ whole.data, size });
            assert_non_null(strstr(bench.err.text, "ends too early"));
        }
        assert_true(decode(&bench, whole));
        assert_int_equal(bench.change.kind, messages[i].kind);
    }
}

static void test_bytes_after_the_end_fail(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    for (size_t i = 0; i < COUNT_OF(messages); i++) {
        AUTO(struct buf, buf_done) out = buf_init(MESSAGE_MAX);
        messages[i].build(&out);
        size_t end = out.size;
        buf_append_byte(&out, '\0');
        assert_undecodable(&bench, buf_slice(&out));
        char where[64];
        (void)snprintf(where, sizeof where, "goes on after its end (offset %zu)", end);
        assert_non_null(strstr(bench.err.text, where));
    }
}

static void test_other_types_fail(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    for (int type = 0; type <= UINT8_MAX; type++) {
        if (type != 0 && strchr("BCORYIUDTM", type) != NULL)
            continue;
        char bytes[40] = { (char)type };
        assert_undecodable(&bench, (struct slice){ bytes, sizeof bytes });
        bool known = type != 0 && strchr("SEcAbPKrp", type) != NULL;
        assert_non_null(strstr(bench.err.text, known ? "was not requested (offset 0)"
                                                     : "has an unknown type (offset 0)"));
    }
    assert_refused(&bench, SLICE_TEXT("S\0\0\0\1\1"),
                   "pgoutput message 'S' (Stream Start) was not requested (offset 0)");
    assert_refused(&bench, SLICE_TEXT("\x07"),
                   "pgoutput message 0x07 has an unknown type (offset 0)");
    assert_refused(&bench, SLICE_TEXT(""), "pgoutput message 0x00 ends too early (offset 0)");
}

#define OF_TABLE " of relation public.orders (OID 7) "

static void test_wrong_fields_are_named_with_their_offset(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    const struct {
        struct slice message;
        const char *text;
    } cases[] = {
        { SLICE_TEXT("C\1"
                     "12345678"
                     "12345678"
                     "12345678"),
          "pgoutput message 'C' (Commit) has unknown flags (offset 1)" },
        { SLICE_TEXT("R\0\0\0\7s\0\0d\0\0"),
          "pgoutput message 'R' (Relation) of the relation with OID 7 has an empty name "
          "(offset 7)" },
        { SLICE_TEXT("R\0\0\0\1s\0t\0x\0\0"),
          "pgoutput message 'R' (Relation) of relation s.t (OID 1) has an unknown replica "
          "identity (offset 9)" },
        { SLICE_TEXT("R\0\0\0\1s\0t\0d\0\1\2c\0\0\0\0\1\0\0\0\2"),
          "pgoutput message 'R' (Relation) of relation s.t (OID 1) has unknown flags "
          "(offset 12)" },
        { SLICE_TEXT("R\0\0\0\1s\0t\0d\0\1\1\0\0\0\0\1\0\0\0\2"),
          "pgoutput message 'R' (Relation) of relation s.t (OID 1) has an empty name "
          "(offset 13)" },
        { SLICE_TEXT("Y\0\0\0\1s\0\0"),
          "pgoutput message 'Y' (Type) has an empty name (offset 7)" },
        { SLICE_TEXT("I\0\0\0\x08N\0\0"),
          "pgoutput message 'I' (Insert) of the relation with OID 8 refers to a relation that was "
          "not announced (offset 1)" },
        { SLICE_TEXT("U\0\0\0\x08N\0\0"),
          "pgoutput message 'U' (Update) of the relation with OID 8 refers to a relation that was "
          "not announced (offset 1)" },
        { SLICE_TEXT("D\0\0\0\x08K\0\0"),
          "pgoutput message 'D' (Delete) of the relation with OID 8 refers to a relation that was "
          "not announced (offset 1)" },
        { SLICE_TEXT("T\0\0\0\2\0\0\0\0\7\0\0\0\x08"),
          "pgoutput message 'T' (Truncate) of the relation with OID 8 refers to a relation that "
          "was not announced (offset 10)" },
        { SLICE_TEXT("T\0\0\0\1\4\0\0\0\7"),
          "pgoutput message 'T' (Truncate) has unknown flags (offset 5)" },
        { SLICE_TEXT("I\0\0\0\7K\0\3nnn"), "pgoutput message 'I' (Insert)" OF_TABLE
                                           "has no new tuple where one belongs (offset 5)" },
        { SLICE_TEXT("U\0\0\0\7X\0\3nnn"), "pgoutput message 'U' (Update)" OF_TABLE
                                           "has no new tuple where one belongs (offset 5)" },
        { SLICE_TEXT("U\0\0\0\7K\0\3nnnO\0\3nnn"),
          "pgoutput message 'U' (Update)" OF_TABLE
          "has no new tuple where one belongs (offset 11)" },
        { SLICE_TEXT("D\0\0\0\7N\0\3nnn"), "pgoutput message 'D' (Delete)" OF_TABLE
                                           "has no old tuple where one belongs (offset 5)" },
        { SLICE_TEXT("I\0\0\0\7N\0\2nn"),
          "pgoutput message 'I' (Insert)" OF_TABLE
          "has another number of columns than its relation (offset 6)" },
        { SLICE_TEXT("I\0\0\0\7N\0\4nnnn"),
          "pgoutput message 'I' (Insert)" OF_TABLE
          "has another number of columns than its relation (offset 6)" },
        { SLICE_TEXT("I\0\0\0\7N\0\3nxn"),
          "pgoutput message 'I' (Insert)" OF_TABLE "has an unknown kind of value (offset 9)" },
        { SLICE_TEXT("M\2"
                     "12345678"
                     "p\0\0\0\0\0"),
          "pgoutput message 'M' (Message) has unknown flags (offset 1)" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(&bench, cases[i].message, cases[i].text);
}

static void test_sizes_are_bounded_by_the_message(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_with_table();
    const struct slice cases[] = {
        SLICE_TEXT("I\0\0\0\7N\0\3t\xFF\xFF\xFF\xFFnn"),
        SLICE_TEXT("T\xFF\xFF\xFF\xFF\0\0\0\0\7"),
        SLICE_TEXT("R\0\0\0\1s\0t\0d\xFF\xFF\0c\0\0\0\0\1\0\0\0\2"),
        SLICE_TEXT("M\0\0\0\0\0\0\0\0\1p\0\xFF\xFF\xFF\xFF"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_undecodable(&bench, cases[i]);
        assert_non_null(strstr(bench.err.text, "ends too early"));
        assert_true(arena_footprint(&bench.arena) < 16 * 1024);
    }
}

static void test_long_names_are_cut_in_errors(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_open();
    AUTO(struct buf, buf_done) out = buf_init(MESSAGE_MAX);
    char name[5001];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    put_head(&out, 'R');
    put_name(&out, name);
    put_name(&out, name);
    buf_append_byte(&out, '?');
    assert_undecodable(&bench, buf_slice(&out));
    assert_non_null(strstr(bench.err.text, "has an unknown replica identity (offset 10007)"));
}

static void test_the_error_is_optional(void **state)
{
    (void)state;
    AUTO(struct bench, bench_done) bench = bench_open();
    assert_false(pgoutput_decode(bench.decoder, SLICE_NULL, &bench.arena, &bench.change, NULL));
    assert_false(
        pgoutput_decode(bench.decoder, SLICE_TEXT("?"), &bench.arena, &bench.change, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begin_and_commit),
        cmocka_unit_test(test_origin_type_and_message),
        cmocka_unit_test(test_relation),
        cmocka_unit_test(test_an_empty_schema_is_pg_catalog),
        cmocka_unit_test(test_insert),
        cmocka_unit_test(test_empty_and_binary_values),
        cmocka_unit_test(test_update_carries_what_was_sent_of_the_row_before),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_a_relation_replaces_the_one_before),
        cmocka_unit_test(test_a_broken_relation_replaces_nothing),
        cmocka_unit_test(test_reset_forgets_the_relations),
        cmocka_unit_test(test_every_cut_of_every_message_fails),
        cmocka_unit_test(test_bytes_after_the_end_fail),
        cmocka_unit_test(test_other_types_fail),
        cmocka_unit_test(test_wrong_fields_are_named_with_their_offset),
        cmocka_unit_test(test_sizes_are_bounded_by_the_message),
        cmocka_unit_test(test_long_names_are_cut_in_errors),
        cmocka_unit_test(test_the_error_is_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
