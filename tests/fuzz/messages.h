/* An input that is a sequence of messages, each after its length in two bytes, big-endian. */
#ifndef FUZZ_MESSAGES_H
#define FUZZ_MESSAGES_H

#include <stdint.h>

#include "base/memory.h"
#include "base/reader.h"

/* The next message; one that is cut short by the end is what there is of it. */
static inline struct slice messages_next(struct reader *input)
{
    size_t size_bytes = reader_u16(input);
    size_t left = reader_left(input);
    return reader_bytes(input, size_bytes < left ? size_bytes : left);
}

/* A copy in a block of its own size, so that AddressSanitizer sees a read past the end. */
static inline char *messages_exact(struct slice message)
{
    char *exact = memory_alloc(message.size > 0 ? message.size : 1);
    if (message.size > 0)
        memcpy(exact, message.data, message.size);
    return exact;
}

#endif
