/* What the workers say of themselves: GET /status of each pod, again and again. Belongs to the
 * loop's thread.
 *
 * A pod that does not answer is asked once more soon; only a second silence in a row counts, so
 * that one lost packet is no news. Every answer with a JSON object counts, whatever its HTTP
 * status. */
#ifndef OPERATOR_POD_STATUS_H
#define OPERATOR_POD_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"

struct pod_status_options {
    struct loop *loop;
    struct clock clock;
    int64_t interval_ms;
    int64_t timeout_ms;
    int32_t port;
    uint64_t seed; /* of when each pod's turn is */
    /* What a pod of that key says became another in what matters; or its figures moved, which is
     * told three intervals after the last time at the earliest. Not to call back from there. */
    void (*on_changed)(void *self, const char *key);
    void *self;
};

struct pod_status;

struct pod_status *pod_status_new(const struct pod_status_options *options);
void pod_status_free(struct pod_status *status); /* NULL allowed */
CLEANUP_POINTER(struct pod_status, pod_status_free)

/* From now on those pods of the key are asked, and no others. An array of Pods: those that do not
 * run, have no address, or belong to a Job are passed over. NULL = none. */
void pod_status_watch(struct pod_status *status, const char *key, const json_t *pods);
void pod_status_clear(struct pod_status *status); /* nobody is asked any more */

/* {pod name: {"body": ...} | {"error": text}}: of the pods that are asked. json_decref() it. */
json_t *pod_status_reports(const struct pod_status *status, const char *key);
/* One of the key's pods has neither answered nor failed yet. */
bool pod_status_is_pending(const struct pod_status *status, const char *key);
size_t pod_status_count(const struct pod_status *status); /* pods that are asked */

#endif
