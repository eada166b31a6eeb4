#include "operator/standing.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "kube/kube_object.h"
#include "kube/kube_time.h"
#include "operator/objects.h"

enum { IMAGE_MAX_BYTES = 2048, SECOND_BYTES = sizeof("2006-01-02T15:04:05") - 1 };

/* Whole seconds, as Kubernetes writes times of objects. */
static json_t *time_of(int64_t now_us)
{
    char text[KUBE_TIME_SIZE];
    kube_time_format(now_us, text);
    text[SECOND_BYTES] = 'Z';
    text[SECOND_BYTES + 1] = '\0';
    return json_string(text);
}

static const json_t *condition(const json_t *status, const char *type)
{
    const json_t *all = json_object_get(status, "conditions");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        if (strcmp(kube_object_text(one, "type", ""), type) == 0)
            return one;
    }
    return NULL;
}

static json_t *conditions(const struct conditions_input *input, const json_t *before,
                          int64_t now_us)
{
    json_t *all = conditions_decide(input);
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *one = json_array_get(all, i);
        const json_t *old = condition(before, kube_object_text(one, "type", ""));
        json_t *time = json_object_get(old, "lastTransitionTime");
        bool is_same = json_is_string(time) && strcmp(kube_object_text(old, "status", ""),
                                                      kube_object_text(one, "status", "")) == 0;
        objects_set(one, "observedGeneration", json_integer(input->resource->generation));
        objects_set(one, "lastTransitionTime", is_same ? json_incref(time) : time_of(now_us));
    }
    return all;
}

/* Of the slot and the lag, from what the best placed worker reports. */

static void copy(json_t *to, const char *name, const json_t *from, const char *path)
{
    json_t *value = kube_object_find(from, path);
    if (value != NULL && !json_is_null(value))
        objects_set(to, name, json_incref(value));
}

static json_t *slot_of(const struct conditions_input *input)
{
    const json_t *body = input->workers->slot.body;
    json_t *slot = objects_pack("{s:s}", "name", input->resource->slot);
    if (!json_is_true(kube_object_find(body, "slot.exists")))
        return slot;
    copy(slot, "active", body, "slot.active");
    copy(slot, "confirmedFlushLsn", body, "slot.confirmedFlushLSN");
    copy(slot, "retainedBytes", body, "slot.retainedWALSize");
    copy(slot, "walStatus", body, "slot.walStatus");
    if (kube_object_integer(body, "slot.safeWALSize", -1) >= 0)
        copy(slot, "safeWalSize", body, "slot.safeWALSize");
    return slot;
}

/* Whole seconds: what is finer changes at every look and says nothing. */
static json_t *lag_of(const struct conditions_input *input)
{
    json_t *lag = json_object();
    const json_t *streaming = input->workers->streaming.body;
    const json_t *body = input->workers->slot.body;
    if (json_is_true(kube_object_find(body, "slot.exists")))
        copy(lag, "bytes", body, "slot.lag");
    if (streaming != NULL)
        objects_set(lag, "seconds",
                    json_integer(kube_object_integer(streaming, "lag_ms", 0) / 1000));
    if (json_object_size(lag) > 0)
        return lag;
    json_decref(lag);
    return NULL;
}

/* The last error. */

static json_t *error_of(const json_t *reason, const json_t *before, int64_t now_us)
{
    char name[CONDITIONS_REASON_SIZE], text[CONDITIONS_TEXT_SIZE];
    conditions_name_error(reason, name);
    conditions_describe_error(reason, text);
    json_t *error = objects_pack("{s:s, s:s}", "message", text, "reason", name);
    copy(error, "sqlState", reason, "sqlstate");
    json_t *time = json_object_get(before, "time");
    bool is_same = json_is_string(time) && objects_hold(before, error);
    objects_set(error, "time", is_same ? json_incref(time) : time_of(now_us));
    return error;
}

static json_t *last_error(const struct conditions_input *input, json_t *before, int64_t now_us)
{
    const struct workers *workers = input->workers;
    const json_t *const errors[] = { workers->halted.error, workers->failing.error,
                                     workers->blind.error, workers->cut_off.error };
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (json_is_object(errors[i]))
            return error_of(errors[i], before, now_us);
    }
    return json_is_object(before) ? json_incref(before) : NULL;
}

static json_t *image_of(const struct resource *resource, const struct operator_settings *settings)
{
    AUTO(struct buf, buf_done) image = buf_init(IMAGE_MAX_BYTES);
    resource_image(resource, settings, &image);
    return json_string(buf_text(&image));
}

static json_t *selector_of(const struct resource *resource)
{
    char text[CONDITIONS_REASON_SIZE * 2];
    (void)snprintf(text, sizeof(text), "app.kubernetes.io/component=worker,pqcdc.io/connector=%s",
                   resource->name);
    return json_string(text);
}

json_t *standing_compose(const struct conditions_input *input,
                         const struct operator_settings *settings, int64_t now_us)
{
    const struct resource *resource = input->resource;
    const json_t *before = json_object_get(resource->object, "status");
    json_t *status = objects_pack("{s:I}", "observedGeneration", (json_int_t)resource->generation);
    objects_set(status, "conditions", conditions(input, before, now_us));
    objects_set(status, "replicas",
                json_integer(kube_object_integer(input->deployment, "status.replicas", 0)));
    objects_set(status, "readyReplicas",
                json_integer(kube_object_integer(input->deployment, "status.readyReplicas", 0)));
    objects_set(status, "selector", selector_of(resource));
    objects_set(status, "image", image_of(resource, settings));
    if (input->workers->leader[0] != '\0')
        objects_set(status, "leader", json_string(input->workers->leader));
    if (resource->slot[0] != '\0')
        objects_set(status, "slot", slot_of(input));
    objects_set(status, "lag", lag_of(input));
    objects_set(status, "lastError",
                last_error(input, json_object_get(before, "lastError"), now_us));
    return status;
}

bool standing_is(const json_t *connector, const char *reason)
{
    const json_t *ready = condition(json_object_get(connector, "status"), "Ready");
    return strcmp(kube_object_text(ready, "reason", ""), reason) == 0;
}

bool standing_was_admitted(const json_t *connector)
{
    const json_t *ready = condition(json_object_get(connector, "status"), "Ready");
    return ready != NULL && !standing_is(connector, "DuplicateSlot") &&
           !standing_is(connector, "InvalidSpec");
}

/* Events. */

static bool is_worth(const json_t *old, const json_t *one)
{
    return strcmp(kube_object_text(old, "reason", ""), kube_object_text(one, "reason", "")) != 0;
}

static void announce(const json_t *one, bool warning, json_t *events)
{
    objects_append(events,
                   objects_pack("{s:s, s:s, s:b, s:s}", "reason",
                                kube_object_text(one, "reason", ""), "action", "Observe", "warning",
                                (int)warning, "note", kube_object_text(one, "message", "")));
}

/* Ready says what became of it; Degraded only what Ready does not say. */
void standing_announce(const json_t *before, const json_t *after, json_t *events)
{
    const json_t *ready = condition(after, "Ready"), *degraded = condition(after, "Degraded");
    const json_t *old = condition(before, "Degraded");
    bool is_degraded = strcmp(kube_object_text(degraded, "status", ""), "True") == 0;
    bool says_same = !is_worth(ready, degraded);
    if (is_worth(condition(before, "Ready"), ready))
        announce(ready, is_degraded && says_same, events);
    if (is_degraded && !says_same && is_worth(old, degraded))
        announce(degraded, true, events);
}
