#include "kube/kube_event.h"

#include "kube/kube_object.h"
#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

enum { MINUTE_MS = 60000 };

struct sending {
    struct scene *scene;
    struct kube_event_sender *sender;
};

static int setup(void **state)
{
    struct sending *sending = memory_alloc(sizeof(*sending));
    void *scene;
    (void)scene_setup(&scene);
    sending->scene = scene;
    sending->sender = kube_event_sender_new(&(struct kube_event_options){
        .client = sending->scene->client, .controller = "pqcdc.io/worker", .instance = "pod-1" });
    *state = sending;
    return 0;
}

static int teardown(void **state)
{
    struct sending *sending = *state;
    void *scene = sending->scene;
    kube_event_sender_free(sending->sender);
    memory_free(sending);
    return scene_teardown(&scene);
}

static struct kube_event event_of(const char *reason)
{
    return (struct kube_event){ .regarding = { .api_version = "coordination.k8s.io/v1",
                                               .kind = "Lease",
                                               .namespace_name = "shop",
                                               .name = "orders",
                                               .uid = "u-1" },
                                .reason = reason,
                                .action = "Lead",
                                .note = "pod-1 leads" };
}

static void post(struct sending *sending, const char *reason)
{
    struct kube_event event = event_of(reason);
    kube_event_post(sending->sender, &event);
}

static void script(struct sending *sending, unsigned status)
{
    fake_api_push(&sending->scene->api, (struct fake_answer){ .status = status });
}

static void await_requests(struct sending *sending, unsigned count)
{
    scene_until(sending->scene, fake_api_count(&sending->scene->api) >= count);
    scene_until(sending->scene, kube_event_is_idle(sending->sender));
    assert_int_equal(fake_api_count(&sending->scene->api), count);
}

static const struct fake_request *request(struct sending *sending, unsigned index)
{
    return fake_api_seen(&sending->scene->api, index);
}

static void expect_counts(struct sending *sending, uint64_t posted, uint64_t failed,
                          uint64_t dropped)
{
    struct kube_event_counts counts = kube_event_counts(sending->sender);
    assert_int_equal(counts.posted, posted);
    assert_int_equal(counts.failed, failed);
    assert_int_equal(counts.dropped, dropped);
}

static void an_event_is_posted(void **state)
{
    struct sending *sending = *state;
    assert_true(kube_event_is_idle(sending->sender));
    script(sending, 201);
    post(sending, "Leading");
    assert_false(kube_event_is_idle(sending->sender));
    await_requests(sending, 1);
    assert_string_equal(request(sending, 0)->line,
                        "POST /apis/events.k8s.io/v1/namespaces/shop/events");
    assert_string_equal(request(sending, 0)->content_type, "application/json");
    AUTO(json_t *, json_decrefp) body = kube_object_load(slice_of(request(sending, 0)->body));
    const char *name = kube_object_text(body, "metadata.name", "");
    assert_memory_equal(name, "orders.", 7);
    assert_int_equal(strlen(name), 7 + 16);
    assert_int_equal(strspn(name + 7, "0123456789abcdef"), 16);
    AUTO(json_t *, json_decrefp)
    wanted = json_pack("{s:s,s:s,s:{s:s,s:s},s:s,s:s,s:s,s:s,s:s,s:{s:s,s:s,s:s,s:s,s:s},s:s,s:s}",
                       "apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata", "name", name,
                       "namespace", "shop", "eventTime", kube_object_text(body, "eventTime", ""),
                       "reportingController", "pqcdc.io/worker", "reportingInstance", "pod-1",
                       "action", "Lead", "reason", "Leading", "regarding", "apiVersion",
                       "coordination.k8s.io/v1", "kind", "Lease", "namespace", "shop", "name",
                       "orders", "uid", "u-1", "type", "Normal", "note", "pod-1 leads");
    assert_true(json_equal(body, wanted));
    assert_string_equal(kube_object_text(body, "eventTime", ""), "2026-01-02T03:04:05.678901Z");
    expect_counts(sending, 1, 0, 0);
}

