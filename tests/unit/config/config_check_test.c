#include "config/config_check.h"

#include "config_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void assert_accepted(const char *const *sets)
{
    config_free(fixture_config(FIXTURE_MINIMAL, FIXTURE_NONE, sets));
}

static void assert_refused(const char *const *sets, const char *lines)
{
    fixture_refused(FIXTURE_MINIMAL, FIXTURE_NONE, sets, lines);
}

static void ports_are_one_or_as_many_as_hosts(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("cdc.port=1"));
    assert_accepted(FIXTURE_LIST("cdc.port=65535", "cdc.host=a,b,c"));
    assert_accepted(FIXTURE_LIST("cdc.port=1,2,3", "cdc.host=a,b,c"));
    assert_refused(FIXTURE_LIST("cdc.port=1,2", "cdc.host=a,b,c"),
                   "--set cdc.port: expected one port, or as many as cdc.host has hosts (3)\n");
    assert_refused(FIXTURE_LIST("cdc.port=1,2"),
                   "--set cdc.port: expected one port, or as many as cdc.host has hosts (1)\n");
    static const char *const wrong[] = { "0",    "65536", "x",  "1,",  ",1",
                                         "1,,2", "-1",    "1 ", "1.5", "99999999999999999999" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO(struct buf, buf_done) set = buf_init(256);
        AUTO(struct buf, buf_done) line = buf_init(256);
        buf_append_format(&set, "cdc.port=%s", wrong[i]);
        buf_append_format(&line,
                          "--set cdc.port: expected a port from 1 to 65535, or one for each host "
                          "separated by commas; got \"%s\"\n",
                          wrong[i]);
        assert_refused(FIXTURE_LIST(buf_text(&set)), buf_text(&line));
    }
}

static void a_heartbeat_is_off_or_not_too_fast(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("cdc.heartbeat.interval=0"));
    assert_accepted(FIXTURE_LIST("cdc.heartbeat.interval=10ms", "cdc.heartbeat.query=SELECT 1"));
    assert_refused(FIXTURE_LIST("cdc.heartbeat.interval=9ms"),
                   "--set cdc.heartbeat.interval: expected 0 (off) or at least 10 ms; got 9 ms\n");
    assert_refused(FIXTURE_LIST("cdc.heartbeat.query=SELECT 1", "cdc.heartbeat.table.name=pulse"),
                   "--set cdc.heartbeat.query: give it or cdc.heartbeat.table.name, not both\n");
    /* As the ancestor's file has it. */
    AUTO(struct config *, config_free_p) config =
        fixture_set("cdc.heartbeat={table: {name: pulse, schema: s}, interval: 100ms}");
    assert_string_equal(config->cdc_heartbeat_table_name, "pulse");
    assert_string_equal(config->cdc_heartbeat_table_schema, "s");
    assert_int_equal(config->cdc_heartbeat_interval_ms, 100);
}

static void a_password_file_must_be_readable(void **state)
{
    (void)state;
    char path[] = "/tmp/pqcdc-config-check-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "hunter2\n", 8), 8);
    close(fd);
    AUTO(struct buf, buf_done) set = buf_init(256);
    buf_append_format(&set, "cdc.passwordFile=%s", path);
    AUTO(struct config *, config_free_p) config = fixture_set(buf_text(&set));
    assert_string_equal(config->cdc_password_file, path);
    AUTO(struct buf, buf_done) line = buf_init(256);
    assert_int_equal(truncate(path, 0), 0);
    buf_append_format(&line, "--set cdc.passwordFile: secret file \"%s\": holds no password\n",
                      path);
    assert_refused(FIXTURE_LIST(buf_text(&set)), buf_text(&line));
    unlink(path);
    buf_clear(&line);
    buf_append_format(
        &line, "--set cdc.passwordFile: secret file \"%s\": No such file or directory\n", path);
    assert_refused(FIXTURE_LIST(buf_text(&set)), buf_text(&line));
}

