#include "operator/operator_probes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kube/kube_object.h"

struct probing {
    struct clock_manual time;
    struct operator_metrics *metrics;
    struct operator_probes probes;
    struct buf body;
};

static int setup(void **state)
{
    static struct probing probing;
    probing = (struct probing){ .time = { .mono_ms = 1000 } };
    struct clock clock = clock_manual(&probing.time);
    probing.metrics = operator_metrics_new();
    probing.body = buf_init(1 << 20);
    operator_probes_init(&probing.probes, &clock, probing.metrics);
    probing.probes.identity = "me";
    *state = &probing;
    return 0;
}

static int teardown(void **state)
{
    struct probing *probing = *state;
    operator_metrics_free(probing->metrics);
    buf_done(&probing->body);
    return 0;
}

static unsigned get(struct probing *probing, const char *path, bool verbose)
{
    struct http_response response = { .status = 200, .body = &probing->body };
    const struct http_request request = { .path = path, .verbose = verbose };
    buf_clear(&probing->body);
    for (size_t i = 0; i < COUNT_OF(probing->probes.routes); i++) {
        const struct http_route *route = &probing->probes.routes[i];
        if (strcmp(route->path, path) == 0)
            route->handle(route->self, &request, &response);
    }
    return response.status;
}

static void it_lives_while_the_loop_turns(void **state)
{
    struct probing *probing = *state;
    assert_int_equal(get(probing, "/livez", false), 200);
    assert_string_equal(buf_text(&probing->body), "ok\n");
    probing->time.mono_ms += 10001;
    assert_int_equal(get(probing, "/livez", false), 503);
    assert_string_equal(buf_text(&probing->body),
                        "[-] loop failed: stuck: the loop has not turned for 10001 ms\nfailed\n");
    operator_probes_turn(&probing->probes, false);
    assert_int_equal(get(probing, "/livez", true), 200);
    assert_string_equal(buf_text(&probing->body), "[+] loop ok\n[+] elector ok\nok\n");
}

static void it_is_ready_once_everything_was_listed(void **state)
{
    struct probing *probing = *state;
    assert_int_equal(get(probing, "/readyz", false), 503);
    assert_non_null(strstr(buf_text(&probing->body), "[-] listed failed: not_listed"));
    operator_probes_turn(&probing->probes, true);
    assert_int_equal(get(probing, "/readyz", false), 200);
    operator_probes_turn(&probing->probes, false); /* an outage does not take it back */
    assert_int_equal(get(probing, "/readyz", false), 200);
}

static void status_and_metrics_say_how_it_is(void **state)
{
    struct probing *probing = *state;
    operator_metrics_set(probing->metrics, &(struct operator_metrics_now){ true, 3, 200, 17 });
    operator_metrics_reconciled(probing->metrics, "idle", 5);
    operator_metrics_reconciled(probing->metrics, "idle", 70);
    operator_metrics_error(probing->metrics, "api_conflict");
    operator_metrics_request(probing->metrics, KUBE_PATCH, 409);
    assert_int_equal(get(probing, "/status", false), 200);
    AUTO(json_t *, json_decrefp) status = kube_object_load(buf_slice(&probing->body));
    assert_string_equal(kube_object_text(status, "identity", ""), "me");
    assert_true(json_is_true(json_object_get(status, "leads")));
    assert_int_equal(kube_object_integer(status, "connectors", 0), 200);
    assert_true(json_is_null(json_object_get(status, "lease")));
    assert_int_equal(get(probing, "/metrics", false), 200);
    static const char *const lines[] = {
        "\npqcdc_operator_reconcile_total{result=\"idle\"} 2\n",
        "\npqcdc_operator_reconcile_duration_seconds_count 2\n",
        "\npqcdc_operator_errors_total{reason=\"api_conflict\"} 1\n",
        "\npqcdc_operator_api_requests_total{verb=\"PATCH\",code=\"409\"} 1\n",
        "\npqcdc_operator_queue_depth 3\n",
        "\npqcdc_operator_leader 1\n",
        "\npqcdc_operator_connectors 200\n",
        "\npqcdc_operator_pods 17\n",
    };
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (strstr(buf_text(&probing->body), lines[i]) == NULL)
            fail_msg("no %s in\n%s", lines[i], buf_text(&probing->body));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_lives_while_the_loop_turns),
        TEST(it_is_ready_once_everything_was_listed),
        TEST(status_and_metrics_say_how_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