static void two_kinds_are_two_events(void **state)
{
    struct sending *sending = *state;
    struct kube_event event = event_of("Leading");
    fake_api_push(&sending->scene->api, (struct fake_answer){ .status = 201, .times = 5 });
    kube_event_post(sending->sender, &event);
    event.action = "Other";
    kube_event_post(sending->sender, &event);
    event.regarding.name = "other";
    kube_event_post(sending->sender, &event);
    event.regarding.uid = NULL;
    kube_event_post(sending->sender, &event);
    event.reason = "Halted";
    event.warning = true;
    kube_event_post(sending->sender, &event);
    await_requests(sending, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_memory_equal(request(sending, i)->line, "POST ", 5);
    AUTO(json_t *, json_decrefp) last = kube_object_load(slice_of(request(sending, 4)->body));
    assert_string_equal(kube_object_text(last, "type", ""), "Warning");
    assert_null(kube_object_find(last, "regarding.uid"));
    expect_counts(sending, 5, 0, 0);
}

static void expect_series(struct sending *sending, unsigned index, int64_t count, const char *last)
{
    const struct fake_request *first = request(sending, 0);
    AUTO(json_t *, json_decrefp) posted = kube_object_load(slice_of(first->body));
    AUTO(char *, memory_free_p)
    line = text_format("PATCH /apis/events.k8s.io/v1/namespaces/shop/events/%s",
                       kube_object_text(posted, "metadata.name", ""));
    const struct fake_request *patch = request(sending, index);
    assert_string_equal(patch->line, line);
    assert_string_equal(patch->content_type, "application/merge-patch+json");
    AUTO(json_t *, json_decrefp) body = kube_object_load(slice_of(patch->body));
    assert_int_equal(json_object_size(body), 1);
    assert_int_equal(json_object_size(kube_object_find(body, "series")), 2);
    assert_int_equal(kube_object_integer(body, "series.count", 0), count);
    assert_memory_equal(kube_object_text(body, "series.lastObservedTime", ""), last, strlen(last));
}

static void repeats_become_a_series_told_once_a_minute(void **state)
{
    struct sending *sending = *state;
    script(sending, 201);
    post(sending, "Leading");
    await_requests(sending, 1);
    post(sending, "Leading");
    scene_pass(sending->scene, 30000);
    post(sending, "Leading");
    assert_true(kube_event_is_idle(sending->sender)); /* not now */
    scene_settle(sending->scene);
    assert_int_equal(fake_api_count(&sending->scene->api), 1);
    script(sending, 200);
    scene_pass(sending->scene, 30000);
    await_requests(sending, 2);
    expect_series(sending, 1, 3, "2026-01-02T03:04:35");
    scene_pass(sending->scene, MINUTE_MS);
    scene_settle(sending->scene);
    assert_int_equal(fake_api_count(&sending->scene->api), 2); /* nothing new to tell */
    script(sending, 200);
    post(sending, "Leading");
    await_requests(sending, 3);
    expect_series(sending, 2, 4, "2026-01-02T03:06:05");
    expect_counts(sending, 3, 0, 0);
}

static void repeats_during_the_post_are_told_later(void **state)
{
    struct sending *sending = *state;
    script(sending, 201);
    post(sending, "Leading");
    post(sending, "Leading");
    post(sending, "Leading");
    await_requests(sending, 1);
    script(sending, 200);
    scene_pass(sending->scene, MINUTE_MS);
    await_requests(sending, 2);
    expect_series(sending, 1, 3, "2026-01-02T03:04:05");
}

static void after_ten_minutes_it_is_another_event(void **state)
{
    struct sending *sending = *state;
    script(sending, 201);
    post(sending, "Leading");
    await_requests(sending, 1);
    scene_pass(sending->scene, 10 * MINUTE_MS - 1000);
    script(sending, 200);
    post(sending, "Leading");
    await_requests(sending, 2);
    expect_series(sending, 1, 2, "2026-01-02T03:14:04");
    scene_pass(sending->scene, 10 * MINUTE_MS);
    script(sending, 201);
    post(sending, "Leading");
    await_requests(sending, 3);
    assert_memory_equal(request(sending, 2)->line, "POST ", 5);
    assert_string_not_equal(request(sending, 2)->body, request(sending, 0)->body);
}

static void a_series_that_the_server_forgot_begins_anew(void **state)
{
    struct sending *sending = *state;
    script(sending, 201);
    post(sending, "Leading");
    await_requests(sending, 1);
    post(sending, "Leading");
    script(sending, 404);
    scene_pass(sending->scene, MINUTE_MS);
    await_requests(sending, 2);
    expect_counts(sending, 1, 1, 0);
    script(sending, 201);
    post(sending, "Leading");
    await_requests(sending, 3);
    assert_memory_equal(request(sending, 2)->line, "POST ", 5);
    expect_counts(sending, 2, 1, 0);
}

static void a_series_that_cannot_be_told_is_told_later(void **state)
{
    struct sending *sending = *state;
    script(sending, 201);
    post(sending, "Leading");
    await_requests(sending, 1);
    post(sending, "Leading");
    script(sending, 403);
    scene_pass(sending->scene, MINUTE_MS);
    await_requests(sending, 2);
    script(sending, 200);
    scene_pass(sending->scene, MINUTE_MS);
    await_requests(sending, 3);
    expect_series(sending, 2, 2, "2026-01-02T03:04:05");
    expect_counts(sending, 2, 1, 0);
}

static void a_refused_event_is_counted_and_forgotten(void **state)
{
    struct sending *sending = *state;
    script(sending, 403);
    post(sending, "Leading");
    await_requests(sending, 1);
    expect_counts(sending, 0, 1, 0);
    script(sending, 201);
    post(sending, "Leading");
    await_requests(sending, 2);
    assert_memory_equal(request(sending, 1)->line, "POST ", 5);
    expect_counts(sending, 1, 1, 0);
}

/* The first POST was applied, but its answer was lost. */
static void a_post_that_meets_itself_is_done(void **state)
{
    struct sending *sending = *state;
    fake_api_push(&sending->scene->api, (struct fake_answer){ .manner = FAKE_CLOSED });
    script(sending, 409);
    post(sending, "Leading");
    await_requests(sending, 2);
    assert_string_equal(request(sending, 0)->body, request(sending, 1)->body);
    expect_counts(sending, 1, 0, 0);
}

static void an_outage_blocks_nothing_and_fills_only_the_queue(void **state)
{
    struct sending *sending = *state;
    fake_api_push(&sending->scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
    for (int i = 0; i < KUBE_EVENT_QUEUE_MAX + 3; i++) {
        char reason[32];
        snprintf(reason, sizeof(reason), "Reason%d", i);
        post(sending, reason);
    }
    expect_counts(sending, 0, 0, 3);
    post(sending, "Reason5"); /* it is one that waits */
    expect_counts(sending, 0, 0, 3);
    fake_api_push(&sending->scene->api,
                  (struct fake_answer){ .match = "POST ", .status = 201, .times = 100 });
    scene_until(sending->scene, fake_api_count(&sending->scene->api) == 1);
    scene_pass(sending->scene, KUBE_CLIENT_TIMEOUT_MS);
    scene_pass(sending->scene, 1000);
    await_requests(sending, KUBE_EVENT_QUEUE_MAX + 1);
    expect_counts(sending, KUBE_EVENT_QUEUE_MAX, 0, 3);
    /* Those that were told make room. */
    post(sending, "Another");
    await_requests(sending, KUBE_EVENT_QUEUE_MAX + 2);
    expect_counts(sending, KUBE_EVENT_QUEUE_MAX + 1, 0, 3);
}

static void texts_are_cut_between_characters(void **state)
{
    struct sending *sending = *state;
    char note[2000], longer[400];
    memset(note, 'n', sizeof(note) - 1);
    memcpy(note + 1023, "\xc3\xbc", 2);
    note[sizeof(note) - 1] = '\0';
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    struct kube_event event = event_of(longer);
    event.note = note;
    event.action = longer;
    event.regarding.name = longer;
    script(sending, 201);
    kube_event_post(sending->sender, &event);
    event.note = "a\xff\xc3";
    event.action = "\xc3\xbc";
    event.regarding.name = "\xff";
    script(sending, 201);
    kube_event_post(sending->sender, &event);
    await_requests(sending, 2);
    AUTO(json_t *, json_decrefp) cut = kube_object_load(slice_of(request(sending, 0)->body));
    assert_int_equal(strlen(kube_object_text(cut, "note", "")), 1023);
    assert_int_equal(strlen(kube_object_text(cut, "reason", "")), 128);
    assert_int_equal(strlen(kube_object_text(cut, "action", "")), 128);
    assert_int_equal(strlen(kube_object_text(cut, "metadata.name", "")), 253);
    AUTO(json_t *, json_decrefp) odd = kube_object_load(slice_of(request(sending, 1)->body));
    assert_string_equal(kube_object_text(odd, "note", ""), "a??");
    assert_string_equal(kube_object_text(odd, "action", ""), "\xc3\xbc");
    assert_memory_equal(kube_object_text(odd, "metadata.name", ""), "?.", 2);
}

static void what_is_not_sent_goes_with_the_sender(void **state)
{
    struct sending *sending = *state;
    fake_api_push(&sending->scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
    post(sending, "Leading");
    post(sending, "Losing");
    scene_until(sending->scene, fake_api_count(&sending->scene->api) == 1);
    kube_event_sender_free(TAKE(sending->sender));
    scene_settle(sending->scene);
    assert_int_equal(fake_api_count(&sending->scene->api), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_posted),
        TEST(two_kinds_are_two_events),
        TEST(repeats_become_a_series_told_once_a_minute),
        TEST(repeats_during_the_post_are_told_later),
        TEST(after_ten_minutes_it_is_another_event),
        TEST(a_series_that_the_server_forgot_begins_anew),
        TEST(a_series_that_cannot_be_told_is_told_later),
        TEST(a_refused_event_is_counted_and_forgotten),
        TEST(a_post_that_meets_itself_is_done),
        TEST(an_outage_blocks_nothing_and_fills_only_the_queue),
        TEST(texts_are_cut_between_characters),
        TEST(what_is_not_sent_goes_with_the_sender),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
