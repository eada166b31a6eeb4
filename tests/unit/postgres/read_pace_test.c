#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "postgres/read_pace.h"

enum { START_MS = 5000, BUSY_MESSAGES = READ_PACE_BUSY_PER_SECOND / 1000 * READ_PACE_WINDOW_MS };

static mono_ms_t at(int64_t ms)
{
    return (mono_ms_t){ START_MS + ms };
}

/* A stream that read at START_MS for the first time, with nothing before. */
static struct read_pace begun(void)
{
    struct read_pace pace = { .enough_bytes = READ_PACE_ENOUGH_BYTES };
    assert_int_equal(read_pace_us(&pace, 0, 0, at(0)), 0);
    return pace;
}

static struct read_pace busy(void)
{
    struct read_pace pace = begun();
    assert_int_equal(read_pace_us(&pace, 0, BUSY_MESSAGES, at(READ_PACE_WINDOW_MS)),
                     READ_PACE_PAUSE_US);
    return pace;
}

static void test_the_pause_is_short(void **state UNUSED)
{
    assert_true(READ_PACE_PAUSE_US <= 300);
}

/* The whole past of a stream is no rate: its first messages are not delayed. */
static void test_the_first_read_does_not_wait(void **state UNUSED)
{
    struct read_pace pace = { .enough_bytes = READ_PACE_ENOUGH_BYTES };
    assert_int_equal(read_pace_us(&pace, 0, 1, at(0)), 0);
}

static void test_the_rate_decides(void **state UNUSED)
{
    static const struct {
        uint64_t messages;
        int64_t after_ms;
        int32_t pause_us;
    } rows[] = {
        { BUSY_MESSAGES, READ_PACE_WINDOW_MS, READ_PACE_PAUSE_US },
        { BUSY_MESSAGES - 1, READ_PACE_WINDOW_MS, 0 },
        { BUSY_MESSAGES, READ_PACE_WINDOW_MS + 1, 0 },
        { 10 * BUSY_MESSAGES, 10 * READ_PACE_WINDOW_MS, READ_PACE_PAUSE_US },
        { 10 * BUSY_MESSAGES - 1, 10 * READ_PACE_WINDOW_MS, 0 },
        { 3 * READ_PACE_WINDOW_MS, READ_PACE_WINDOW_MS, 0 }, /* 1,000 transactions a second */
        { 1000 * 1000, 1000 * 1000, 0 },                     /* a burst after a long silence */
        { UINT32_MAX, READ_PACE_WINDOW_MS, READ_PACE_PAUSE_US },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct read_pace pace = begun();
        assert_int_equal(read_pace_us(&pace, 0, rows[i].messages, at(rows[i].after_ms)),
                         rows[i].pause_us);
    }
}

/* A window that is not over says nothing yet, in either direction. */
static void test_a_part_of_a_window_changes_nothing(void **state UNUSED)
{
    struct read_pace pace = begun();
    for (int64_t ms = 0; ms < READ_PACE_WINDOW_MS; ms++)
        assert_int_equal(read_pace_us(&pace, 0, 100 * BUSY_MESSAGES, at(ms)), 0);
    pace = busy();
    for (int64_t ms = 0; ms < READ_PACE_WINDOW_MS; ms++)
        assert_int_equal(read_pace_us(&pace, 0, BUSY_MESSAGES, at(READ_PACE_WINDOW_MS + ms)),
                         READ_PACE_PAUSE_US);
}

static void test_a_burst_ends(void **state UNUSED)
{
    struct read_pace pace = busy();
    assert_int_equal(read_pace_us(&pace, 0, BUSY_MESSAGES + 5, at(2 * READ_PACE_WINDOW_MS)), 0);
    assert_int_equal(read_pace_us(&pace, 0, 2 * BUSY_MESSAGES + 5, at(3 * READ_PACE_WINDOW_MS)),
                     READ_PACE_PAUSE_US);
}

static void test_enough_is_read_at_once(void **state UNUSED)
{
    struct read_pace pace = busy();
    mono_ms_t now = at(READ_PACE_WINDOW_MS);
    assert_int_equal(read_pace_us(&pace, READ_PACE_ENOUGH_BYTES - 1, BUSY_MESSAGES, now),
                     READ_PACE_PAUSE_US);
    assert_int_equal(read_pace_us(&pace, READ_PACE_ENOUGH_BYTES, BUSY_MESSAGES, now), 0);
    assert_int_equal(read_pace_us(&pace, 1 << 30, BUSY_MESSAGES, now), 0);
    pace.enough_bytes = READ_PACE_ENOUGH_UNIX_BYTES;
    assert_int_equal(read_pace_us(&pace, READ_PACE_ENOUGH_UNIX_BYTES - 1, BUSY_MESSAGES, now),
                     READ_PACE_PAUSE_US);
    assert_int_equal(read_pace_us(&pace, READ_PACE_ENOUGH_UNIX_BYTES, BUSY_MESSAGES, now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_pause_is_short),
        cmocka_unit_test(test_the_first_read_does_not_wait),
        cmocka_unit_test(test_the_rate_decides),
        cmocka_unit_test(test_a_part_of_a_window_changes_nothing),
        cmocka_unit_test(test_a_burst_ends),
        cmocka_unit_test(test_enough_is_read_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
