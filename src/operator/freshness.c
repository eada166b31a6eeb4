#include "operator/freshness.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "kube/kube_object.h"

struct freshness {
    json_t *keys; /* key -> {"until": ms, "written": [{"kind", "name", "version"}]} */
};

struct freshness *freshness_new(void)
{
    struct freshness *freshness = memory_alloc(sizeof(*freshness));
    freshness->keys = json_object();
    return freshness;
}

void freshness_free(struct freshness *freshness)
{
    if (freshness == NULL)
        return;
    json_decref(freshness->keys);
    memory_free(freshness);
}

void freshness_note(struct freshness *freshness, const char *key, const struct store *store,
                    const json_t *written, mono_ms_t now)
{
    if (store_connector(store, key) == NULL || json_array_size(written) == 0)
        return;
    json_t *entry = kube_object_child(freshness->keys, key);
    json_t *rows = json_object_get(entry, "written");
    size_t i;
    const json_t *object;
    if (rows == NULL)
        CHECK(json_object_set_new(entry, "written", rows = json_array()) == 0);
    CHECK(json_object_set_new(entry, "until", json_integer(now.value + FRESHNESS_LIMIT_MS)) == 0);
    json_array_foreach(written, i, object)
    {
        const char *version = kube_object_text(object, "metadata.resourceVersion", "");
        json_t *row =
            json_pack("{s:s, s:s, s:s}", "kind", kube_object_text(object, "kind", ""), "name",
                      kube_object_text(object, "metadata.name", ""), "version", version);
        CHECK(json_array_append_new(rows, row) == 0);
    }
}

void freshness_forget(struct freshness *freshness, const char *key)
{
    (void)json_object_del(freshness->keys, key);
}

/* Versions of one server are numbers that grow; where they are none, equality is all there is. */
static bool is_seen(const json_t *row, const struct store *store, const char *key)
{
    const json_t *object = store_object(store, key, kube_object_text(row, "kind", ""),
                                        kube_object_text(row, "name", ""));
    const char *seen = kube_object_text(object, "metadata.resourceVersion", "");
    const char *written = kube_object_text(row, "version", "");
    char *seen_end, *written_end;
    unsigned long long seen_number = strtoull(seen, &seen_end, 10);
    unsigned long long written_number = strtoull(written, &written_end, 10);
    if (seen[0] == '\0' || *seen_end != '\0' || *written_end != '\0')
        return seen[0] != '\0' && strcmp(seen, written) == 0;
    return seen_number >= written_number;
}

int64_t freshness_rest_ms(struct freshness *freshness, const char *key, const struct store *store,
                          mono_ms_t now)
{
    const json_t *entry = json_object_get(freshness->keys, key);
    int64_t rest_ms = kube_object_integer(entry, "until", 0) - now.value;
    size_t i;
    const json_t *row;
    if (entry == NULL)
        return 0;
    json_array_foreach(json_object_get(entry, "written"), i, row)
    {
        if (rest_ms > 0 && !is_seen(row, store, key))
            return rest_ms;
    }
    freshness_forget(freshness, key);
    return 0;
}
