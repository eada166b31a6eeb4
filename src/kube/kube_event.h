/* Events (events.k8s.io/v1) for people who ask kubectl what happened. Fire and forget: nothing
 * waits for them, what cannot be sent is counted. Belongs to the thread of the client's loop.
 *
 * The same reason, action and object within 10 minutes is one event with a growing series, which is
 * told to the server at most once a minute.
 */
#ifndef KUBE_KUBE_EVENT_H
#define KUBE_KUBE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "kube/kube_client.h"

enum { KUBE_EVENT_NOTE_MAX_BYTES = 1024, KUBE_EVENT_QUEUE_MAX = 64 };

/* Everything is copied. */
struct kube_event_options {
    struct kube_client *client; /* must outlive the sender */
    const char *controller;     /* "pqcdc.io/worker" */
    const char *instance;       /* which one of them: the pod's name; cut at 128 bytes */
};

/* Everything is copied. */
struct kube_event {
    struct {
        const char *api_version; /* "coordination.k8s.io/v1" */
        const char *kind;        /* "Lease" */
        const char *namespace_name;
        const char *name;
        const char *uid; /* NULL or "" = not known */
    } regarding;
    const char *reason; /* why, in CamelCase; at most 128 bytes */
    const char *action; /* what was done, likewise */
    bool warning;       /* else Normal */
    const char *note;   /* for people; cut at 1,024 bytes, between characters */
};

struct kube_event_counts {
    uint64_t posted;  /* events made, series told */
    uint64_t failed;  /* requests that failed for good */
    uint64_t dropped; /* the queue was full */
};

struct kube_event_sender;
struct kube_event_sender *kube_event_sender_new(const struct kube_event_options *options);
/* Drops what is not sent. NULL allowed. */
void kube_event_sender_free(struct kube_event_sender *sender);
CLEANUP_POINTER(struct kube_event_sender, kube_event_sender_free)

void kube_event_post(struct kube_event_sender *sender, const struct kube_event *event);
bool kube_event_is_idle(const struct kube_event_sender *sender); /* nothing waits to be sent now */
struct kube_event_counts kube_event_counts(const struct kube_event_sender *sender);

#endif
