#include "kube/kube_watch_feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/kube/kube_watch_log.h"

struct scene {
    struct kube_watch_feed feed;
    struct watch_log log;
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    scene->log.text = buf_init(1 << 20);
    kube_watch_feed_init(&scene->feed, watch_log_event, &scene->log);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    kube_watch_feed_done(&scene->feed);
    watch_log_done(&scene->log);
    free(scene);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static bool list(struct scene *scene, const char *text, struct error *err)
{
    json_t *object = kube_object_load(slice_of(text));
    assert_non_null(object);
    bool taken = kube_watch_feed_list(&scene->feed, object, err);
    json_decref(object);
    return taken;
}

#define ITEM(name, uid, version)                                                                   \
    "{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\",\"uid\":\"" uid                      \
    "\",\"resourceVersion\":\"" version "\"}}"
#define LIST(version, items)                                                                       \
    "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define LINE(type, object) "{\"type\":\"" type "\",\"object\":" object "}"

static void expect(struct scene *scene, const char *events, const char *version)
{
    assert_string_equal(buf_text(&scene->log.text), events);
    assert_string_equal(scene->feed.resource_version, version);
    buf_clear(&scene->log.text);
}

static void must_list(struct scene *scene, const char *text)
{
    struct error err = ERROR_INIT;
    if (!list(scene, text, &err))
        fail_msg("%s", err.text);
}

static enum kube_watch_word say(struct scene *scene, const char *line, int64_t *out_after_ms,
                                struct error *err)
{
    *err = ERROR_INIT;
    return kube_watch_feed_line(&scene->feed, slice_of(line), out_after_ms, err);
}

static void must_take(struct scene *scene, const char *line)
{
    struct error err;
    int64_t after_ms;
    assert_int_equal(say(scene, line, &after_ms, &err), KUBE_WATCH_FEED_TAKEN);
    assert_int_equal(err.class, ERROR_NONE);
}

static void a_list_tells_what_there_is(void **state)
{
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3") "," ITEM("b", "ub", "7")));
    expect(scene, "+a@3 +b@7 ok", "10");
}

static void an_empty_list_may_be_null(void **state)
{
    struct scene *scene = *state;
    must_list(scene, "{\"metadata\":{\"resourceVersion\":\"4\"},\"items\":null}");
    expect(scene, "ok", "4");
    must_list(scene, LIST("5", ""));
    expect(scene, "ok", "5");
}

static void a_second_list_tells_the_difference(void **state)
{
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3") "," ITEM("b", "ub", "7") "," ITEM(
                                    "c", "uc", "8") "," ITEM("d", "ud", "9")));
    buf_clear(&scene->log.text);
    /* a stays, b changed, c vanished, d was made anew, e is new. */
    must_list(scene, LIST("20", ITEM("a", "ua", "3") "," ITEM("b", "ub", "12") "," ITEM(
                                    "d", "ud2", "13") "," ITEM("e", "ue", "14")));
    expect(scene, "-c@8 ~b@12 -d@9 +d@13 +e@14 ok", "20");
}

static void names_in_two_namespaces_are_two_objects(void **state)
{
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "u1", "3")));
    buf_clear(&scene->log.text);
    must_take(scene,
              LINE("ADDED", "{\"metadata\":{\"name\":\"a\",\"namespace\":\"m\",\"uid\":\"u2\","
                            "\"resourceVersion\":\"11\"}}"));
    must_take(scene, LINE("DELETED", ITEM("a", "u1", "12")));
    expect(scene, "+a@11 -a@12", "12");
}

static void lines_tell_changes_and_move_on(void **state)
{
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3")));
    must_take(scene, LINE("MODIFIED", ITEM("a", "ua", "11")));
    must_take(scene, LINE("ADDED", ITEM("b", "ub", "12")));
    must_take(scene, LINE("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"15\"}}"));
    expect(scene, "+a@3 ok ~a@11 +b@12", "15");
    must_take(scene, LINE("DELETED", ITEM("a", "ua", "16")));
    must_take(scene, LINE("DELETED", ITEM("b", "ub", "17")));
    must_take(scene, LINE("ADDED", ITEM("a", "ua3", "18")));
    expect(scene, "-a@16 -b@17 +a@18", "18");
}

