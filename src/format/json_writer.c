#include "format/json_writer.h"

#include <stdint.h>

#include "format/utf8.h"

#define EVERY_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Non-zero when a byte of the word is a control character, a quote, a backslash or not ASCII. */
static uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = word ^ EVERY_BYTE('"');
    uint64_t backslash = word ^ EVERY_BYTE('\\');
    uint64_t found = word - EVERY_BYTE(0x20);
    found |= quote - EVERY_BYTE(1);
    found |= backslash - EVERY_BYTE(1);
    return ((found & ~word) | word) & EVERY_BYTE(0x80);
}

static bool plain(unsigned char byte)
{
    return byte >= 0x20 && byte != '"' && byte != '\\' && byte < 0x80;
}

/* The first byte that cannot be copied as it is. */
static const unsigned char *run_end(const unsigned char *at, const unsigned char *end)
{
    for (;;) {
        uint64_t word;
        while ((size_t)(end - at) >= sizeof(word)) {
            memcpy(&word, at, sizeof(word));
            if (special_bytes(word) != 0)
                break;
            at += sizeof(word);
        }
        while (at < end && plain(*at))
            at++;
        if (at == end || *at < 0x80)
            return at;
        do {
            size_t size_bytes = utf8_sequence(at, (size_t)(end - at));
            if (size_bytes == 0)
                return at;
            at += size_bytes;
        } while (at < end && *at >= 0x80);
    }
}

static void write_special(struct buf *out, unsigned char byte)
{
    static const char names[] = "btn?fr";
    static const char digits[] = "0123456789abcdef";
    if (byte >= 0x80)
        buf_append(out, "\xEF\xBF\xBD", 3);
    else if (byte == '"' || byte == '\\')
        buf_append(out, (const char[]){ '\\', (char)byte }, 2);
    else if (byte >= '\b' && byte <= '\r' && byte != '\v')
        buf_append(out, (const char[]){ '\\', names[byte - '\b'] }, 2);
    else
        buf_append(out, (const char[]){ '\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 15] },
                   6);
}

static void write_escaped(struct buf *out, const unsigned char *at, const unsigned char *end)
{
    buf_append_byte(out, '"');
    while (at < end) {
        const unsigned char *stop = run_end(at, end);
        buf_append(out, at, (size_t)(stop - at));
        if (stop < end)
            write_special(out, *stop++);
        at = stop;
    }
    buf_append_byte(out, '"');
}

void json_writer_string(struct buf *out, struct slice text)
{
    if (!buf_reserve(out, text.size + 2))
        return;
    const unsigned char *at = (const unsigned char *)(text.size > 0 ? text.data : "");
    const unsigned char *end = at + text.size;
    if (UNLIKELY(run_end(at, end) != end)) {
        write_escaped(out, at, end);
        return;
    }
    char *to = out->data + out->size;
    to[0] = '"';
    memcpy(to + 1, at, text.size);
    to[text.size + 1] = '"';
    out->size += text.size + 2;
}

enum { NOT_HEX = 0x100 };

static unsigned hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return (unsigned)(digit - '0');
    if (digit >= 'a' && digit <= 'f')
        return (unsigned)(digit - 'a') + 10;
    if (digit >= 'A' && digit <= 'F')
        return (unsigned)(digit - 'A') + 10;
    return NOT_HEX;
}

/* Up to three bytes in the order of their weight; NOT_HEX or more when a digit is none. */
static unsigned hex_group(const char *digits, size_t byte_count, unsigned *out_bad)
{
    unsigned group = 0;
    for (size_t i = 0; i < byte_count; i++) {
        unsigned high = hex_value(digits[2 * i]);
        unsigned low = hex_value(digits[2 * i + 1]);
        *out_bad |= high | low;
        group |= ((high << 4 | low) & 0xFF) << (16 - 8 * i);
    }
    return group;
}

bool json_writer_base64(struct buf *out, struct slice hex_digits)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t left = hex_digits.size / 2;
    if (hex_digits.size % 2 != 0)
        return false;
    if (!buf_reserve(out, (left + 2) / 3 * 4 + 2))
        return true;
    unsigned bad = 0;
    char *at = out->data + out->size;
    *at++ = '"';
    for (const char *digits = hex_digits.data; left > 0; digits += 6) {
        size_t taken = left < 3 ? left : 3;
        unsigned group = hex_group(digits, taken, &bad);
        *at++ = letters[group >> 18];
        *at++ = letters[group >> 12 & 63];
        *at++ = taken > 1 ? letters[group >> 6 & 63] : '=';
        *at++ = taken > 2 ? letters[group & 63] : '=';
        left -= taken;
    }
    *at++ = '"';
    if ((bad & NOT_HEX) != 0)
        return false;
    out->size = (size_t)(at - out->data);
    return true;
}
