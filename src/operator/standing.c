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

/* Figures move at every look, and say little by it. */

enum {
    FIGURES_REST_SECONDS = 60,
    JUMP_BYTES = 16 * 1024 * 1024,
    JUMP_SECONDS = 10,
};

static const struct figure {
    const char *object, *name;
    int64_t jump; /* which is news, where the figure at least doubled or halved; 0 = none is */
} figures[] = {
    { "slot", "confirmedFlushLsn", 0 },    { "slot", "retainedBytes", JUMP_BYTES },
    { "slot", "safeWalSize", JUMP_BYTES }, { "lag", "bytes", JUMP_BYTES },
    { "lag", "seconds", JUMP_SECONDS },
};

static const json_t *value_of(const struct figure *figure, const json_t *status)
{
    return json_object_get(json_object_get(status, figure->object), figure->name);
}

static bool is_same_value(const json_t *a, const json_t *b)
{
    return a == b || json_equal(a, b) != 0;
}

static bool has_same_figures(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < COUNT_OF(figures); i++) {
        if (!is_same_value(value_of(&figures[i], a), value_of(&figures[i], b)))
            return false;
    }
    return true;
}

static bool has_jumped(const struct figure *figure, const json_t *before, const json_t *after)
{
    const json_t *old = value_of(figure, before), *new = value_of(figure, after);
    if (old == NULL || new == NULL)
        return old != new;
    int64_t a = json_integer_value(old), b = json_integer_value(new);
    int64_t less = a < b ? a : b, more = a < b ? b : a;
    return figure->jump > 0 && more / 2 >= less && more - figure->jump > less;
}

static json_t *without_figures(const json_t *status)
{
    json_t *rest = json_deep_copy(status);
    for (size_t i = 0; i < COUNT_OF(figures); i++)
        (void)json_object_del(json_object_get(rest, figures[i].object), figures[i].name);
    (void)json_object_del(rest, "measuredTime");
    return rest;
}

bool standing_is_news(const json_t *before, const json_t *after, int64_t now_us)
{
    AUTO(json_t *, json_decrefp) old = without_figures(before);
    AUTO(json_t *, json_decrefp) new = without_figures(after);
    if (!is_same_value(old, new))
        return true;
    for (size_t i = 0; i < COUNT_OF(figures); i++) {
        if (has_jumped(&figures[i], before, after))
            return true;
    }
    const char *measured = kube_object_text(before, "measuredTime", "");
    int64_t age_s = objects_age_s(measured, now_us);
    bool is_old = measured[0] == '\0' || age_s < 0 || age_s >= FIGURES_REST_SECONDS;
    return is_old && !has_same_figures(before, after);
}

static json_t *measured_time(const json_t *before, const json_t *status, int64_t now_us)
{
    json_t *time = json_object_get(before, "measuredTime");
    if (kube_object_find(status, "slot.active") == NULL && json_object_get(status, "lag") == NULL)
        return NULL;
    return json_is_string(time) && has_same_figures(before, status) ? json_incref(time)
                                                                    : time_of(now_us);
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
    objects_set(status, "measuredTime", measured_time(before, status, now_us));
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
