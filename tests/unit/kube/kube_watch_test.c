#include "kube/kube_watch.h"

#include "unit/kube/kube_scene.h"
#include "unit/kube/kube_watch_log.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define ITEM(name, version)                                                                        \
    "{\"metadata\":{\"name\":\"" name "\",\"uid\":\"u" name "\",\"resourceVersion\":\"" version    \
    "\"}}"
#define LIST(version, items)                                                                       \
    "{\"metadata\":{\"resourceVersion\":\"" version "\"},\"items\":[" items "]}"
#define LINE(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define EXPIRED            LINE("ERROR", "{\"kind\":\"Status\",\"reason\":\"Expired\",\"code\":410}")

enum { LIFE_AND_SILENCE_MS = 615000, BACKOFF_MAX_MS = 10000 };

struct watching {
    struct scene *scene;
    struct watch_log log;
};

static int setup(void **state)
{
    struct watching *watching = memory_alloc(sizeof(*watching));
    void *scene;
    (void)scene_setup(&scene);
    *watching = (struct watching){ .scene = scene, .log = { .text = buf_init(1 << 20) } };
    *state = watching;
    return 0;
}

static int teardown(void **state)
{
    struct watching *watching = *state;
    void *scene = watching->scene;
    kube_watch_stop(watching->log.watch);
    watch_log_done(&watching->log);
    memory_free(watching);
    return scene_teardown(&scene);
}

static void start(struct watching *watching)
{
    watching->log.watch =
        kube_watch_start(watching->scene->client,
                         &(struct kube_watch_options){ .path = "/apis/g/v1/namespaces/n/things",
                                                       .field_selector = "metadata.name=a" },
                         watch_log_event, &watching->log);
}

#define PATH "/apis/g/v1/namespaces/n/things?fieldSelector=metadata.name%3Da"

static void script_list(struct watching *watching, struct fake_answer answer)
{
    answer.match = "GET " PATH "$";
    fake_api_push(&watching->scene->api, answer);
}

static void script_stream(struct watching *watching, struct fake_answer answer)
{
    answer.match = "GET " PATH "&watch=1&allowWatchBookmarks=true&timeoutSeconds=";
    fake_api_push(&watching->scene->api, answer);
}

/* So many streams are open, or were. */
static void await_stream(struct watching *watching, unsigned count)
{
    scene_until(watching->scene, fake_api_streams(&watching->scene->api) == count);
}

/* Turns until that is what was told, all of it. */
static void expect(struct watching *watching, const char *events)
{
    struct clock system = clock_system();
    mono_ms_t until = mono_ms_add(clock_now(&system), SCENE_PATIENCE_MS);
    while (strcmp(buf_text(&watching->log.text), events) != 0) {
        if (mono_ms_before(until, clock_now(&system)))
            fail_msg("\"%s\" was told, not \"%s\"", buf_text(&watching->log.text), events);
        (void)loop_turn(watching->scene->loop, 10);
    }
    buf_clear(&watching->log.text);
}

/* Where the newest request asks to go on; and for how long. */
static void expect_resume(struct watching *watching, const char *version)
{
    struct fake_api *api = &watching->scene->api;
    const char *line = fake_api_seen(api, fake_api_count(api) - 1)->line;
    const char *at = strstr(line, "&timeoutSeconds=");
    const char *from = strstr(line, "&resourceVersion=");
    assert_non_null(at);
    assert_non_null(from);
    assert_string_equal(from + strlen("&resourceVersion="), version);
    assert_in_range(strtol(at + strlen("&timeoutSeconds="), NULL, 10), 300, 600);
}

/* A list, and a stream that is open. */
static void begin(struct watching *watching)
{
    script_list(watching, (struct fake_answer){ .body = LIST("10", ITEM("a", "3")) });
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    start(watching);
    await_stream(watching, 1);
    expect(watching, "+a@3 ok");
    expect_resume(watching, "10");
}

static void a_list_then_a_stream(void **state)
{
    struct watching *watching = *state;
    struct fake_api *api = &watching->scene->api;
    begin(watching);
    fake_api_say(api, LINE("MODIFIED", ITEM("a", "11")));
    expect(watching, "~a@11");
    fake_api_say(api, LINE("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"14\"}}"));
    fake_api_say(api, LINE("DELETED", ITEM("a", "15")) LINE("ADDED", ITEM("a", "16")));
    expect(watching, "-a@15 +a@16");
    assert_int_equal(fake_api_count(api), 2);
}

