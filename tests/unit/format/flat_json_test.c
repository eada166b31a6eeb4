#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "format/flat_json.h"
#include "oracle.h"
#include "rows.h"

/* A relation with its plan, and the list that changes are encoded into. */
struct fixture {
    struct relation *relation;
    struct table_plan *plan;
    struct arena arena;
    struct record_list list;
    struct encoder_options options;
    struct error err;
};

static const struct txn txn = { .xid = 9, .final_lsn = { 0x1000 }, .ordinal = 3 };

static void fixture_init(struct fixture *fixture, struct relation *relation,
                         const char *const *names, uint16_t count)
{
    struct slice keys[8];
    for (uint16_t i = 0; i < count; i++)
        keys[i] = slice_of(names[i]);
    *fixture = (struct fixture){ .relation = relation,
                                 .arena = arena_init(4096),
                                 .options = { .max_record_bytes = 1000000 },
                                 .err = ERROR_INIT };
    fixture->list.arena = &fixture->arena;
    assert_true(table_plan_new(relation, keys, count, &fixture->plan, &fixture->err));
    fixture->plan->topic = 5;
    fixture->plan->routed = true;
}

static void fixture_done(struct fixture *fixture)
{
    record_list_done(&fixture->list);
    table_plan_free(fixture->plan);
    relation_free(fixture->relation);
    arena_done(&fixture->arena);
}

#define FIXTURE(fixture, relation, ...)                                                            \
    fixture_init(fixture, relation, (const char *const[]){ __VA_ARGS__ },                          \
                 COUNT_OF(((const char *const[]){ __VA_ARGS__ })))

/* public.users(id int4 primary key, name text, created_on timestamptz) */
static struct relation *users(enum replica_identity identity)
{
    bool full = identity == REPLICA_IDENTITY_FULL;
    return RELATION(identity, COLUMN("id", INT4, identity != REPLICA_IDENTITY_NOTHING),
                    COLUMN("name", TEXT, full), COLUMN("created_on", TIMESTAMPTZ, full));
}

static bool try_encode(struct fixture *fixture, struct change change)
{
    fixture->err = ERROR_INIT;
    change.relation = fixture->relation;
    return flat_json_ops.encode(&fixture->options, fixture->plan, &txn, &change, &fixture->list,
                                &fixture->err);
}

static void encode(struct fixture *fixture, struct change change)
{
    record_list_clear(&fixture->list);
    if (!try_encode(fixture, change))
        fail_msg("%s: %s", fixture->err.code, fixture->err.text);
}

static void assert_slice(struct slice found, const char *expected)
{
    if (expected == NULL)
        assert_null(found.data);
    else if (found.data == NULL || !slice_is(found, expected))
        fail_msg("%.*s instead of %s", SLICE_ARGS(found), expected);
}

static void assert_record(const struct fixture *fixture, uint32_t at, const char *key,
                          const char *value)
{
    assert_true(at < fixture->list.count);
    const struct record *record = &fixture->list.items[at];
    assert_int_equal(record->topic, 5);
    assert_int_equal(record->partition, RECORD_PARTITION_ANY);
    assert_slice(record->key, key);
    assert_slice(record->value, value);
    assert_true(value == NULL || oracle_accepts(record->value));
}

static void assert_one(const struct fixture *fixture, const char *key, const char *value)
{
    assert_int_equal(fixture->list.count, 1);
    assert_record(fixture, 0, key, value);
}

static void assert_halts(struct fixture *fixture, struct change change, const char *code)
{
    uint32_t count = fixture->list.count;
    assert_false(try_encode(fixture, change));
    assert_int_equal(fixture->err.class, ERROR_HALT);
    assert_string_equal(fixture->err.code, code);
    assert_non_null(strstr(fixture->err.text, "public.users"));
    assert_non_null(strstr(fixture->err.text, "0/1000"));
    assert_int_equal(fixture->list.count, count);
}

static void an_insert_is_the_row_of_the_ancestor(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    encode(&fixture, rows_insert(TUPLE(T("1"), T("Oyleli1"), NULL_VALUE)));
    assert_one(&fixture, "1",
               "{\"created_on\":null,\"id\":1,\"name\":\"Oyleli1\",\"operation\":\"INSERT\"}");
    assert_int_equal(fixture.list.items[0].header_count, 0);
}

