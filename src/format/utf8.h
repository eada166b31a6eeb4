/* One UTF-8 sequence at a time, as RFC 3629 allows it (no surrogates, nothing overlong, nothing
 * above U+10FFFF). Any thread. */
#ifndef FORMAT_UTF8_H
#define FORMAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>

static inline bool utf8_continues(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The size of the sequence that starts at `at`, of which left_bytes (> 0) are there; 0 = none does.
 */
static inline size_t utf8_sequence(const unsigned char *at, size_t left_bytes)
{
    unsigned char first = at[0];
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4 || left_bytes < 2 || !utf8_continues(at[1]))
        return 0;
    if (first < 0xE0)
        return 2;
    if (left_bytes < 3 || !utf8_continues(at[2]))
        return 0;
    if (first < 0xF0)
        return (first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F) ? 0 : 3;
    if (left_bytes < 4 || !utf8_continues(at[3]))
        return 0;
    return (first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F) ? 0 : 4;
}

#endif
