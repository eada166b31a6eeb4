/* Cuts a stream of bytes into lines, wherever its chunks end. One owner. */
#ifndef KUBE_KUBE_LINES_H
#define KUBE_KUBE_LINES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/slice.h"

struct kube_lines {
    struct buf bytes; /* what was not given yet stands from `at` */
    size_t at;
    size_t searched;   /* up to here there is no line's end */
    size_t open_bytes; /* of the line at the end, which has no end yet */
    size_t limit_bytes;
};

/* A line has at most limit_bytes. */
struct kube_lines kube_lines_init(size_t limit_bytes);
void kube_lines_done(struct kube_lines *lines);

/* False = a line is longer than the limit, or far too much waits: nothing was added. */
MUST_CHECK bool kube_lines_add(struct kube_lines *lines, struct slice bytes);
/* The next whole line that is not empty, without its end ("\n" or "\r\n"); valid until the next
 * call of any of these. */
bool kube_lines_next(struct kube_lines *lines, struct slice *out_line);
bool kube_lines_is_empty(const struct kube_lines *lines); /* no line was begun */

#endif
