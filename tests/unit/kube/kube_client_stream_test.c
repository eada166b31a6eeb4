#include "kube/kube_client.h"

#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* The lines of a stream, each with a bar behind it, and its end. */
struct reading {
    struct buf lines;
    struct scene_answer end;
    struct kube_call *call;
    int count;
    int cancel_at; /* which line cancels the stream; 0 = none */
};

static void on_line(void *self, struct slice line)
{
    struct reading *reading = self;
    buf_append_slice(&reading->lines, line);
    buf_append_byte(&reading->lines, '|');
    if (++reading->count == reading->cancel_at)
        kube_client_cancel(reading->call);
}

static void on_end(void *self, const struct kube_answer *answer)
{
    struct reading *reading = self;
    scene_on_answer(&reading->end, answer);
}

static struct reading reading_init(void)
{
    return (struct reading){ .lines = buf_init(16 * 1024 * 1024) };
}

static void reading_done(struct reading *reading)
{
    buf_done(&reading->lines);
    scene_answer_done(&reading->end);
}

static void start(struct scene *scene, struct reading *reading)
{
    struct kube_request request = { .path = "/w?watch=1", .timeout_ms = 5000 };
    reading->call = kube_client_stream(scene->client, &request, on_line, on_end, reading);
}

static void open_stream(struct scene *scene, struct reading *reading)
{
    unsigned streams = fake_api_streams(&scene->api);
    fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /w", .manner = FAKE_STREAM });
    start(scene, reading);
    scene_until(scene, fake_api_streams(&scene->api) == streams + 1);
}

static void lines_come_as_they_are_said(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    open_stream(scene, &reading);
    fake_api_say(&scene->api, "one\n");
    scene_until(scene, reading.count == 1);
    assert_string_equal(buf_text(&reading.lines), "one|");
    fake_api_say(&scene->api, "two\n\n\r\nthree\r\nfo");
    scene_until(scene, reading.count == 3);
    scene_settle(scene);
    assert_string_equal(buf_text(&reading.lines), "one|two|three|");
    fake_api_say(&scene->api, "ur\n");
    fake_api_end_stream(&scene->api);
    scene_until(scene, reading.end.count == 1);
    assert_string_equal(buf_text(&reading.lines), "one|two|three|four|");
    assert_int_equal(reading.end.answer.outcome, KUBE_OK);
    assert_int_equal(reading.end.answer.status, 200);
    assert_null(reading.end.answer.object);
}

static void a_line_may_come_byte_by_byte(void **state)
{
    struct scene *scene = *state;
    static const char text[] = "{\"type\":\"ADDED\"}\nx\n";
    AUTO(struct reading, reading_done) reading = reading_init();
    open_stream(scene, &reading);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        fake_api_tell(&scene->api, (struct slice){ text + i, 1 }, false, false);
        (void)loop_turn(scene->loop, 2);
    }
    scene_until(scene, reading.count == 2);
    assert_string_equal(buf_text(&reading.lines), "{\"type\":\"ADDED\"}|x|");
}

static void a_stream_may_be_silent_for_long(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    open_stream(scene, &reading);
    for (int i = 0; i < 3; i++) { /* the head has come when these are answered */
        fake_api_push(&scene->api, (struct fake_answer){ .match = "GET /a" });
        AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
        assert_int_equal(answer.outcome, KUBE_OK);
    }
    scene_pass(scene, 3600000);
    scene_settle(scene);
    assert_int_equal(reading.end.count, 0);
    fake_api_say(&scene->api, "one\n");
    scene_until(scene, reading.count == 1);
}

