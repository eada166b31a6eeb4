#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "postgres/conninfo.h"

enum { LIMIT_BYTES = 64 * 1024 };

/* What libpq itself makes of the text. */
struct parsed {
    struct buf text;
    PQconninfoOption *options;
};

static struct parsed parse(const struct db_conn_options *options, const char *password)
{
    struct parsed parsed = { .text = buf_init(LIMIT_BYTES) };
    struct error err = ERROR_INIT;
    char *problem = NULL;
    assert_true(conninfo_append(&parsed.text, options, false, password, &err));
    parsed.options = PQconninfoParse(buf_text(&parsed.text), &problem);
    if (parsed.options == NULL)
        fail_msg("%s: %s", problem, buf_text(&parsed.text));
    return parsed;
}

static void parsed_done(struct parsed *parsed)
{
    PQconninfoFree(parsed->options);
    buf_done(&parsed->text);
}

/* NULL: the keyword is left to the environment. */
static const char *value_of(const struct parsed *parsed, const char *keyword)
{
    for (const PQconninfoOption *option = parsed->options; option->keyword != NULL; option++)
        if (strcmp(option->keyword, keyword) == 0)
            return option->val;
    fail_msg("libpq does not know %s", keyword);
    return NULL;
}

static struct db_conn_options plain_options(void)
{
    return (struct db_conn_options){
        .host = "a.example",
        .port = "5432",
        .user = "u",
        .database = "d",
        .application_name = "pqcdc:x",
    };
}

static void test_plain(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    AUTO(struct parsed, parsed_done) parsed = parse(&options, NULL);
    assert_string_equal(value_of(&parsed, "host"), "a.example");
    assert_string_equal(value_of(&parsed, "port"), "5432");
    assert_string_equal(value_of(&parsed, "user"), "u");
    assert_string_equal(value_of(&parsed, "dbname"), "d");
    assert_string_equal(value_of(&parsed, "application_name"), "pqcdc:x");
    assert_string_equal(value_of(&parsed, "password"), "");
    /* An empty one would mean ~/.pgpass, an existing one that is no file a warning. */
    assert_string_not_equal(value_of(&parsed, "passfile"), "");
    assert_int_not_equal(access(value_of(&parsed, "passfile"), F_OK), 0);
    assert_string_equal(value_of(&parsed, "sslmode"), "prefer");
    /* Nor one in ~/.postgresql, which empty ones would mean. */
    static const char *const files[] = { "sslrootcert", "sslcert", "sslkey", "sslcrl" };
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        assert_string_not_equal(value_of(&parsed, files[i]), "");
        assert_int_not_equal(access(value_of(&parsed, files[i]), F_OK), 0);
    }
    assert_string_equal(value_of(&parsed, "gssencmode"), "disable");
    assert_string_equal(value_of(&parsed, "channel_binding"), "prefer");
    assert_string_equal(value_of(&parsed, "client_encoding"), "UTF8");
    assert_string_equal(value_of(&parsed, "target_session_attrs"), "any");
    assert_string_equal(value_of(&parsed, "tcp_user_timeout"), "30000");
    assert_string_equal(value_of(&parsed, "keepalives"), "1");
    assert_string_equal(value_of(&parsed, "replication"), "false");
    assert_non_null(strstr(value_of(&parsed, "options"), "-c statement_timeout=0"));
    assert_null(strstr(value_of(&parsed, "options"), "wal_sender_timeout"));
}

static void test_quoting(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    options.user = "it's \\ ü";
    options.database = "d' host='evil";
    AUTO(struct parsed, parsed_done) parsed = parse(&options, "p' \\' password=x");
    assert_string_equal(value_of(&parsed, "user"), options.user);
    assert_string_equal(value_of(&parsed, "dbname"), options.database);
    assert_string_equal(value_of(&parsed, "host"), "a.example");
    assert_string_equal(value_of(&parsed, "password"), "p' \\' password=x");
}

static void test_replication(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    options.replication = true;
    options.wal_sender_timeout_ms = 5000;
    options.decoding_work_mem = "64 M\\B";
    AUTO(struct parsed, parsed_done) parsed = parse(&options, NULL);
    assert_string_equal(value_of(&parsed, "replication"), "database");
    const char *switches = value_of(&parsed, "options");
    assert_non_null(strstr(switches, " -c wal_sender_timeout=5000"));
    assert_non_null(strstr(switches, " -c logical_decoding_work_mem=64\\ M\\\\B"));
}

