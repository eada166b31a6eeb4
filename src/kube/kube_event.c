/* Each kind of event (reason, action and object) that was posted lately has a place. A place is
 * told to the server once by a POST, and later, when it happened again, by a PATCH of its series.
 * One request is under way at a time. */
#include "kube/kube_event.h"

#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/uuid.h"
#include "kube/kube_object.h"
#include "kube/kube_time.h"

enum {
    SAME_WITHIN_MS = 10 * 60 * 1000,
    TOLD_EVERY_MS = 60 * 1000,
    RETRY_FOR_MS = 30 * 1000,
    NAME_MAX_BYTES = 253,
    SUFFIX_DIGITS = 16,
    FIELD_MAX_BYTES = 128, /* of reason, action and reportingInstance */
};

struct place {
    bool used;
    char *key;
    char *collection; /* its path */
    char *name;
    json_t *body;   /* NULL = it was posted */
    int64_t count;  /* how often it happened */
    int64_t untold; /* how many of them the server does not know; 0 = all are told */
    int64_t last_us;
    mono_ms_t last;      /* when it happened last */
    mono_ms_t next_tell; /* not before */
};

struct kube_event_sender {
    struct kube_client *client;
    char *controller, *instance;
    struct place places[KUBE_EVENT_QUEUE_MAX];
    struct place *telling; /* NULL = no request is under way */
    struct kube_call *call;
    int64_t telling_count; /* what that request says */
    struct loop_timer *timer;
    struct kube_event_counts counts;
};

/* The longest start of the text of at most max_bytes that is UTF-8; what is not becomes "?". */
static json_t *text_up_to(const char *text, size_t max_bytes)
{
    AUTO(struct buf, buf_done) out = buf_init(max_bytes);
    struct slice rest = slice_of(text);
    while (rest.size > 0) {
        size_t size = text_utf8_size(rest);
        buf_append(&out, size > 0 ? rest.data : "?", size > 0 ? size : 1);
        size = size > 0 ? size : 1;
        rest = (struct slice){ rest.data + size, rest.size - size };
    }
    json_t *made = json_stringn(out.data != NULL ? out.data : "", out.size);
    CHECK(made != NULL);
    return made;
}

static void place_clear(struct place *place)
{
    memory_free(place->key);
    memory_free(place->collection);
    memory_free(place->name);
    json_decref(place->body);
    *place = (struct place){ .used = false };
}

static void set(json_t *object, const char *name, json_t *value)
{
    CHECK(json_object_set_new(object, name, value) == 0);
}

static json_t *time_text(int64_t wall_us)
{
    char text[KUBE_TIME_SIZE];
    kube_time_format(wall_us, text);
    return json_string(text);
}

static json_t *regarding_of(const struct kube_event *event)
{
    json_t *regarding = json_object();
    set(regarding, "apiVersion", text_up_to(event->regarding.api_version, NAME_MAX_BYTES));
    set(regarding, "kind", text_up_to(event->regarding.kind, NAME_MAX_BYTES));
    set(regarding, "namespace", text_up_to(event->regarding.namespace_name, NAME_MAX_BYTES));
    set(regarding, "name", text_up_to(event->regarding.name, NAME_MAX_BYTES));
    if (event->regarding.uid != NULL && event->regarding.uid[0] != '\0')
        set(regarding, "uid", text_up_to(event->regarding.uid, NAME_MAX_BYTES));
    return regarding;
}

