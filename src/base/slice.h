/* A view of bytes that somebody else owns. data may be NULL only when "no bytes at all" is meant
 * (a null Kafka value, for one); an empty text has a non-NULL data and size 0. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

#define SLICE_NULL          ((struct slice){ NULL, 0 })
#define SLICE_TEXT(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
/* For printf("%.*s", SLICE_ARGS(s)). */
#define SLICE_ARGS(slice) (int)(slice).size, (slice).data != NULL ? (slice).data : ""

static inline struct slice slice_of(const char *text)
{
    return (struct slice){ text, strlen(text) };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_of(text));
}

/* Order of unsigned bytes, a prefix first. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

#endif
