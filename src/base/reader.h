/* The one reader that touches bytes from the wire: bounded, big-endian, with a sticky failure.
 *
 * After the first read past the end every read gives zero or an empty slice and `failed` stays
 * set; a parser reads a whole message and asks once. Not thread-safe; owns nothing.
 */
#ifndef BASE_READER_H
#define BASE_READER_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

struct reader {
    const unsigned char *position;
    const unsigned char *end;
    bool failed;
};

static inline struct reader reader_init(struct slice bytes)
{
    const char *data = bytes.data != NULL ? bytes.data : "";
    const unsigned char *start = (const unsigned char *)data;
    return (struct reader){ start, start + bytes.size, false };
}

static inline size_t reader_left(const struct reader *reader)
{
    return reader->failed ? 0 : (size_t)(reader->end - reader->position);
}

/* True when nothing failed and nothing is left. */
static inline bool reader_complete(const struct reader *reader)
{
    return !reader->failed && reader->position == reader->end;
}

static inline void reader_fail(struct reader *reader)
{
    reader->failed = true;
    reader->position = reader->end;
}

/* NULL = failed: not that many bytes are left. */
static inline const unsigned char *reader_take(struct reader *reader, size_t size_bytes)
{
    if (__builtin_expect(size_bytes > reader_left(reader), 0)) {
        reader_fail(reader);
        return NULL;
    }
    const unsigned char *bytes = reader->position;
    reader->position += size_bytes;
    return bytes;
}

static inline uint8_t reader_u8(struct reader *reader)
{
    const unsigned char *bytes = reader_take(reader, 1);
    return bytes != NULL ? bytes[0] : 0;
}

static inline uint16_t reader_u16(struct reader *reader)
{
    uint16_t wire = 0;
    const unsigned char *bytes = reader_take(reader, sizeof(wire));
    if (bytes != NULL)
        memcpy(&wire, bytes, sizeof(wire));
    return be16toh(wire);
}

static inline uint32_t reader_u32(struct reader *reader)
{
    uint32_t wire = 0;
    const unsigned char *bytes = reader_take(reader, sizeof(wire));
    if (bytes != NULL)
        memcpy(&wire, bytes, sizeof(wire));
    return be32toh(wire);
}

static inline uint64_t reader_u64(struct reader *reader)
{
    uint64_t wire = 0;
    const unsigned char *bytes = reader_take(reader, sizeof(wire));
    if (bytes != NULL)
        memcpy(&wire, bytes, sizeof(wire));
    return be64toh(wire);
}

static inline struct slice reader_bytes(struct reader *reader, size_t size_bytes)
{
    const unsigned char *bytes = reader_take(reader, size_bytes);
    if (bytes == NULL)
        return (struct slice){ "", 0 };
    return (struct slice){ (const char *)bytes, size_bytes };
}

/* Up to a NUL, which is consumed and not part of the slice; no NUL = failed. */
struct slice reader_text(struct reader *reader);

#endif
