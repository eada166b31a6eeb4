#include "kube/kube_lease.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "kube/kube_object.h"
#include "kube/kube_time.h"

#define API_VERSION "coordination.k8s.io/v1"

enum { DURATION_MAX_S = INT32_MAX, TRANSITIONS_MAX = INT32_MAX };

bool kube_lease_parse(json_t *object, struct kube_lease *out_lease, struct error *err)
{
    const char *uid = kube_object_text(object, "metadata.uid", "");
    const char *version = kube_object_text(object, "metadata.resourceVersion", "");
    if (uid[0] == '\0' || version[0] == '\0')
        return error_set(err, ERROR_RETRY, "answer_unreadable",
                         "a Lease without uid or resourceVersion");
    int64_t duration_s = kube_object_integer(object, "spec.leaseDurationSeconds", 0);
    int64_t transitions = kube_object_integer(object, "spec.leaseTransitions", 0);
    *out_lease = (struct kube_lease){
        .object = json_incref(object),
        .uid = uid,
        .resource_version = version,
        .holder = kube_object_text(object, "spec.holderIdentity", ""),
        .duration_ms = duration_s >= 1 && duration_s <= DURATION_MAX_S ? duration_s * 1000 : 0,
        .transitions = transitions >= 0 && transitions <= TRANSITIONS_MAX ? transitions : 0,
        .phase = kube_object_annotation(object, KUBE_LEASE_PHASE),
        .source = kube_object_annotation(object, KUBE_LEASE_SOURCE),
    };
    return true;
}

void kube_lease_done(struct kube_lease *lease)
{
    json_decref(lease->object);
    *lease = KUBE_LEASE_INIT;
}

struct kube_lease kube_lease_copy(const struct kube_lease *lease)
{
    json_incref(lease->object);
    return *lease;
}

static void set(json_t *object, const char *name, json_t *value)
{
    CHECK(json_object_set_new(object, name, value) == 0);
}

static void set_time(json_t *spec, const char *name, int64_t wall_us)
{
    char text[KUBE_TIME_SIZE];
    kube_time_format(wall_us, text);
    set(spec, name, json_string(text));
}

static void annotate(json_t *body, const char *phase, const char *source)
{
    if (phase != NULL)
        kube_object_annotate(body, KUBE_LEASE_PHASE, phase);
    if (source != NULL)
        kube_object_annotate(body, KUBE_LEASE_SOURCE, source);
}

static void set_claim(json_t *body, const struct kube_lease_claim *claim)
{
    json_t *spec = kube_object_child(body, "spec");
    set(spec, "holderIdentity", json_string(claim->holder));
    set(spec, "leaseDurationSeconds", json_integer(claim->duration_s));
    set_time(spec, "renewTime", claim->now_us);
    annotate(body, claim->phase, claim->source);
}

json_t *kube_lease_make_new(const char *namespace_name, const char *name,
                            const struct kube_lease_claim *claim)
{
    json_t *body = json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:i}}", "apiVersion", API_VERSION, "kind",
                             "Lease", "metadata", "namespace", namespace_name, "name", name, "spec",
                             "leaseTransitions", 0);
    CHECK(body != NULL);
    set_claim(body, claim);
    set_time(kube_object_child(body, "spec"), "acquireTime", claim->now_us);
    return body;
}

/* All of the object that is not the server's own. Items of lists do not say what they are. */
static json_t *copy_of(const struct kube_lease *lease)
{
    CHECK(lease->object != NULL);
    json_t *body = json_deep_copy(lease->object);
    CHECK(body != NULL);
    set(body, "apiVersion", json_string(API_VERSION));
    set(body, "kind", json_string("Lease"));
    (void)json_object_del(kube_object_child(body, "metadata"), "managedFields");
    return body;
}

json_t *kube_lease_make_claimed(const struct kube_lease *lease,
                                const struct kube_lease_claim *claim)
{
    json_t *body = copy_of(lease);
    json_t *spec = kube_object_child(body, "spec");
    bool renewed = strcmp(lease->holder, claim->holder) == 0;
    int64_t more = !renewed && lease->transitions < TRANSITIONS_MAX;
    set(spec, "leaseTransitions", json_integer(lease->transitions + more));
    if (!renewed || !json_is_string(json_object_get(spec, "acquireTime")))
        set_time(spec, "acquireTime", claim->now_us);
    set_claim(body, claim);
    return body;
}

json_t *kube_lease_make_released(const struct kube_lease *lease, const char *source)
{
    json_t *body = copy_of(lease);
    json_t *spec = kube_object_child(body, "spec");
    set(spec, "holderIdentity", json_string(""));
    set(spec, "leaseDurationSeconds", json_integer(1));
    annotate(body, "", source);
    return body;
}

/* Of one Lease, or of all in the namespace when name is NULL. memory_free() it. */
static char *path_of(const char *namespace_name, const char *name)
{
    AUTO(char *, memory_free_p) space = kube_object_escape(namespace_name);
    AUTO(char *, memory_free_p) leaf = kube_object_escape(name != NULL ? name : "");
    return text_format("/apis/" API_VERSION "/namespaces/%s/leases%s%s", space,
                       name != NULL ? "/" : "", leaf);
}

struct kube_call *kube_lease_get(struct kube_client *client, const char *namespace_name,
                                 const char *name, int64_t timeout_ms, kube_client_done_fn *done,
                                 void *self)
{
    AUTO(char *, memory_free_p) path = path_of(namespace_name, name);
    struct kube_request request = { .verb = KUBE_GET, .path = path, .timeout_ms = timeout_ms };
    return kube_client_call(client, &request, done, self);
}

struct kube_call *kube_lease_create(struct kube_client *client, const char *namespace_name,
                                    const json_t *body, int64_t timeout_ms,
                                    kube_client_done_fn *done, void *self)
{
    AUTO(char *, memory_free_p) path = path_of(namespace_name, NULL);
    struct kube_request request = {
        .verb = KUBE_POST, .path = path, .body = body, .timeout_ms = timeout_ms
    };
    return kube_client_call(client, &request, done, self);
}

struct kube_call *kube_lease_put(struct kube_client *client, const char *namespace_name,
                                 const char *name, const json_t *body, int64_t timeout_ms,
                                 kube_client_done_fn *done, void *self)
{
    AUTO(char *, memory_free_p) path = path_of(namespace_name, name);
    struct kube_request request = {
        .verb = KUBE_PUT, .path = path, .body = body, .timeout_ms = timeout_ms
    };
    return kube_client_call(client, &request, done, self);
}
