#include "kube/kube_lease.h"

#include "kube/kube_object.h"
#include "unit/kube/kube_scene.h"

#define NOW_US   INT64_C(1767323045678901)
#define NOW_TEXT "2026-01-02T03:04:05.678901Z"

static json_t *load(const char *text)
{
    json_t *object = kube_object_load(slice_of(text));
    assert_non_null(object);
    return object;
}

/* Another's lease, with more in it than we know. */
static const char held[] =
    "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"shop\","
    "\"namespace\":\"n\",\"uid\":\"u-1\",\"resourceVersion\":\"42\",\"labels\":{\"team\":\"a\"},"
    "\"annotations\":{\"pqcdc.io/phase\":\"streaming\",\"pqcdc.io/source\":\"{1}\","
    "\"other.io/x\":\"kept\"},\"managedFields\":[{\"manager\":\"m\"}]},\"spec\":{"
    "\"holderIdentity\":\"pod-1_u\",\"leaseDurationSeconds\":15,\"leaseTransitions\":3,"
    "\"acquireTime\":\"2026-01-01T00:00:00.000000Z\",\"renewTime\":\"2026-01-01T00:00:09.000000Z\","
    "\"future\":{\"field\":1}}}";

static struct kube_lease parse(const char *text)
{
    struct error err = ERROR_INIT;
    struct kube_lease lease = KUBE_LEASE_INIT;
    AUTO(json_t *, json_decrefp) object = load(text);
    if (!kube_lease_parse(object, &lease, &err))
        fail_msg("%s", err.text);
    return lease;
}

static void a_lease_is_read(void **state)
{
    (void)state;
    AUTO(struct kube_lease, kube_lease_done) lease = parse(held);
    assert_string_equal(lease.uid, "u-1");
    assert_string_equal(lease.resource_version, "42");
    assert_string_equal(lease.holder, "pod-1_u");
    assert_int_equal(lease.duration_ms, 15000);
    assert_int_equal(lease.transitions, 3);
    assert_string_equal(lease.phase, "streaming");
    assert_string_equal(lease.source, "{1}");
}

static void a_copy_outlives_its_original(void **state)
{
    (void)state;
    struct kube_lease lease = parse(held);
    AUTO(struct kube_lease, kube_lease_done) copy = kube_lease_copy(&lease);
    kube_lease_done(&lease);
    assert_null(lease.object);
    assert_string_equal(lease.holder, "");
    assert_string_equal(copy.holder, "pod-1_u");
    assert_string_equal(copy.source, "{1}");
    kube_lease_done(&lease);
    AUTO(struct kube_lease, kube_lease_done) none = kube_lease_copy(&lease);
    assert_null(none.object);
}

#define ODD(rest)    "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"}" rest "}"
#define SPEC(fields) ODD(",\"spec\":{" fields "}")

static void what_is_odd_is_held_by_nobody(void **state)
{
    static const char *const texts[] = {
        ODD(""),
        ODD(",\"spec\":null"),
        ODD(",\"spec\":[]"),
        ODD(",\"spec\":\"x\",\"metadata.annotations\":1"),
        SPEC(""),
        SPEC("\"holderIdentity\":null"),
        SPEC("\"holderIdentity\":7"),
        SPEC("\"holderIdentity\":\"\",\"leaseDurationSeconds\":0"),
        SPEC("\"leaseDurationSeconds\":-1,\"leaseTransitions\":-1"),
        SPEC("\"leaseDurationSeconds\":\"15\",\"leaseTransitions\":\"3\""),
        SPEC("\"leaseDurationSeconds\":1.5,\"leaseTransitions\":1.5"),
        SPEC("\"leaseDurationSeconds\":2147483648,\"leaseTransitions\":2147483648"),
        SPEC("\"leaseDurationSeconds\":9223372036854775807,\"renewTime\":\"yesterday\""),
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTO(struct kube_lease, kube_lease_done) lease = parse(texts[i]);
        assert_string_equal(lease.holder, "");
        assert_int_equal(lease.duration_ms, 0);
        assert_int_equal(lease.transitions, 0);
        assert_string_equal(lease.phase, "");
        assert_string_equal(lease.source, "");
    }
}

