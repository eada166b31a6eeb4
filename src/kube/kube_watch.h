/* One collection of the API server, kept in sight: a list, then a stream of changes, again and
 * again, until it is stopped. Belongs to the thread of the client's loop.
 *
 * What is told is by level: ADDED before anything else of an object, and DELETED at its end, also
 * when it vanished or was made anew between two lists. A resourceVersion that the server no longer
 * has, or does not have yet, is no failure: the collection is listed again.
 *
 * The watch keeps the object that it tells. Who is told may take out of it, in place, what nobody
 * will read, and so have it in memory no longer: all but name, namespace, uid and resourceVersion.
 */
#ifndef KUBE_KUBE_WATCH_H
#define KUBE_KUBE_WATCH_H

#include <jansson.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "kube/kube_client.h"

enum kube_watch_kind {
    KUBE_WATCH_SYNCED, /* a list is through: what exists was told */
    KUBE_WATCH_ADDED,
    KUBE_WATCH_MODIFIED,
    KUBE_WATCH_DELETED,
    KUBE_WATCH_FAILED, /* it goes on by itself after a back-off */
};

struct kube_watch_event {
    enum kube_watch_kind kind;
    json_t *object;          /* of ADDED, MODIFIED, DELETED (as it was last seen); borrowed */
    const struct error *err; /* of FAILED */
};

typedef void kube_watch_fn(void *self, const struct kube_watch_event *event);

/* Everything is copied. */
struct kube_watch_options {
    const char *path;           /* of the collection: "/apis/.../namespaces/shop/leases" */
    const char *field_selector; /* "metadata.name=shop"; NULL = none */
    const char *label_selector; /* NULL = none */
    int64_t timeout_ms;         /* of a list, and until a stream's head is there; 0 = the default */
};

struct kube_watch;
/* on_event is called from turns of the loop, and may stop the watch. */
struct kube_watch *kube_watch_start(struct kube_client *client,
                                    const struct kube_watch_options *options,
                                    kube_watch_fn *on_event, void *self);
void kube_watch_stop(struct kube_watch *watch); /* before the client is freed; NULL allowed */
CLEANUP_POINTER(struct kube_watch, kube_watch_stop)

#endif