static void a_stream_that_ends_goes_on_where_it_was(void **state)
{
    struct watching *watching = *state;
    struct fake_api *api = &watching->scene->api;
    begin(watching);
    fake_api_say(api, LINE("MODIFIED", ITEM("a", "11")));
    fake_api_say(api, LINE("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"14\"}}"));
    expect(watching, "~a@11");
    scene_pass(watching->scene, 1000);
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    fake_api_end_stream(api);
    await_stream(watching, 2);
    expect_resume(watching, "14");
    fake_api_say(api, LINE("MODIFIED", ITEM("a", "15")));
    expect(watching, "~a@15");
    assert_int_equal(fake_api_count(api), 3);
}

static void a_stream_that_ends_at_once_is_a_failure(void **state)
{
    struct watching *watching = *state;
    begin(watching);
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    fake_api_end_stream(&watching->scene->api);
    expect(watching, "!watch_cut");
    assert_string_equal(watching->log.err.code, "watch_cut");
    scene_pass(watching->scene, BACKOFF_MAX_MS);
    await_stream(watching, 2);
    expect_resume(watching, "10");
}

static void a_stream_that_is_cut_goes_on_where_it_was(void **state)
{
    struct watching *watching = *state;
    struct fake_api *api = &watching->scene->api;
    begin(watching);
    fake_api_say(api, LINE("MODIFIED", ITEM("a", "11")) "{\"type\":\"MODI");
    fake_api_cut_stream(api);
    expect(watching, "~a@11 !api_unreachable");
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    scene_pass(watching->scene, BACKOFF_MAX_MS);
    await_stream(watching, 2);
    expect_resume(watching, "11");
    assert_int_equal(fake_api_count(api), 3);
}

static void script_another_list(struct watching *watching)
{
    script_list(watching, (struct fake_answer){ .body = LIST("30", ITEM("b", "21")) });
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
}

static void expect_another_list(struct watching *watching, unsigned streams)
{
    await_stream(watching, streams);
    expect(watching, "-a@3 +b@21 ok");
    expect_resume(watching, "30");
}

static void list_again(struct watching *watching, unsigned streams)
{
    script_another_list(watching);
    scene_pass(watching->scene, BACKOFF_MAX_MS);
    expect_another_list(watching, streams);
}

static void an_expired_version_in_the_stream_lists_again(void **state)
{
    struct watching *watching = *state;
    begin(watching);
    fake_api_say(&watching->scene->api, EXPIRED LINE("ADDED", ITEM("never", "99")));
    scene_settle(watching->scene);
    list_again(watching, 2);
}

static void an_expired_version_as_a_status_lists_again(void **state)
{
    struct watching *watching = *state;
    begin(watching);
    scene_pass(watching->scene, 1000);
    script_stream(watching, (struct fake_answer){ .status = 410, .body = "{\"code\":410}" });
    script_another_list(watching);
    fake_api_end_stream(&watching->scene->api);
    expect_another_list(watching, 2); /* in its own time: the first back-off is short */
}

/* A server that was set back does not have our version yet. */
static void a_version_that_is_too_new_lists_again(void **state)
{
    struct watching *watching = *state;
    begin(watching);
    scene_pass(watching->scene, 1000);
    script_stream(watching,
                  (struct fake_answer){ .status = 504,
                                        .body = "{\"code\":504,\"details\":{"
                                                "\"retryAfterSeconds\":1,\"causes\":[{\"reason\":"
                                                "\"ResourceVersionTooLarge\"}]}}" });
    script_another_list(watching);
    fake_api_end_stream(&watching->scene->api);
    expect_another_list(watching, 2); /* in its own time: the first back-off is short */
}

static void trouble_in_the_stream_goes_on_where_it_was(void **state)
{
    struct watching *watching = *state;
    struct fake_api *api = &watching->scene->api;
    begin(watching);
    fake_api_say(api, LINE("ERROR", "{\"code\":500,\"message\":\"etcd is away\"}"));
    expect(watching, "!api_busy");
    assert_string_equal(watching->log.err.text, "GET /apis/g/v1/namespaces/n/things: a stream's "
                                                "end: 500: etcd is away");
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    scene_pass(watching->scene, BACKOFF_MAX_MS);
    await_stream(watching, 2);
    expect_resume(watching, "10");
}