static void an_update_is_the_new_row(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    encode(&fixture, rows_update(OLD_NONE, (struct tuple){ NULL, 0 },
                                 TUPLE(T("1"), T("a"), T("2024-02-29 12:34:56.5+00"))));
    assert_one(&fixture, "1",
               "{\"created_on\":\"2024-02-29T12:34:56.5Z\",\"id\":1,\"name\":\"a\","
               "\"operation\":\"UPDATE\"}");
}

static void operation_stands_in_sorted_order(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture,
            RELATION('d', COLUMN("zip", TEXT, false), COLUMN("operation", TEXT, false),
                     COLUMN("oz", INT4, true), COLUMN("area", TEXT, false)),
            "oz");
    encode(&fixture, rows_insert(TUPLE(T("z"), T("mine"), T("7"), T("a"))));
    assert_one(&fixture, "7", "{\"area\":\"a\",\"operation\":\"INSERT\",\"oz\":7,\"zip\":\"z\"}");
}

static void operation_may_be_first_or_alone(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) first;
    FIXTURE(&first, RELATION('d', COLUMN("z", INT4, true)), "z");
    encode(&first, rows_insert(TUPLE(T("7"))));
    assert_one(&first, "7", "{\"operation\":\"INSERT\",\"z\":7}");
    AUTO(struct fixture, fixture_done) alone;
    FIXTURE(&alone, RELATION('d', COLUMN("operation", TEXT, true)), "operation");
    encode(&alone, rows_insert(TUPLE(T("key"))));
    assert_one(&alone, "key", "{\"operation\":\"INSERT\"}");
    AUTO(struct fixture, fixture_done) empty;
    fixture_init(&empty, relation_new(1, SLICE_TEXT("s"), SLICE_TEXT("t"), 'f', NULL, 0), NULL, 0);
    encode(&empty, rows_insert((struct tuple){ NULL, 0 }));
    assert_one(&empty, NULL, "{\"operation\":\"INSERT\"}");
}

static void an_unchanged_value_is_absent_without_an_old_row(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    encode(&fixture,
           rows_update(OLD_NONE, (struct tuple){ NULL, 0 }, TUPLE(T("1"), UNCHANGED, NULL_VALUE)));
    assert_one(&fixture, "1", "{\"created_on\":null,\"id\":1,\"operation\":\"UPDATE\"}");
}

static void an_unchanged_value_comes_from_a_full_old_row(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('f'), "id");
    encode(&fixture, rows_update(OLD_FULL, TUPLE(T("1"), T("long"), NULL_VALUE),
                                 TUPLE(T("1"), UNCHANGED, T("2024-02-29 12:34:56+00"))));
    assert_one(&fixture, "1",
               "{\"created_on\":\"2024-02-29T12:34:56Z\",\"id\":1,\"name\":\"long\","
               "\"operation\":\"UPDATE\"}");
}

/* A key-only tuple says null for what is outside the identity: that is no value. */
static void an_unchanged_value_never_becomes_a_false_null(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    encode(&fixture, rows_update(OLD_KEY, TUPLE(T("1"), NULL_VALUE, NULL_VALUE),
                                 TUPLE(T("2"), UNCHANGED, T("2024-02-29 12:34:56+00"))));
    assert_int_equal(fixture.list.count, 2);
    assert_record(&fixture, 0, "1", "{\"id\":1,\"operation\":\"DELETE\"}");
    assert_record(&fixture, 1, "2",
                  "{\"created_on\":\"2024-02-29T12:34:56Z\",\"id\":2,\"operation\":\"INSERT\"}");
}

/* A long key is sent as unchanged, and whole in the key-only tuple. */
static void an_unchanged_key_comes_from_the_old_key(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, RELATION('d', COLUMN("id", TEXT, true), COLUMN("n", INT4, false)), "id");
    encode(&fixture,
           rows_update(OLD_KEY, TUPLE(T("long key"), NULL_VALUE), TUPLE(UNCHANGED, T("2"))));
    assert_one(&fixture, "long key", "{\"id\":\"long key\",\"n\":2,\"operation\":\"UPDATE\"}");
}

static void a_key_that_was_not_sent_halts(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, RELATION('d', COLUMN("id", TEXT, true), COLUMN("n", INT4, false)), "id");
    assert_halts(&fixture,
                 rows_update(OLD_NONE, (struct tuple){ NULL, 0 }, TUPLE(UNCHANGED, T("2"))),
                 "key_unknown");
}

