#include "operator/operator_probes.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/error.h"

enum { ALIVE_LIMIT_MS = 10000 };

/* True, or false and why. */
typedef bool check_fn(struct operator_probes *probes, struct error *reason);

static bool check_age(const char *what, int64_t age_ms, struct error *reason)
{
    if (age_ms <= ALIVE_LIMIT_MS)
        return true;
    return error_set(reason, ERROR_BUG, "stuck", "the %s has not turned for %lld ms", what,
                     (long long)age_ms);
}

static bool check_loop(struct operator_probes *probes, struct error *reason)
{
    return check_age("loop", clock_now(&probes->clock).value - atomic_load(&probes->turned_ms),
                     reason);
}

static bool check_elector(struct operator_probes *probes, struct error *reason)
{
    const struct operator_elector *elector = atomic_load(&probes->elector);
    return elector == NULL || check_age("elector", operator_elector_alive_age_ms(elector), reason);
}

static bool check_listed(struct operator_probes *probes, struct error *reason)
{
    if (atomic_load(&probes->complete))
        return true;
    return error_set(reason, ERROR_WAIT, "not_listed",
                     "not everything that is watched could be listed yet: the log says what");
}

static const struct check {
    const char *name;
    check_fn *passes;
    bool live; /* of /livez too */
} checks[] = {
    { "loop", check_loop, true },
    { "elector", check_elector, true },
    { "listed", check_listed, false },
};

static void answer(struct operator_probes *probes, bool live, const struct http_request *request,
                   struct http_response *response)
{
    for (size_t i = 0; i < COUNT_OF(checks); i++) {
        struct error reason = ERROR_INIT;
        if (live && !checks[i].live)
            continue;
        bool passed = checks[i].passes(probes, &reason);
        if (!passed) {
            response->status = 503;
            buf_append_format(response->body, "[-] %s failed: %s: %s\n", checks[i].name,
                              reason.code, reason.text);
        } else if (request->verbose) {
            buf_append_format(response->body, "[+] %s ok\n", checks[i].name);
        }
    }
    buf_append_text(response->body, response->status == 200 ? "ok\n" : "failed\n");
}

static void on_livez(void *self, const struct http_request *request, struct http_response *response)
{
    answer(self, true, request, response);
}

static void on_readyz(void *self, const struct http_request *request,
                      struct http_response *response)
{
    answer(self, false, request, response);
}

static void on_metrics(void *self, const struct http_request *request UNUSED,
                       struct http_response *response)
{
    struct operator_probes *probes = self;
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    operator_metrics_write(probes->metrics, response->body);
}

static json_t *lease_of(struct operator_probes *probes)
{
    struct operator_elector *elector = atomic_load(&probes->elector);
    struct lease_elector_view view;
    if (elector == NULL)
        return json_null();
    operator_elector_look(elector, &view);
    return json_pack("{s:s, s:s, s:s, s:I, s:s}", "name", OPERATOR_ELECTOR_LEASE, "state",
                     election_state_name(view.state), "holder", view.holder, "renewed_age_ms",
                     (json_int_t)view.renewed_age_ms, "error", view.error);
}

static void on_status(void *self, const struct http_request *request UNUSED,
                      struct http_response *response)
{
    struct operator_probes *probes = self;
    struct operator_metrics_now now;
    operator_metrics_get(probes->metrics, &now);
    json_t *status =
        json_pack("{s:s, s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:o}", "version", PQCDC_VERSION,
                  "identity", probes->identity, "watch_namespaces", probes->watched, "leads",
                  now.leads, "complete", atomic_load(&probes->complete), "connectors",
                  (json_int_t)now.connectors, "pods", (json_int_t)now.pods, "queue_depth",
                  (json_int_t)now.queue_depth, "lease", lease_of(probes));
    CHECK(status != NULL);
    char *text = json_dumps(status, JSON_COMPACT);
    CHECK(text != NULL);
    response->content_type = "application/json";
    buf_append_format(response->body, "%s\n", text);
    free(text);
    json_decref(status);
}

void operator_probes_init(struct operator_probes *probes, const struct clock *clock,
                          struct operator_metrics *metrics)
{
    *probes = (struct operator_probes){
        .clock = *clock,
        .metrics = metrics,
        .identity = "",
        .watched = "",
        .routes = {
            { "/livez", on_livez, probes, HTTP_QUICK },
            { "/readyz", on_readyz, probes, HTTP_QUICK },
            { "/metrics", on_metrics, probes, HTTP_QUICK },
            { "/status", on_status, probes, HTTP_QUICK },
        },
    };
    atomic_init(&probes->turned_ms, clock_now(clock).value);
}

void operator_probes_turn(struct operator_probes *probes, bool complete)
{
    atomic_store(&probes->turned_ms, clock_now(&probes->clock).value);
    if (complete)
        atomic_store(&probes->complete, true);
}