static void garbage_in_the_stream_lists_again(void **state)
{
    struct watching *watching = *state;
    begin(watching);
    fake_api_say(&watching->scene->api, "<html>\n");
    expect(watching, "!answer_unreadable");
    list_again(watching, 2);
}

static void a_refused_stream_is_tried_again(void **state)
{
    struct watching *watching = *state;
    script_list(watching, (struct fake_answer){ .body = LIST("10", "") });
    script_stream(watching, (struct fake_answer){ .status = 403 });
    start(watching);
    expect(watching, "ok !api_denied");
    script_stream(watching, (struct fake_answer){ .status = 429,
                                                  .header = "Retry-After",
                                                  .value = "100" }); /* 60 s count */
    scene_pass(watching->scene, BACKOFF_MAX_MS);
    expect(watching, "!api_busy");
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    scene_pass(watching->scene, 55000);
    scene_settle(watching->scene);
    assert_int_equal(fake_api_streams(&watching->scene->api), 0);
    scene_pass(watching->scene, 5000);
    await_stream(watching, 1);
    expect_resume(watching, "10");
}

static void a_list_that_fails_is_tried_again(void **state)
{
    static const struct {
        struct fake_answer answer;
        const char *event;
    } rows[] = {
        { { .status = 500 }, "!api_busy" },
        { { .status = 403 }, "!api_denied" },
        { { .status = 404 }, "!api_not_found" },
        /* On a kept connection libcurl itself tries once more. */
        { { .manner = FAKE_CLOSED, .times = 2 }, "!api_unreachable" },
        { { .body = "{\"items\":[]}" }, "!answer_unreadable" },
        { { .body = "<html>" }, "!answer_unreadable" },
    };
    struct watching *watching = *state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        script_list(watching, rows[i].answer);
        if (i == 0)
            start(watching);
        else
            scene_pass(watching->scene, BACKOFF_MAX_MS);
        expect(watching, rows[i].event);
        assert_memory_equal(watching->log.err.text, "GET /apis/g/v1/namespaces/n/things", 34);
    }
    script_list(watching, (struct fake_answer){ .body = LIST("10", ITEM("a", "3")) });
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    scene_pass(watching->scene, BACKOFF_MAX_MS);
    await_stream(watching, 1);
    expect(watching, "+a@3 ok");
}

/* Failures space out, up to ten seconds; a stream that lived brings them together again. */
static void failures_wait_longer_and_longer(void **state)
{
    struct watching *watching = *state;
    struct scene *scene = watching->scene;
    int64_t waited[7] = { 0 };
    script_list(watching, (struct fake_answer){ .status = 500, .times = 8 });
    start(watching);
    scene_until(scene, watching->log.count == 1);
    for (int i = 0; i < 7; i++) {
        while (fake_api_count(&scene->api) == (unsigned)i + 1 && waited[i] < 60000) {
            scene_pass(scene, 50);
            (void)usleep(2000);
            (void)loop_turn(scene->loop, 0);
            waited[i] += 50;
        }
        scene_until(scene, watching->log.count == i + 2);
    }
    assert_in_range(waited[0], 50, 600);
    assert_in_range(waited[6], 4500, 11000);
}

static void a_silent_stream_is_opened_again(void **state)
{
    struct watching *watching = *state;
    begin(watching);
    fake_api_say(&watching->scene->api, LINE("MODIFIED", ITEM("a", "11")));
    expect(watching, "~a@11");
    scene_pass(watching->scene, 300000);
    fake_api_say(&watching->scene->api, LINE("MODIFIED", ITEM("a", "12")));
    expect(watching, "~a@12");
    /* The time began anew with that line. */
    scene_pass(watching->scene, 300000);
    scene_settle(watching->scene);
    assert_int_equal(watching->log.text.size, 0);
    scene_pass(watching->scene, LIFE_AND_SILENCE_MS - 300000);
    expect(watching, "!watch_silent");
    script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
    scene_pass(watching->scene, BACKOFF_MAX_MS);
    await_stream(watching, 2);
    expect_resume(watching, "12");
}

