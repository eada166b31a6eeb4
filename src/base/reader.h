/* The one reader that touches bytes from the wire: bounded, big-endian, with a sticky failure.
 *
 * After the first read past the end every read gives zero or an empty slice and `failed` stays
 * set; a parser reads a whole message and asks once. Not thread-safe; owns nothing.
 */
#ifndef BASE_READER_H
#define BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct reader {
    const unsigned char *position;
    const unsigned char *end;
    bool failed;
};

struct reader reader_init(struct slice bytes);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader);
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
struct slice reader_bytes(struct reader *reader, size_t size_bytes);
/* Up to a NUL, which is consumed and not part of the slice; no NUL = failed. */
struct slice reader_text(struct reader *reader);

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

#endif
