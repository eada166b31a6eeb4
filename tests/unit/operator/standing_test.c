#include "operator/standing.h"

#include "scene.h"

enum { MIB = 1024 * 1024 };

static const char measured[] = "2026-03-01T12:00:00Z";

static int64_t after_s(int64_t seconds)
{
    int64_t time;
    assert_true(kube_time_parse("2026-03-01T12:00:00.000000Z", &time));
    return time + seconds * 1000000;
}

static json_t *status_of(const char *lsn, int64_t lag_bytes, int64_t lag_seconds)
{
    return objects_pack("{s:I, s:{s:s, s:b, s:s, s:I}, s:{s:I, s:I}, s:s}", "readyReplicas",
                        (json_int_t)2, "slot", "name", "s", "active", 1, "confirmedFlushLsn", lsn,
                        "retainedBytes", (json_int_t)(100 * MIB), "lag", "bytes",
                        (json_int_t)lag_bytes, "seconds", (json_int_t)lag_seconds, "measuredTime",
                        measured);
}

static bool is_news(json_t *before, json_t *after, int64_t age_s)
{
    bool news = standing_is_news(before, after, after_s(age_s));
    json_decref(before);
    json_decref(after);
    return news;
}

static void figures_are_written_once_a_minute(void **state)
{
    (void)state;
    assert_false(is_news(status_of("0/1", 5, 0), status_of("0/1", 5, 0), 3600));
    assert_false(is_news(status_of("0/1", 5, 0), status_of("0/2", 7, 1), 59));
    assert_true(is_news(status_of("0/1", 5, 0), status_of("0/2", 7, 1), 60));
    assert_true(is_news(status_of("0/1", 5, 0), status_of("0/2", 7, 1), -1)); /* a clock set back */
}

/* Where the definition is older than the operator, the server drops that field. */
static void figures_of_no_known_time_are_written(void **state)
{
    json_t *before = status_of("0/1", 5, 0);
    (void)state;
    (void)json_object_del(before, "measuredTime");
    assert_false(is_news(json_deep_copy(before), status_of("0/1", 5, 0), 1));
    assert_true(is_news(before, status_of("0/2", 7, 1), 1));
}

static void a_jump_is_written_at_once(void **state)
{
    static const struct {
        int64_t bytes_before, bytes, seconds_before, seconds;
        bool news;
    } rows[] = {
        { 0, 16 * MIB, 0, 0, false },
        { 0, 16 * MIB + 1, 0, 0, true },
        { 16 * MIB + 1, 0, 0, 0, true },
        { 100 * MIB, 199 * MIB, 0, 0, false },
        { 100 * MIB, 200 * MIB, 0, 0, true },
        { 200 * MIB, 100 * MIB, 0, 0, true },
        { INT64_MAX, 0, 0, 0, true },
        { 0, 0, 0, 10, false },
        { 0, 0, 0, 11, true },
        { 0, 0, 30, 59, false },
        { 0, 0, 30, 60, true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        bool news = is_news(status_of("0/1", rows[i].bytes_before, rows[i].seconds_before),
                            status_of("0/1", rows[i].bytes, rows[i].seconds), 1);
        if (news != rows[i].news)
            fail_msg("row %zu", i);
    }
}

/* Whatever else differs is written at once, and so is that there are figures, or none any more. */
static void everything_else_is_written_at_once(void **state)
{
    static const char *const changes[] = {
        "{\"readyReplicas\":1}",          "{\"leader\":\"a\"}",
        "{\"slot\":{\"active\":false}}",  "{\"lag\":null}",
        "{\"slot\":{\"safeWalSize\":1}}", "{\"lag\":{\"seconds\":null}}"
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        AUTO(json_t *, json_decrefp) change = json_loads(changes[i], 0, NULL);
        json_t *changed = scene_merge(status_of("0/1", 5, 0), change);
        assert_true(is_news(status_of("0/1", 5, 0), json_incref(changed), 1));
        assert_true(is_news(changed, status_of("0/1", 5, 0), 1));
    }
    assert_true(is_news(NULL, status_of("0/1", 5, 0), 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_written_once_a_minute),
        cmocka_unit_test(figures_of_no_known_time_are_written),
        cmocka_unit_test(a_jump_is_written_at_once),
        cmocka_unit_test(everything_else_is_written_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
