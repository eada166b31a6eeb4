#include "kube/kube_call.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"

enum { RETRY_FIRST_MS = 200, RETRY_MAX_MS = 10000 };

static void start_try(struct kube_call *call)
{
    struct kube_call_shared *shared = call->shared;
    bool stream = call->on_line != NULL;
    mono_ms_t now = loop_now(shared->loop);
    kube_login_refresh(&shared->login, now);
    call->transfer = kube_transfer_new(&(struct kube_transfer_options){
        .login = &shared->login,
        .user_agent = shared->user_agent,
        .method = kube_client_verb_name(call->verb),
        .path = call->path,
        .body = call->body,
        .content_type = call->content_type,
        .timeout_ms = call->timeout_ms,
        .limit_bytes = shared->limit_bytes,
        .stream = stream,
        .self = call,
    });
    kube_multi_add(stream ? shared->streams : shared->calls, call->transfer->easy);
    loop_timer_set(call->timer, mono_ms_add(now, call->timeout_ms));
}

static void end_transfer(struct kube_call *call)
{
    if (call->transfer == NULL)
        return;
    struct kube_call_shared *shared = call->shared;
    kube_multi_remove(call->on_line != NULL ? shared->streams : shared->calls,
                      call->transfer->easy);
    kube_transfer_free(TAKE(call->transfer));
    loop_timer_clear(call->timer);
}

static PRINTF_LIKE(3, 4) void fail(struct kube_call *call, const char *code, const char *format,
                                   ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    call->answer.outcome = KUBE_UNREACHABLE;
    error_set(&call->answer.err, ERROR_RETRY, code, "%s %s: %s", kube_client_verb_name(call->verb),
              call->path, text);
}

static bool is_distrusted(CURLcode result)
{
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CACERT_BADFILE ||
           result == CURLE_SSL_ISSUER_ERROR;
}

/* libcurl gave up. Its texts hold hosts and ports, never a header. */
static void judge_failure(struct kube_call *call, CURLcode result)
{
    const struct kube_transfer *transfer = call->transfer;
    const char *text =
        transfer->problem[0] != '\0' ? transfer->problem : curl_easy_strerror(result);
    if (transfer->too_large) {
        fail(call, "answer_too_large", "the answer, or a line of it, is larger than %zu bytes",
             call->shared->limit_bytes);
    } else if (is_distrusted(result)) {
        fail(call, "api_untrusted", "the server's certificate is not accepted: %s", text);
        error_advise(&call->answer.err, "Check the authority's certificate (ca.crt, or "
                                        "certificate-authority in the kubeconfig).");
    } else {
        fail(call, result == CURLE_OPERATION_TIMEDOUT ? "api_timeout" : "api_unreachable", "%s",
             text);
    }
}

static void judge_body(struct kube_call *call)
{
    struct kube_transfer *transfer = call->transfer;
    struct kube_answer *answer = &call->answer;
    if (transfer->body.size > 0)
        answer->object = kube_object_load(buf_slice(&transfer->body));
    AUTO(char *, memory_free_p)
    what = text_format("%s %s", kube_client_verb_name(call->verb), call->path);
    kube_answer_judge(answer, what, kube_transfer_retry_after_ms(transfer));
    if (answer->outcome == KUBE_OK && answer->object == NULL)
        fail(call, "answer_unreadable", "the answer (%d) is not JSON", answer->status);
}

static void judge(struct kube_call *call, CURLcode result)
{
    const struct kube_transfer *transfer = call->transfer;
    call->answer.status = transfer->status;
    if (result != CURLE_OK)
        judge_failure(call, result);
    else if (transfer->status == 0)
        fail(call, "api_unreachable", "the connection was closed before an answer");
    else if (!kube_transfer_is_stream(transfer))
        judge_body(call);
    else if (kube_lines_is_empty(&transfer->lines))
        call->answer.outcome = KUBE_OK;
    else
        fail(call, "answer_unreadable", "the stream ended within a line");
}

