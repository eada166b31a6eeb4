/* libFuzzer's mutator for inputs of messages.h: it swaps, repeats and drops whole messages, or
 * changes one of them. Included by the target's one file. */
#ifndef FUZZ_MESSAGES_MUTATOR_H
#define FUZZ_MESSAGES_MUTATOR_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "fuzz/messages.h"

enum { MESSAGES_MAX = 256, MESSAGE_MAX_BYTES = UINT16_MAX };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* libFuzzer's own; not there when a corpus is replayed. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

static inline void messages_put(struct buf *out, struct slice message)
{
    buf_append_byte(out, (char)(message.size >> 8));
    buf_append_byte(out, (char)message.size);
    buf_append_slice(out, message);
}

/* One message changed by libFuzzer; `room` takes the result. */
static inline struct slice messages_change(struct slice message, char *room)
{
    size_t size = message.size < MESSAGE_MAX_BYTES ? message.size : MESSAGE_MAX_BYTES;
    memcpy(room, message.data, size);
    size = LLVMFuzzerMutate((uint8_t *)room, size, MESSAGE_MAX_BYTES);
    return (struct slice){ room, size };
}

static inline void messages_rearrange(struct slice *messages, size_t *in_out_count, unsigned choice,
                                      size_t at, size_t other, char *room)
{
    struct slice kept = messages[at];
    switch (choice) {
    case 0: /* swap */
        messages[at] = messages[other];
        messages[other] = kept;
        break;
    case 1: /* repeat at the end */
        messages[(*in_out_count)++] = kept;
        break;
    case 2: /* drop */
        messages[at] = messages[--*in_out_count];
        break;
    case 3: /* cut there */
        *in_out_count = at + 1;
        break;
    default:
        messages[at] = messages_change(kept, room);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    enum { CHOICES = 8 };
    struct slice messages[MESSAGES_MAX];
    size_t count = 0;
    struct reader input = reader_init((struct slice){ (const char *)data, size });
    while (reader_left(&input) > 0 && count < MESSAGES_MAX - 1)
        messages[count++] = messages_next(&input);
    if (count == 0)
        return LLVMFuzzerMutate(data, size, max_size);
    AUTO(char *, memory_free_p) room = memory_alloc(MESSAGE_MAX_BYTES);
    messages_rearrange(messages, &count, seed % CHOICES, seed / CHOICES % count,
                       seed / CHOICES / count % count, room);
    AUTO(struct buf, buf_done) out = buf_init(max_size);
    for (size_t i = 0; i < count && !out.failed; i++)
        messages_put(&out, messages[i]);
    if (out.size == 0)
        return size; /* libFuzzer takes no empty input */
    memcpy(data, out.data, out.size);
    return out.size;
}

#endif
