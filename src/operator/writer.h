/* Carries out a plan: one request after the other, until all of it is done or one fails. Children
 * by server-side apply, status by another field manager, of metadata only what a merge patch names;
 * the spec of a Connector is never written. Belongs to the thread of the client's loop.
 *
 * A child without a uid is one that was not seen, or not as ours: it is asked for first, and what
 * workload_may_take() does not grant is left as it is; the plan ends there.
 *
 * Our finalizer is put on before anything else is written, and taken off behind everything else. */
#ifndef OPERATOR_WRITER_H
#define OPERATOR_WRITER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/error.h"
#include "kube/kube_client.h"
#include "kube/kube_event.h"
#include "operator/reconcile.h"

struct writer_options {
    struct kube_client *client;
    struct kube_event_sender *events; /* NULL = events go nowhere */
    void *self;
    bool (*may_write)(void *self); /* asked before each write */
    /* Said of each event of a plan, whether or not it can be posted. */
    void (*on_event)(void *self, const json_t *connector, const json_t *event);
};

enum writer_end {
    WRITER_DONE,
    WRITER_STOPPED, /* we may not write any more */
    WRITER_FAILED,  /* the same may succeed later */
    WRITER_REFUSED, /* the server does not take it, and will not: 4xx */
};

struct writer_result {
    enum writer_end end;
    json_t *written;  /* array of objects, as the server has them now; borrowed */
    unsigned writes;  /* that the server took */
    struct error err; /* of FAILED and REFUSED */
    bool is_news;     /* of them: a person should read it, not only try again */
};

struct writing; /* ends when its `done` is called, or with its cancelling */

typedef void writer_done_fn(void *self, const struct writer_result *result);

/* The plan is taken over. done is called from a turn of the loop. The options live longer. */
struct writing *writer_start(const struct writer_options *options, const json_t *connector,
                             struct reconcile_plan *plan, writer_done_fn *done, void *self);
/* done is not called; what was sent may be applied all the same. NULL allowed. */
void writer_cancel(struct writing *writing);

/* One event of a plan, by itself. */
void writer_post_event(const struct writer_options *options, const json_t *connector,
                       const json_t *event);

bool writer_is_needed(const struct reconcile_plan *plan); /* it has something to write */

#endif