static bool is_worth_another_try(enum kube_outcome outcome)
{
    return outcome == KUBE_BUSY || outcome == KUBE_UNREACHABLE;
}

/* False = there is no time left for another try. */
static bool rest(struct kube_call *call)
{
    mono_ms_t now = loop_now(call->shared->loop);
    if (!is_worth_another_try(call->answer.outcome) || !mono_ms_before(now, call->retry_until))
        return false;
    int64_t pause_ms = backoff_next_ms(&call->backoff);
    if (pause_ms < call->answer.retry_after_ms)
        pause_ms = call->answer.retry_after_ms;
    mono_ms_t next = mono_ms_add(now, pause_ms);
    if (!mono_ms_before(next, call->retry_until))
        return false;
    loop_timer_set(call->timer, next);
    return true;
}

static void renew_answer(struct kube_call *call)
{
    kube_answer_done(&call->answer);
    call->answer = KUBE_ANSWER_INIT;
}

/* The token or an authority may have been rotated. */
static bool log_in_again(struct kube_call *call)
{
    struct kube_call_shared *shared = call->shared;
    if (call->relogged || !kube_login_reread(&shared->login, loop_now(shared->loop)))
        return false;
    call->relogged = true;
    renew_answer(call);
    start_try(call);
    return true;
}

void kube_call_end_try(struct kube_call *call, CURLcode result)
{
    renew_answer(call);
    judge(call, result);
    end_transfer(call);
    bool refused =
        call->answer.status == 401 || is_distrusted(result) || result == CURLE_SSL_CERTPROBLEM;
    if (refused && log_in_again(call))
        return;
    if (!rest(call))
        call->shared->finish(call);
}

static void on_due(void *self)
{
    struct kube_call *call = self;
    if (call->transfer == NULL) {
        start_try(call);
        return;
    }
    (void)snprintf(call->transfer->problem, sizeof(call->transfer->problem),
                   "no whole answer within %" PRId64 " ms", call->timeout_ms);
    kube_call_end_try(call, CURLE_OPERATION_TIMEDOUT);
}

void kube_call_give_lines(struct kube_call *call)
{
    struct slice line;
    call->transfer->news = false;
    if (!kube_transfer_is_stream(call->transfer))
        return;
    loop_timer_clear(call->timer);
    call->in_callback = true;
    while (!call->cancelled && kube_lines_next(&call->transfer->lines, &line))
        call->on_line(call->self, line);
    call->in_callback = false;
}

struct kube_call *kube_call_new(struct kube_client *client, struct kube_call_shared *shared,
                                const struct kube_request *request, kube_client_line_fn *on_line,
                                kube_client_done_fn *done, void *self, uint64_t seed)
{
    CHECK(request->path[0] == '/');
    struct kube_call *call = memory_alloc(sizeof(*call));
    const char *type = request->content_type != NULL ? request->content_type : "application/json";
    *call = (struct kube_call){
        .client = client,
        .shared = shared,
        .verb = request->verb,
        .path = memory_text(request->path),
        .content_type = memory_text(type),
        .timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : KUBE_CLIENT_TIMEOUT_MS,
        .retry_until = mono_ms_add(loop_now(shared->loop), request->retry_for_ms),
        .backoff = backoff_init(RETRY_FIRST_MS, RETRY_MAX_MS, seed),
        .on_line = on_line,
        .done = done,
        .self = self,
        .answer = KUBE_ANSWER_INIT,
    };
    if (request->body != NULL) {
        call->body = json_dumps(request->body, JSON_COMPACT);
        CHECK(call->body != NULL);
    }
    call->timer = loop_timer_add(shared->loop, on_due, call);
    start_try(call);
    return call;
}

void kube_call_free(struct kube_call *call)
{
    end_transfer(call);
    loop_timer_remove(call->timer);
    kube_answer_done(&call->answer);
    memory_free(call->path);
    memory_free(call->content_type);
    memory_free(call->body); /* malloc() is jansson's as well as ours */
    memory_free(call);
}
