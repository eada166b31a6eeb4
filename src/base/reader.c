#include "base/reader.h"

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
