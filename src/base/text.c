#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

bool text_parse_i64(const char *text, int64_t *out_value)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (!is_digit(*digits))
        return false;
    char *end;
    errno = 0;
    intmax_t value = strtoimax(text, &end, 10);
    if (*end != '\0' || errno != 0 || value < INT64_MIN || value > INT64_MAX)
        return false;
    *out_value = (int64_t)value;
    return true;
}

bool text_parse_bool(const char *text, bool *out_value)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {
        { "true", true },   { "yes", true }, { "on", true },   { "y", true },
        { "false", false }, { "no", false }, { "off", false }, { "n", false },
    };
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcasecmp(text, words[i].text) == 0) {
            *out_value = words[i].value;
            return true;
        }
    }
    return false;
}

struct text_unit {
    const char *name;
    int64_t size;
};

/* A decimal number: digits, then up to 9 of the digits behind the point, as billionths. */
struct text_number {
    int64_t whole;
    int64_t billionths;
};

enum { BILLION = 1000000000 };

/* NULL = no number stands here; else behind it. */
static const char *parse_number(const char *text, struct text_number *out_number)
{
    struct text_number number = { 0 };
    bool any = false;
    for (; is_digit(*text); text++, any = true)
        if (__builtin_mul_overflow(number.whole, 10, &number.whole) ||
            __builtin_add_overflow(number.whole, *text - '0', &number.whole))
            return NULL;
    if (*text == '.') {
        int64_t scale = BILLION;
        for (text++; is_digit(*text); text++, any = true) {
            scale /= 10;
            number.billionths += (*text - '0') * scale;
        }
    }
    if (!any)
        return NULL;
    *out_number = number;
    return text;
}

__extension__ typedef __int128 wide;

/* number * unit; what is left below 1 is dropped. */
static bool scale_number(struct text_number number, int64_t unit, int64_t *out_value)
{
    int64_t whole;
    if (__builtin_mul_overflow(number.whole, unit, &whole))
        return false;
    int64_t part = (int64_t)((wide)number.billionths * unit / BILLION);
    if (__builtin_add_overflow(whole, part, &whole))
        return false;
    *out_value = whole;
    return true;
}

static const struct text_unit duration_units[] = {
    /* in nanoseconds; both of the micro signs that Unicode has */
    { "ns", 1 },
    { "us", 1000 },
    { "\xc2\xb5s", 1000 },
    { "\xce\xbcs", 1000 },
    { "ms", 1000000 },
    { "s", BILLION },
    { "m", 60 * (int64_t)BILLION },
    { "h", 3600 * (int64_t)BILLION },
};

static const struct text_unit *find_unit(const char *text, size_t size)
{
    for (size_t i = 0; i < COUNT_OF(duration_units); i++)
        if (slice_is((struct slice){ text, size }, duration_units[i].name))
            return &duration_units[i];
    return NULL;
}

