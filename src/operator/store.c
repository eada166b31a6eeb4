#include "operator/store.h"

#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"
#include "kube/kube_watch.h"
#include "operator/kinds.h"
#include "operator/resource.h"

#define SELECTOR "app.kubernetes.io/managed-by=" RESOURCE_FIELD_MANAGER

enum { PROBE_EVERY_MS = 30000, SLOT_KEY_MAX_BYTES = 16 * 1024 };

/* One Connector, or what is left of it. */
struct entry {
    char *key;
    json_t *connector, *job; /* NULL = there is none */
    json_t *children, *pods; /* name (of a child with its kind) -> object */
    char *slot;              /* resource_slot_key() of the Connector, "" = none */
    struct entry *after;     /* of the same hash */
};

/* One collection. */
struct sight {
    struct store *store;
    const struct kind *kind;
    const char *space; /* NULL = all */
    char *path;
    struct kube_watch *watch; /* NULL = its API is not there, as far as is known */
    struct kube_call *probe;
    struct loop_timer *timer; /* of the next probe */
    bool listed;
    bool denied; /* before it was ever listed: that may be for ever */
    bool absent; /* the server said that there is no such API */
};

struct store {
    struct kube_client *client;
    struct store_callbacks callbacks;
    struct sight *sights;
    size_t sight_count;
    struct map entries;
    size_t connectors;
    json_t *pod_owners; /* a pod's key -> the key of its Connector: labels may change */
};

/* Entries. */

static struct entry *find(const struct store *store, const char *key)
{
    struct entry *entry = map_get(&store->entries, map_hash(slice_of(key)));
    while (entry != NULL && strcmp(entry->key, key) != 0)
        entry = entry->after;
    return entry;
}

static struct entry *find_or_make(struct store *store, const char *key)
{
    struct entry *entry = find(store, key);
    if (entry != NULL)
        return entry;
    uint64_t hash = map_hash(slice_of(key));
    entry = memory_alloc(sizeof(*entry));
    *entry = (struct entry){
        .key = memory_text(key),
        .children = json_object(),
        .pods = json_object(),
        .slot = memory_text(""),
        .after = map_get(&store->entries, hash),
    };
    (void)map_put(&store->entries, hash, entry);
    return entry;
}

static void entry_free(struct entry *entry)
{
    json_decref(entry->connector);
    json_decref(entry->job);
    json_decref(entry->children);
    json_decref(entry->pods);
    memory_free(entry->key);
    memory_free(entry->slot);
    memory_free(entry);
}

static void forget_if_empty(struct store *store, struct entry *entry)
{
    if (entry->connector != NULL || entry->job != NULL || json_object_size(entry->children) > 0 ||
        json_object_size(entry->pods) > 0)
        return;
    uint64_t hash = map_hash(slice_of(entry->key));
    struct entry *first = map_get(&store->entries, hash);
    if (first == entry && entry->after == NULL) {
        (void)map_remove(&store->entries, hash);
    } else if (first == entry) {
        (void)map_put(&store->entries, hash, entry->after);
    } else {
        while (first->after != entry)
            first = first->after;
        first->after = entry->after;
    }
    entry_free(entry);
}

/* *cursor counts entries, the chained ones too. */
static struct entry *next(const struct store *store, size_t *cursor, struct entry **chain)
{
    struct entry *entry = *chain != NULL ? *chain : map_next(&store->entries, cursor);
    *chain = entry != NULL ? entry->after : NULL;
    return entry;
}

/* Changes. */

static void tell(struct store *store, const char *key)
{
    store->callbacks.on_changed(store->callbacks.self, key);
}

static void tell_twins(struct store *store, const struct entry *of, const char *slot)
{
    size_t cursor = 0;
    struct entry *chain = NULL;
    if (slot[0] == '\0')
        return;
    for (struct entry *entry; (entry = next(store, &cursor, &chain)) != NULL;)
        if (entry != of && entry->connector != NULL && strcmp(entry->slot, slot) == 0)
            tell(store, entry->key);
}

static void name_slot(struct store *store, struct entry *entry)
{
    AUTO(struct buf, buf_done) slot = buf_init(SLOT_KEY_MAX_BYTES);
    AUTO(char *, memory_free_p) before = entry->slot;
    if (entry->connector != NULL)
        resource_slot_key(entry->connector, &slot);
    entry->slot = memory_text(slot.failed ? "" : buf_text(&slot));
    if (strcmp(before, entry->slot) == 0)
        return;
    tell_twins(store, entry, before);
    tell_twins(store, entry, entry->slot);
}

