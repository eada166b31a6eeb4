#include "change/lsn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { HALF_BITS = 32, HALF_DIGITS = 8 };

struct lsn_text lsn_text(lsn_t lsn)
{
    struct lsn_text text;
    (void)snprintf(text.text, sizeof text.text, "%" PRIX32 "/%" PRIX32,
                   (uint32_t)(lsn.value >> HALF_BITS), (uint32_t)lsn.value);
    return text;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* One half: 1 to 8 hex digits. Returns how many there were, 0 = not a half. */
static size_t parse_half(const char *text, uint32_t *out_half)
{
    uint32_t half = 0;
    size_t count = 0;
    for (int digit; (digit = hex_digit(text[count])) >= 0; count++) {
        if (count == HALF_DIGITS)
            return 0;
        half = (half << 4) | (uint32_t)digit;
    }
    *out_half = half;
    return count;
}

bool lsn_parse(const char *text, lsn_t *out_lsn)
{
    uint32_t high = 0;
    uint32_t low = 0;
    size_t high_digits = parse_half(text, &high);
    if (high_digits == 0 || text[high_digits] != '/')
        return false;
    const char *rest = text + high_digits + 1;
    size_t low_digits = parse_half(rest, &low);
    if (low_digits == 0 || rest[low_digits] != '\0')
        return false;
    *out_lsn = (lsn_t){ (uint64_t)high << HALF_BITS | low };
    return true;
}