static void a_changed_key_deletes_the_old_and_inserts_the_new(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('f'), "id");
    struct tuple old = TUPLE(T("1"), T("a"), NULL_VALUE);
    struct tuple new = TUPLE(T("2"), T("a"), NULL_VALUE);
    encode(&fixture, rows_update(OLD_FULL, old, new));
    assert_int_equal(fixture.list.count, 2);
    assert_record(&fixture, 0, "1",
                  "{\"created_on\":null,\"id\":1,\"name\":\"a\",\"operation\":\"DELETE\"}");
    assert_record(&fixture, 1, "2",
                  "{\"created_on\":null,\"id\":2,\"name\":\"a\",\"operation\":\"INSERT\"}");
    fixture.options.tombstones = true;
    encode(&fixture, rows_update(OLD_FULL, old, new));
    assert_int_equal(fixture.list.count, 3);
    assert_record(&fixture, 1, "1", NULL);
    assert_record(&fixture, 2, "2",
                  "{\"created_on\":null,\"id\":2,\"name\":\"a\",\"operation\":\"INSERT\"}");
}

static void a_full_old_row_with_the_same_key_is_an_update(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('f'), "id");
    encode(&fixture, rows_update(OLD_FULL, TUPLE(T("1"), T("a"), NULL_VALUE),
                                 TUPLE(T("1"), T("b"), NULL_VALUE)));
    assert_one(&fixture, "1",
               "{\"created_on\":null,\"id\":1,\"name\":\"b\",\"operation\":\"UPDATE\"}");
}

/* The identity changed and the key, a part of it, did not. */
static void a_changed_identity_with_the_same_key_is_an_update(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, RELATION('i', COLUMN("tenant", INT4, true), COLUMN("id", INT4, true)), "id");
    encode(&fixture, rows_update(OLD_KEY, TUPLE(T("1"), T("5")), TUPLE(T("2"), T("5"))));
    assert_one(&fixture, "5", "{\"id\":5,\"operation\":\"UPDATE\",\"tenant\":2}");
}

static void a_delete_with_a_key_only_row_has_the_identity_only(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    encode(&fixture, rows_delete(OLD_KEY, TUPLE(T("1"), NULL_VALUE, NULL_VALUE)));
    assert_one(&fixture, "1", "{\"id\":1,\"operation\":\"DELETE\"}");
}

static void a_delete_with_a_full_row_has_it_all(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('f'), "id");
    encode(&fixture, rows_delete(OLD_FULL, TUPLE(T("1"), NULL_VALUE, NULL_VALUE)));
    assert_one(&fixture, "1",
               "{\"created_on\":null,\"id\":1,\"name\":null,\"operation\":\"DELETE\"}");
}

static void a_tombstone_follows_a_delete_when_asked_for(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    fixture.options.tombstones = true;
    encode(&fixture, rows_delete(OLD_KEY, TUPLE(T("1"), NULL_VALUE, NULL_VALUE)));
    assert_int_equal(fixture.list.count, 2);
    assert_record(&fixture, 0, "1", "{\"id\":1,\"operation\":\"DELETE\"}");
    assert_record(&fixture, 1, "1", NULL);
    encode(&fixture, rows_insert(TUPLE(T("1"), NULL_VALUE, NULL_VALUE)));
    assert_int_equal(fixture.list.count, 1);
}

static void there_is_no_tombstone_without_a_key(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    fixture_init(&fixture, users('f'), NULL, 0);
    fixture.options.tombstones = true;
    encode(&fixture, rows_delete(OLD_FULL, TUPLE(T("1"), NULL_VALUE, NULL_VALUE)));
    assert_one(&fixture, NULL,
               "{\"created_on\":null,\"id\":1,\"name\":null,\"operation\":\"DELETE\"}");
}

static void a_table_without_a_key_has_updates_only(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    fixture_init(&fixture, users('f'), NULL, 0);
    encode(&fixture, rows_update(OLD_FULL, TUPLE(T("1"), NULL_VALUE, NULL_VALUE),
                                 TUPLE(T("2"), NULL_VALUE, NULL_VALUE)));
    assert_one(&fixture, NULL,
               "{\"created_on\":null,\"id\":2,\"name\":null,\"operation\":\"UPDATE\"}");
}

static void several_key_columns_make_an_object(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('f'), "name", "id");
    encode(&fixture, rows_update(OLD_FULL, TUPLE(T("1"), T("a"), NULL_VALUE),
                                 TUPLE(T("1"), T("b"), NULL_VALUE)));
    assert_int_equal(fixture.list.count, 2);
    assert_record(&fixture, 0, "{\"name\":\"a\",\"id\":1}",
                  "{\"created_on\":null,\"id\":1,\"name\":\"a\",\"operation\":\"DELETE\"}");
    assert_record(&fixture, 1, "{\"name\":\"b\",\"id\":1}",
                  "{\"created_on\":null,\"id\":1,\"name\":\"b\",\"operation\":\"INSERT\"}");
}

