/* Small plain HTTP GETs, many side by side on one loop: to pods, which are nobody's to trust. No
 * redirect is followed, no proxy is used, no connection is kept. Belongs to the loop's thread. */
#ifndef OPERATOR_VISIT_H
#define OPERATOR_VISIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/slice.h"

enum { VISIT_BODY_MAX_BYTES = 256 * 1024 };

struct visit_pool;
struct visit;

struct visit_pool *visit_pool_new(struct loop *loop);
void visit_pool_free(struct visit_pool *pool); /* cancels what runs; not from a callback */
CLEANUP_POINTER(struct visit_pool, visit_pool_free)

/* The answer's status and body, whatever they are; or err, and status 0. Valid for that moment.
 * Called from a turn of the loop; may start and cancel any visit. */
typedef void visit_done_fn(void *self, int status, struct slice body, const struct error *err);

struct visit *visit_start(struct visit_pool *pool, const char *url, int64_t timeout_ms,
                          visit_done_fn *done, void *self);
void visit_cancel(struct visit *visit); /* done is not called; NULL allowed */

/* One, without a loop: waits for it. False: no whole answer came. */
MUST_CHECK bool visit_wait(const char *url, int64_t timeout_ms, int *out_status, struct error *err);

#endif
