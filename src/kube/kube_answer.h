/* What came of a request to the API server. */
#ifndef KUBE_KUBE_ANSWER_H
#define KUBE_KUBE_ANSWER_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"

/* A BUSY answer to a write may hide that it was applied (500, 504), UNREACHABLE always may. */
#define KUBE_OUTCOMES(X)                                                                           \
    X(KUBE_OK, "ok", ERROR_NONE)                                                                   \
    X(KUBE_NOT_FOUND, "not_found", ERROR_RETRY)                                                    \
    X(KUBE_CONFLICT, "conflict", ERROR_RETRY)                                                      \
    X(KUBE_GONE, "gone", ERROR_RETRY)               /* 410: the resourceVersion is too old */      \
    X(KUBE_BUSY, "busy", ERROR_RETRY)               /* 429, 5xx */                                 \
    X(KUBE_DENIED, "denied", ERROR_RETRY)           /* 401, 403 */                                 \
    X(KUBE_INVALID, "invalid", ERROR_CONFIG)        /* another 4xx, or a redirect */               \
    X(KUBE_UNREACHABLE, "unreachable", ERROR_RETRY) /* no whole answer */

enum kube_outcome {
#define X(name, text, class) name,
    KUBE_OUTCOMES(X)
#undef X
};

struct kube_answer {
    enum kube_outcome outcome;
    int status;             /* HTTP; 0 = none came */
    int64_t retry_after_ms; /* -1 = not told */
    json_t *object;         /* the body; of a failure its Status, or NULL; KUBE_OK always has one */
    struct error err;       /* unless KUBE_OK; names verb and path; code "api_<outcome>" or finer */
};

#define KUBE_ANSWER_INIT ((struct kube_answer){ .outcome = KUBE_UNREACHABLE, .retry_after_ms = -1 })

void kube_answer_done(struct kube_answer *answer); /* drops the object */

const char *kube_answer_outcome_name(enum kube_outcome outcome);
enum kube_outcome kube_answer_outcome_of(int status); /* of an HTTP status from 200 */

/* Fills in outcome, retry_after_ms and err from status and object. `what` = "PUT /apis/...".
 * header_ms = what the Retry-After header said, -1 = nothing. */
void kube_answer_judge(struct kube_answer *answer, const char *what, int64_t header_ms);

#endif
