#include "format/json_number.h"

#include <stdint.h>
#include <stdlib.h>

#include "format/json_check.h"
#include "format/json_writer.h"

void json_number_integer(struct buf *out, struct slice text)
{
    if (LIKELY(json_check_integer(text)))
        buf_append_slice(out, text);
    else
        json_writer_string(out, text);
}

void json_number_decimal(struct buf *out, struct slice text)
{
    if (LIKELY(json_check_decimal(text)))
        buf_append_slice(out, text);
    else
        json_writer_string(out, text);
}

/* A double has at most 17 digits and an exponent of 3; both bounds leave room. */
enum { MAX_DIGITS = 32, MAX_EXPONENT = 9999, PLAIN_FROM = -6, PLAIN_BELOW = 21 };

/* 0.d1d2d3... * 10^(point): the digits without zeros at either end. */
struct scientific {
    bool negative;
    char digits[MAX_DIGITS];
    int count; /* 0 = zero */
    int point;
};

/* The exponent's value, or false. `text` starts behind the "e". */
static bool parse_exponent(struct slice text, int *out_exponent)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    size_t i = text.size > 0 && (negative || text.data[0] == '+') ? 1 : 0;
    int value = 0;
    if (i == text.size)
        return false;
    for (; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        value = 10 * value + (text.data[i] - '0');
        if (value > MAX_EXPONENT)
            return false;
    }
    *out_exponent = negative ? -value : value;
    return true;
}

/* The digits of "-12.340": 1234 with the point after two. False = too many of them. */
static bool collect_digits(struct slice mantissa, struct scientific *number)
{
    size_t i = number->negative ? 1 : 0;
    int before_point = 0;
    int skipped = 0;
    bool in_fraction = false;
    for (; i < mantissa.size; i++) {
        char byte = mantissa.data[i];
        if (byte == '.') {
            in_fraction = true;
            continue;
        }
        before_point += !in_fraction;
        if (number->count == 0 && byte == '0') {
            skipped++;
            continue;
        }
        if (number->count == MAX_DIGITS)
            return false;
        number->digits[number->count++] = byte;
    }
    number->point += before_point - skipped;
    while (number->count > 0 && number->digits[number->count - 1] == '0')
        number->count--;
    return true;
}

static bool parse_scientific(struct slice text, size_t e_at, struct scientific *number)
{
    struct slice mantissa = { text.data, e_at };
    struct slice exponent = { text.data + e_at + 1, text.size - e_at - 1 };
    if (!json_check_decimal(mantissa) || mantissa.size > 2 * (size_t)MAX_DIGITS)
        return false;
    *number = (struct scientific){ .negative = mantissa.data[0] == '-' };
    return parse_exponent(exponent, &number->point) && collect_digits(mantissa, number);
}

static void write_zeros(struct buf *out, int count)
{
    for (int i = 0; i < count; i++)
        buf_append_byte(out, '0');
}

static void write_plain(struct buf *out, const struct scientific *number)
{
    int whole = number->point < 0 ? 0 : number->point;
    if (number->point <= 0)
        buf_append_byte(out, '0');
    if (whole >= number->count) {
        buf_append(out, number->digits, (size_t)number->count);
        write_zeros(out, whole - number->count);
        return;
    }
    buf_append(out, number->digits, (size_t)whole);
    buf_append_byte(out, '.');
    write_zeros(out, whole - number->point);
    buf_append(out, number->digits + whole, (size_t)(number->count - whole));
}

static void write_exponent(struct buf *out, const struct scientific *number)
{
    int exponent = number->point - 1;
    buf_append_byte(out, number->digits[0]);
    if (number->count > 1) {
        buf_append_byte(out, '.');
        buf_append(out, number->digits + 1, (size_t)number->count - 1);
    }
    buf_append_text(out, exponent < 0 ? "e-" : "e+");
    buf_append_u64(out, (uint64_t)abs(exponent));
}

static void write_scientific(struct buf *out, const struct scientific *number)
{
    int exponent = number->point - 1;
    if (number->negative)
        buf_append_byte(out, '-');
    if (number->count == 0)
        buf_append_byte(out, '0');
    else if (exponent < PLAIN_FROM || exponent >= PLAIN_BELOW)
        write_exponent(out, number);
    else
        write_plain(out, number);
}

void json_number_float(struct buf *out, struct slice text)
{
    struct scientific number;
    const char *e = text.size > 0 ? memchr(text.data, 'e', text.size) : NULL;
    if (e == NULL)
        json_number_decimal(out, text);
    else if (parse_scientific(text, (size_t)(e - text.data), &number))
        write_scientific(out, &number);
    else
        json_writer_string(out, text);
}
