/* One HTTP exchange: a request as it goes out, an answer as it comes in. Belongs to the client. */
#ifndef KUBE_KUBE_TRANSFER_H
#define KUBE_KUBE_TRANSFER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "kube/kube_lines.h"
#include "kube/kube_login.h"

/* All of it but `self` is copied. */
struct kube_transfer_options {
    const struct kube_login *login;
    const char *user_agent;
    const char *method; /* "GET" */
    const char *path;
    const char *body; /* NULL = none */
    const char *content_type;
    int64_t timeout_ms; /* bounds the time to connect; who waits for the rest is not us */
    size_t limit_bytes; /* of the body, or of a line */
    bool stream;        /* the body of a good answer is lines, on a connection of its own */
    void *self;         /* kube_transfer_self() of its easy handle */
};

struct kube_transfer {
    CURL *easy;
    struct curl_slist *headers;
    struct curl_slist *connect_to;
    struct buf body;         /* what came, unless it is a stream's */
    struct kube_lines lines; /* what came of a stream */
    bool stream;
    bool too_large; /* ended by us for that */
    bool news;      /* something came since somebody took it back */
    int status;     /* of the final head; 0 = it is not there yet */
    char problem[CURL_ERROR_SIZE];
};

struct kube_transfer *kube_transfer_new(const struct kube_transfer_options *options);
void kube_transfer_free(struct kube_transfer *transfer); /* NULL allowed */

void *kube_transfer_self(CURL *easy);
bool kube_transfer_is_stream(const struct kube_transfer *transfer); /* and the head is a good one */
int64_t kube_transfer_retry_after_ms(const struct kube_transfer *transfer); /* -1 = no header */

#endif
