#include "kube/kube_client.h"

#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_call.h"

struct kube_client {
    struct kube_call_shared shared;
    struct clock clock;
    uint64_t seed;
    struct kube_call *calls; /* newest first */
    unsigned callback_depth; /* callbacks that are running */
    void (*on_ended)(void *self, enum kube_verb verb, int status);
    void *self;
};

static void unlink_call(struct kube_call *call)
{
    struct kube_call **link = &call->client->calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
}

static void finish(struct kube_call *call)
{
    struct kube_client *client = call->client;
    unlink_call(call);
    call->in_callback = true;
    client->callback_depth++;
    if (client->on_ended != NULL)
        client->on_ended(client->self, call->verb, call->answer.status);
    call->done(call->self, &call->answer);
    client->callback_depth--;
    kube_call_free(call);
}

static struct kube_call *next_with_news(const struct kube_client *client)
{
    for (struct kube_call *call = client->calls; call != NULL; call = call->next)
        if (call->transfer != NULL && call->transfer->news)
            return call;
    return NULL;
}

static void give_lines(struct kube_call *call)
{
    struct kube_client *client = call->client;
    client->callback_depth++;
    kube_call_give_lines(call);
    client->callback_depth--;
    if (call->cancelled) {
        unlink_call(call);
        kube_call_free(call);
    }
}

static void end_those_that_ended(struct kube_multi *multi)
{
    CURL *easy;
    CURLcode result;
    while (kube_multi_ended(multi, &easy, &result))
        kube_call_end_try(kube_transfer_self(easy), result);
}

/* libcurl did something. Each callback may change the list. */
static void on_moved(void *self)
{
    struct kube_client *client = self;
    for (struct kube_call *call; (call = next_with_news(client)) != NULL;)
        give_lines(call);
    end_those_that_ended(client->shared.calls);
    end_those_that_ended(client->shared.streams);
}

bool kube_client_new(const struct kube_client_options *options, struct kube_client **out_client,
                     struct error *err)
{
    struct kube_login login;
    mono_ms_t now = clock_now(&options->clock);
    if (!kube_login_init(&login, options->config, now, err))
        return false;
    CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
    struct kube_client *client = memory_alloc(sizeof(*client));
    const char *agent = options->user_agent != NULL ? options->user_agent : "pqcdc/" PQCDC_VERSION;
    size_t limit_bytes = options->answer_limit_bytes;
    long kept = options->kept_connections;
    *client = (struct kube_client){
        .shared = { .loop = options->loop,
                    .login = login,
                    .calls = kube_multi_new(options->loop, kept > 0 ? kept : 1, on_moved, client),
                    .streams = kube_multi_new(options->loop, 1, on_moved, client),
                    .user_agent = memory_text(agent),
                    .limit_bytes = limit_bytes > 0 ? limit_bytes : KUBE_CLIENT_ANSWER_LIMIT_BYTES,
                    .finish = finish },
        .clock = options->clock,
        .seed = options->seed,
        .on_ended = options->on_ended,
        .self = options->self,
    };
    *out_client = client;
    return true;
}

void kube_client_free(struct kube_client *client)
{
    if (client == NULL)
        return;
    CHECK(client->callback_depth == 0);
    while (client->calls != NULL)
        kube_client_cancel(client->calls);
    kube_multi_free(client->shared.calls);
    kube_multi_free(client->shared.streams);
    kube_login_done(&client->shared.login);
    memory_free(client->shared.user_agent);
    memory_free(client);
    curl_global_cleanup();
}

static struct kube_call *begin(struct kube_client *client, const struct kube_request *request,
                               kube_client_line_fn *on_line, kube_client_done_fn *done, void *self)
{
    struct kube_call *call = kube_call_new(client, &client->shared, request, on_line, done, self,
                                           kube_client_seed(client));
    call->next = client->calls;
    client->calls = call;
    return call;
}

struct kube_call *kube_client_call(struct kube_client *client, const struct kube_request *request,
                                   kube_client_done_fn *done, void *self)
{
    return begin(client, request, NULL, done, self);
}

struct kube_call *kube_client_stream(struct kube_client *client, const struct kube_request *request,
                                     kube_client_line_fn *on_line, kube_client_done_fn *done,
                                     void *self)
{
    CHECK(on_line != NULL && request->retry_for_ms == 0);
    return begin(client, request, on_line, done, self);
}

void kube_client_cancel(struct kube_call *call)
{
    if (call == NULL)
        return;
    if (call->in_callback) {
        call->cancelled = true;
        return;
    }
    unlink_call(call);
    kube_call_free(call);
}

struct waiter {
    struct kube_answer answer;
    bool answered;
};

static void on_answer(void *self, const struct kube_answer *answer)
{
    struct waiter *waiter = self;
    waiter->answer = *answer;
    json_incref(answer->object);
    waiter->answered = true;
}

void kube_client_call_wait(struct kube_client *client, const struct kube_request *request,
                           struct kube_answer *out_answer)
{
    CHECK(client->callback_depth == 0);
    struct waiter waiter = { .answer = KUBE_ANSWER_INIT };
    struct kube_call *call = kube_client_call(client, request, on_answer, &waiter);
    bool go_on = true;
    while (go_on && !waiter.answered)
        go_on = loop_turn(client->shared.loop, -1);
    if (!waiter.answered) {
        error_set(&waiter.answer.err, ERROR_STOPPED, "stopped", "%s %s: stopped while it ran",
                  kube_client_verb_name(request->verb), request->path);
        kube_client_cancel(call);
    }
    *out_answer = waiter.answer;
}

struct loop *kube_client_loop(const struct kube_client *client)
{
    return client->shared.loop;
}

mono_ms_t kube_client_now(const struct kube_client *client)
{
    return loop_now(client->shared.loop);
}

int64_t kube_client_wall_us(const struct kube_client *client)
{
    return clock_wall_us(&client->clock);
}

uint64_t kube_client_seed(struct kube_client *client)
{
    return client->seed++;
}

const char *kube_client_verb_name(enum kube_verb verb)
{
    static const char *const names[] = {
        [KUBE_GET] = "GET",     [KUBE_POST] = "POST",     [KUBE_PUT] = "PUT",
        [KUBE_PATCH] = "PATCH", [KUBE_DELETE] = "DELETE",
    };
    CHECK((size_t)verb < COUNT_OF(names));
    return names[verb];
}
