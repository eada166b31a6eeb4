#include "kube/kube_lines.h"

#include <string.h>

/* What libcurl may hand over before the lines are taken. */
enum { WAITING_MAX_BYTES = 4 * 1024 * 1024 };

struct kube_lines kube_lines_init(size_t limit_bytes)
{
    return (struct kube_lines){ .bytes = buf_init(limit_bytes + WAITING_MAX_BYTES),
                                .limit_bytes = limit_bytes };
}

void kube_lines_done(struct kube_lines *lines)
{
    buf_done(&lines->bytes);
    *lines = kube_lines_init(lines->limit_bytes);
}

/* Moves what is left to the start. */
static void close_up(struct kube_lines *lines)
{
    size_t left = lines->bytes.size - lines->at;
    if (lines->at == 0)
        return;
    memmove(lines->bytes.data, lines->bytes.data + lines->at, left);
    lines->bytes.size = left;
    lines->searched -= lines->at;
    lines->at = 0;
}

/* How long the last line will be; false = one of them is too long. */
static bool measure(const struct kube_lines *lines, struct slice bytes, size_t *out_open_bytes)
{
    size_t line_bytes = lines->open_bytes;
    while (bytes.size > 0) {
        const char *end = memchr(bytes.data, '\n', bytes.size);
        size_t part = end != NULL ? (size_t)(end - bytes.data) : bytes.size;
        line_bytes += part;
        if (line_bytes > lines->limit_bytes)
            return false;
        line_bytes = end != NULL ? 0 : line_bytes;
        part += end != NULL;
        bytes = (struct slice){ bytes.data + part, bytes.size - part };
    }
    *out_open_bytes = line_bytes;
    return true;
}

bool kube_lines_add(struct kube_lines *lines, struct slice bytes)
{
    size_t open_bytes;
    close_up(lines);
    if (!measure(lines, bytes, &open_bytes) || !buf_reserve(&lines->bytes, bytes.size))
        return false;
    buf_append_slice(&lines->bytes, bytes);
    lines->open_bytes = open_bytes;
    return true;
}

bool kube_lines_next(struct kube_lines *lines, struct slice *out_line)
{
    while (lines->searched < lines->bytes.size) {
        char *start = lines->bytes.data + lines->at;
        char *end =
            memchr(lines->bytes.data + lines->searched, '\n', lines->bytes.size - lines->searched);
        if (end == NULL) {
            lines->searched = lines->bytes.size;
            return false;
        }
        size_t size = (size_t)(end - start);
        lines->at = lines->searched = (size_t)(end + 1 - lines->bytes.data);
        if (size > 0 && start[size - 1] == '\r')
            size--;
        if (size > 0) {
            *out_line = (struct slice){ start, size };
            return true;
        }
    }
    return false;
}

bool kube_lines_is_empty(const struct kube_lines *lines)
{
    return lines->at == lines->bytes.size;
}
