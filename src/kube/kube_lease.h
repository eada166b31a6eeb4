/* A coordination.k8s.io/v1 Lease as a value, the bodies of the writes to it, and its calls.
 *
 * Writes are a POST or a PUT of the whole object with the uid and the resourceVersion that were
 * read, so that one writer wins and a Lease made anew is no longer ours; what the object holds
 * beyond our fields is kept. Times in it are for people: nothing here compares them. Any thread,
 * but the calls, which belong to the client's.
 */
#ifndef KUBE_KUBE_LEASE_H
#define KUBE_KUBE_LEASE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "kube/kube_client.h"

#define KUBE_LEASE_PHASE  "pqcdc.io/phase"
#define KUBE_LEASE_SOURCE "pqcdc.io/source"

/* The texts are never NULL in a lease that was parsed; they live as long as the object. */
struct kube_lease {
    json_t *object; /* whole, as it was read; never changed; NULL = KUBE_LEASE_INIT */
    const char *uid;
    const char *resource_version;
    const char *holder;  /* "" = nobody */
    int64_t duration_ms; /* 0 = the record has none that makes sense */
    int64_t transitions;
    const char *phase;  /* of the annotation; "" = none */
    const char *source; /* of the annotation; "" = none */
};

#define KUBE_LEASE_INIT                                                                            \
    ((struct kube_lease){                                                                          \
        .uid = "", .resource_version = "", .holder = "", .phase = "", .source = "" })

/* Texts in UTF-8. */
struct kube_lease_claim {
    const char *holder;
    int64_t duration_s; /* from 1 */
    int64_t now_us;     /* wall time */
    const char *phase;  /* NULL = leave what is there; "" = none */
    const char *source; /* likewise */
};

/* Takes any object that has a uid and a resourceVersion; a spec that is absent or odd reads as held
 * by nobody. Another reference to the object is kept. *out_lease is not released before. */
MUST_CHECK bool kube_lease_parse(json_t *object, struct kube_lease *out_lease, struct error *err);
void kube_lease_done(struct kube_lease *lease); /* leaves KUBE_LEASE_INIT */
struct kube_lease kube_lease_copy(const struct kube_lease *lease);

/* Bodies; json_decref() them. */
json_t *kube_lease_make_new(const char *namespace_name, const char *name,
                            const struct kube_lease_claim *claim);
/* Renews when the claim's holder has it; else takes it over: one transition more, acquired now. */
json_t *kube_lease_make_claimed(const struct kube_lease *lease,
                                const struct kube_lease_claim *claim);
/* Held by nobody for one second; transitions and annotations stay, but the phase goes. source: as a
 * claim's. */
json_t *kube_lease_make_released(const struct kube_lease *lease, const char *source);

/* One try each. The answer's object is a Lease: kube_lease_parse() it. */
struct kube_call *kube_lease_get(struct kube_client *client, const char *namespace_name,
                                 const char *name, int64_t timeout_ms, kube_client_done_fn *done,
                                 void *self);
struct kube_call *kube_lease_create(struct kube_client *client, const char *namespace_name,
                                    const json_t *body, int64_t timeout_ms,
                                    kube_client_done_fn *done, void *self);
struct kube_call *kube_lease_put(struct kube_client *client, const char *namespace_name,
                                 const char *name, const json_t *body, int64_t timeout_ms,
                                 kube_client_done_fn *done, void *self);

#endif