static void a_line_may_be_cut_anywhere(void **state)
{
    struct watching *watching = *state;
    static const char lines[] = LINE("MODIFIED", ITEM("a", "11")) LINE("DELETED", ITEM("a", "12"));
    begin(watching);
    for (size_t i = 0; i < sizeof(lines) - 1; i++) {
        fake_api_tell(&watching->scene->api, (struct slice){ lines + i, 1 }, false, false);
        (void)loop_turn(watching->scene->loop, 1);
    }
    expect(watching, "~a@11 -a@12");
}

/* In each kind of event. */
static void a_watch_may_be_stopped_in_its_callback(void **state)
{
    static const char *const told[] = { "+a@3", "+a@3 ok", "+a@3 ok ~a@11",
                                        "+a@3 ok ~a@11 !watch_cut" };
    struct watching *watching = *state;
    struct fake_api *api = &watching->scene->api;
    unsigned streams = 0;
    for (int i = 0; i < 4; i++) {
        buf_clear(&watching->log.text);
        watching->log.count = 0;
        watching->log.stop_at = i + 1;
        script_list(watching, (struct fake_answer){ .body = LIST("10", ITEM("a", "3")) });
        start(watching);
        if (i >= 2) {
            script_stream(watching, (struct fake_answer){ .manner = FAKE_STREAM });
            await_stream(watching, ++streams);
            fake_api_say(api, LINE("MODIFIED", ITEM("a", "11")));
            fake_api_end_stream(api);
        }
        scene_until(watching->scene, watching->log.count == i + 1);
        scene_settle(watching->scene);
        scene_pass(watching->scene, BACKOFF_MAX_MS);
        scene_settle(watching->scene);
        assert_string_equal(buf_text(&watching->log.text), told[i]);
    }
    watching->log.watch = NULL;
    kube_watch_stop(NULL);
}

static void a_watch_may_be_stopped_at_any_time(void **state)
{
    struct watching *watching = *state;
    script_list(watching, (struct fake_answer){ .manner = FAKE_SILENT });
    start(watching);
    scene_until(watching->scene, fake_api_count(&watching->scene->api) == 1);
    kube_watch_stop(TAKE(watching->log.watch));
    scene_settle(watching->scene);
    begin(watching);
    kube_watch_stop(TAKE(watching->log.watch));
    fake_api_say(&watching->scene->api, LINE("MODIFIED", ITEM("a", "11")));
    scene_settle(watching->scene);
    assert_int_equal(watching->log.text.size, 0);
}

static void selectors_are_escaped_and_may_be_absent(void **state)
{
    struct watching *watching = *state;
    struct scene *scene = watching->scene;
    static const struct {
        const char *fields, *labels, *line;
    } rows[] = {
        { NULL, NULL, "GET /x" },
        { NULL, "app=a,b in (c)", "GET /x?labelSelector=app%3Da%2Cb%20in%20%28c%29" },
        { "a=b", "c", "GET /x?fieldSelector=a%3Db&labelSelector=c" },
    };
    for (unsigned i = 0; i < COUNT_OF(rows); i++) {
        fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
        struct kube_watch_options options = { .path = "/x",
                                              .field_selector = rows[i].fields,
                                              .label_selector = rows[i].labels };
        AUTO(struct kube_watch *, kube_watch_stop_p)
        watch = kube_watch_start(scene->client, &options, watch_log_event, &watching->log);
        assert_non_null(watch);
        scene_until(scene, fake_api_count(&scene->api) == i + 1);
        assert_string_equal(fake_api_seen(&scene->api, i)->line, rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_list_then_a_stream),
        TEST(a_stream_that_ends_goes_on_where_it_was),
        TEST(a_stream_that_ends_at_once_is_a_failure),
        TEST(a_stream_that_is_cut_goes_on_where_it_was),
        TEST(an_expired_version_in_the_stream_lists_again),
        TEST(an_expired_version_as_a_status_lists_again),
        TEST(a_version_that_is_too_new_lists_again),
        TEST(trouble_in_the_stream_goes_on_where_it_was),
        TEST(garbage_in_the_stream_lists_again),
        TEST(a_refused_stream_is_tried_again),
        TEST(a_list_that_fails_is_tried_again),
        TEST(failures_wait_longer_and_longer),
        TEST(a_silent_stream_is_opened_again),
        TEST(a_line_may_be_cut_anywhere),
        TEST(a_watch_may_be_stopped_in_its_callback),
        TEST(a_watch_may_be_stopped_at_any_time),
        TEST(selectors_are_escaped_and_may_be_absent),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
