#include "worker/probes.h"

enum { PROBES_ALIVE_LIMIT_MS = 10000 };

/* A check says true, or false and why. */
typedef bool check_fn(const struct probes *probes, struct error *reason);

static bool check_loop(const struct probes *probes, struct error *reason)
{
    int64_t age_ms = connector_alive_age_ms(probes->connector);
    if (age_ms <= PROBES_ALIVE_LIMIT_MS)
        return true;
    return error_set(reason, ERROR_BUG, "loop_stuck", "the pipeline has not turned for %lld ms",
                     (long long)age_ms);
}

static bool check_elector(const struct probes *probes, struct error *reason)
{
    int64_t age_ms = probes->leadership != NULL ? leadership_alive_age_ms(probes->leadership) : 0;
    if (age_ms <= PROBES_ALIVE_LIMIT_MS)
        return true;
    return error_set(reason, ERROR_BUG, "elector_stuck", "the elector has not turned for %lld ms",
                     (long long)age_ms);
}

static bool check_started(const struct probes *probes, struct error *reason)
{
    if (atomic_load(&connector_status(probes->connector)->started))
        return true;
    return error_set(reason, ERROR_WAIT, "not_started", "the pipeline has not turned yet");
}

static bool check_streams(const struct probes *probes, struct error *reason)
{
    return !connector_unready(probes->connector, reason);
}

struct check {
    const char *name;
    check_fn *passes;
};

static const struct check live_checks[] = { { "loop", check_loop }, { "elector", check_elector } };
static const struct check start_checks[] = { { "started", check_started } };
static const struct check ready_checks[] = { { "loop", check_loop },
                                             { "elector", check_elector },
                                             { "streaming-or-standby", check_streams } };

static void answer(const struct probes *probes, const struct check *checks, size_t count,
                   const struct http_request *request, struct http_response *response)
{
    for (size_t i = 0; i < count; i++) {
        struct error reason = ERROR_INIT;
        bool passed = checks[i].passes(probes, &reason);
        if (!passed)
            response->status = 503;
        if (passed && request->verbose)
            buf_append_format(response->body, "[+] %s ok\n", checks[i].name);
        else if (!passed)
            buf_append_format(response->body, "[-] %s failed: %s: %s\n", checks[i].name,
                              reason.code, reason.text);
    }
    buf_append_text(response->body, response->status == 200 ? "ok\n" : "failed\n");
}

static void on_livez(void *self, const struct http_request *request, struct http_response *response)
{
    answer(self, live_checks, COUNT_OF(live_checks), request, response);
}

static void on_startupz(void *self, const struct http_request *request,
                        struct http_response *response)
{
    answer(self, start_checks, COUNT_OF(start_checks), request, response);
}

static void on_readyz(void *self, const struct http_request *request,
                      struct http_response *response)
{
    answer(self, ready_checks, COUNT_OF(ready_checks), request, response);
}

void probes_init(struct probes *probes)
{
    *probes = (struct probes){
        .routes = {
            { "/livez", on_livez, probes, HTTP_QUICK },
            { "/readyz", on_readyz, probes, HTTP_QUICK },
            { "/startupz", on_startupz, probes, HTTP_QUICK },
        },
    };
}
