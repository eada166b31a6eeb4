/* Any bytes as the text of a history file, after the timeline that is looked for in four bytes,
 * big-endian. Each ancestor that the text names is found where it says, and a text that is refused
 * leaves the output as it was. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/reader.h"
#include "postgres/timeline_history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LINE_BYTES = 64 };

static const lsn_t UNTOUCHED = { 0x7777 };

static bool find(struct slice text, uint32_t parent, lsn_t *out_switch)
{
    lsn_t again = UNTOUCHED;
    *out_switch = UNTOUCHED;
    bool read = timeline_history_find(text, parent, out_switch);
    CHECK(read || out_switch->value == UNTOUCHED.value);
    CHECK(timeline_history_find(text, parent, &again) == read && again.value == out_switch->value);
    return read;
}

/* The same text with one line more: a text that can be read names one ancestor more, one that
 * cannot stays so. */
static void find_appended(struct slice text, bool read, uint32_t parent)
{
    char *longer = memory_alloc(text.size + LINE_BYTES);
    memcpy(longer, text.data, text.size);
    int added = snprintf(longer + text.size, LINE_BYTES, "\n%" PRIu32 "\t1/2\tx", parent);
    struct slice appended = { longer, text.size + (size_t)added };
    lsn_t found;
    CHECK(find(appended, parent, &found) == (read && parent != 0));
    CHECK(!read || parent == 0 || found.value == UINT64_C(0x100000002));
    memory_free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader input = reader_init((struct slice){ (const char *)data, size });
    uint32_t parent = reader_u32(&input);
    struct slice rest = reader_bytes(&input, reader_left(&input));
    if (size < sizeof(parent))
        return 0;
    /* A block of its own size, so that AddressSanitizer sees a read past the end. */
    char *exact = memory_alloc(rest.size > 0 ? rest.size : 1);
    memcpy(exact, rest.data, rest.size);
    struct slice text = { exact, rest.size };
    lsn_t found;
    bool read = find(text, parent, &found);
    find_appended(text, read, parent);
    memory_free(exact);
    return 0;
}