static void a_head_must_come_in_time(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
    start(scene, &reading);
    scene_until(scene, fake_api_count(&scene->api) == 1);
    scene_pass(scene, 5000);
    assert_int_equal(reading.end.count, 1);
    assert_int_equal(reading.end.answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(reading.end.answer.err.code, "api_timeout");
}

static void a_refused_stream_has_a_status(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    fake_api_push(&scene->api, (struct fake_answer){ .status = 410,
                                                     .body = "{\"kind\":\"Status\",\n"
                                                             "\"reason\":\"Expired\"}\n" });
    start(scene, &reading);
    scene_until(scene, reading.end.count == 1);
    assert_int_equal(reading.count, 0);
    assert_int_equal(reading.end.answer.outcome, KUBE_GONE);
    assert_string_equal(reading.end.answer.err.text, "GET /w?watch=1: 410 Expired");
    assert_non_null(reading.end.answer.object);
}

static void a_stream_that_is_cut_is_no_good_end(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    open_stream(scene, &reading);
    fake_api_say(&scene->api, "one\n");
    fake_api_cut_stream(&scene->api);
    scene_until(scene, reading.end.count == 1);
    assert_string_equal(buf_text(&reading.lines), "one|");
    assert_int_equal(reading.end.answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(reading.end.answer.err.code, "api_unreachable");
}

static void half_a_line_at_the_end_is_no_line(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    open_stream(scene, &reading);
    fake_api_say(&scene->api, "one\ntw");
    fake_api_end_stream(&scene->api);
    scene_until(scene, reading.end.count == 1);
    assert_string_equal(buf_text(&reading.lines), "one|");
    assert_int_equal(reading.end.answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(reading.end.answer.err.code, "answer_unreadable");
}

static void a_long_line_ends_the_stream(void **state)
{
    struct scene *scene = *state;
    kube_client_free(scene->client);
    scene_connect(scene, 1000);
    AUTO(struct buf, buf_done) line = buf_init(4096);
    while (line.size < 1000)
        buf_append_byte(&line, 'x');
    AUTO(struct reading, reading_done) reading = reading_init();
    open_stream(scene, &reading);
    fake_api_say(&scene->api, buf_text(&line));
    fake_api_say(&scene->api, "\n");
    scene_until(scene, reading.count == 1);
    fake_api_say(&scene->api, buf_text(&line));
    fake_api_say(&scene->api, "x");
    scene_until(scene, reading.end.count == 1);
    assert_int_equal(reading.count, 1);
    assert_int_equal(reading.end.answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(reading.end.answer.err.code, "answer_too_large");
}

static void a_lot_of_lines_in_one_go(void **state)
{
    struct scene *scene = *state;
    AUTO(struct buf, buf_done) lines = buf_init(16 * 1024 * 1024);
    for (int i = 0; i < 300000; i++)
        buf_append_format(&lines, "line %d\n", i);
    AUTO(struct reading, reading_done) reading = reading_init();
    open_stream(scene, &reading);
    fake_api_say(&scene->api, buf_text(&lines));
    scene_until(scene, reading.count == 300000);
    for (size_t i = 0; i < lines.size; i++)
        lines.data[i] = lines.data[i] == '\n' ? '|' : lines.data[i];
    assert_true(slice_equal(buf_slice(&lines), buf_slice(&reading.lines)));
}

static void a_callback_may_cancel_its_stream(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    reading.cancel_at = 2;
    open_stream(scene, &reading);
    fake_api_say(&scene->api, "one\ntwo\nthree\n");
    scene_until(scene, reading.count == 2);
    fake_api_say(&scene->api, "four\n");
    scene_settle(scene);
    assert_string_equal(buf_text(&reading.lines), "one|two|");
    assert_int_equal(reading.end.count, 0);
}

static void a_call_goes_beside_a_stream_on_another_connection(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) reading = reading_init();
    fake_api_push(&scene->api, (struct fake_answer){ .match = "PUT /a", .times = 3 });
    struct kube_request request = { .verb = KUBE_PUT, .path = "/a" };
    AUTO(struct kube_answer, kube_answer_done) before = scene_call(scene, &request);
    open_stream(scene, &reading);
    AUTO(struct kube_answer, kube_answer_done) during = scene_call(scene, &request);
    fake_api_say(&scene->api, "one\n");
    scene_until(scene, reading.count == 1);
    fake_api_end_stream(&scene->api);
    scene_until(scene, reading.end.count == 1);
    AUTO(struct kube_answer, kube_answer_done) after = scene_call(scene, &request);
    assert_int_equal(before.outcome, KUBE_OK);
    assert_int_equal(during.outcome, KUBE_OK);
    assert_int_equal(after.outcome, KUBE_OK);
    uint16_t ports[4];
    for (unsigned i = 0; i < 4; i++)
        ports[i] = fake_api_seen(&scene->api, i)->from_port;
    assert_true(ports[1] != ports[0]);
    assert_int_equal(ports[2], ports[0]);
    assert_int_equal(ports[3], ports[0]);
    assert_int_equal(scene_connections(scene, NULL), 1); /* the stream's is closed */
}

static void two_streams_are_told_apart(void **state)
{
    struct scene *scene = *state;
    AUTO(struct reading, reading_done) first = reading_init();
    AUTO(struct reading, reading_done) second = reading_init();
    open_stream(scene, &first);
    open_stream(scene, &second);
    fake_api_say(&scene->api, "to the second\n");
    scene_until(scene, second.count == 1);
    assert_int_equal(first.count, 0);
    assert_true(fake_api_seen(&scene->api, 0)->from_port !=
                fake_api_seen(&scene->api, 1)->from_port);
    kube_client_cancel(second.call);
    scene_settle(scene);
    assert_int_equal(second.end.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_come_as_they_are_said),
        TEST(a_line_may_come_byte_by_byte),
        TEST(a_stream_may_be_silent_for_long),
        TEST(a_head_must_come_in_time),
        TEST(a_refused_stream_has_a_status),
        TEST(a_stream_that_is_cut_is_no_good_end),
        TEST(half_a_line_at_the_end_is_no_line),
        TEST(a_long_line_ends_the_stream),
        TEST(a_lot_of_lines_in_one_go),
        TEST(a_callback_may_cancel_its_stream),
        TEST(a_call_goes_beside_a_stream_on_another_connection),
        TEST(two_streams_are_told_apart),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
