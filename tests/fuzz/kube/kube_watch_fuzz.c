/* Any bytes as what a watch hears: nothing is told of an object but ADDED first, DELETED last.
 *
 * The input's first byte says how large the chunks are in which the rest comes. A line that is an
 * object with "items" is a list, every other one is of a stream. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_answer.h"
#include "kube/kube_lines.h"
#include "kube/kube_object.h"
#include "kube/kube_watch_feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_MAX_BYTES = 4096 };

struct hearing {
    struct kube_watch_feed feed;
    json_t *alive; /* what was told of: name -> uid */
    int events;
};

static void on_event(void *self, const struct kube_watch_event *event)
{
    struct hearing *hearing = self;
    hearing->events++;
    CHECK(event->err == NULL);
    if (event->kind == KUBE_WATCH_SYNCED) {
        CHECK(event->object == NULL);
        CHECK(json_object_size(hearing->alive) == json_object_size(hearing->feed.known));
        return;
    }
    AUTO(char *, memory_free_p)
    key = text_format("%s/%s", kube_object_text(event->object, "metadata.namespace", ""),
                      kube_object_text(event->object, "metadata.name", ""));
    const char *uid = kube_object_text(event->object, "metadata.uid", "");
    const char *known = json_string_value(json_object_get(hearing->alive, key));
    CHECK(kube_object_text(event->object, "metadata.resourceVersion", "")[0] != '\0');
    CHECK((known == NULL) == (event->kind == KUBE_WATCH_ADDED));
    CHECK(event->kind != KUBE_WATCH_MODIFIED || strcmp(known, uid) == 0);
    if (event->kind == KUBE_WATCH_DELETED)
        CHECK(json_object_del(hearing->alive, key) == 0);
    else
        CHECK(json_object_set_new(hearing->alive, key, json_string(uid)) == 0);
}

static void hear_list(struct hearing *hearing, json_t *list)
{
    struct error err = ERROR_INIT;
    int before = hearing->events;
    if (kube_watch_feed_list(&hearing->feed, list, &err))
        CHECK(hearing->feed.resource_version[0] != '\0' && hearing->events > before);
    else
        CHECK(err.class == ERROR_RETRY && hearing->events == before);
}

/* A stream's end is judged as an answer with that Status would be. */
static void check_error(json_t *status, const struct error *err)
{
    struct kube_answer answer = { .status = (int)kube_object_integer(status, "code", 0),
                                  .object = json_incref(status) };
    kube_answer_judge(&answer, "a stream's end", -1);
    CHECK(strcmp(answer.err.code, err->code) == 0);
    CHECK(strcmp(err->code + strlen("api_"), kube_answer_outcome_name(answer.outcome)) == 0);
    kube_answer_done(&answer);
}

static void hear_line(struct hearing *hearing, struct slice line)
{
    struct error err = ERROR_INIT;
    int64_t after_ms = 0;
    int before = hearing->events;
    switch (kube_watch_feed_line(&hearing->feed, line, &after_ms, &err)) {
    case KUBE_WATCH_FEED_TAKEN:
        CHECK(err.class == ERROR_NONE && after_ms == -1);
        return;
    case KUBE_WATCH_FEED_UNREADABLE:
        CHECK(strcmp(err.code, "answer_unreadable") == 0 && after_ms == -1);
        break;
    case KUBE_WATCH_FEED_LOST:
    case KUBE_WATCH_FEED_LATER: {
        AUTO(json_t *, json_decrefp) whole = kube_object_load(line);
        check_error(kube_object_find(whole, "object"), &err);
        break;
    }
    }
    CHECK(err.class != ERROR_NONE && hearing->events == before);
}

static void hear(struct hearing *hearing, struct slice line)
{
    AUTO(json_t *, json_decrefp) whole = kube_object_load(line);
    if (json_object_get(whole, "items") != NULL)
        hear_list(hearing, whole);
    else
        hear_line(hearing, line);
}

static void hear_all(struct hearing *hearing, struct slice bytes, size_t chunk_bytes)
{
    AUTO(struct kube_lines, kube_lines_done) lines = kube_lines_init(LINE_MAX_BYTES);
    struct slice line;
    while (bytes.size > 0) {
        size_t size = bytes.size < chunk_bytes ? bytes.size : chunk_bytes;
        if (!kube_lines_add(&lines, (struct slice){ bytes.data, size }))
            return;
        bytes = (struct slice){ bytes.data + size, bytes.size - size };
        while (kube_lines_next(&lines, &line)) {
            CHECK(line.size > 0 && line.size <= LINE_MAX_BYTES);
            CHECK(memchr(line.data, '\n', line.size) == NULL);
            hear(hearing, line);
        }
    }
    CHECK(kube_lines_is_empty(&lines) == (bytes.data[-1] == '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct hearing hearing = { .alive = json_object() };
    kube_watch_feed_init(&hearing.feed, on_event, &hearing);
    hear_all(&hearing, (struct slice){ (const char *)data + 1, size - 1 }, (size_t)data[0] + 1);
    kube_watch_feed_done(&hearing.feed);
    json_decref(hearing.alive);
    return 0;
}
