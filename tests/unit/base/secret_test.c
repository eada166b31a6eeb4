#include "base/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memory.h"

static char directory[] = "/tmp/pqcdc-secret-XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
    (void)state;
    return rmdir(directory);
}

/* Writes the content to a file, reads it as a secret, removes the file. */
static bool read_back(const char *content, size_t size, char **out_secret, struct error *err)
{
    char path[100];
    snprintf(path, sizeof(path), "%s/secret", directory);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    bool ok = secret_read(path, out_secret, err);
    assert_int_equal(unlink(path), 0);
    return ok;
}

static void trailing_newlines_are_no_part_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        const char *secret;
    } rows[] = {
        { "hunter2", "hunter2" },
        { "hunter2\n", "hunter2" },
        { "hunter2\r\n", "hunter2" },
        { "hunter2\n\n\n", "hunter2" },
        { "two\nlines\n", "two\nlines" },
        { " spaced \n", " spaced " },
        { "", "" },
        { "\n", "" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct error err = ERROR_INIT;
        AUTO(char *, secret_free_p) secret = NULL;
        assert_true(read_back(rows[i].content, strlen(rows[i].content), &secret, &err));
        assert_string_equal(secret, rows[i].secret);
        assert_int_equal(err.class, ERROR_NONE);
    }
}

static void assert_refused(const char *content, size_t size, const char *reason)
{
    struct error err = ERROR_INIT;
    char *secret = NULL;
    assert_false(read_back(content, size, &secret, &err));
    assert_null(secret);
    assert_int_equal(err.class, ERROR_CONFIG);
    assert_string_equal(err.code, "secret_unreadable");
    assert_non_null(strstr(err.text, directory));
    assert_non_null(strstr(err.text, reason));
    assert_null(strstr(err.text, "hunter2"));
    assert_null(strstr(err.advice, "hunter2"));
    assert_true(strlen(err.advice) > 0);
}

static void what_is_no_text_is_refused(void **state)
{
    (void)state;
    assert_refused("hunter2\0more", 12, "NUL");
}

static void the_largest_secret_is_64_kib(void **state)
{
    (void)state;
    AUTO(char *, memory_free_p) content = memory_alloc(SECRET_MAX_BYTES + 1);
    memset(content, 'x', SECRET_MAX_BYTES + 1);
    memcpy(content, "hunter2", 7);
    AUTO(char *, secret_free_p) secret = NULL;
    struct error err = ERROR_INIT;
    assert_true(read_back(content, SECRET_MAX_BYTES, &secret, &err));
    assert_int_equal(strlen(secret), SECRET_MAX_BYTES);
    assert_refused(content, SECRET_MAX_BYTES + 1, "64 KiB");
}

static void missing_files_and_directories_are_named(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char *secret = NULL;
    assert_false(secret_read("/nonexistent/password", &secret, &err));
    assert_non_null(strstr(err.text, "\"/nonexistent/password\": No such file or directory"));
    assert_false(secret_read(directory, &secret, &err));
    assert_non_null(strstr(err.text, "Is a directory"));
    assert_null(secret);
}

static void null_is_free_to_free(void **state)
{
    (void)state;
    secret_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trailing_newlines_are_no_part_of_it),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(the_largest_secret_is_64_kib),
        cmocka_unit_test(missing_files_and_directories_are_named),
        cmocka_unit_test(null_is_free_to_free),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
