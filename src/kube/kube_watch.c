#include "kube/kube_watch.h"

#include <inttypes.h>
#include <string.h>

#include "base/backoff.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"
#include "kube/kube_watch_feed.h"

enum {
    RETRY_FIRST_MS = 200,
    RETRY_MAX_MS = 10000,
    RETRY_AFTER_MAX_MS = 60000, /* whatever the server asks for */
    HEALTHY_MS = 1000,          /* a stream that lived so long was not refused */
    LIFE_MAX_S = 600,           /* the server ends a stream between half of it and all of it */
    SILENCE_MS = 15000,         /* beyond its life, before a stream is given up */
};

struct kube_watch {
    struct kube_client *client;
    struct kube_watch_feed feed;
    char *path;
    char *selectors; /* "fieldSelector=...&labelSelector=...&" */
    int64_t timeout_ms;
    struct backoff backoff;
    struct backoff lives; /* in seconds: draws from the upper half */
    struct kube_call *call;
    struct loop_timer *timer; /* of the pause before the next call, or of a stream's silence */
    mono_ms_t opened_at;
    int64_t life_ms;
    bool must_list;
    bool in_callback;
    bool stopped; /* in its callback: to be freed behind it */
};

static void watch_free(struct kube_watch *watch)
{
    kube_client_cancel(watch->call);
    loop_timer_remove(watch->timer);
    kube_watch_feed_done(&watch->feed);
    memory_free(watch->path);
    memory_free(watch->selectors);
    memory_free(watch);
}

/* Around whatever may call on_event. False = it stopped the watch, which is gone. */
static bool leave_callback(struct kube_watch *watch)
{
    watch->in_callback = false;
    if (!watch->stopped)
        return true;
    watch_free(watch);
    return false;
}

static bool tell_failure(struct kube_watch *watch, const struct error *err)
{
    watch->in_callback = true;
    watch->feed.on_event(watch->feed.self,
                         &(struct kube_watch_event){ .kind = KUBE_WATCH_FAILED, .err = err });
    return leave_callback(watch);
}

static void go_on_after(struct kube_watch *watch, int64_t pause_ms)
{
    loop_timer_set(watch->timer, mono_ms_add(kube_client_now(watch->client), pause_ms));
}

static void go_on_later(struct kube_watch *watch, int64_t retry_after_ms)
{
    int64_t pause_ms = backoff_next_ms(&watch->backoff);
    int64_t asked_ms = retry_after_ms < RETRY_AFTER_MAX_MS ? retry_after_ms : RETRY_AFTER_MAX_MS;
    go_on_after(watch, pause_ms > asked_ms ? pause_ms : asked_ms);
}

static void fail(struct kube_watch *watch, const struct error *err, int64_t retry_after_ms)
{
    if (tell_failure(watch, err))
        go_on_later(watch, retry_after_ms);
}

static void on_list(void *self, const struct kube_answer *answer)
{
    struct kube_watch *watch = self;
    struct error err = answer->err;
    watch->call = NULL;
    watch->in_callback = true;
    bool listed =
        answer->outcome == KUBE_OK && kube_watch_feed_list(&watch->feed, answer->object, &err);
    if (!leave_callback(watch))
        return;
    if (!listed) {
        if (answer->outcome == KUBE_OK)
            error_prefix(&err, "GET %s", watch->path);
        fail(watch, &err, answer->retry_after_ms);
        return;
    }
    watch->must_list = false;
    go_on_after(watch, 0);
}

static void start_list(struct kube_watch *watch)
{
    AUTO(char *, memory_free_p) path = text_format("%s?%s", watch->path, watch->selectors);
    path[strlen(path) - 1] = '\0'; /* the last & or the ? */
    struct kube_request request = { .path = path, .timeout_ms = watch->timeout_ms };
    watch->call = kube_client_call(watch->client, &request, on_list, watch);
}

static void await_words(struct kube_watch *watch)
{
    go_on_after(watch, watch->life_ms + SILENCE_MS);
}

static void end_stream(struct kube_watch *watch)
{
    kube_client_cancel(TAKE(watch->call));
    loop_timer_clear(watch->timer);
    if (mono_ms_since(kube_client_now(watch->client), watch->opened_at) >= HEALTHY_MS)
        backoff_reset(&watch->backoff);
}

