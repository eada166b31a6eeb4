/* A growable buffer with a cap that is named where it is made.
 *
 * An append that would pass the limit sets `failed` and changes nothing more; the owner asks once
 * at the end. With an arena behind it the bytes live in the arena: buf_finish() hands them out as
 * a slice that lives until the arena's reset. Without one, buf_done() frees them. Not thread-safe.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/slice.h"

struct buf {
    char *data;
    size_t size;
    size_t capacity;
    size_t limit_bytes;
    struct arena *arena; /* NULL: the heap */
    bool failed;         /* the limit was reached; sticky until buf_clear() */
};

struct buf buf_init(size_t limit_bytes);
struct buf buf_init_arena(struct arena *arena, size_t hint_bytes, size_t limit_bytes);
void buf_done(struct buf *buf);
void buf_clear(struct buf *buf); /* empty again, keeps the memory */

/* Makes room for `more_bytes` beyond size; false = over the limit (failed is then set). */
bool buf_grow(struct buf *buf, size_t more_bytes);

static inline bool buf_reserve(struct buf *buf, size_t more_bytes)
{
    if (LIKELY(!buf->failed && buf->capacity - buf->size >= more_bytes))
        return true;
    return buf_grow(buf, more_bytes);
}

static inline void buf_append(struct buf *buf, const void *bytes, size_t size_bytes)
{
    if (size_bytes > 0 && buf_reserve(buf, size_bytes)) {
        memcpy(buf->data + buf->size, bytes, size_bytes);
        buf->size += size_bytes;
    }
}

static inline void buf_append_slice(struct buf *buf, struct slice bytes)
{
    buf_append(buf, bytes.data, bytes.size);
}

static inline void buf_append_byte(struct buf *buf, char byte)
{
    if (buf_reserve(buf, 1))
        buf->data[buf->size++] = byte;
}

void buf_append_text(struct buf *buf, const char *text);
void buf_append_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_append_u64(struct buf *buf, uint64_t value); /* decimal */
/* Shortest decimal that reads back as the same number, with '.' in every locale; "NaN", "+Inf",
 * "-Inf". */
void buf_append_real(struct buf *buf, double value);

/* The text with a NUL after it (not counted); "" when failed before anything was written. */
const char *buf_text(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
    return (struct slice){ buf->data != NULL ? buf->data : "", buf->size };
}

/* Arena buffers only: returns what was written, gives unused room back, and detaches the buffer
 * (it must be made anew before the next use). */
struct slice buf_finish(struct buf *buf);

#endif