static void schemas_are_given_once_and_without_column_lists(void **state)
{
    (void)state;
    AUTO(struct config *, config_free_p) config =
        fixture_set("cdc.publication.schemas=[a, '*', A]");
    assert_int_equal(config->cdc_publication_schemas.count, 3);
    assert_refused(FIXTURE_LIST("cdc.publication.schemas=[a, b, a]"),
                   "--set cdc.publication.schemas: schema \"a\" is given twice\n");
    assert_refused(FIXTURE_LIST("cdc.publication.schemas=[a]",
                                "cdc.publication.tables=[{name: t}, {name: u, columns: [x]}]"),
                   "--set cdc.publication.schemas: PostgreSQL has no column lists beside schemas, "
                   "and cdc.publication.tables[1] has one\n");
}

static void certificate_and_key_go_together(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("cdc.sslCert=/dev/null", "cdc.sslKey=/dev/null"));
    assert_refused(FIXTURE_LIST("cdc.sslKey=/dev/null"),
                   "--set cdc.sslKey: needs cdc.sslCert as well\n");
    assert_refused(FIXTURE_LIST("cdc.sslCert=/dev/null"),
                   "--set cdc.sslCert: needs cdc.sslKey as well\n");
}

static void what_verifies_needs_authorities(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("cdc.sslMode=verify-ca", "cdc.sslRootCert=system"));
    assert_accepted(FIXTURE_LIST("cdc.sslMode=require"));
    assert_refused(FIXTURE_LIST("cdc.sslMode=verify-full"),
                   "--set cdc.sslMode: verify-full needs cdc.sslRootCert, the authorities to check "
                   "against (system: the system's)\n");
}

static void every_file_of_tls_must_be_readable(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("cdc.sslRootCert=/dev/null"));
    assert_accepted(FIXTURE_LIST("cdc.sslRootCert=system"));
    assert_refused(FIXTURE_LIST("cdc.sslRootCert=/nowhere/a", "cdc.sslCert=/nowhere/b",
                                "cdc.sslKey=/nowhere/c"),
                   "--set cdc.sslRootCert: cannot read \"/nowhere/a\": No such file or directory\n"
                   "--set cdc.sslCert: cannot read \"/nowhere/b\": No such file or directory\n"
                   "--set cdc.sslKey: cannot read \"/nowhere/c\": No such file or directory\n");
}

static void brokers_are_hosts_with_or_without_a_port(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("kafka.brokers=[a, b-1.example:1, c_2:65535, '[::1]', "
                                 "'[fe80::1%1]:9092', 10.0.0.1:9092]"));
    static const char *const wrong[] = { "a b:1", " a:1",   "a:0",   "a:65536",  "a:x",
                                         "a:",    ":1",     "::1",   "[::1",     "[]:1",
                                         "a:1:2", "[::1]1", "a:1,b", "SSL://a:1" };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO(struct buf, buf_done) set = buf_init(256);
        AUTO(struct buf, buf_done) line = buf_init(256);
        buf_append_format(&set, "kafka.brokers=[ok:1, '%s']", wrong[i]);
        buf_append_format(&line,
                          "--set kafka.brokers: expected host or host:port, the port from 1 to "
                          "65535; got \"%s\"\n",
                          wrong[i]);
        assert_refused(FIXTURE_LIST(buf_text(&set)), buf_text(&line));
    }
}

static void slot_names_follow_the_rule_of_postgresql(void **state)
{
    (void)state;
    char name[65];
    AUTO(struct buf, buf_done) set = buf_init(256);
    memset(name, 'a', 64);
    name[63] = '\0';
    buf_append_format(&set, "cdc.slot.name=%s", name);
    assert_accepted(FIXTURE_LIST("cdc.slot.name=a_09z"));
    assert_accepted(FIXTURE_LIST(buf_text(&set)));
    static const char too_long[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_int_equal(strlen(too_long), 64);
    static const char *const wrong[] = { "A", "a-b", "a b", "\xc3\xa4", "a.b", too_long };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO(struct buf, buf_done) line = buf_init(256);
        buf_clear(&set);
        buf_append_format(&set, "cdc.slot.name=%s", wrong[i]);
        buf_append_format(&line,
                          "--set cdc.slot.name: expected 1 to 63 of a-z, 0-9 and _; got \"%s\"\n",
                          wrong[i]);
        assert_refused(FIXTURE_LIST(buf_text(&set)), buf_text(&line));
    }
}