/* What is told is what is true, whatever the server calls it. */
static void words_of_the_server_are_taken_by_level(void **state)
{
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3")));
    buf_clear(&scene->log.text);
    must_take(scene, LINE("ADDED", ITEM("a", "ua", "3")));     /* known: nothing is new */
    must_take(scene, LINE("ADDED", ITEM("a", "ua", "4")));     /* known: it changed */
    must_take(scene, LINE("MODIFIED", ITEM("b", "ub", "5")));  /* not known */
    must_take(scene, LINE("MODIFIED", ITEM("a", "ua2", "6"))); /* made anew */
    must_take(scene, LINE("DELETED", ITEM("x", "ux", "7")));   /* never told */
    expect(scene, "~a@4 +b@5 -a@4 +a@6", "7");
}

static void what_is_no_list_tells_nothing(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"items\":[]}",
        "{\"metadata\":{\"resourceVersion\":\"\"},\"items\":[]}",
        "{\"metadata\":{\"resourceVersion\":\"1\"}}",
        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":{}}",
        "{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":\"x\"}",
        "{\"metadata\":{\"resourceVersion\":1},\"items\":[]}",
        LIST("1", "1"),
        LIST("1", "{}"),
        LIST("1", "{\"metadata\":{\"resourceVersion\":\"2\"}}"),
        LIST("1", "{\"metadata\":{\"name\":\"a\"}}"),
        LIST("1", ITEM("a", "ua", "2") ",{\"metadata\":{\"name\":\"\",\"resourceVersion\":\"2\"}}"),
    };
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3")));
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct error err = ERROR_INIT;
        assert_false(list(scene, texts[i], &err));
        assert_string_equal(err.code, "answer_unreadable");
        assert_int_equal(err.class, ERROR_RETRY);
    }
    expect(scene, "+a@3 ok", "10");
}

static void what_is_no_line_asks_for_a_list(void **state)
{
    static const char *const lines[] = {
        "x",
        "{",
        "1",
        "[]",
        "{}",
        "{\"type\":\"ADDED\"}",
        LINE("ADDED", "{}"),
        LINE("ADDED", "{\"metadata\":{\"name\":\"a\"}}"),
        LINE("ADDED", "{\"metadata\":{\"resourceVersion\":\"5\"}}"),
        LINE("DELETED", "{\"metadata\":{\"resourceVersion\":\"5\"}}"),
        LINE("RENAMED", ITEM("a", "ua", "5")),
        LINE("BOOKMARK", "{}"),
        "{\"object\":" ITEM("a", "ua", "5") "}",
        LINE("ADDED", ITEM("a", "ua", "5")) " x",
        LINE("ERROR", "{}"),
        LINE("ERROR", "\"x\""),
        LINE("ERROR", "{\"code\":\"410\"}"),
        LINE("ERROR", "{\"code\":200}"),
        LINE("ERROR", "{\"code\":4294967706}"),
    };
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3")));
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct error err;
        int64_t after_ms;
        if (say(scene, lines[i], &after_ms, &err) != KUBE_WATCH_FEED_UNREADABLE)
            fail_msg("%s", lines[i]);
        assert_string_equal(err.code, "answer_unreadable");
        assert_int_equal(after_ms, -1);
    }
    expect(scene, "+a@3 ok", "10");
}

