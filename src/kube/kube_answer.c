#include "kube/kube_answer.h"

#include <stdio.h>

#include "base/check.h"
#include "kube/kube_object.h"

enum { RETRY_AFTER_MAX_S = 3600 };

void kube_answer_done(struct kube_answer *answer)
{
    json_decref(answer->object);
    answer->object = NULL;
}

const char *kube_answer_outcome_name(enum kube_outcome outcome)
{
    static const char *const names[] = {
#define X(name, text, class) text,
        KUBE_OUTCOMES(X)
#undef X
    };
    CHECK((size_t)outcome < COUNT_OF(names));
    return names[outcome];
}

static enum error_class class_of(enum kube_outcome outcome)
{
    static const enum error_class classes[] = {
#define X(name, text, class) class,
        KUBE_OUTCOMES(X)
#undef X
    };
    CHECK((size_t)outcome < COUNT_OF(classes));
    return classes[outcome];
}

enum kube_outcome kube_answer_outcome_of(int status)
{
    static const struct {
        int first, last;
        enum kube_outcome outcome;
    } rows[] = {
        { 200, 299, KUBE_OK },        { 401, 401, KUBE_DENIED },   { 403, 403, KUBE_DENIED },
        { 404, 404, KUBE_NOT_FOUND }, { 409, 409, KUBE_CONFLICT }, { 410, 410, KUBE_GONE },
        { 429, 429, KUBE_BUSY },      { 500, 599, KUBE_BUSY },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (status >= rows[i].first && status <= rows[i].last)
            return rows[i].outcome;
    return KUBE_INVALID;
}

static int64_t retry_after_of(const struct kube_answer *answer, int64_t header_ms)
{
    int64_t seconds = kube_object_integer(answer->object, "details.retryAfterSeconds", 0);
    if (header_ms < 0 && seconds <= 0)
        return -1;
    int64_t limit_ms = INT64_C(1000) * RETRY_AFTER_MAX_S;
    int64_t told_ms = header_ms >= 0                ? header_ms
                      : seconds < RETRY_AFTER_MAX_S ? seconds * 1000
                                                    : limit_ms;
    return told_ms < limit_ms ? told_ms : limit_ms;
}

static void advise(struct kube_answer *answer)
{
    if (answer->status == 401)
        error_advise(&answer->err,
                     "The API server does not know who we are: the token or the client certificate "
                     "is wrong, has expired, or belongs to another cluster.");
    else if (answer->status == 403)
        error_advise(&answer->err, "The service account lacks this right: give it one by a Role "
                                   "and a RoleBinding in that namespace.");
}

void kube_answer_judge(struct kube_answer *answer, const char *what, int64_t header_ms)
{
    answer->outcome = kube_answer_outcome_of(answer->status);
    answer->retry_after_ms = retry_after_of(answer, header_ms);
    if (answer->outcome == KUBE_OK)
        return;
    char code[ERROR_CODE_SIZE];
    (void)snprintf(code, sizeof(code), "api_%s", kube_answer_outcome_name(answer->outcome));
    const char *reason = kube_object_text(answer->object, "reason", "");
    const char *message = kube_object_text(answer->object, "message", "");
    error_set(&answer->err, class_of(answer->outcome), code, "%s: %d%s%s%s%s", what, answer->status,
              reason[0] != '\0' ? " " : "", reason, message[0] != '\0' ? ": " : "", message);
    advise(answer);
}
