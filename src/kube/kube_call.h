/* One call or stream of the client: its tries, and what comes of them. Belongs to the client. */
#ifndef KUBE_KUBE_CALL_H
#define KUBE_KUBE_CALL_H

#include <curl/curl.h>

#include "base/backoff.h"
#include "kube/kube_client.h"
#include "kube/kube_login.h"
#include "kube/kube_multi.h"
#include "kube/kube_transfer.h"

struct kube_call;

/* What the calls of a client share. */
struct kube_call_shared {
    struct loop *loop;
    struct kube_login login;
    struct kube_multi *calls, *streams;
    char *user_agent;
    size_t limit_bytes;
    void (*finish)(struct kube_call *call); /* takes a call that is over */
};

struct kube_call {
    struct kube_call *next; /* in the client's list */
    struct kube_client *client;
    struct kube_call_shared *shared;
    enum kube_verb verb;
    char *path, *body, *content_type;
    int64_t timeout_ms;
    mono_ms_t retry_until;
    struct backoff backoff;
    kube_client_line_fn *on_line; /* NULL = no stream */
    kube_client_done_fn *done;
    void *self;
    struct loop_timer *timer;       /* of the try, or of the pause before the next */
    struct kube_transfer *transfer; /* NULL = no try is under way */
    struct kube_answer answer;      /* of the last try */
    bool relogged;                  /* the login was read again for this request */
    bool in_callback;
    bool cancelled; /* in its callback: to be freed behind it */
};

struct kube_call *kube_call_new(struct kube_client *client, struct kube_call_shared *shared,
                                const struct kube_request *request, kube_client_line_fn *on_line,
                                kube_client_done_fn *done, void *self, uint64_t seed);
void kube_call_free(struct kube_call *call);

/* Its transfer ended: the call is over, or is tried again, at once or later. */
void kube_call_end_try(struct kube_call *call, CURLcode result);
/* Gives its lines to on_line, until there is none or it is cancelled. */
void kube_call_give_lines(struct kube_call *call);

#endif