static void put(json_t **place, json_t *object)
{
    json_decref(*place);
    *place = json_incref(object);
}

static void take_connector(struct store *store, struct entry *entry, json_t *object)
{
    store->connectors += (object != NULL) - (size_t)(entry->connector != NULL);
    put(&entry->connector, object);
    name_slot(store, entry);
}

static void put_named(json_t *objects, const char *name, json_t *object)
{
    if (object != NULL)
        CHECK(json_object_set(objects, name, object) == 0);
    else
        (void)json_object_del(objects, name);
}

static void take_child(struct entry *entry, const struct kind *kind, json_t *object)
{
    put_named(entry->children, kind->name, object);
}

/* object: NULL = it is gone. */
static void take(struct store *store, const struct kind *kind, struct entry *entry,
                 const char *name, json_t *object)
{
    switch (kind->role) {
    case KINDS_CONNECTOR:
        take_connector(store, entry, object);
        return;
    case KINDS_CHILD:
        take_child(entry, kind, object);
        return;
    case KINDS_JOB:
        put(&entry->job, object);
        return;
    case KINDS_POD:
        put_named(entry->pods, name, object);
        return;
    }
}

static void change(struct store *store, const struct kind *kind, const char *key, const char *name,
                   json_t *object)
{
    struct entry *entry = find_or_make(store, key);
    AUTO(json_t *, json_decrefp) was = json_incref(entry->connector);
    take(store, kind, entry, name, object);
    if (kind->role == KINDS_CONNECTOR && object == NULL && was != NULL)
        store->callbacks.on_gone(store->callbacks.self, key, was);
    if (entry->connector != NULL)
        tell(store, entry->key);
    forget_if_empty(store, entry);
}

/* A pod whose label names another Connector than before leaves the first one. */
static void move_pod(struct store *store, const struct kind *kind, const json_t *pod,
                     const char *owner)
{
    AUTO(char *, memory_free_p) key = kinds_key(pod);
    const char *known = json_string_value(json_object_get(store->pod_owners, key));
    AUTO(char *, memory_free_p) before = memory_text(known);
    if (before != NULL && (owner == NULL || strcmp(before, owner) != 0))
        change(store, kind, before, kube_object_text(pod, "metadata.name", ""), NULL);
    if (owner == NULL)
        (void)json_object_del(store->pod_owners, key);
    else if (before == NULL || strcmp(before, owner) != 0)
        CHECK(json_object_set_new(store->pod_owners, key, json_string(owner)) == 0);
}

static void see(struct sight *sight, json_t *object, bool exists)
{
    struct store *store = sight->store;
    const struct kind *kind = sight->kind;
    AUTO(char *, memory_free_p) owner = kinds_owner(kind, object);
    if (exists)
        kinds_trim(kind, object);
    if (kind->role == KINDS_POD)
        move_pod(store, kind, object, exists ? owner : NULL);
    if (owner != NULL && (exists || kind->role != KINDS_POD))
        change(store, kind, owner, kube_object_text(object, "metadata.name", ""),
               exists ? object : NULL);
}

/* Watches. */

/* For each Connector the kind came, or went with all that was seen of it. */
static void tell_all(const struct sight *sight)
{
    struct store *store = sight->store;
    size_t cursor = 0;
    struct entry *chain = NULL;
    for (struct entry *entry; (entry = next(store, &cursor, &chain)) != NULL;) {
        if (sight->absent)
            take_child(entry, sight->kind, NULL);
        if (entry->connector != NULL)
            tell(store, entry->key);
    }
}

static void probe_later(struct sight *sight)
{
    loop_timer_set(sight->timer,
                   mono_ms_add(kube_client_now(sight->store->client), PROBE_EVERY_MS));
}

/* Its API was taken out of the cluster, as one that not every cluster has may be. */
static void leave_if_absent(struct sight *sight, const struct error *err)
{
    if (sight->kind->everywhere || strcmp(err->code, "api_not_found") != 0)
        return;
    kube_watch_stop(TAKE(sight->watch));
    sight->absent = true;
    tell_all(sight);
    probe_later(sight);
}

/* Others need not wait for it. */
static void note_denial(struct sight *sight, const struct error *err)
{
    if (sight->listed || sight->denied || strcmp(err->code, "api_denied") != 0)
        return;
    sight->denied = true;
    sight->store->callbacks.on_listed(sight->store->callbacks.self);
}

