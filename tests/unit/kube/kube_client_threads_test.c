/* What other threads do to a client, and do not: a resolver that hangs, and a client of their own.
 */
#include "kube/kube_client.h"

#include <netdb.h>
#include <stdatomic.h>

#include "unit/kube/kube_scene.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

/* In place of the C library's: nothing is found until the test says so. */
static atomic_bool resolver_hangs;
static atomic_int resolving;

__attribute__((visibility("default"))) int getaddrinfo(const char *restrict node UNUSED,
                                                       const char *restrict service UNUSED,
                                                       const struct addrinfo *restrict hints UNUSED,
                                                       struct addrinfo **restrict out UNUSED)
{
    atomic_fetch_add(&resolving, 1);
    for (int i = 0; atomic_load(&resolver_hangs) && i < 30000; i++)
        (void)usleep(1000);
    atomic_fetch_sub(&resolving, 1);
    return EAI_AGAIN;
}

static void ask_an_unknown_host(struct scene *scene)
{
    kube_client_free(scene->client);
    kube_config_free(scene->config);
    scene_load(scene, "{server: \"http://unknown.test:1\"}", "{}");
    scene_connect(scene, 0);
}

static void let_it_resolve(struct scene *scene)
{
    atomic_store(&resolver_hangs, false);
    scene_until(scene, atomic_load(&resolving) == 0);
    (void)usleep(20000);
}

static void a_name_that_is_not_found_is_told(void **state)
{
    struct scene *scene = *state;
    ask_an_unknown_host(scene);
    AUTO(struct kube_answer, kube_answer_done) answer = scene_get(scene, "/a");
    assert_int_equal(answer.outcome, KUBE_UNREACHABLE);
    assert_string_equal(answer.err.text, "GET /a: Could not resolve host: unknown.test");
}

static void a_resolver_that_hangs_holds_nobody_up(void **state)
{
    struct scene *scene = *state;
    ask_an_unknown_host(scene);
    atomic_store(&resolver_hangs, true);
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer, &got);
    scene_until(scene, atomic_load(&resolving) == 1);
    scene_pass(scene, KUBE_CLIENT_TIMEOUT_MS);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.answer.outcome, KUBE_UNREACHABLE);
    assert_int_equal(atomic_load(&resolving), 1);
    let_it_resolve(scene);
}

static void a_resolver_that_hangs_does_not_keep_the_client(void **state)
{
    struct scene *scene = *state;
    ask_an_unknown_host(scene);
    atomic_store(&resolver_hangs, true);
    AUTO(struct scene_answer, scene_answer_done) got = { .count = 0 };
    kube_client_call(scene->client, &(struct kube_request){ .path = "/a" }, scene_on_answer, &got);
    scene_until(scene, atomic_load(&resolving) == 1);
    kube_client_free(TAKE(scene->client));
    assert_int_equal(atomic_load(&resolving), 1);
    let_it_resolve(scene);
    assert_int_equal(got.count, 0);
}

enum { CALLS_PER_THREAD = 20 };

/* A client, its loop and its calls, all of one thread. */
static void *call_often(void *self)
{
    const struct scene *scene = self;
    struct clock clock = clock_system();
    struct loop *loop = loop_new(&clock);
    struct kube_client *client = NULL;
    struct kube_client_options options = { .config = scene->config, .loop = loop, .clock = clock };
    CHECK(kube_client_new(&options, &client, NULL));
    for (int i = 0; i < CALLS_PER_THREAD; i++) {
        AUTO(struct kube_answer, kube_answer_done) answer = KUBE_ANSWER_INIT;
        kube_client_call_wait(client, &(struct kube_request){ .path = "/a" }, &answer);
        CHECK(answer.outcome == KUBE_OK);
    }
    kube_client_free(client);
    loop_free(loop);
    return NULL;
}

static void two_clients_work_in_two_threads(void **state)
{
    struct scene *scene = *state;
    pthread_t threads[2];
    fake_api_push(&scene->api, (struct fake_answer){ .times = 2 * CALLS_PER_THREAD });
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, scene), 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(fake_api_count(&scene->api), 2 * CALLS_PER_THREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_is_not_found_is_told),
        TEST(a_resolver_that_hangs_holds_nobody_up),
        TEST(a_resolver_that_hangs_does_not_keep_the_client),
        TEST(two_clients_work_in_two_threads),
    };
    return cmocka_run_group_tests(tests, scene_group, NULL);
}