static void an_error_in_the_stream_is_judged(void **state)
{
    static const struct {
        const char *status;
        enum kube_watch_word word;
        int64_t after_ms;
        const char *code, *text;
    } rows[] = {
        { "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410,\"message\":\"too old\"}",
          KUBE_WATCH_FEED_LOST, -1, "api_gone", "a stream's end: 410 Expired: too old" },
        { "{\"code\":410}", KUBE_WATCH_FEED_LOST, -1, "api_gone", "a stream's end: 410" },
        { "{\"code\":504,\"reason\":\"Timeout\",\"message\":\"Too large resource version: 9\","
          "\"details\":{\"retryAfterSeconds\":1,\"causes\":[{\"reason\":\"Other\"},"
          "{\"reason\":\"ResourceVersionTooLarge\"}]}}",
          KUBE_WATCH_FEED_LOST, 1000, "api_busy",
          "a stream's end: 504 Timeout: Too large resource version: 9" },
        { "{\"code\":504,\"details\":{\"causes\":[{\"reason\":\"ResourceVersionTooLarge\"}]}}",
          KUBE_WATCH_FEED_LOST, -1, "api_busy", "a stream's end: 504" },
        { "{\"code\":504,\"message\":\"Timeout: Too large resource version: 5, current: 3\"}",
          KUBE_WATCH_FEED_LOST, -1, "api_busy",
          "a stream's end: 504: Timeout: Too large resource version: 5, current: 3" },
        { "{\"code\":504,\"message\":\"timeout\"}", KUBE_WATCH_FEED_LATER, -1, "api_busy",
          "a stream's end: 504: timeout" },
        { "{\"code\":500,\"reason\":\"InternalError\"}", KUBE_WATCH_FEED_LATER, -1, "api_busy",
          "a stream's end: 500 InternalError" },
        { "{\"code\":429,\"details\":{\"retryAfterSeconds\":4}}", KUBE_WATCH_FEED_LATER, 4000,
          "api_busy", "a stream's end: 429" },
        { "{\"code\":403}", KUBE_WATCH_FEED_LATER, -1, "api_denied", "a stream's end: 403" },
    };
    struct scene *scene = *state;
    must_list(scene, LIST("10", ""));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO(struct buf, buf_done) line = buf_init(4096);
        buf_append_format(&line, "{\"type\":\"ERROR\",\"object\":%s}", rows[i].status);
        struct error err;
        int64_t after_ms;
        assert_int_equal(say(scene, buf_text(&line), &after_ms, &err), rows[i].word);
        assert_int_equal(after_ms, rows[i].after_ms);
        assert_string_equal(err.code, rows[i].code);
        assert_string_equal(err.text, rows[i].text);
    }
    expect(scene, "ok", "10");
}

static void a_stopped_feed_tells_nothing_more(void **state)
{
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3") "," ITEM("b", "ub", "4")));
    scene->feed.stopped = true;
    must_list(scene, LIST("12", ITEM("c", "uc", "11")));
    expect(scene, "+a@3 +b@4 ok", "12");
}

static void what_was_taken_out_of_an_object_stays_out(void **state)
{
    struct scene *scene = *state;
    must_list(scene, LIST("10", ITEM("a", "ua", "3")));
    json_t *metadata = json_object_get(json_object_get(scene->feed.known, "n/a"), "metadata");
    assert_int_equal(json_object_set_new(metadata, "mark", json_true()), 0);
    must_list(scene, LIST("20", ITEM("a", "ua", "3")));
    metadata = json_object_get(json_object_get(scene->feed.known, "n/a"), "metadata");
    assert_non_null(json_object_get(metadata, "mark")); /* the very object that was told */
    must_list(scene, LIST("30", ITEM("a", "ua", "21")));
    metadata = json_object_get(json_object_get(scene->feed.known, "n/a"), "metadata");
    assert_null(json_object_get(metadata, "mark"));
    expect(scene, "+a@3 ok ok ~a@21 ok", "30");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_tells_what_there_is),
        TEST(an_empty_list_may_be_null),
        TEST(a_second_list_tells_the_difference),
        TEST(names_in_two_namespaces_are_two_objects),
        TEST(lines_tell_changes_and_move_on),
        TEST(words_of_the_server_are_taken_by_level),
        TEST(what_is_no_list_tells_nothing),
        TEST(what_is_no_line_asks_for_a_list),
        TEST(an_error_in_the_stream_is_judged),
        TEST(a_stopped_feed_tells_nothing_more),
        TEST(what_was_taken_out_of_an_object_stays_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