static void a_table_is_given_once(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("cdc.publication.tables=[{name: t}, {name: t, schema: s}, "
                                 "{name: T}, {name: s.t}, {name: t.s}]"));
    assert_refused(FIXTURE_LIST("cdc.publication.tables=[{name: t}, {name: u}, "
                                "{name: t, schema: public}]"),
                   "--set cdc.publication.tables: cdc.publication.tables[2]: table \"t\" of schema "
                   "\"public\" is given twice\n");
}

static void an_index_goes_with_using_index(void **state)
{
    (void)state;
    assert_refused(
        FIXTURE_LIST("cdc.publication.tables=[{name: a, replicaIdentity: USING INDEX},"
                     "{name: b, replicaIdentity: FULL, replicaIdentityIndex: i},"
                     "{name: c, replicaIdentityIndex: i},"
                     "{name: d, replicaIdentity: USING INDEX, replicaIdentityIndex: i}]"),
        "--set cdc.publication.tables: cdc.publication.tables[0].replicaIdentityIndex: "
        "required with replicaIdentity USING INDEX\n"
        "--set cdc.publication.tables: cdc.publication.tables[1].replicaIdentityIndex: "
        "needs replicaIdentity USING INDEX\n"
        "--set cdc.publication.tables: cdc.publication.tables[2].replicaIdentityIndex: "
        "needs replicaIdentity USING INDEX\n");
}

static void key_columns_are_published(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("cdc.publication.tables=[{name: a, keyColumns: [x]}]"));
    assert_refused(FIXTURE_LIST("cdc.publication.tables=[{name: a, columns: [x, y], "
                                "keyColumns: [y, z]}]"),
                   "--set cdc.publication.tables: cdc.publication.tables[0].keyColumns[1]: column "
                   "\"z\" is not among the published columns\n");
}

static void a_table_has_no_more_columns_than_postgresql_allows(void **state)
{
    (void)state;
    AUTO(struct buf, buf_done) set = buf_init(FIXTURE_MAX_BYTES);
    buf_append_text(&set, "cdc.publication.tables=[{name: t, columns: [c0");
    for (int i = 1; i <= 1600; i++)
        buf_append_format(&set, ", c%d", i);
    buf_append_text(&set, "]}]");
    assert_refused(FIXTURE_LIST(buf_text(&set)),
                   "--set cdc.publication.tables: cdc.publication.tables[0]: a table has at most "
                   "1600 columns\n");
}

static void mapping_names_look_like_tables(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("kafka.tableTopicMapping={a: t, s.a: t, s.a.b: t, 'S p.x y': t}"));
    assert_refused(FIXTURE_LIST("kafka.tableTopicMapping={.a: t, a.: t, a: ''}"),
                   "--set kafka.tableTopicMapping: expected schema.table or table as a name; got "
                   "\".a\"\n"
                   "--set kafka.tableTopicMapping: expected schema.table or table as a name; got "
                   "\"a.\"\n"
                   "--set kafka.tableTopicMapping: the topic of \"a\" must not be empty\n");
}

static void what_may_be_in_flight_holds_a_batch(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("kafka.maxInFlightBytes=1mb", "kafka.producerBatchBytes=1mb"));
    assert_refused(FIXTURE_LIST("kafka.maxInFlightBytes=1mb", "kafka.producerBatchBytes=2mb"),
                   "--set kafka.maxInFlightBytes: must not be smaller than "
                   "kafka.producerBatchBytes (1048576 < 2097152)\n");
    assert_refused(FIXTURE_LIST("kafka.producerBatchBytes=17mb"),
                   "kafka.maxInFlightBytes: must not be smaller than kafka.producerBatchBytes "
                   "(16777216 < 17825792)\n");
}

