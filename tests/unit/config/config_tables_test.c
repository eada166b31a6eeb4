#include "config/config_tables.h"

#include "config_fixture.h"

/* The minimal configuration with these tables from line 5 on. */
#define WITH_TABLES(tables)                                                                        \
    "kafka: {brokers: [b]}\n"                                                                      \
    "cdc:\n"                                                                                       \
    "  {host: h, username: u, database: d, slot: {name: s}, publication:\n"                        \
    "    {name: p, tables: [\n" tables "]}}\n"

static void each_option_of_a_table_is_read(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config(WITH_TABLES("{name: users},\n"
                                   "{name: 'Weird \"t\".x', schema: S, replicaIdentity: nothing,\n"
                                   " columns: [a, 'b c'], keyColumns: [a]},\n"
                                   "{name: o, replicaIdentity: using index,\n"
                                   " replicaIdentityIndex: o_pkey}"),
                       FIXTURE_NONE, FIXTURE_NONE);
    const struct config_tables *tables = &config->cdc_publication_tables;
    assert_int_equal(tables->count, 3);
    assert_string_equal(tables->items[0].name, "users");
    assert_string_equal(tables->items[0].schema, "public");
    assert_null(tables->items[0].replica_identity);
    assert_null(tables->items[0].replica_identity_index);
    assert_int_equal(tables->items[0].columns.count, 0);
    assert_int_equal(tables->items[0].key_columns.count, 0);
    assert_string_equal(tables->items[0].origin, "f:5");
    assert_string_equal(tables->items[1].name, "Weird \"t\".x");
    assert_string_equal(tables->items[1].schema, "S");
    assert_string_equal(tables->items[1].replica_identity, "NOTHING");
    assert_int_equal(tables->items[1].columns.count, 2);
    assert_string_equal(tables->items[1].columns.items[1], "b c");
    assert_string_equal(tables->items[1].key_columns.items[0], "a");
    assert_string_equal(tables->items[2].replica_identity, "USING INDEX");
    assert_string_equal(tables->items[2].replica_identity_index, "o_pkey");
    assert_string_equal(tables->items[2].origin, "f:8");
}

static void nothing_is_a_default_in_a_table_too(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_config(WITH_TABLES("{name: t, schema: , replicaIdentity: '', columns: ~}"),
                       FIXTURE_NONE, FIXTURE_NONE);
    assert_string_equal(config->cdc_publication_tables.items[0].schema, "public");
    assert_null(config->cdc_publication_tables.items[0].replica_identity);
    assert_int_equal(config->cdc_publication_tables.items[0].columns.count, 0);
}

static void problems_name_table_and_line(void **state)
{
    (void)state;
    fixture_refused(
        WITH_TABLES("{schema: x},\n"
                    "{nmae: t},\n"
                    "users,\n"
                    "{name: '', columns: [a, ~]},\n"
                    "{name: t, replicaIdentity: FUL, keyColumns: id},\n"
                    "[a]"),
        FIXTURE_NONE, FIXTURE_NONE,
        "f:5: cdc.publication.tables[0].name: required, but not given\n"
        "f:6: cdc.publication.tables[1].nmae: no such option; did you mean name?\n"
        "f:6: cdc.publication.tables[1].name: required, but not given\n"
        "f:7: cdc.publication.tables: expected a list of objects, each with a name; got "
        "\"users\"\n"
        "f:8: cdc.publication.tables[3].name: must not be empty\n"
        "f:8: cdc.publication.tables[3].columns: expected a list of texts; got nothing\n"
        "f:9: cdc.publication.tables[4].replicaIdentity: expected one of FULL, DEFAULT, "
        "NOTHING, USING INDEX; got \"FUL\"; did you mean \"FULL\"?\n"
        "f:9: cdc.publication.tables[4].keyColumns: expected a list of texts; got "
        "\"id\"\n"
        "f:10: cdc.publication.tables: expected a list of objects, each with a name; "
        "got a list\n");
}

static void tables_must_be_a_list(void **state)
{
    (void)state;
    fixture_set_refused("cdc.publication.tables={name: t}",
                        "--set cdc.publication.tables: expected a list of objects, each with a "
                        "name; got a mapping\n");
    fixture_set_refused("cdc.publication.tables=users",
                        "--set cdc.publication.tables: expected a list of objects, each with a "
                        "name; got \"users\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_option_of_a_table_is_read),
        cmocka_unit_test(nothing_is_a_default_in_a_table_too),
        cmocka_unit_test(problems_name_table_and_line),
        cmocka_unit_test(tables_must_be_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
