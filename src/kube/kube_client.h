/* The API server's client: calls and streams side by side on one loop, by libcurl.
 *
 * All of it belongs to the loop's thread, and nothing blocks. Callbacks are only ever called from a
 * turn of the loop, never from inside one of these functions, and may start and cancel any call.
 *
 * Token and certificates are read again when older than 60 s, and at once when the server refuses
 * us or cannot be verified; if that brought something new the request is sent once more by itself.
 * Redirects are not followed. Calls share one kept connection, or as many as the options say; after
 * one that got no answer the next opens a new one, where one is kept; a stream always has its own.
 * The process must ignore SIGPIPE.
 */
#ifndef KUBE_KUBE_CLIENT_H
#define KUBE_KUBE_CLIENT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/slice.h"
#include "kube/kube_answer.h"
#include "kube/kube_config.h"

enum {
    KUBE_CLIENT_TIMEOUT_MS = 10000,
    KUBE_CLIENT_CONNECT_TIMEOUT_MS = 5000,
    KUBE_CLIENT_ANSWER_LIMIT_BYTES = 8 * 1024 * 1024,
};

enum kube_verb { KUBE_GET, KUBE_POST, KUBE_PUT, KUBE_PATCH, KUBE_DELETE };

struct kube_client_options {
    const struct kube_config *config; /* must outlive the client */
    struct loop *loop;                /* must outlive the client */
    struct clock clock;
    uint64_t seed;             /* of jitter */
    const char *user_agent;    /* NULL = "pqcdc/<version>" */
    size_t answer_limit_bytes; /* of a body, and of a line of a stream; 0 = the default */
    /* Of calls that run side by side; 0 = 1. More are quicker, but after an outage each of them may
     * cost a call its time-out. */
    long kept_connections;
    /* Told of every call and stream that ended by itself, with its last HTTP status, 0 = none;
     * NULL = nobody. */
    void (*on_ended)(void *self, enum kube_verb verb, int status);
    void *self;
};

/* Everything is copied. */
struct kube_request {
    enum kube_verb verb;
    const char *path;         /* "/api/...", with its query, escaped where it must be */
    const json_t *body;       /* NULL = none */
    const char *content_type; /* of the body; NULL = application/json */
    int64_t timeout_ms; /* of one try; of a stream: until its head is there; 0 = the default */
    /* BUSY and UNREACHABLE are tried again for so long, with jitter, not before Retry-After; 0 =
     * one try. Not of a stream. */
    int64_t retry_for_ms;
};

struct kube_client;
struct kube_call; /* a call or a stream; ends when its `done` is called, or with its cancelling */

/* The answer is the caller's for that moment: json_incref() what shall live on. */
typedef void kube_client_done_fn(void *self, const struct kube_answer *answer);
/* One line of a stream, without its end; empty ones are left out. */
typedef void kube_client_line_fn(void *self, struct slice line);

MUST_CHECK bool kube_client_new(const struct kube_client_options *options,
                                struct kube_client **out_client, struct error *err);
/* Cancels what runs. Not from a callback. NULL allowed. */
void kube_client_free(struct kube_client *client);
CLEANUP_POINTER(struct kube_client, kube_client_free)

struct kube_call *kube_client_call(struct kube_client *client, const struct kube_request *request,
                                   kube_client_done_fn *done, void *self);

/* Gives the lines of an answer as they come; `done` when it ends: KUBE_OK (without an object) when
 * the server ended it behind a whole line. */
struct kube_call *kube_client_stream(struct kube_client *client, const struct kube_request *request,
                                     kube_client_line_fn *on_line, kube_client_done_fn *done,
                                     void *self);

/* `done` is not called; what was sent may be applied all the same. NULL allowed. */
void kube_client_cancel(struct kube_call *call);

/* Turns the loop until the answer is there; a stop of the loop gives ERROR_STOPPED. Not from a
 * callback. kube_answer_done() the answer. */
void kube_client_call_wait(struct kube_client *client, const struct kube_request *request,
                           struct kube_answer *out_answer);

/* For what is built on it. */
struct loop *kube_client_loop(const struct kube_client *client);
mono_ms_t kube_client_now(const struct kube_client *client);
int64_t kube_client_wall_us(const struct kube_client *client);
uint64_t kube_client_seed(struct kube_client *client); /* of a jitter of one's own */

const char *kube_client_verb_name(enum kube_verb verb);

#endif