static void on_event(void *self, const struct kube_watch_event *event)
{
    struct sight *sight = self;
    struct store *store = sight->store;
    switch (event->kind) {
    case KUBE_WATCH_ADDED:
    case KUBE_WATCH_MODIFIED:
    case KUBE_WATCH_DELETED:
        see(sight, event->object, event->kind != KUBE_WATCH_DELETED);
        return;
    case KUBE_WATCH_SYNCED:
        sight->listed = true;
        sight->denied = false;
        if (!sight->kind->everywhere)
            tell_all(sight);
        store->callbacks.on_listed(store->callbacks.self);
        return;
    case KUBE_WATCH_FAILED:
        store->callbacks.on_failed(store->callbacks.self, event->err);
        note_denial(sight, event->err);
        leave_if_absent(sight, event->err);
        return;
    }
}

static void start_watch(struct sight *sight)
{
    const struct kube_watch_options options = {
        .path = sight->path,
        .label_selector = sight->kind->role == KINDS_CONNECTOR ? NULL : SELECTOR,
    };
    sight->watch = kube_watch_start(sight->store->client, &options, on_event, sight);
}

/* Kinds that not every cluster has. */

static bool names_kind(const json_t *api, const struct kind *kind)
{
    size_t i;
    const json_t *resource;
    json_array_foreach(kube_object_find(api, "resources"), i, resource)
    {
        if (strcmp(kube_object_text(resource, "name", ""), kind->plural) == 0)
            return true;
    }
    return false;
}

static void on_probed(void *self, const struct kube_answer *answer)
{
    struct sight *sight = self;
    sight->probe = NULL;
    bool is_there = answer->outcome == KUBE_OK && names_kind(answer->object, sight->kind);
    if (is_there || answer->outcome == KUBE_OK || answer->outcome == KUBE_NOT_FOUND)
        sight->absent = !is_there;
    if (is_there)
        start_watch(sight);
    else
        probe_later(sight);
}

static void probe(void *self)
{
    struct sight *sight = self;
    AUTO(char *, memory_free_p) path = kinds_api_path(sight->kind);
    struct kube_request request = { .verb = KUBE_GET, .path = path };
    sight->probe = kube_client_call(sight->store->client, &request, on_probed, sight);
}

static void open_sight(struct sight *sight)
{
    if (sight->kind->everywhere) {
        start_watch(sight);
        return;
    }
    sight->timer = loop_timer_add(kube_client_loop(sight->store->client), probe, sight);
    probe(sight);
}

/* Life. */

struct store *store_start(const struct store_options *options)
{
    size_t kind_count;
    const struct kind *kinds = kinds_all(&kind_count);
    size_t spaces = options->namespace_count > 0 ? options->namespace_count : 1;
    struct store *store = memory_alloc(sizeof(*store));
    *store = (struct store){
        .client = options->client,
        .callbacks = options->callbacks,
        .sights = memory_array(spaces * kind_count, sizeof(struct sight)),
        .sight_count = spaces * kind_count,
        .entries = MAP_INIT,
        .pod_owners = json_object(),
    };
    for (size_t i = 0; i < store->sight_count; i++) {
        const char *space =
            options->namespace_count > 0 ? options->namespaces[i / kind_count] : NULL;
        const struct kind *kind = &kinds[i % kind_count];
        store->sights[i] = (struct sight){
            .store = store,
            .kind = kind,
            .space = space,
            .path = kinds_path(kind, space, NULL),
        };
        open_sight(&store->sights[i]);
    }
    return store;
}

static void sight_close(struct sight *sight)
{
    kube_client_cancel(sight->probe);
    kube_watch_stop(sight->watch);
    loop_timer_remove(sight->timer);
    memory_free(sight->path);
}

void store_stop(struct store *store)
{
    if (store == NULL)
        return;
    for (size_t i = 0; i < store->sight_count; i++)
        sight_close(&store->sights[i]);
    size_t cursor = 0;
    struct entry *chain = NULL;
    for (struct entry *entry; (entry = next(store, &cursor, &chain)) != NULL;)
        entry_free(entry);
    map_done(&store->entries);
    json_decref(store->pod_owners);
    memory_free(store->sights);
    memory_free(store);
}

/* Sight. */

static bool lacks(const struct sight *sight)
{
    return sight->kind->everywhere && !sight->listed;
}

static bool covers(const struct sight *sight, struct slice space)
{
    return sight->space == NULL || slice_equal(slice_of(sight->space), space);
}

static bool sees_space(const struct store *store, struct slice space)
{
    for (size_t i = 0; i < store->sight_count; i++) {
        const struct sight *sight = &store->sights[i];
        if (lacks(sight) && covers(sight, space))
            return false;
    }
    return true;
}