static void lease_times_are_as_client_go_wants_them(void **state)
{
    (void)state;
    assert_accepted(FIXTURE_LIST("election.leaseDuration=4s", "election.renewDeadline=3s",
                                 "election.retryPeriod=500ms"));
    assert_accepted(FIXTURE_LIST("election.leaseDuration=2s", "election.renewDeadline=1201ms",
                                 "election.retryPeriod=1s"));
    assert_refused(FIXTURE_LIST("election.leaseDuration=10s"),
                   "--set election.leaseDuration: must be longer than election.renewDeadline "
                   "(10000 ms <= 10000 ms)\n");
    assert_refused(FIXTURE_LIST("election.leaseDuration=15500ms"),
                   "--set election.leaseDuration: expected whole seconds; got 15500 ms\n");
    assert_refused(FIXTURE_LIST("election.renewDeadline=1200ms", "election.retryPeriod=1s"),
                   "--set election.renewDeadline: must be longer than 1.2 times "
                   "election.retryPeriod (1200 ms <= 1.2 * 1000 ms)\n");
    assert_refused(FIXTURE_LIST("election.takeoverGraceMs=2s"),
                   "--set election.takeoverGraceMs: must be shorter than election.retryPeriod "
                   "(2000 ms >= 2000 ms)\n");
}

static void a_lease_has_a_name_of_kubernetes(void **state)
{
    (void)state;
    static const char *const right[] = { "a", "a-b", "a.b", "0", "a--b", "pqcdc-orders.v2" };
    static const char *const wrong[] = { "A",    "a_b",  "-a",   "a-",  ".a",      "a.",
                                         "a..b", "a.-b", "a-.b", "a b", "\xc3\xa4" };
    for (size_t i = 0; i < COUNT_OF(right); i++) {
        AUTO(struct buf, buf_done) set = buf_init(512);
        buf_append_format(&set, "election.leaseName=%s", right[i]);
        assert_accepted(FIXTURE_LIST(buf_text(&set)));
    }
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        AUTO(struct buf, buf_done) set = buf_init(512);
        AUTO(struct buf, buf_done) line = buf_init(512);
        buf_append_format(&set, "election.leaseName=%s", wrong[i]);
        buf_append_format(&line,
                          "--set election.leaseName: expected 1 to 253 of a-z, 0-9, - and ., as "
                          "names of Kubernetes are; got \"%s\"\n",
                          wrong[i]);
        assert_refused(FIXTURE_LIST(buf_text(&set)), buf_text(&line));
    }
    assert_accepted(FIXTURE_LIST("election.namespace=shop-1"));
    assert_refused(FIXTURE_LIST("election.namespace=a.b"),
                   "--set election.namespace: expected 1 to 63 of a-z, 0-9 and -, as namespaces "
                   "are; got \"a.b\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_one_or_as_many_as_hosts),
        cmocka_unit_test(a_heartbeat_is_off_or_not_too_fast),
        cmocka_unit_test(a_password_file_must_be_readable),
        cmocka_unit_test(schemas_are_given_once_and_without_column_lists),
        cmocka_unit_test(certificate_and_key_go_together),
        cmocka_unit_test(what_verifies_needs_authorities),
        cmocka_unit_test(every_file_of_tls_must_be_readable),
        cmocka_unit_test(brokers_are_hosts_with_or_without_a_port),
        cmocka_unit_test(slot_names_follow_the_rule_of_postgresql),
        cmocka_unit_test(a_table_is_given_once),
        cmocka_unit_test(an_index_goes_with_using_index),
        cmocka_unit_test(key_columns_are_published),
        cmocka_unit_test(a_table_has_no_more_columns_than_postgresql_allows),
        cmocka_unit_test(mapping_names_look_like_tables),
        cmocka_unit_test(what_may_be_in_flight_holds_a_batch),
        cmocka_unit_test(lease_times_are_as_client_go_wants_them),
        cmocka_unit_test(a_lease_has_a_name_of_kubernetes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