static json_t *body_of(const struct kube_event_sender *sender, const struct kube_event *event,
                       const char *name, int64_t wall_us)
{
    json_t *body = json_pack(
        "{s:s, s:s, s:{s:o, s:s}}", "apiVersion", "events.k8s.io/v1", "kind", "Event", "metadata",
        "namespace", text_up_to(event->regarding.namespace_name, NAME_MAX_BYTES), "name", name);
    CHECK(body != NULL);
    set(body, "eventTime", time_text(wall_us));
    set(body, "reportingController", text_up_to(sender->controller, FIELD_MAX_BYTES));
    set(body, "reportingInstance", text_up_to(sender->instance, FIELD_MAX_BYTES));
    set(body, "action", text_up_to(event->action, FIELD_MAX_BYTES));
    set(body, "reason", text_up_to(event->reason, FIELD_MAX_BYTES));
    set(body, "regarding", regarding_of(event));
    set(body, "type", json_string(event->warning ? "Warning" : "Normal"));
    set(body, "note", text_up_to(event->note, KUBE_EVENT_NOTE_MAX_BYTES));
    return body;
}

/* The object's name, cut so that the suffix fits. memory_free() it. */
static char *name_of(const struct kube_event *event)
{
    char uuid[UUID_TEXT_SIZE];
    char suffix[SUFFIX_DIGITS + 1] = "";
    uuid_random(uuid);
    size_t size = 0;
    for (const char *at = uuid; size < SUFFIX_DIGITS; at++)
        if (*at != '-')
            suffix[size++] = *at;
    AUTO(json_t *, json_decrefp)
    stem = text_up_to(event->regarding.name, NAME_MAX_BYTES - SUFFIX_DIGITS - 1);
    return text_format("%s.%s", json_string_value(stem), suffix);
}

static char *key_of(const struct kube_event *event)
{
    const char *uid = event->regarding.uid != NULL ? event->regarding.uid : "";
    return text_format("%s\n%s\n%s\n%s\n%s\n%s", event->reason, event->action,
                       event->regarding.kind, event->regarding.namespace_name,
                       event->regarding.name, uid);
}

static struct place *find(struct kube_event_sender *sender, const char *key)
{
    for (size_t i = 0; i < KUBE_EVENT_QUEUE_MAX; i++)
        if (sender->places[i].used && strcmp(sender->places[i].key, key) == 0)
            return &sender->places[i];
    return NULL;
}

/* A free one, or the one that was told and rested longest; NULL = all of them wait. */
static struct place *make_place(struct kube_event_sender *sender)
{
    struct place *oldest = NULL;
    for (size_t i = 0; i < KUBE_EVENT_QUEUE_MAX; i++) {
        struct place *place = &sender->places[i];
        if (!place->used)
            return place;
        if (place->untold == 0 && (oldest == NULL || mono_ms_before(place->last, oldest->last)))
            oldest = place;
    }
    if (oldest != NULL)
        place_clear(oldest);
    return oldest;
}

/* The one that may be told first. */
static struct place *next_untold(struct kube_event_sender *sender)
{
    struct place *next = NULL;
    for (size_t i = 0; i < KUBE_EVENT_QUEUE_MAX; i++) {
        struct place *place = &sender->places[i];
        if (place->untold > 0 &&
            (next == NULL || mono_ms_before(place->next_tell, next->next_tell)))
            next = place;
    }
    return next;
}

static void pump(struct kube_event_sender *sender);

static void on_answer(void *self, const struct kube_answer *answer)
{
    struct kube_event_sender *sender = self;
    struct place *place = TAKE(sender->telling);
    bool posted = place->body != NULL;
    /* A POST that was sent twice meets itself. */
    bool told = answer->outcome == KUBE_OK || (posted && answer->outcome == KUBE_CONFLICT);
    sender->call = NULL;
    sender->counts.posted += told;
    sender->counts.failed += !told;
    place->next_tell = mono_ms_add(kube_client_now(sender->client), TOLD_EVERY_MS);
    if (told) {
        json_decref(TAKE(place->body));
        place->untold -= sender->telling_count;
    } else if (posted || answer->outcome == KUBE_NOT_FOUND) {
        place_clear(place);
    }
    pump(sender);
}

