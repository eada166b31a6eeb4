/* A stream's line:
 *
 *   {"type": "ADDED" | "MODIFIED" | "DELETED", "object": OBJECT}
 *   {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": VERSION}}}
 *   {"type": "ERROR", "object": STATUS}
 */
#include "kube/kube_watch_feed.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_answer.h"
#include "kube/kube_object.h"

void kube_watch_feed_init(struct kube_watch_feed *feed, kube_watch_fn *on_event, void *self)
{
    *feed = (struct kube_watch_feed){ .known = json_object(), .on_event = on_event, .self = self };
    CHECK(feed->known != NULL);
}

void kube_watch_feed_done(struct kube_watch_feed *feed)
{
    json_decref(feed->known);
    memory_free(feed->resource_version);
    *feed = (struct kube_watch_feed){ .known = NULL };
}

static void tell(struct kube_watch_feed *feed, enum kube_watch_kind kind, json_t *object)
{
    if (!feed->stopped)
        feed->on_event(feed->self, &(struct kube_watch_event){ .kind = kind, .object = object });
}

static void go_on_from(struct kube_watch_feed *feed, const char *version)
{
    memory_free(feed->resource_version);
    feed->resource_version = memory_text(version);
}

/* "" = it is no object of a collection. */
static const char *version_of(const json_t *object)
{
    return kube_object_text(object, "metadata.resourceVersion", "");
}

static const char *uid_of(const json_t *object)
{
    return kube_object_text(object, "metadata.uid", "");
}

/* NULL = the object has no name. memory_free() it. */
static char *key_of(const json_t *object)
{
    const char *name = kube_object_text(object, "metadata.name", "");
    if (name[0] == '\0')
        return NULL;
    return text_format("%s/%s", kube_object_text(object, "metadata.namespace", ""), name);
}

static void forget(struct kube_watch_feed *feed, const char *key, json_t *last)
{
    if (json_object_del(feed->known, key) == 0)
        tell(feed, KUBE_WATCH_DELETED, last);
}

/* It exists, and looks like this. */
static void see(struct kube_watch_feed *feed, const char *key, json_t *object)
{
    json_t *known = json_incref(json_object_get(feed->known, key));
    if (known != NULL && strcmp(uid_of(known), uid_of(object)) != 0) {
        forget(feed, key, known);
        json_decref(known);
        known = NULL;
    }
    /* The same once more, in another list: what is known may have been made smaller. */
    bool same = known != NULL && strcmp(version_of(known), version_of(object)) == 0;
    if (!same) {
        CHECK(json_object_set(feed->known, key, object) == 0);
        tell(feed, known == NULL ? KUBE_WATCH_ADDED : KUBE_WATCH_MODIFIED, object);
    }
    json_decref(known);
}

/* The objects of a list by their keys; NULL = one of them is none. */
static json_t *index_of(json_t *items)
{
    json_t *index = json_object();
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item)
    {
        AUTO(char *, memory_free_p) key = key_of(item);
        if (key == NULL || version_of(item)[0] == '\0') {
            json_decref(index);
            return NULL;
        }
        CHECK(json_object_set(index, key, item) == 0);
    }
    return index;
}

static void forget_others(struct kube_watch_feed *feed, const json_t *index)
{
    void *next;
    const char *key;
    json_t *known;
    json_object_foreach_safe(feed->known, next, key, known)
    {
        if (json_object_get(index, key) != NULL)
            continue;
        AUTO(char *, memory_free_p) gone = memory_text(key);
        AUTO(json_t *, json_decrefp) last = json_incref(known);
        forget(feed, gone, last);
    }
}

bool kube_watch_feed_list(struct kube_watch_feed *feed, json_t *list, struct error *err)
{
    json_t *items = kube_object_find(list, "items");
    AUTO(json_t *, json_decrefp) index = NULL;
    if (json_is_array(items) || json_is_null(items))
        index = index_of(items);
    if (index == NULL || version_of(list)[0] == '\0')
        return error_set(err, ERROR_RETRY, "answer_unreadable", "the answer is not a list");
    forget_others(feed, index);
    const char *key;
    json_t *item;
    json_object_foreach(index, key, item) see(feed, key, item);
    go_on_from(feed, version_of(list));
    tell(feed, KUBE_WATCH_SYNCED, NULL);
    return true;
}

static bool is_too_new(const json_t *status)
{
    size_t i;
    json_t *cause;
    json_t *causes = kube_object_find(status, "details.causes");
    json_array_foreach(causes, i, cause)
    {
        if (strcmp(kube_object_text(cause, "reason", ""), "ResourceVersionTooLarge") == 0)
            return true;
    }
    return strstr(kube_object_text(status, "message", ""), "Too large resource version") != NULL;
}

bool kube_watch_feed_is_lost(int code, const json_t *status)
{
    return kube_answer_outcome_of(code) == KUBE_GONE || is_too_new(status);
}

static enum kube_watch_word unreadable(struct error *err)
{
    error_set(err, ERROR_RETRY, "answer_unreadable", "a line of the stream cannot be read");
    return KUBE_WATCH_FEED_UNREADABLE;
}

static enum kube_watch_word on_status(json_t *status, int64_t *out_retry_after_ms,
                                      struct error *err)
{
    int64_t code = kube_object_integer(status, "code", 0);
    if (code < 400 || code > 599)
        return unreadable(err);
    struct kube_answer answer = { .status = (int)code, .object = status };
    kube_answer_judge(&answer, "a stream's end", -1);
    *out_retry_after_ms = answer.retry_after_ms;
    *err = answer.err;
    return kube_watch_feed_is_lost((int)code, status) ? KUBE_WATCH_FEED_LOST
                                                      : KUBE_WATCH_FEED_LATER;
}

static enum kube_watch_word on_object(struct kube_watch_feed *feed, const char *type,
                                      json_t *object, struct error *err)
{
    AUTO(char *, memory_free_p) key = key_of(object);
    if (version_of(object)[0] == '\0')
        return unreadable(err);
    if (strcmp(type, "BOOKMARK") == 0) {
        go_on_from(feed, version_of(object));
        return KUBE_WATCH_FEED_TAKEN;
    }
    bool deleted = strcmp(type, "DELETED") == 0;
    bool seen = strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0;
    if (key == NULL || (!deleted && !seen))
        return unreadable(err);
    go_on_from(feed, version_of(object));
    if (deleted)
        forget(feed, key, object);
    else
        see(feed, key, object);
    return KUBE_WATCH_FEED_TAKEN;
}

enum kube_watch_word kube_watch_feed_line(struct kube_watch_feed *feed, struct slice line,
                                          int64_t *out_retry_after_ms, struct error *err)
{
    *out_retry_after_ms = -1;
    AUTO(json_t *, json_decrefp) whole = kube_object_load(line);
    const char *type = kube_object_text(whole, "type", "");
    json_t *object = kube_object_find(whole, "object");
    if (strcmp(type, "ERROR") == 0)
        return on_status(object, out_retry_after_ms, err);
    return on_object(feed, type, object, err);
}
