/* The elector's thread against a scripted API server: what it asks, what it obeys, what it says. */
#include "unit/kube/kube_scene.h"

#include <poll.h>
#include <stdatomic.h>

#include "election/lease_elector.h"
#include "kube/kube_object.h"

#define LEASES "/apis/coordination.k8s.io/v1/namespaces/shop/leases"
#define OURS   "pod-1_a"
#define THEIRS "pod-2_b"

static const char not_found[] = "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":"
                                "\"NotFound\",\"message\":\"no\",\"code\":404}";
static const char conflict[] = "{\"kind\":\"Status\",\"status\":\"Failure\",\"reason\":"
                               "\"Conflict\",\"message\":\"no\",\"code\":409}";

#define LEASE(version, holder, phase)                                                              \
    "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{\"name\":"        \
    "\"orders\",\"namespace\":\"shop\",\"uid\":\"u\",\"resourceVersion\":\"" version               \
    "\",\"annotations\":{\"pqcdc.io/phase\":\"" phase                                              \
    "\",\"pqcdc.io/source\":\"{7}\"}},\"spec\":{"                                                  \
    "\"holderIdentity\":\"" holder "\",\"leaseDurationSeconds\":15,\"leaseTransitions\":3}}"

struct fixture {
    struct scene scene;
    struct lease_elector_options with;
    struct lease_elector *elector;
    _Atomic int died, failures, recoveries, rows;
    _Atomic bool sourced;
    pthread_mutex_t lock;
    char source[64];
};

static void on_news(void *self, const struct lease_elector_news *news)
{
    struct fixture *fixture = self;
    if (news->row != NULL && news->row->next == ELECTION_LOSING)
        lease_elector_post(fixture->elector, "StoppedLeading", "LeaveLease", true, "note");
    if (news->row != NULL)
        atomic_fetch_add(&fixture->rows, 1);
    else if (news->err->class == ERROR_NONE)
        atomic_fetch_add(&fixture->recoveries, 1);
    else
        atomic_fetch_add(&fixture->failures, 1);
}

static void on_source(void *self, const char *source)
{
    struct fixture *fixture = self;
    pthread_mutex_lock(&fixture->lock);
    (void)snprintf(fixture->source, sizeof(fixture->source), "%s", source);
    pthread_mutex_unlock(&fixture->lock);
}

static bool write_source(void *self, char out[LEASE_ELECTOR_SOURCE_SIZE])
{
    struct fixture *fixture = self;
    (void)snprintf(out, LEASE_ELECTOR_SOURCE_SIZE, "{ours}");
    return atomic_load(&fixture->sourced);
}

static void on_die(void *self)
{
    struct fixture *fixture = self;
    atomic_fetch_add(&fixture->died, 1);
}

static int setup(void **state)
{
    struct fixture *fixture = memory_alloc(sizeof(*fixture));
    scene_init(&fixture->scene);
    fake_api_start(&fixture->scene.api, &(struct fake_api_options){ .port = 0 });
    AUTO(char *, memory_free_p)
    cluster = text_format("{server: 'http://127.0.0.1:%u'}", fixture->scene.api.port);
    scene_load(&fixture->scene, cluster, "{token: t}");
    CHECK(pthread_mutex_init(&fixture->lock, NULL) == 0);
    struct election_options election = election_options_default();
    (void)snprintf(election.identity, sizeof(election.identity), OURS);
    election.retry_period_ms = 400;
    election.renew_deadline_ms = 2000;
    election.lease_duration_ms = 3000;
    election.stop_limit_ms = SCENE_PATIENCE_MS;
    fixture->with = (struct lease_elector_options){
        .config = fixture->scene.config,
        .namespace_name = "shop",
        .lease_name = "orders",
        .pod = "pod-1",
        .election = election,
        .clock = clock_system(),
        .callbacks = { fixture, on_news, on_source, write_source, on_die },
    };
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    lease_elector_stop(fixture->elector);
    fake_api_stop(&fixture->scene.api);
    scene_done(&fixture->scene);
    pthread_mutex_destroy(&fixture->lock);
    memory_free(fixture);
    return 0;
}

