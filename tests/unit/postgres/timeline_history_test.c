/* A history file's text. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "postgres/timeline_history.h"

/* Timeline 4, as PostgreSQL writes it. */
static const char HISTORY[] = "1\t0/3000148\tno recovery target specified\n"
                              "\n"
                              "2\t16/B374D848\tbefore 2000-01-01 00:00:00+00\n"
                              "\n"
                              "3\tFFFFFFFF/FFFFFFFF\tat restore point \"4 0/99\"\n";

/* From a block of its own size, so that AddressSanitizer sees a read past its end. */
static bool find(struct slice text, uint32_t parent, uint64_t *out_switch)
{
    char *exact = memory_alloc(text.size > 0 ? text.size : 1);
    memcpy(exact, text.data, text.size);
    lsn_t found = { 7 };
    bool read = timeline_history_find((struct slice){ exact, text.size }, parent, &found);
    memory_free(exact);
    *out_switch = found.value;
    return read;
}

static void expect_switch(struct slice text, uint32_t parent, uint64_t expected)
{
    uint64_t found = 0;
    if (!find(text, parent, &found))
        fail_msg("refused: %.*s", SLICE_ARGS(text));
    if (found != expected)
        fail_msg("%" PRIX64 " instead of %" PRIX64 ": %.*s", found, expected, SLICE_ARGS(text));
}

static void expect_refused(struct slice text)
{
    uint64_t found = 0;
    if (find(text, 1, &found))
        fail_msg("taken: %.*s", SLICE_ARGS(text));
    assert_int_equal(found, 7); /* as it was */
}

static void each_ancestor_is_found(void **state UNUSED)
{
    struct slice history = slice_of(HISTORY);
    expect_switch(history, 1, 0x3000148);
    expect_switch(history, 2, 0x16B374D848);
    expect_switch(history, 3, UINT64_MAX);
    expect_switch(history, 4, 0); /* itself; the reason is not read */
    expect_switch(history, 5, 0);
    expect_switch(SLICE_TEXT("4294967295\t0/10\tx\n"), UINT32_MAX, 0x10);
}

static void an_empty_text_has_no_ancestor(void **state UNUSED)
{
    static const char *const texts[] = {
        "", "\n", "\n\n\n", "# 1 0/10\n", "  \t\r\n", "#", " # x"
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        expect_switch(slice_of(texts[i]), 1, 0);
        expect_switch(slice_of(texts[i]), 0, 0);
    }
}

static void white_space_and_comments_say_nothing(void **state UNUSED)
{
    static const char *const texts[] = {
        "1\t0/10\treason\n",
        "1\t0/10\treason", /* no newline at the end */
        "1\t0/10",
        "1\t0/10\n",
        "1\t0/10\treason\r\n",
        "1\t0/10\r\n",
        "1 0/10",
        " \t 1 \t 0/10 \t \n",
        "#1\t0/20\n1\t0/10\treason\n#2\t0/30\n",
        "  # comment\n\n\n1\t0/10\tof # and 1\t0/20\n\n",
        "1\t0/10\t\n",
        "01\t0/10\tx\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        expect_switch(slice_of(texts[i]), 1, 0x10);
        expect_switch(slice_of(texts[i]), 2, 0);
    }
}

/* What is read wrongly would be a switch point that is none: better nothing. */
static void what_is_no_history_is_refused(void **state UNUSED)
{
    static const char *const texts[] = {
        "1",
        "1\n",
        "1\t\n",
        "1\n0/10\n",
        "x\t0/10\n",
        "1x\t0/10\n",
        "1\t0/10x\treason\n",
        "1\t0/\treason\n",
        "1\t/10\treason\n",
        "1\t10\treason\n",
        "1\t0/10/10\treason\n",
        "1\tG/10\treason\n",
        "0\t0/10\treason\n",
        "-1\t0/10\treason\n",
        "1.5\t0/10\treason\n",
        "0/10\t1\treason\n",
        "1\t#\n",
        "\v1\t0/10\n",
        "1\t0/10\treason\ngarbage\n",
        "garbage\n1\t0/10\treason\n",
        "\xff\xfe\x80\n",
        "\xd9\xa1\t0/10\n", /* a digit of another script */
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        expect_refused(slice_of(texts[i]));
}

static void numbers_that_are_too_large_are_refused(void **state UNUSED)
{
    static const char *const texts[] = {
        "4294967296\t0/10\n", /* 2^32 */
        "4294967297\t0/10\n", /* would be 1 */
        "9223372036854775808\t0/10\n",
        "18446744073709551617\t0/10\n",
        "99999999999999999999999999999999999999999999\t0/10\n",
        "1\t000000001/10\n",
        "1\t0/000000010\n",
        "1\tFFFFFFFFF/0\n",
        "1\t0/1FFFFFFFF\n",
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        expect_refused(slice_of(texts[i]));
}

/* However it is cut, no part of a word may be taken for it. */
static void words_that_are_too_long_are_refused(void **state UNUSED)
{
    enum { LONGEST = 100 };
    for (int length = 12; length < LONGEST; length++) {
        char text[2 * LONGEST];
        (void)snprintf(text, sizeof(text), "%0*d\t0/10\n", length, 1);
        uint64_t found = 0;
        if (find(slice_of(text), 1, &found))
            assert_int_equal(found, 0x10); /* only read whole */
        (void)snprintf(text, sizeof(text), "1%0*d\t0/10\n", length, 0);
        expect_refused(slice_of(text));
        (void)snprintf(text, sizeof(text), "%0*d9\t0/10\n", length, 1);
        (void)find(slice_of(text), 1, &found);
        assert_true(found == 7 || found == 0);
        (void)snprintf(text, sizeof(text), "1\t0/10%*s\n", length, "x");
        expect_switch(slice_of(text), 1, 0x10); /* the reason may be long */
        (void)snprintf(text, sizeof(text), "1\t0/%0*d\n", length, 1);
        expect_refused(slice_of(text));
    }
}

/* A NUL ends no text that has a length. */
static void bytes_that_are_no_text_are_refused(void **state UNUSED)
{
    expect_refused((struct slice){ "1\0\t0/10\n", 8 });
    expect_refused((struct slice){ "1\0002\t0/10\n", 9 });
    expect_refused((struct slice){ "1\t0/10\0\n", 8 });
    expect_refused((struct slice){ "1\t0/10\0005\n", 9 });
    expect_refused((struct slice){ "\0\n", 2 });
    expect_refused((struct slice){ "\0", 1 });
    expect_switch((struct slice){ "1\t0/10\tre\0son\n", 14 }, 1, 0x10);
    expect_switch((struct slice){ "#\0\n1\t0/10\n", 10 }, 1, 0x10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_ancestor_is_found),
        cmocka_unit_test(an_empty_text_has_no_ancestor),
        cmocka_unit_test(white_space_and_comments_say_nothing),
        cmocka_unit_test(what_is_no_history_is_refused),
        cmocka_unit_test(numbers_that_are_too_large_are_refused),
        cmocka_unit_test(words_that_are_too_long_are_refused),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