static void tell(struct kube_event_sender *sender, struct place *place)
{
    AUTO(json_t *, json_decrefp) body = json_incref(place->body);
    AUTO(char *, memory_free_p) path = NULL;
    bool post = body != NULL;
    if (post) {
        path = memory_text(place->collection);
    } else {
        path = text_format("%s/%s", place->collection, place->name);
        body = json_pack("{s:{s:I, s:o}}", "series", "count", (json_int_t)place->count,
                         "lastObservedTime", time_text(place->last_us));
        CHECK(body != NULL);
    }
    struct kube_request request = { .verb = post ? KUBE_POST : KUBE_PATCH,
                                    .path = path,
                                    .body = body,
                                    .content_type = post ? NULL : "application/merge-patch+json",
                                    .retry_for_ms = RETRY_FOR_MS };
    sender->telling = place;
    /* A POST tells of one; those that came since are told by the series. */
    sender->telling_count = post ? 1 : place->untold;
    sender->call = kube_client_call(sender->client, &request, on_answer, sender);
}

static void pump(struct kube_event_sender *sender)
{
    struct place *place = next_untold(sender);
    if (sender->call != NULL || place == NULL)
        return;
    if (mono_ms_before(kube_client_now(sender->client), place->next_tell))
        loop_timer_set(sender->timer, place->next_tell);
    else
        tell(sender, place);
}

static void on_due(void *self)
{
    pump(self);
}

struct kube_event_sender *kube_event_sender_new(const struct kube_event_options *options)
{
    struct kube_event_sender *sender = memory_alloc(sizeof(*sender));
    sender->client = options->client;
    sender->controller = memory_text(options->controller);
    sender->instance = memory_text(options->instance);
    sender->timer = loop_timer_add(kube_client_loop(options->client), on_due, sender);
    return sender;
}

void kube_event_sender_free(struct kube_event_sender *sender)
{
    if (sender == NULL)
        return;
    kube_client_cancel(sender->call);
    loop_timer_remove(sender->timer);
    for (size_t i = 0; i < KUBE_EVENT_QUEUE_MAX; i++)
        place_clear(&sender->places[i]);
    memory_free(sender->controller);
    memory_free(sender->instance);
    memory_free(sender);
}

static void begin(struct kube_event_sender *sender, struct place *place,
                  const struct kube_event *event, const char *key)
{
    AUTO(char *, memory_free_p) space = kube_object_escape(event->regarding.namespace_name);
    int64_t wall_us = kube_client_wall_us(sender->client);
    *place = (struct place){ .used = true, .key = memory_text(key), .name = name_of(event) };
    place->collection = text_format("/apis/events.k8s.io/v1/namespaces/%s/events", space);
    place->body = body_of(sender, event, place->name, wall_us);
    place->next_tell = kube_client_now(sender->client);
}

void kube_event_post(struct kube_event_sender *sender, const struct kube_event *event)
{
    AUTO(char *, memory_free_p) key = key_of(event);
    mono_ms_t now = kube_client_now(sender->client);
    struct place *place = find(sender, key);
    bool old = place != NULL && mono_ms_since(now, place->last) >= SAME_WITHIN_MS;
    if (old && place != sender->telling) {
        place_clear(place);
        place = NULL;
    }
    if (place == NULL) {
        place = make_place(sender);
        if (place == NULL) {
            sender->counts.dropped++;
            return;
        }
        begin(sender, place, event, key);
    }
    place->count++;
    place->untold++;
    place->last = now;
    place->last_us = kube_client_wall_us(sender->client);
    pump(sender);
}

bool kube_event_is_idle(const struct kube_event_sender *sender)
{
    mono_ms_t now = kube_client_now(sender->client);
    for (size_t i = 0; i < KUBE_EVENT_QUEUE_MAX; i++)
        if (sender->places[i].untold > 0 && !mono_ms_before(now, sender->places[i].next_tell))
            return false;
    return sender->call == NULL;
}

struct kube_event_counts kube_event_counts(const struct kube_event_sender *sender)
{
    return sender->counts;
}
