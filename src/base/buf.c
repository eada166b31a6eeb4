#include "base/buf.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

enum { FIRST_BYTES = 256 };

struct buf buf_init(size_t limit_bytes)
{
    return (struct buf){ .limit_bytes = limit_bytes };
}

/* One byte more than the capacity is always there, for the NUL of buf_text(). */
static void set_capacity(struct buf *buf, size_t capacity)
{
    if (buf->arena == NULL) {
        buf->data = memory_resize(buf->data, capacity + 1);
    } else if (buf->data == NULL ||
               !arena_extend(buf->arena, buf->data, buf->capacity + 1, capacity + 1)) {
        char *data = arena_alloc(buf->arena, capacity + 1);
        if (buf->size > 0)
            memcpy(data, buf->data, buf->size);
        buf->data = data;
    }
    buf->capacity = capacity;
}

struct buf buf_init_arena(struct arena *arena, size_t hint_bytes, size_t limit_bytes)
{
    CHECK(arena != NULL);
    struct buf buf = { .limit_bytes = limit_bytes, .arena = arena };
    size_t capacity = hint_bytes < limit_bytes ? hint_bytes : limit_bytes;
    if (capacity > 0)
        set_capacity(&buf, capacity);
    return buf;
}

void buf_done(struct buf *buf)
{
    if (buf->arena == NULL)
        memory_free(buf->data);
    *buf = (struct buf){ .limit_bytes = buf->limit_bytes, .arena = buf->arena };
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
}

bool buf_grow(struct buf *buf, size_t more_bytes)
{
    size_t wanted;
    if (buf->failed || __builtin_add_overflow(buf->size, more_bytes, &wanted) ||
        wanted > buf->limit_bytes) {
        buf->failed = true;
        return false;
    }
    if (wanted <= buf->capacity)
        return true;
    size_t capacity = buf->capacity < FIRST_BYTES / 2 ? FIRST_BYTES / 2 : buf->capacity;
    capacity = capacity > buf->limit_bytes / 2 ? buf->limit_bytes : 2 * capacity;
    CHECK(buf->limit_bytes < SIZE_MAX);
    set_capacity(buf, capacity > wanted ? capacity : wanted);
    return true;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_format(struct buf *buf, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int size = vsnprintf(NULL, 0, format, values);
    va_end(values);
    CHECK(size >= 0);
    if (size == 0 || !buf_reserve(buf, (size_t)size))
        return;
    va_start(values, format);
    vsnprintf(buf->data + buf->size, (size_t)size + 1, format, values);
    va_end(values);
    buf->size += (size_t)size;
}

void buf_append_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_append(buf, digits + at, sizeof(digits) - at);
}

void buf_append_real(struct buf *buf, double value)
{
    if (isnan(value)) {
        buf_append_text(buf, "NaN");
        return;
    }
    if (isinf(value)) {
        buf_append_text(buf, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    char text[48];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        double back = strtod(text, NULL);
        if (memcmp(&back, &value, sizeof(value)) == 0)
            break;
    }
    const char *point = localeconv()->decimal_point;
    char *at = strcmp(point, ".") == 0 ? NULL : strstr(text, point);
    if (at == NULL) {
        buf_append_text(buf, text);
        return;
    }
    buf_append(buf, text, (size_t)(at - text));
    buf_append_byte(buf, '.');
    buf_append_text(buf, at + strlen(point));
}

const char *buf_text(struct buf *buf)
{
    if (buf->data == NULL)
        return "";
    buf->data[buf->size] = '\0';
    return buf->data;
}

struct slice buf_finish(struct buf *buf)
{
    CHECK(buf->arena != NULL);
    struct slice bytes = buf_slice(buf);
    if (buf->data != NULL)
        arena_shrink(buf->arena, buf->data, buf->capacity + 1, buf->size);
    *buf = (struct buf){ .arena = buf->arena };
    return bytes;
}