static void times_do_not_matter(void **state)
{
    static const char *const times[] = { "null", "5", "\"\"", "\"yesterday\"",
                                         "\"9999-12-31T23:59:59.999999Z\"" };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        AUTO(char *, memory_free_p)
        text = text_format("{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"1\"},\"spec\":{"
                           "\"holderIdentity\":\"h\",\"leaseDurationSeconds\":7,\"renewTime\":%s,"
                           "\"acquireTime\":%s}}",
                           times[i], times[i]);
        AUTO(struct kube_lease, kube_lease_done) lease = parse(text);
        assert_string_equal(lease.holder, "h");
        assert_int_equal(lease.duration_ms, 7000);
    }
}

/* Such a one could not be written without creating or overwriting. */
static void a_lease_without_uid_or_version_is_refused(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "{\"metadata\":{\"uid\":\"u\"}}",
        "{\"metadata\":{\"resourceVersion\":\"1\"}}",
        "{\"metadata\":{\"uid\":\"\",\"resourceVersion\":\"1\"}}",
        "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":\"\"}}",
        "{\"metadata\":{\"uid\":\"u\",\"resourceVersion\":1}}",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct error err = ERROR_INIT;
        struct kube_lease lease = KUBE_LEASE_INIT;
        AUTO(json_t *, json_decrefp) object = load(texts[i]);
        assert_false(kube_lease_parse(object, &lease, &err));
        assert_null(lease.object);
        assert_string_equal(err.code, "answer_unreadable");
    }
    struct error err = ERROR_INIT;
    struct kube_lease lease = KUBE_LEASE_INIT;
    assert_false(kube_lease_parse(NULL, &lease, &err));
}

/* The body is that JSON. */
static void expect_body(json_t *body, const char *wanted)
{
    AUTO(json_t *, json_decrefp) taken = body;
    AUTO(json_t *, json_decrefp) object = load(wanted);
    if (!json_equal(taken, object)) {
        char *text = json_dumps(taken, JSON_SORT_KEYS);
        fail_msg("%s", text);
    }
}

#define META(more)                                                                                 \
    "\"apiVersion\":\"coordination.k8s.io/"                                                        \
    "v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"shop\","                                     \
    "\"namespace\":\"n\"" more "}"

#define HELD_META(annotations)                                                                     \
    "\"apiVersion\":\"coordination.k8s.io/"                                                        \
    "v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":\"shop\","                                     \
    "\"namespace\":\"n\",\"uid\":\"u-1\",\"resourceVersion\":\"42\",\"labels\":{\"team\":\"a\"},"  \
    "\"annotations\":{" annotations "\"other.io/x\":\"kept\"}}"

static const struct kube_lease_claim mine = {
    .holder = "pod-2_v", .duration_s = 10, .now_us = NOW_US, .phase = "starting", .source = "{2}"
};

static void a_new_lease_is_claimed_at_once(void **state)
{
    (void)state;
    static const char spec[] =
        ",\"spec\":{\"holderIdentity\":\"pod-2_v\",\"leaseDurationSeconds\":10,"
        "\"leaseTransitions\":0,\"acquireTime\":\"" NOW_TEXT "\",\"renewTime\":\"" NOW_TEXT "\"}}";
    AUTO(char *, memory_free_p)
    with = text_format("{" META(",\"annotations\":{\"pqcdc.io/phase\":\"starting\","
                                "\"pqcdc.io/source\":\"{2}\"}") "%s",
                       spec);
    expect_body(kube_lease_make_new("n", "shop", &mine), with);
    struct kube_lease_claim bare = mine;
    bare.phase = NULL;
    bare.source = "";
    AUTO(char *, memory_free_p) without = text_format("{" META("") "%s", spec);
    expect_body(kube_lease_make_new("n", "shop", &bare), without);
}