/* Its change would not be seen, so that the old key's record would stay for ever. */
static void a_key_outside_the_identity_halts_at_the_first_update_or_delete(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "name");
    encode(&fixture, rows_insert(TUPLE(T("1"), T("a"), NULL_VALUE)));
    assert_record(&fixture, 0, "a",
                  "{\"created_on\":null,\"id\":1,\"name\":\"a\",\"operation\":\"INSERT\"}");
    assert_halts(
        &fixture,
        rows_update(OLD_NONE, (struct tuple){ NULL, 0 }, TUPLE(T("1"), T("b"), NULL_VALUE)),
        "key_not_in_identity");
    assert_halts(&fixture, rows_delete(OLD_KEY, TUPLE(T("1"), NULL_VALUE, NULL_VALUE)),
                 "key_not_in_identity");
    assert_non_null(strstr(fixture.err.advice, "REPLICA IDENTITY FULL"));
}

static void a_truncate_is_skipped_unless_asked_for(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    struct change truncate = { .kind = CHANGE_TRUNCATE };
    encode(&fixture, truncate);
    assert_int_equal(fixture.list.count, 0);
    fixture.options.truncate = true;
    fixture.options.tombstones = true;
    encode(&fixture, truncate);
    assert_one(&fixture, NULL, "{\"operation\":\"TRUNCATE\"}");
}

static void an_unrouted_table_gives_nothing(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    fixture.plan->routed = false;
    encode(&fixture, rows_insert(TUPLE(T("1"), NULL_VALUE, NULL_VALUE)));
    assert_int_equal(fixture.list.count, 0);
}

static void other_changes_give_nothing(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    static const enum change_kind kinds[] = { CHANGE_BEGIN,    CHANGE_COMMIT, CHANGE_ORIGIN,
                                              CHANGE_RELATION, CHANGE_TYPE,   CHANGE_MESSAGE };
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        encode(&fixture, (struct change){ .kind = kinds[i] });
        assert_int_equal(fixture.list.count, 0);
    }
}

static void headers_tell_what_the_record_says(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    fixture.options.tombstones = true;
    fixture.options.headers = ENCODER_HEADER_POS | ENCODER_HEADER_OPERATION;
    encode(&fixture, rows_update(OLD_KEY, TUPLE(T("1"), NULL_VALUE, NULL_VALUE),
                                 TUPLE(T("2"), T("a"), NULL_VALUE)));
    static const char *const operations[] = { "DELETE", "DELETE", "INSERT" };
    assert_int_equal(fixture.list.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const struct record *record = &fixture.list.items[i];
        assert_int_equal(record->header_count, 2);
        assert_true(slice_is(record->headers[0].value, "4096/3"));
        assert_true(slice_is(record->headers[1].value, operations[i]));
    }
}

static void a_value_has_a_largest_size(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    struct change change = rows_insert(TUPLE(T("1"), T("abc"), NULL_VALUE));
    size_t size =
        strlen("{\"created_on\":null,\"id\":1,\"name\":\"abc\",\"operation\":\"INSERT\"}");
    fixture.options.max_record_bytes = size;
    encode(&fixture, change);
    assert_int_equal(fixture.list.items[0].value.size, size);
    for (size_t limit = 0; limit < size; limit++) {
        fixture.options.max_record_bytes = limit;
        assert_halts(&fixture, change, "record_too_large");
    }
    char limit_text[32];
    snprintf(limit_text, sizeof(limit_text), "above %zu bytes", size - 1);
    assert_non_null(strstr(fixture.err.text, limit_text));
    assert_non_null(strstr(fixture.err.advice, "max.message.bytes"));
    assert_null(strstr(fixture.err.text, "abc"));
}

/* The delete fits, the insert after it does not: neither is left in the list. */
static void a_failure_leaves_the_list_as_it_was(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    encode(&fixture, rows_insert(TUPLE(T("1"), T("a"), NULL_VALUE)));
    fixture.options.max_record_bytes = 40;
    assert_halts(&fixture,
                 rows_update(OLD_KEY, TUPLE(T("1"), NULL_VALUE, NULL_VALUE),
                             TUPLE(T("2"), T("a"), NULL_VALUE)),
                 "record_too_large");
    assert_int_equal(fixture.list.count, 1);
    assert_record(&fixture, 0, "1",
                  "{\"created_on\":null,\"id\":1,\"name\":\"a\",\"operation\":\"INSERT\"}");
}