#define WAIT_UNTIL(condition)                                                                      \
    do {                                                                                           \
        int turns_ = 0;                                                                            \
        while (!(condition)) {                                                                     \
            if (++turns_ > SCENE_PATIENCE_MS)                                                      \
                fail_msg("never came true: %s", #condition);                                       \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
    } while (false)

static void push(struct fixture *fixture, const char *match, unsigned status, const char *body,
                 unsigned times)
{
    fake_api_push(
        &fixture->scene.api,
        (struct fake_answer){ .match = match, .status = status, .body = body, .times = times });
}

/* Nothing of it matters to these tests but that it stays away. */
static void no_watch(struct fixture *fixture)
{
    push(fixture, "GET " LEASES "?", 503, NULL, FAKE_API_MAX);
    push(fixture, "POST /apis/events", 503, NULL, FAKE_API_MAX);
}

static void start(struct fixture *fixture)
{
    struct error err = ERROR_INIT;
    if (!lease_elector_start(&fixture->with, &fixture->elector, &err))
        fail_msg("%s", err.text);
}

static void work(struct fixture *fixture, enum election_worker_phase phase)
{
    const struct election_worker worker = { .phase = phase, .brokers = true };
    lease_elector_tell_worker(fixture->elector, &worker);
}

/* A slot that nobody reads, seen again and again: this replica is fit. */
static void be_fit(struct fixture *fixture)
{
    const struct election_poll poll = { .answered = true, .exists = true };
    work(fixture, ELECTION_WORKER_IDLE);
    lease_elector_tell_poll(fixture->elector, &poll);
    lease_elector_tell_poll(fixture->elector, &poll);
}

static bool leads(struct fixture *fixture)
{
    return !lease_elector_must_stop(fixture->elector) && lease_elector_may_start(fixture->elector);
}

static struct lease_elector_view look(struct fixture *fixture)
{
    struct lease_elector_view view;
    lease_elector_look(fixture->elector, &view);
    return view;
}

static unsigned count(struct fixture *fixture, const char *line)
{
    unsigned found = 0;
    for (unsigned i = 0; i < fake_api_count(&fixture->scene.api); i++)
        found += strncmp(fake_api_seen(&fixture->scene.api, i)->line, line, strlen(line)) == 0;
    return found;
}

/* The body of the last request of that kind, at a path of names separated by dots. */
static bool wrote(struct fixture *fixture, const char *line, const char *text)
{
    const char *body = "";
    for (unsigned i = 0; i < fake_api_count(&fixture->scene.api); i++) {
        const struct fake_request *request = fake_api_seen(&fixture->scene.api, i);
        if (strncmp(request->line, line, strlen(line)) == 0)
            body = request->body;
    }
    return strstr(body, text) != NULL;
}

/* It looks again and again: old looks do not count, nor do those before a freeze, which is what a
 * slow machine looks like. */
static bool fit_and_leads(struct fixture *fixture)
{
    if (look(fixture).terms == 0)
        be_fit(fixture);
    return leads(fixture);
}

static void lead(struct fixture *fixture)
{
    push(fixture, "GET " LEASES "/orders", 0, LEASE("1", "", ""), 1);
    push(fixture, "PUT " LEASES "/orders", 0, LEASE("2", OURS, "starting"), FAKE_API_MAX);
    start(fixture);
    WAIT_UNTIL(fit_and_leads(fixture));
}

static void lead_once(struct fixture *fixture)
{
    start(fixture);
    WAIT_UNTIL((be_fit(fixture), look(fixture).terms == 1));
}

static void who_is_not_fit_takes_nothing(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    push(fixture, "GET " LEASES "/orders", 404, not_found, FAKE_API_MAX);
    start(fixture);
    work(fixture, ELECTION_WORKER_IDLE);
    WAIT_UNTIL(count(fixture, "GET " LEASES "/orders") >= 3);
    assert_true(lease_elector_must_stop(fixture->elector));
    assert_false(lease_elector_may_start(fixture->elector));
    assert_int_equal(count(fixture, "POST " LEASES), 0);
    assert_int_equal(look(fixture).renewed_age_ms, -1);
}

static void a_lease_that_is_not_there_is_made(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    push(fixture, "GET " LEASES "/orders", 404, not_found, FAKE_API_MAX);
    push(fixture, "POST " LEASES, 201, LEASE("1", OURS, "starting"), 1);
    push(fixture, "PUT " LEASES "/orders", 0, LEASE("2", OURS, "starting"), FAKE_API_MAX);
    start(fixture);
    WAIT_UNTIL(fit_and_leads(fixture));
    assert_true(wrote(fixture, "POST " LEASES, "\"holderIdentity\":\"" OURS "\""));
    assert_true(wrote(fixture, "POST " LEASES, "\"leaseDurationSeconds\":3"));
    assert_int_equal(look(fixture).terms, 1);
    assert_string_equal(look(fixture).holder, OURS);
    assert_true(look(fixture).renewed_age_ms >= 0);
    struct pollfd news = { .fd = lease_elector_fd(fixture->elector), .events = POLLIN };
    assert_int_equal(poll(&news, 1, SCENE_PATIENCE_MS), 1);
    lease_elector_acknowledge(fixture->elector);
    assert_int_equal(poll(&news, 1, 0), 0);
}

static void a_lease_that_nobody_holds_is_taken_as_it_was_read(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    lead(fixture);
    assert_true(wrote(fixture, "PUT " LEASES "/orders", "\"uid\":\"u\""));
    assert_true(wrote(fixture, "PUT " LEASES "/orders", "\"leaseTransitions\":4") ||
                count(fixture, "PUT " LEASES "/orders") > 1);
    pthread_mutex_lock(&fixture->lock);
    assert_string_equal(fixture->source, "{7}"); /* what is known of the slot goes on */
    pthread_mutex_unlock(&fixture->lock);
}

/* What candidates wait for, and what outlives this process. */
static void phase_and_source_are_written_with_the_renewals(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    lead(fixture);
    atomic_store(&fixture->sourced, true);
    work(fixture, ELECTION_WORKER_STREAMING);
    WAIT_UNTIL(wrote(fixture, "PUT " LEASES "/orders", "\"pqcdc.io/phase\":\"streaming\""));
    assert_true(wrote(fixture, "PUT " LEASES "/orders", "\"pqcdc.io/source\":\"{ours}\""));
    assert_true(wrote(fixture, "PUT " LEASES "/orders", "\"resourceVersion\":\"2\""));
    unsigned before = count(fixture, "PUT " LEASES "/orders");
    WAIT_UNTIL(count(fixture, "PUT " LEASES "/orders") >= before + 3); /* each retryPeriod */
}

static void a_lease_that_names_another_ends_the_lead(void **state)
{
    struct fixture *fixture = *state;
    push(fixture, "POST /apis/events", 201, NULL, FAKE_API_MAX);
    push(fixture, "GET " LEASES "?fieldSelector", 0,
         "{\"kind\":\"LeaseList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[]}", 1);
    fake_api_push(&fixture->scene.api,
                  (struct fake_answer){ .match = "GET " LEASES "?", .manner = FAKE_STREAM });
    lead(fixture);
    work(fixture, ELECTION_WORKER_STREAMING);
    WAIT_UNTIL(fake_api_streams(&fixture->scene.api) == 1);
    push(fixture, "GET " LEASES "/orders", 0, LEASE("9", THEIRS, "starting"), FAKE_API_MAX);
    fake_api_say(&fixture->scene.api,
                 "{\"type\":\"ADDED\",\"object\":" LEASE("9", THEIRS, "starting") "}\n");
    WAIT_UNTIL(lease_elector_must_stop(fixture->elector));
    assert_false(lease_elector_may_start(fixture->elector));
    work(fixture, ELECTION_WORKER_IDLE);
    WAIT_UNTIL(look(fixture).state == ELECTION_FOLLOWING);
    assert_string_equal(look(fixture).holder, THEIRS);
    assert_int_equal(atomic_load(&fixture->died), 0);
    WAIT_UNTIL(count(fixture, "POST /apis/events") >= 1);
    assert_true(wrote(fixture, "POST /apis/events", "\"StoppedLeading\""));
}

static void who_does_not_stop_in_time_dies(void **state)
{
    struct fixture *fixture = *state;
    fixture->with.election.stop_limit_ms = 200;
    no_watch(fixture);
    push(fixture, "GET " LEASES "/orders", 0, LEASE("1", "", ""), 1);
    push(fixture, "GET " LEASES "/orders", 0, LEASE("9", THEIRS, ""), FAKE_API_MAX);
    push(fixture, "PUT " LEASES "/orders", 0, LEASE("2", OURS, "starting"), 1);
    push(fixture, "PUT " LEASES "/orders", 409, conflict, FAKE_API_MAX);
    lead_once(fixture);
    work(fixture, ELECTION_WORKER_STREAMING);
    WAIT_UNTIL(atomic_load(&fixture->died) > 0);
}

/* A running stream is not ended by an API server that is away; and it is said, once. */
static void an_outage_is_no_loss(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    push(fixture, "GET " LEASES "/orders", 0, LEASE("1", "", ""), 1);
    push(fixture, "PUT " LEASES "/orders", 0, LEASE("2", OURS, "starting"), 1);
    push(fixture, "PUT " LEASES "/orders", 500, NULL, FAKE_API_MAX);
    push(fixture, "GET " LEASES "/orders", 500, NULL, FAKE_API_MAX);
    lead_once(fixture);
    work(fixture, ELECTION_WORKER_STREAMING);
    WAIT_UNTIL(look(fixture).failures > 5);
    assert_false(lease_elector_must_stop(fixture->elector));
    assert_int_equal(atomic_load(&fixture->failures), 1);
    assert_true(look(fixture).error[0] != '\0');
    WAIT_UNTIL(!lease_elector_may_start(fixture->elector)); /* renewDeadline is over */
    assert_false(lease_elector_must_stop(fixture->elector));
}

static void an_outage_ends_it_where_that_is_asked_for(void **state)
{
    struct fixture *fixture = *state;
    fixture->with.election.step_down_on_outage = true;
    no_watch(fixture);
    push(fixture, "GET " LEASES "/orders", 0, LEASE("1", "", ""), 1);
    push(fixture, "PUT " LEASES "/orders", 0, LEASE("2", OURS, "starting"), 1);
    push(fixture, "PUT " LEASES "/orders", 500, NULL, FAKE_API_MAX);
    push(fixture, "GET " LEASES "/orders", 500, NULL, FAKE_API_MAX);
    lead_once(fixture);
    WAIT_UNTIL(lease_elector_must_stop(fixture->elector));
}

static void a_lease_is_given_back_in_the_end(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    lead(fixture);
    lease_elector_leave(fixture->elector, SCENE_PATIENCE_MS);
    assert_true(wrote(fixture, "PUT " LEASES "/orders", "\"holderIdentity\":\"\""));
    assert_int_equal(look(fixture).state, ELECTION_OVER);
    assert_true(lease_elector_must_stop(fixture->elector));
}

/* Who never led has nothing to give back, and does not wait. */
static void who_follows_leaves_at_once(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    push(fixture, "GET " LEASES "/orders", 0, LEASE("1", THEIRS, "streaming"), FAKE_API_MAX);
    start(fixture);
    be_fit(fixture);
    WAIT_UNTIL(count(fixture, "GET " LEASES "/orders") >= 2);
    lease_elector_leave(fixture->elector, SCENE_PATIENCE_MS);
    assert_int_equal(look(fixture).state, ELECTION_OVER);
    assert_int_equal(count(fixture, "PUT " LEASES "/orders"), 0);
}

static void a_lease_that_cannot_be_read_is_no_answer(void **state)
{
    struct fixture *fixture = *state;
    no_watch(fixture);
    push(fixture, "GET " LEASES "/orders", 0, "{\"kind\":\"Lease\"}", 3);
    push(fixture, "GET " LEASES "/orders", 0, LEASE("1", "", ""), FAKE_API_MAX);
    push(fixture, "PUT " LEASES "/orders", 0, LEASE("2", OURS, "starting"), FAKE_API_MAX);
    start(fixture);
    be_fit(fixture);
    WAIT_UNTIL(look(fixture).failures >= 3);
    WAIT_UNTIL(fit_and_leads(fixture));
    WAIT_UNTIL(atomic_load(&fixture->recoveries) == 1);
}

#define ELECTOR_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ELECTOR_TEST(who_is_not_fit_takes_nothing),
        ELECTOR_TEST(a_lease_that_is_not_there_is_made),
        ELECTOR_TEST(a_lease_that_nobody_holds_is_taken_as_it_was_read),
        ELECTOR_TEST(phase_and_source_are_written_with_the_renewals),
        ELECTOR_TEST(a_lease_that_names_another_ends_the_lead),
        ELECTOR_TEST(who_does_not_stop_in_time_dies),
        ELECTOR_TEST(an_outage_is_no_loss),
        ELECTOR_TEST(an_outage_ends_it_where_that_is_asked_for),
        ELECTOR_TEST(a_lease_is_given_back_in_the_end),
        ELECTOR_TEST(who_follows_leaves_at_once),
        ELECTOR_TEST(a_lease_that_cannot_be_read_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
