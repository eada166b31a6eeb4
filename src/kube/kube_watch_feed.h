/* What lists and streams say of one collection, held against what is known of it: the events of a
 * watch. No I/O, no clock. One owner. */
#ifndef KUBE_KUBE_WATCH_FEED_H
#define KUBE_KUBE_WATCH_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/error.h"
#include "base/slice.h"
#include "kube/kube_watch.h"

struct kube_watch_feed {
    json_t *known;          /* "namespace/name" -> object; NULL = KUBE_WATCH_FEED_INIT */
    char *resource_version; /* where a stream goes on; NULL = there was no list yet */
    kube_watch_fn *on_event;
    void *self;
    bool stopped; /* no more events */
};

void kube_watch_feed_init(struct kube_watch_feed *feed, kube_watch_fn *on_event, void *self);
void kube_watch_feed_done(struct kube_watch_feed *feed);

/* A whole list. False = it is none, and nothing was told. */
MUST_CHECK bool kube_watch_feed_list(struct kube_watch_feed *feed, json_t *list, struct error *err);

enum kube_watch_word {
    KUBE_WATCH_FEED_TAKEN,
    KUBE_WATCH_FEED_LOST,       /* the stream cannot go on from there: list again */
    KUBE_WATCH_FEED_UNREADABLE, /* this is no line of a stream: list again */
    KUBE_WATCH_FEED_LATER,      /* the server has trouble: open another stream later */
};

/* A line of a stream. *err is set unless it was taken. */
enum kube_watch_word kube_watch_feed_line(struct kube_watch_feed *feed, struct slice line,
                                          int64_t *out_retry_after_ms, struct error *err);

/* Whether a Status (of an answer, or in a line) means that a stream cannot start where we want it
 * to: too old, or newer than the server is. */
bool kube_watch_feed_is_lost(int code, const json_t *status);

#endif