static void a_row_that_does_not_fit_its_relation_halts(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('f'), "id");
    struct tuple row = TUPLE(T("1"), T("a"), NULL_VALUE);
    struct tuple narrow = TUPLE(T("1"), T("a"));
    struct tuple none = { NULL, 0 };
    assert_halts(&fixture, rows_insert(narrow), "row_does_not_fit");
    assert_halts(&fixture, rows_update(OLD_NONE, none, narrow), "row_does_not_fit");
    assert_halts(&fixture, rows_update(OLD_FULL, narrow, row), "row_does_not_fit");
    assert_halts(&fixture, rows_delete(OLD_FULL, narrow), "row_does_not_fit");
    assert_halts(&fixture, rows_delete(OLD_NONE, none), "row_does_not_fit");
}

static void a_binary_value_is_an_error(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    assert_false(try_encode(
        &fixture, rows_insert(TUPLE(T("1"), { VALUE_BINARY, SLICE_TEXT("x") }, NULL_VALUE))));
    assert_string_equal(fixture.err.code, "binary_value");
    assert_int_equal(fixture.list.count, 0);
}

/* What the hint did not foresee: every byte of a long text escaped. */
static void a_value_may_grow_while_it_is_written(void **state)
{
    (void)state;
    AUTO(struct fixture, fixture_done) fixture;
    FIXTURE(&fixture, users('d'), "id");
    enum { SIZE = 50000 };
    AUTO(char *, memory_free_p) text = memory_alloc(SIZE);
    memset(text, 1, SIZE);
    encode(&fixture,
           rows_insert(TUPLE(T("1"), { VALUE_TEXT, { text, SIZE } }, T("2024-02-29 12:34:56+00"))));
    enum json_error_code code;
    json_t *value = oracle_parse(fixture.list.items[0].value, &code);
    assert_non_null(value);
    assert_int_equal(json_string_length(json_object_get(value, "name")), SIZE);
    assert_string_equal(json_string_value(json_object_get(value, "created_on")),
                        "2024-02-29T12:34:56Z");
    assert_string_equal(json_string_value(json_object_get(value, "operation")), "INSERT");
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_insert_is_the_row_of_the_ancestor),
        cmocka_unit_test(an_update_is_the_new_row),
        cmocka_unit_test(operation_stands_in_sorted_order),
        cmocka_unit_test(operation_may_be_first_or_alone),
        cmocka_unit_test(an_unchanged_value_is_absent_without_an_old_row),
        cmocka_unit_test(an_unchanged_value_comes_from_a_full_old_row),
        cmocka_unit_test(an_unchanged_value_never_becomes_a_false_null),
        cmocka_unit_test(an_unchanged_key_comes_from_the_old_key),
        cmocka_unit_test(a_key_that_was_not_sent_halts),
        cmocka_unit_test(a_changed_key_deletes_the_old_and_inserts_the_new),
        cmocka_unit_test(a_full_old_row_with_the_same_key_is_an_update),
        cmocka_unit_test(a_changed_identity_with_the_same_key_is_an_update),
        cmocka_unit_test(a_delete_with_a_key_only_row_has_the_identity_only),
        cmocka_unit_test(a_delete_with_a_full_row_has_it_all),
        cmocka_unit_test(a_tombstone_follows_a_delete_when_asked_for),
        cmocka_unit_test(there_is_no_tombstone_without_a_key),
        cmocka_unit_test(a_table_without_a_key_has_updates_only),
        cmocka_unit_test(several_key_columns_make_an_object),
        cmocka_unit_test(a_key_outside_the_identity_halts_at_the_first_update_or_delete),
        cmocka_unit_test(a_truncate_is_skipped_unless_asked_for),
        cmocka_unit_test(an_unrouted_table_gives_nothing),
        cmocka_unit_test(other_changes_give_nothing),
        cmocka_unit_test(headers_tell_what_the_record_says),
        cmocka_unit_test(a_value_has_a_largest_size),
        cmocka_unit_test(a_failure_leaves_the_list_as_it_was),
        cmocka_unit_test(a_row_that_does_not_fit_its_relation_halts),
        cmocka_unit_test(a_binary_value_is_an_error),
        cmocka_unit_test(a_value_may_grow_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