static void on_line(void *self, struct slice line)
{
    struct kube_watch *watch = self;
    struct error err = ERROR_INIT;
    int64_t retry_after_ms;
    watch->in_callback = true;
    enum kube_watch_word word = kube_watch_feed_line(&watch->feed, line, &retry_after_ms, &err);
    if (!leave_callback(watch))
        return;
    if (word == KUBE_WATCH_FEED_TAKEN) {
        await_words(watch);
        return;
    }
    end_stream(watch);
    watch->must_list = word != KUBE_WATCH_FEED_LATER;
    error_prefix(&err, "GET %s", watch->path);
    if (word == KUBE_WATCH_FEED_LOST)
        go_on_later(watch, retry_after_ms);
    else
        fail(watch, &err, retry_after_ms);
}

static void on_stream_end(void *self, const struct kube_answer *answer)
{
    struct kube_watch *watch = self;
    struct error err = answer->err;
    watch->call = NULL;
    end_stream(watch);
    int64_t lived_ms = mono_ms_since(kube_client_now(watch->client), watch->opened_at);
    if (answer->outcome == KUBE_OK && lived_ms >= HEALTHY_MS) {
        go_on_after(watch, 0);
        return;
    }
    if (answer->outcome == KUBE_OK)
        error_set(&err, ERROR_RETRY, "watch_cut", "GET %s: the stream ended after %" PRId64 " ms",
                  watch->path, lived_ms);
    watch->must_list = kube_watch_feed_is_lost(answer->status, answer->object);
    if (watch->must_list)
        go_on_later(watch, answer->retry_after_ms);
    else
        fail(watch, &err, answer->retry_after_ms);
}

static void start_stream(struct kube_watch *watch)
{
    int64_t life_s = backoff_next_ms(&watch->lives);
    AUTO(char *, memory_free_p)
    version = kube_object_escape(watch->feed.resource_version);
    AUTO(char *, memory_free_p)
    path = text_format("%s?%swatch=1&allowWatchBookmarks=true&timeoutSeconds=%" PRId64
                       "&resourceVersion=%s",
                       watch->path, watch->selectors, life_s, version);
    struct kube_request request = { .path = path, .timeout_ms = watch->timeout_ms };
    watch->opened_at = kube_client_now(watch->client);
    watch->life_ms = life_s * 1000;
    watch->call = kube_client_stream(watch->client, &request, on_line, on_stream_end, watch);
    await_words(watch);
}

static void on_due(void *self)
{
    struct kube_watch *watch = self;
    if (watch->call != NULL) {
        struct error err = ERROR_INIT;
        error_set(&err, ERROR_RETRY, "watch_silent", "GET %s: nothing came for %" PRId64 " ms",
                  watch->path, watch->life_ms + SILENCE_MS);
        end_stream(watch);
        fail(watch, &err, -1);
    } else if (watch->must_list) {
        start_list(watch);
    } else {
        start_stream(watch);
    }
}

static char *selectors_of(const struct kube_watch_options *options)
{
    const char *names[] = { "fieldSelector", "labelSelector" };
    const char *values[] = { options->field_selector, options->label_selector };
    char *selectors = memory_text("");
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (values[i] == NULL)
            continue;
        AUTO(char *, memory_free_p) before = selectors;
        AUTO(char *, memory_free_p) value = kube_object_escape(values[i]);
        selectors = text_format("%s%s=%s&", before, names[i], value);
    }
    return selectors;
}

struct kube_watch *kube_watch_start(struct kube_client *client,
                                    const struct kube_watch_options *options,
                                    kube_watch_fn *on_event, void *self)
{
    struct kube_watch *watch = memory_alloc(sizeof(*watch));
    *watch = (struct kube_watch){
        .client = client,
        .path = memory_text(options->path),
        .selectors = selectors_of(options),
        .timeout_ms = options->timeout_ms,
        .backoff = backoff_init(RETRY_FIRST_MS, RETRY_MAX_MS, kube_client_seed(client)),
        .lives = backoff_init(LIFE_MAX_S, LIFE_MAX_S, kube_client_seed(client)),
        .must_list = true,
    };
    kube_watch_feed_init(&watch->feed, on_event, self);
    watch->timer = loop_timer_add(kube_client_loop(client), on_due, watch);
    start_list(watch);
    return watch;
}

void kube_watch_stop(struct kube_watch *watch)
{
    if (watch == NULL)
        return;
    if (watch->in_callback) {
        watch->stopped = watch->feed.stopped = true;
        return;
    }
    watch_free(watch);
}