bool store_is_complete(const struct store *store)
{
    bool sees_one = false;
    for (size_t i = 0; i < store->sight_count; i++) {
        const struct sight *sight = &store->sights[i];
        if (lacks(sight) && !sight->denied)
            return false;
        sees_one =
            sees_one || sees_space(store, slice_of(sight->space != NULL ? sight->space : ""));
    }
    return sees_one;
}

bool store_sees(const struct store *store, const char *key)
{
    return sees_space(store, (struct slice){ key, strcspn(key, "/") });
}

bool store_knows(const struct store *store, const char *key, const char *kind)
{
    struct slice space = { key, strcspn(key, "/") };
    for (size_t i = 0; i < store->sight_count; i++) {
        const struct sight *sight = &store->sights[i];
        if (strcmp(sight->kind->name, kind) == 0 && covers(sight, space))
            return !sight->absent;
    }
    return false;
}

size_t store_count(const struct store *store)
{
    return store->connectors;
}

const char *store_next(const struct store *store, size_t *cursor)
{
    size_t place = 0, at = 0;
    struct entry *chain = NULL;
    for (const struct entry *entry; (entry = next(store, &place, &chain)) != NULL; at++) {
        if (at < *cursor || entry->connector == NULL)
            continue;
        *cursor = at + 1;
        return entry->key;
    }
    return NULL;
}

const json_t *store_connector(const struct store *store, const char *key)
{
    const struct entry *entry = find(store, key);
    return entry != NULL ? entry->connector : NULL;
}

const json_t *store_object(const struct store *store, const char *key, const char *kind,
                           const char *name)
{
    const struct entry *entry = find(store, key);
    if (entry == NULL)
        return NULL;
    if (strcmp(kind, RESOURCE_KIND) == 0)
        return entry->connector;
    if (strcmp(kind, "Job") == 0)
        return entry->job;
    if (strcmp(kind, "Pod") == 0)
        return json_object_get(entry->pods, name);
    return json_object_get(entry->children, kind);
}

const json_t *store_job(const struct store *store, const char *key)
{
    const struct entry *entry = find(store, key);
    return entry != NULL ? entry->job : NULL;
}

static bool is_beside(const json_t *a, const json_t *b)
{
    return strcmp(kube_object_text(a, "metadata.namespace", ""),
                  kube_object_text(b, "metadata.namespace", "")) == 0;
}

const json_t *store_twin(const struct store *store, const char *key)
{
    const struct entry *of = find(store, key);
    const json_t *self = of != NULL ? of->connector : NULL;
    const json_t *beside = self, *elsewhere = self;
    size_t cursor = 0;
    struct entry *chain = NULL;
    if (self == NULL || of->slot[0] == '\0')
        return NULL;
    for (const struct entry *entry; (entry = next(store, &cursor, &chain)) != NULL;) {
        if (entry->connector == NULL || strcmp(entry->slot, of->slot) != 0)
            continue;
        const json_t **oldest = is_beside(entry->connector, self) ? &beside : &elsewhere;
        if (resource_is_older(entry->connector, *oldest))
            *oldest = entry->connector;
    }
    if (beside != self)
        return beside;
    return elsewhere != self ? elsewhere : NULL;
}

static bool may_share(const struct entry *entry, const char *key, const char *slot)
{
    return entry->connector != NULL && strcmp(entry->key, key) != 0 &&
           strcmp(entry->slot, slot) == 0 &&
           kube_object_text(entry->connector, "metadata.deletionTimestamp", NULL) == NULL;
}

const json_t *store_sharer(const struct store *store, const json_t *connector)
{
    AUTO(struct buf, buf_done) slot = buf_init(SLOT_KEY_MAX_BYTES);
    AUTO(char *, memory_free_p) key = kinds_key(connector);
    size_t cursor = 0;
    struct entry *chain = NULL;
    resource_slot_key(connector, &slot);
    if (slot.failed || slot.size == 0)
        return NULL;
    for (const struct entry *entry; (entry = next(store, &cursor, &chain)) != NULL;)
        if (may_share(entry, key, buf_text(&slot)))
            return entry->connector;
    return NULL;
}

static json_t *values_of(json_t *objects)
{
    json_t *values = json_array();
    const char *name;
    json_t *object;
    json_object_foreach(objects, name, object) CHECK(json_array_append(values, object) == 0);
    return values;
}

json_t *store_children(const struct store *store, const char *key)
{
    const struct entry *entry = find(store, key);
    return entry != NULL ? values_of(entry->children) : json_array();
}

json_t *store_pods(const struct store *store, const char *key)
{
    const struct entry *entry = find(store, key);
    return entry != NULL ? values_of(entry->pods) : json_array();
}
