/* Ends of streams, one after the other, and what they make of the next start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "connector/setbacks.h"

enum { FIRST_MS = 200, MAX_MS = 10000, LONG_MS = 60000 };

struct story {
    struct setbacks setbacks;
    struct error err;
    int64_t pause_ms;
};

static struct story begin(void)
{
    return (struct story){ .setbacks = setbacks_init(FIRST_MS, MAX_MS, 1) };
}

static bool end(struct story *story, uint64_t received, uint64_t handed, int64_t lived_ms,
                enum error_class class, const char *code)
{
    const struct setbacks_place place = { { received }, handed };
    (void)error_set(&story->err, class, code, "what happened");
    return setbacks_note(&story->setbacks, place, lived_ms, &story->err, &story->pause_ms);
}

static void a_stream_that_came_further_is_started_again_at_once(void **state UNUSED)
{
    struct story story = begin();
    for (uint64_t i = 1; i < 20; i++) {
        assert_true(end(&story, i, 0, LONG_MS, ERROR_RECONNECT, "connection_lost"));
        assert_int_equal(story.pause_ms, 0);
    }
    assert_true(end(&story, 19, 5, LONG_MS, ERROR_RECONNECT, "connection_lost"));
    assert_int_equal(story.pause_ms, 0); /* changes of the open transaction count */
}

static void a_flash_waits_a_little(void **state UNUSED)
{
    struct story story = begin();
    for (uint64_t i = 1; i < 20; i++) {
        assert_true(end(&story, i, 0, SETBACKS_FLASH_MS - 1, ERROR_RECONNECT, "connection_lost"));
        assert_in_range(story.pause_ms, 1, FIRST_MS);
    }
}

static void who_does_not_come_further_waits_ever_longer(void **state UNUSED)
{
    struct story story = begin();
    assert_true(end(&story, 100, 0, LONG_MS, ERROR_RECONNECT, "connection_lost"));
    int64_t longest = 0;
    for (int i = 0; i < 12; i++) {
        assert_false(end(&story, 100, 0, LONG_MS, ERROR_RECONNECT, "connection_lost"));
        longest = story.pause_ms > longest ? story.pause_ms : longest;
    }
    assert_in_range(longest, MAX_MS / 2, MAX_MS);
    assert_int_equal(story.err.class, ERROR_RECONNECT); /* a lost connection is no row */
    assert_false(end(&story, 99, 7, LONG_MS, ERROR_RECONNECT, "connection_lost"));
    assert_true(end(&story, 101, 0, LONG_MS, ERROR_RECONNECT, "connection_lost"));
    assert_int_equal(story.pause_ms, 0);
}

/* It is the same row each time: a person must know of it. */
static void an_error_of_the_server_at_one_place_halts(void **state UNUSED)
{
    struct story story = begin();
    for (int i = 1; i < SETBACKS_STUCK; i++) {
        (void)end(&story, 0x16B374D848, 7, LONG_MS, ERROR_RETRY, "XX000");
        assert_int_equal(story.err.class, ERROR_RETRY);
    }
    (void)end(&story, 0x16B374D848, 7, LONG_MS, ERROR_RETRY, "XX000");
    assert_int_equal(story.err.class, ERROR_HALT);
    assert_string_equal(story.err.code, "XX000");
    assert_string_equal(story.err.text, "5 times at the same place, behind 16/B374D848, after 7 "
                                        "changes more: what happened");
    assert_non_null(strstr(story.err.advice, "--accept-gap"));
    (void)end(&story, 0x16B374D848, 7, LONG_MS, ERROR_RETRY, "XX000"); /* onHalt: wait */
    assert_int_equal(story.err.class, ERROR_RETRY);
}

static void what_changes_in_between_begins_the_count_anew(void **state UNUSED)
{
    struct story story = begin();
    for (int i = 0; i < 4 * SETBACKS_STUCK; i++) {
        static const char *const codes[] = { "XX000", "53200", "XX000", "XX000" };
        static const uint64_t handed[] = { 7, 7, 7, 8 };
        (void)end(&story, 100, handed[i % 4], LONG_MS, ERROR_RETRY, codes[i % 4]);
        assert_int_equal(story.err.class, ERROR_RETRY);
    }
}

static void what_is_of_no_row_is_tried_for_ever(void **state UNUSED)
{
    static const char *const codes[] = { "resume_missed", "53100", "57014", "58030", "40001" };
    for (size_t code = 0; code < COUNT_OF(codes); code++) {
        struct story story = begin();
        for (int i = 0; i < 3 * SETBACKS_STUCK; i++) {
            (void)end(&story, 100, 0, LONG_MS, ERROR_RETRY, codes[code]);
            assert_int_equal(story.err.class, ERROR_RETRY);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_came_further_is_started_again_at_once),
        cmocka_unit_test(a_flash_waits_a_little),
        cmocka_unit_test(who_does_not_come_further_waits_ever_longer),
        cmocka_unit_test(an_error_of_the_server_at_one_place_halts),
        cmocka_unit_test(what_changes_in_between_begins_the_count_anew),
        cmocka_unit_test(what_is_of_no_row_is_tried_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