static void taking_over_is_one_transition_more(void **state)
{
    (void)state;
    AUTO(struct kube_lease, kube_lease_done) lease = parse(held);
    expect_body(
        kube_lease_make_claimed(&lease, &mine),
        "{" HELD_META(
            "\"pqcdc.io/phase\":\"starting\",\"pqcdc.io/source\":\"{2}\",") ",\"spec\":{"
                                                                            "\"holderIdentity\":"
                                                                            "\"pod-2_v\","
                                                                            "\"leaseDurationSeconds"
                                                                            "\":10,"
                                                                            "\"leaseTransitions\":"
                                                                            "4,\"acquireTime\":"
                                                                            "\"" NOW_TEXT
                                                                            "\",\"renewTime\":"
                                                                            "\"" NOW_TEXT
                                                                            "\",\"future\":{"
                                                                            "\"field\":1}}}");
    /* What was read stays as it was. */
    AUTO(json_t *, json_decrefp) before = load(held);
    assert_true(json_equal(lease.object, before));
}

static void renewing_keeps_when_it_was_acquired(void **state)
{
    (void)state;
    AUTO(struct kube_lease, kube_lease_done) lease = parse(held);
    struct kube_lease_claim again = mine;
    again.holder = "pod-1_u";
    again.phase = again.source = NULL;
    expect_body(
        kube_lease_make_claimed(&lease, &again),
        "{" HELD_META(
            "\"pqcdc.io/phase\":\"streaming\",\"pqcdc.io/source\":\"{1}\",") ",\"spec\":{"
                                                                             "\"holderIdentity\":"
                                                                             "\"pod-1_u\","
                                                                             "\"leaseDurationSecond"
                                                                             "s\":10,"
                                                                             "\"leaseTransitions\":"
                                                                             "3,\"acquireTime\":"
                                                                             "\"2026-01-01T00:00:"
                                                                             "00.000000Z\","
                                                                             "\"renewTime\":"
                                                                             "\"" NOW_TEXT
                                                                             "\",\"future\":{"
                                                                             "\"field\":1}}}");
}

static void a_lease_that_nobody_holds_is_taken(void **state)
{
    (void)state;
    AUTO(struct kube_lease, kube_lease_done) lease = parse(ODD(",\"spec\":\"odd\""));
    expect_body(
        kube_lease_make_claimed(&lease, &mine),
        "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"uid\":"
        "\"u\",\"resourceVersion\":\"1\",\"annotations\":{\"pqcdc.io/phase\":\"starting\","
        "\"pqcdc.io/source\":\"{2}\"}},\"spec\":{\"holderIdentity\":\"pod-2_v\","
        "\"leaseDurationSeconds\":10,\"leaseTransitions\":1,\"acquireTime\":\"" NOW_TEXT
        "\",\"renewTime\":\"" NOW_TEXT "\"}}");
}

static void transitions_do_not_overflow(void **state)
{
    (void)state;
    AUTO(struct kube_lease, kube_lease_done)
    lease = parse(SPEC("\"holderIdentity\":\"x\",\"leaseTransitions\":2147483647"));
    AUTO(json_t *, json_decrefp) body = kube_lease_make_claimed(&lease, &mine);
    assert_int_equal(kube_object_integer(body, "spec.leaseTransitions", 0), 2147483647);
}

/* A holder without an acquireTime gets one. */
static void a_missing_acquire_time_is_filled_in(void **state)
{
    (void)state;
    AUTO(struct kube_lease, kube_lease_done)
    lease = parse(SPEC("\"holderIdentity\":\"pod-2_v\",\"leaseTransitions\":5"));
    AUTO(json_t *, json_decrefp) body = kube_lease_make_claimed(&lease, &mine);
    assert_string_equal(kube_object_text(body, "spec.acquireTime", ""), NOW_TEXT);
    assert_int_equal(kube_object_integer(body, "spec.leaseTransitions", 0), 5);
}