static void test_replication_settings_only_there(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    options.wal_sender_timeout_ms = 5000;
    options.decoding_work_mem = "64MB";
    AUTO(struct parsed, parsed_done) parsed = parse(&options, NULL);
    assert_null(strstr(value_of(&parsed, "options"), "wal_sender_timeout"));
    assert_null(strstr(value_of(&parsed, "options"), "logical_decoding_work_mem"));
}

static void test_tls(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    options.ssl_root_cert = "/ca.pem";
    options.ssl_cert = "/cert.pem";
    options.ssl_key = "/key.pem";
    AUTO(struct parsed, parsed_done) verified = parse(&options, NULL);
    assert_string_equal(value_of(&verified, "sslmode"), "verify-full");
    assert_string_equal(value_of(&verified, "sslrootcert"), "/ca.pem");
    assert_string_equal(value_of(&verified, "sslcert"), "/cert.pem");
    assert_string_equal(value_of(&verified, "sslkey"), "/key.pem");
    options.ssl_mode = "require";
    AUTO(struct parsed, parsed_done) required = parse(&options, NULL);
    assert_string_equal(value_of(&required, "sslmode"), "require");
    options.channel_binding = "require";
    AUTO(struct parsed, parsed_done) bound = parse(&options, NULL);
    assert_string_equal(value_of(&bound, "channel_binding"), "require");
}

/* Before version 16 libpq takes the word for the name of a file. */
static void test_authorities_of_the_system(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    options.ssl_root_cert = "system";
    AUTO(struct parsed, parsed_done) parsed = parse(&options, NULL);
    assert_string_equal(value_of(&parsed, "sslmode"), "verify-full");
    assert_string_equal(value_of(&parsed, "sslrootcert"),
                        PQlibVersion() < 160000 ? "/etc/ssl/certs/ca-certificates.crt" : "system");
}

static void test_only_primary(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    struct error err = ERROR_INIT;
    AUTO(struct buf, buf_done) out = buf_init(LIMIT_BYTES);
    assert_true(conninfo_append(&out, &options, true, NULL, &err));
    assert_non_null(strstr(buf_text(&out), "target_session_attrs='primary' "));
}

/* Whatever the environment sets is set by the text as well, to something else. */
static void test_environment_is_shut_out(void **state)
{
    (void)state;
    PQconninfoOption *known = PQconndefaults();
    for (const PQconninfoOption *option = known; option->keyword != NULL; option++)
        if (option->envvar != NULL && strcmp(option->keyword, "service") != 0)
            assert_int_equal(setenv(option->envvar, "from-environment", 1), 0);
    struct db_conn_options options = plain_options();
    AUTO(struct parsed, parsed_done) parsed = parse(&options, NULL);
    for (const PQconninfoOption *option = known; option->keyword != NULL; option++) {
        if (option->envvar == NULL || strcmp(option->keyword, "service") == 0)
            continue;
        const char *value = value_of(&parsed, option->keyword);
        if (value == NULL || strcmp(value, "from-environment") == 0)
            fail_msg("%s is left to %s", option->keyword, option->envvar);
        assert_int_equal(unsetenv(option->envvar), 0);
    }
    PQconninfoFree(known);
}

static void test_too_long(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    struct error err = ERROR_INIT;
    AUTO(struct buf, buf_done) out = buf_init(256);
    assert_false(conninfo_append(&out, &options, false, "secret", &err));
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_string_equal(err.code, "connection_options_too_long");
    assert_null(strstr(err.text, "secret"));
}

/* The caller wipes what it sees: no copy of the password may stay in memory that grew. */
static void test_password_is_last(void **state)
{
    (void)state;
    struct db_conn_options options = plain_options();
    AUTO(struct parsed, parsed_done) parsed = parse(&options, "s3cr3t");
    const char *at = strstr(buf_text(&parsed.text), "password='s3cr3t'");
    assert_non_null(at);
    assert_string_equal(at, "password='s3cr3t' ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_replication),  cmocka_unit_test(test_replication_settings_only_there),
        cmocka_unit_test(test_tls),          cmocka_unit_test(test_authorities_of_the_system),
        cmocka_unit_test(test_only_primary), cmocka_unit_test(test_environment_is_shut_out),
        cmocka_unit_test(test_too_long),     cmocka_unit_test(test_password_is_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
