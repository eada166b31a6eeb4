/* libcurl's transfers on our loop. Belongs to the loop's thread.
 *
 * libcurl works only in turns of the loop, never in one of these functions; after it did, `moved`
 * is called, outside of libcurl, so that it may do anything but free the multi. */
#ifndef KUBE_KUBE_MULTI_H
#define KUBE_KUBE_MULTI_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/loop.h"

struct kube_multi;
typedef void kube_multi_moved_fn(void *self);

/* So many connections stay open for the next transfers. With one, it stays only while no other is
 * in use: so after a transfer that got no answer there is none left that may be as dead as that
 * one's. A connection whose certificates are not those of the transfer is not used for it. */
struct kube_multi *kube_multi_new(struct loop *loop, long kept_connections,
                                  kube_multi_moved_fn *moved, void *self);
void kube_multi_free(struct kube_multi *multi); /* its transfers were removed; NULL allowed */

void kube_multi_add(struct kube_multi *multi, CURL *easy);
void kube_multi_remove(struct kube_multi *multi, CURL *easy);

/* The next transfer that ended; it is to be removed. */
bool kube_multi_ended(struct kube_multi *multi, CURL **out_easy, CURLcode *out_result);

#endif
