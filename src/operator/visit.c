#include "operator/visit.h"

#include <curl/curl.h>

#include "base/buf.h"
#include "base/memory.h"
#include "kube/kube_multi.h"

#define SET(easy, option, value) CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK)

struct visit {
    struct visit_pool *pool;
    struct visit *next;
    CURL *easy;
    struct buf body;
    visit_done_fn *done; /* NULL = it is cancelled or over */
    void *self;
    char problem[CURL_ERROR_SIZE];
};

struct visit_pool {
    struct kube_multi *multi;
    struct visit *visits; /* newest first */
};

static size_t on_body(char *bytes, size_t item_bytes, size_t count, void *self)
{
    struct visit *visit = self;
    struct slice part = { bytes, item_bytes * count };
    buf_append_slice(&visit->body, part);
    return visit->body.failed ? CURL_WRITEFUNC_ERROR : part.size;
}

static struct visit *visit_new(const char *url, int64_t timeout_ms)
{
    struct visit *visit = memory_alloc(sizeof(*visit));
    CURL *easy = curl_easy_init();
    CHECK(easy != NULL);
    *visit = (struct visit){ .easy = easy, .body = buf_init(VISIT_BODY_MAX_BYTES) };
    SET(easy, CURLOPT_URL, url);
    SET(easy, CURLOPT_PROTOCOLS_STR, "http");
    SET(easy, CURLOPT_PROXY, "");
    SET(easy, CURLOPT_FORBID_REUSE, 1L);
    SET(easy, CURLOPT_FRESH_CONNECT, 1L);
    SET(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    SET(easy, CURLOPT_USERAGENT, "pqcdc-operator/" PQCDC_VERSION);
    SET(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    SET(easy, CURLOPT_NOSIGNAL, 1L);
    SET(easy, CURLOPT_QUICK_EXIT, 1L);
    SET(easy, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, CURLOPT_WRITEDATA, visit);
    SET(easy, CURLOPT_ERRORBUFFER, visit->problem);
    SET(easy, CURLOPT_PRIVATE, visit);
    return visit;
}

static void visit_free(struct visit *visit)
{
    curl_easy_cleanup(visit->easy);
    buf_done(&visit->body);
    memory_free(visit);
}

static int status_of(const struct visit *visit, CURLcode result, struct error *err)
{
    long status = 0;
    char *url = NULL;
    CHECK(curl_easy_getinfo(visit->easy, CURLINFO_EFFECTIVE_URL, &url) == CURLE_OK);
    if (result == CURLE_OK) {
        CHECK(curl_easy_getinfo(visit->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK);
        return (int)status;
    }
    const char *what = visit->body.failed          ? "the answer is too large"
                       : visit->problem[0] != '\0' ? visit->problem
                                                   : curl_easy_strerror(result);
    error_set(err, ERROR_RETRY, "unreachable", "GET %s: %s", url, what);
    return 0;
}

static void leave(struct visit *visit)
{
    struct visit **place = &visit->pool->visits;
    while (*place != visit)
        place = &(*place)->next;
    *place = visit->next;
    kube_multi_remove(visit->pool->multi, visit->easy);
}

static void on_moved(void *self)
{
    struct visit_pool *pool = self;
    CURL *easy;
    CURLcode result;
    while (kube_multi_ended(pool->multi, &easy, &result)) {
        char *private = NULL;
        CHECK(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private) == CURLE_OK);
        struct visit *visit = (void *)private;
        struct error err = ERROR_INIT;
        int status = status_of(visit, result, &err);
        leave(visit);
        visit->done(visit->self, status, buf_slice(&visit->body), &err);
        visit_free(visit);
    }
}

struct visit_pool *visit_pool_new(struct loop *loop)
{
    struct visit_pool *pool = memory_alloc(sizeof(*pool));
    pool->multi = kube_multi_new(loop, 1, on_moved, pool);
    return pool;
}

void visit_pool_free(struct visit_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->visits != NULL)
        visit_cancel(pool->visits);
    kube_multi_free(pool->multi);
    memory_free(pool);
}

struct visit *visit_start(struct visit_pool *pool, const char *url, int64_t timeout_ms,
                          visit_done_fn *done, void *self)
{
    struct visit *visit = visit_new(url, timeout_ms);
    visit->pool = pool;
    visit->done = done;
    visit->self = self;
    visit->next = pool->visits;
    pool->visits = visit;
    kube_multi_add(pool->multi, visit->easy);
    return visit;
}

void visit_cancel(struct visit *visit)
{
    if (visit == NULL)
        return;
    leave(visit);
    visit_free(visit);
}

bool visit_wait(const char *url, int64_t timeout_ms, int *out_status, struct error *err)
{
    struct visit *visit = visit_new(url, timeout_ms);
    int status = status_of(visit, curl_easy_perform(visit->easy), err);
    visit_free(visit);
    if (status != 0)
        *out_status = status;
    return status != 0;
}