/* [+-] then one or more of number and unit; no unit may be missing, "0" excepted. */
static bool parse_duration_ns(const char *text, int64_t *out_ns)
{
    int64_t total = 0;
    bool negative = *text == '-';
    text += *text == '-' || *text == '+';
    if (*text == '\0')
        return false;
    while (*text != '\0') {
        struct text_number number;
        int64_t part;
        const char *unit_text = parse_number(text, &number);
        if (unit_text == NULL)
            return false;
        size_t unit_size = strcspn(unit_text, ".0123456789");
        const struct text_unit *unit = find_unit(unit_text, unit_size);
        if (unit == NULL || !scale_number(number, unit->size, &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
        text = unit_text + unit_size;
    }
    *out_ns = negative ? -total : total;
    return true;
}

bool text_parse_duration_ms(const char *text, int64_t bare_ms, int64_t *out_ms)
{
    int64_t bare;
    int64_t ns;
    int64_t ms;
    if (text_parse_i64(text, &bare)) {
        if (__builtin_mul_overflow(bare, bare_ms, &ms))
            return false;
        *out_ms = ms;
        return true;
    }
    if (!parse_duration_ns(text, &ns))
        return false;
    ms = (ns < 0 ? ns - 500000 : ns + 500000) / 1000000;
    if (ms == 0 && ns != 0)
        ms = ns < 0 ? -1 : 1;
    *out_ms = ms;
    return true;
}

/* "", "b", or one of k, m, g, t and then "", "b", "i" or "ib" */
static bool parse_size_unit(const char *text, int64_t *out_unit)
{
    static const char letters[] = "kmgt";
    static const char *const suffixes[] = { "", "b", "i", "ib" };
    const char *letter = *text == '\0' ? NULL : strchr(letters, tolower((unsigned char)*text));
    int64_t unit = letter == NULL ? 1 : INT64_C(1) << 10 * (letter - letters + 1);
    size_t suffix_count = letter == NULL ? 2 : COUNT_OF(suffixes);
    for (size_t i = 0; i < suffix_count; i++) {
        if (strcasecmp(text + (letter != NULL), suffixes[i]) == 0) {
            *out_unit = unit;
            return true;
        }
    }
    return false;
}

bool text_parse_size(const char *text, int64_t *out_bytes)
{
    struct text_number number;
    int64_t unit;
    const char *unit_text = parse_number(text, &number);
    if (unit_text == NULL)
        return false;
    while (*unit_text == ' ')
        unit_text++;
    return parse_size_unit(unit_text, &unit) && scale_number(number, unit, out_bytes);
}

void text_format_duration(int64_t ms, char *out, size_t out_size)
{
    uint64_t rest = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    const char *sign = ms < 0 ? "-" : "";
    if (rest == 0) {
        snprintf(out, out_size, "0s");
        return;
    }
    if (rest < 1000) {
        snprintf(out, out_size, "%s%" PRIu64 "ms", sign, rest);
        return;
    }
    uint64_t hours = rest / 3600000;
    uint64_t minutes = rest / 60000 % 60;
    uint64_t seconds = rest / 1000 % 60;
    char text[64];
    int size = snprintf(text, sizeof(text), "%s", sign);
    if (hours > 0)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%" PRIu64 "h", hours);
    if (minutes > 0)
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%" PRIu64 "m", minutes);
    if (seconds > 0 || rest % 1000 > 0) {
        char fraction[8];
        int digits = snprintf(fraction, sizeof(fraction), ".%03" PRIu64, rest % 1000);
        while (digits > 0 && (fraction[digits - 1] == '0' || fraction[digits - 1] == '.'))
            fraction[--digits] = '\0';
        snprintf(text + size, sizeof(text) - (size_t)size, "%" PRIu64 "%ss", seconds, fraction);
    }
    snprintf(out, out_size, "%s", text);
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t b_size = strlen(b);
    size_t *row = memory_array(b_size + 1, sizeof(*row));
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_size; j++) {
            size_t above = row[j + 1];
            bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j]);
            row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + !same);
            diagonal = above;
        }
    }
    size_t distance = row[b_size];
    memory_free(row);
    return distance;
}

const char *text_nearest(const char *wanted, const char *const *candidates, size_t count)
{
    size_t allowed = strlen(wanted) / 3;
    size_t best = (allowed < 2 ? 2 : allowed) + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(wanted, candidates[i]);
        if (distance < best) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

size_t text_utf8_size(struct slice text)
{
    /* Unicode 15, table 3-7: the first byte, and what the second may be. */
    static const struct {
        unsigned char first_low, first_high, second_low, second_high, size;
    } forms[] = {
        { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
        { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
        { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    const unsigned char *bytes = (const unsigned char *)text.data;
    if (text.size == 0)
        return 0;
    if (bytes[0] < 0x80)
        return 1;
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (bytes[0] < forms[i].first_low || bytes[0] > forms[i].first_high)
            continue;
        if (text.size < forms[i].size || bytes[1] < forms[i].second_low ||
            bytes[1] > forms[i].second_high)
            return 0;
        for (size_t at = 2; at < forms[i].size; at++)
            if ((bytes[at] & 0xc0) != 0x80)
                return 0;
        return forms[i].size;
    }
    return 0;
}

bool text_is_utf8(struct slice text)
{
    while (text.size > 0) {
        size_t size = text_utf8_size(text);
        if (size == 0)
            return false;
        text = (struct slice){ text.data + size, text.size - size };
    }
    return true;
}

char *text_format_list(const char *format, va_list values)
{
    va_list again;
    va_copy(again, values);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    CHECK(size >= 0);
    char *text = memory_alloc((size_t)size + 1);
    (void)vsnprintf(text, (size_t)size + 1, format, values);
    return text;
}

char *text_format(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    char *text = text_format_list(format, values);
    va_end(values);
    return text;
}
