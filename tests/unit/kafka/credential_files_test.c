#include "kafka/credential_files.h"

#include "unit/kafka/kafka_fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/pqcdc-credentials-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/pqcdc-credentials-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static bool same(struct credential_files a, struct credential_files b)
{
    return a.login == b.login && a.rest == b.rest;
}

static void each_content_is_another_one(const struct producer_options *options, bool login)
{
    static const char *const contents[] = { "a", "b", "", "ab" };
    unlink(path);
    struct credential_files before = credential_files_look(options);
    for (size_t i = 0; i < COUNT_OF(contents); i++) {
        write_file(contents[i]);
        struct credential_files files = credential_files_look(options);
        assert_true(login ? files.login != before.login : files.rest != before.rest);
        assert_true(login ? files.rest == before.rest : files.login == before.login);
        write_file(contents[i]);
        assert_true(same(files, credential_files_look(options)));
        before = files;
    }
    unlink(path);
    assert_false(same(before, credential_files_look(options)));
}

static void files_with_a_login(void **state)
{
    (void)state;
    const struct producer_property file = { "sasl.password", path };
    struct producer_options options = fixture_options(NULL);
    options.property_files = &file;
    options.property_file_count = 1;
    each_content_is_another_one(&options, true);
    options = fixture_options(NULL);
    options.scram_password_file = path;
    each_content_is_another_one(&options, true);
}

static void files_that_take_a_new_producer(void **state)
{
    (void)state;
    static const char *const names[] = { "ssl.ca.location", "ssl.certificate.location",
                                         "ssl.key.location", "ssl.keystore.location" };
    struct producer_options options = fixture_options(NULL);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct producer_property property = { names[i], path };
        options.properties = &property;
        options.property_count = 1;
        each_content_is_another_one(&options, false);
    }
    const struct producer_property file = { "ssl.key.pem", path };
    options = fixture_options(NULL);
    options.property_files = &file;
    options.property_file_count = 1;
    each_content_is_another_one(&options, false);
    options = fixture_options(NULL);
    options.root_ca = path;
    each_content_is_another_one(&options, false);
    options.root_ca = NULL;
    options.inter_ca = path;
    each_content_is_another_one(&options, false);
}

static void texts_and_other_properties_are_no_files(void **state)
{
    (void)state;
    struct producer_options options = fixture_options(NULL);
    struct credential_files none = credential_files_look(&options);
    const struct producer_property property = { "client.rack", path };
    write_file("x");
    options.properties = &property;
    options.property_count = 1;
    options.root_ca = "-----BEGIN CERTIFICATE-----";
    options.scram_password = "hunter2";
    assert_true(same(none, credential_files_look(&options)));
}

static void a_directory_of_authorities(void **state)
{
    (void)state;
    const struct producer_property property = { "ssl.ca.location", directory };
    struct producer_options options = fixture_options(NULL);
    options.properties = &property;
    options.property_count = 1;
    struct credential_files before = credential_files_look(&options);
    assert_true(same(before, credential_files_look(&options)));
    write_file("x");
    const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
    assert_int_equal(utimensat(AT_FDCWD, directory, times, 0), 0);
    assert_false(same(before, credential_files_look(&options)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_with_a_login, make_directory, remove_directory),
        cmocka_unit_test_setup_teardown(files_that_take_a_new_producer, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(texts_and_other_properties_are_no_files, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(a_directory_of_authorities, make_directory,
                                        remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
