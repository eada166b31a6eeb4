#include "base/reader.h"

struct reader reader_init(struct slice bytes)
{
    const char *data = bytes.data != NULL ? bytes.data : "";
    const unsigned char *start = (const unsigned char *)data;
    return (struct reader){ .position = start, .end = start + bytes.size };
}

/* NULL = not that many bytes are left. */
static const unsigned char *take(struct reader *reader, size_t size_bytes)
{
    if (size_bytes > reader_left(reader) || reader->failed) {
        reader_fail(reader);
        return NULL;
    }
    const unsigned char *bytes = reader->position;
    reader->position += size_bytes;
    return bytes;
}

static uint64_t take_integer(struct reader *reader, size_t size_bytes)
{
    const unsigned char *bytes = take(reader, size_bytes);
    uint64_t value = 0;
    for (size_t i = 0; bytes != NULL && i < size_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}

uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)take_integer(reader, 1);
}

uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)take_integer(reader, 2);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)take_integer(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return take_integer(reader, 8);
}

struct slice reader_bytes(struct reader *reader, size_t size_bytes)
{
    const unsigned char *bytes = take(reader, size_bytes);
    if (bytes == NULL)
        return (struct slice){ "", 0 };
    return (struct slice){ (const char *)bytes, size_bytes };
}

struct slice reader_text(struct reader *reader)
{
    const unsigned char *nul =
        reader->failed ? NULL : memchr(reader->position, '\0', reader_left(reader));
    if (nul == NULL) {
        reader_fail(reader);
        return (struct slice){ "", 0 };
    }
    struct slice text = { (const char *)reader->position, (size_t)(nul - reader->position) };
    reader->position = nul + 1;
    return text;
}