static void a_released_lease_is_nobodys_for_a_second(void **state)
{
    (void)state;
    static const char spec[] =
        ",\"spec\":{\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,\"leaseTransitions\":3,"
        "\"acquireTime\":\"2026-01-01T00:00:00.000000Z\",\"renewTime\":\"2026-01-01T00:00:09."
        "000000Z"
        "\",\"future\":{\"field\":1}}}";
    AUTO(struct kube_lease, kube_lease_done) lease = parse(held);
    AUTO(char *, memory_free_p)
    left = text_format("{" HELD_META("\"pqcdc.io/source\":\"{1}\",") "%s", spec);
    expect_body(kube_lease_make_released(&lease, NULL), left);
    AUTO(char *, memory_free_p)
    set = text_format("{" HELD_META("\"pqcdc.io/source\":\"{9}\",") "%s", spec);
    expect_body(kube_lease_make_released(&lease, "{9}"), set);
    AUTO(struct kube_lease, kube_lease_done) bare = parse(ODD(""));
    AUTO(json_t *, json_decrefp) body = kube_lease_make_released(&bare, NULL);
    assert_null(kube_object_find(body, "metadata.annotations"));
    assert_string_equal(kube_object_text(body, "metadata.resourceVersion", ""), "1");
}

static void calls_go_to_the_lease(void **state)
{
    struct scene *scene = *state;
    AUTO(json_t *, json_decrefp) body = kube_lease_make_new("n/s", "a b", &mine);
    AUTO(char *, memory_free_p) text = json_dumps(body, JSON_COMPACT);
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    fake_api_push(&scene->api, (struct fake_answer){ .body = held, .times = 3 });
    kube_lease_get(scene->client, "n/s", "a b", 5000, scene_on_answer, &got);
    scene_until(scene, got.count == 1);
    AUTO(struct kube_lease, kube_lease_done) lease = KUBE_LEASE_INIT;
    struct error err = ERROR_INIT;
    assert_true(kube_lease_parse(got.answer.object, &lease, &err));
    assert_string_equal(lease.holder, "pod-1_u");
    kube_lease_create(scene->client, "n/s", body, 5000, scene_on_answer, &got);
    scene_until(scene, got.count == 2);
    kube_lease_put(scene->client, "n/s", "a b", body, 5000, scene_on_answer, &got);
    scene_until(scene, got.count == 3);
    static const char *const lines[] = {
        "GET /apis/coordination.k8s.io/v1/namespaces/n%2Fs/leases/a%20b",
        "POST /apis/coordination.k8s.io/v1/namespaces/n%2Fs/leases",
        "PUT /apis/coordination.k8s.io/v1/namespaces/n%2Fs/leases/a%20b",
    };
    for (unsigned i = 0; i < COUNT_OF(lines); i++) {
        assert_string_equal(fake_api_seen(&scene->api, i)->line, lines[i]);
        assert_string_equal(fake_api_seen(&scene->api, i)->body, i > 0 ? text : "");
    }
}

static void a_call_is_one_try_with_its_own_limit(void **state)
{
    struct scene *scene = *state;
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    fake_api_push(&scene->api, (struct fake_answer){ .status = 500 });
    kube_lease_get(scene->client, "n", "a", 3000, scene_on_answer, &got);
    scene_until(scene, got.count == 1);
    assert_int_equal(got.answer.outcome, KUBE_BUSY);
    fake_api_push(&scene->api, (struct fake_answer){ .manner = FAKE_SILENT });
    kube_lease_get(scene->client, "n", "a", 3000, scene_on_answer, &got);
    scene_until(scene, fake_api_count(&scene->api) == 2);
    scene_pass(scene, 3000);
    assert_int_equal(got.count, 2);
    assert_string_equal(got.answer.err.code, "api_timeout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_is_read),
        cmocka_unit_test(a_copy_outlives_its_original),
        cmocka_unit_test(what_is_odd_is_held_by_nobody),
        cmocka_unit_test(times_do_not_matter),
        cmocka_unit_test(a_lease_without_uid_or_version_is_refused),
        cmocka_unit_test(a_new_lease_is_claimed_at_once),
        cmocka_unit_test(taking_over_is_one_transition_more),
        cmocka_unit_test(renewing_keeps_when_it_was_acquired),
        cmocka_unit_test(a_lease_that_nobody_holds_is_taken),
        cmocka_unit_test(transitions_do_not_overflow),
        cmocka_unit_test(a_missing_acquire_time_is_filled_in),
        cmocka_unit_test(a_released_lease_is_nobodys_for_a_second),
        cmocka_unit_test_setup_teardown(calls_go_to_the_lease, scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(a_call_is_one_try_with_its_own_limit, scene_setup,
                                        scene_teardown),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
