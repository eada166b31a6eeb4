/* date        = 4digit "-" 2digit "-" 2digit
 * timestamp   = date " " 2digit ":" 2digit ":" 2digit [ "." 1*digit ]
 * timestamptz = timestamp ( "+" | "-" ) 2digit [ ":" 2digit ] */
#include "format/json_time.h"

#include <stdbool.h>

#include "format/json_writer.h"

#define DATE     "0000-00-00"
#define DATETIME DATE " 00:00:00"

enum { DATE_SIZE = sizeof(DATE) - 1, DATETIME_SIZE = sizeof(DATETIME) - 1, ZONE_SIZE = 6 };

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Whether the text starts with the pattern, in which a 0 stands for any digit. Every byte is looked
 * at, so that nothing but the loop branches. */
static inline bool starts_like(struct slice text, struct slice pattern)
{
    if (text.size < pattern.size)
        return false;
    bool fits = true;
    for (size_t i = 0; i < pattern.size; i++) {
        bool digit = pattern.data[i] == '0';
        fits &= (digit & is_digit(text.data[i])) | (pattern.data[i] == text.data[i]);
    }
    return fits;
}

static struct slice rest_from(struct slice text, size_t at)
{
    return (struct slice){ text.data + at, text.size - at };
}

/* A timestamp without its zone. */
struct moment {
    const char *datetime;
    struct slice fraction; /* with the point; empty when there is none or it is zero */
    struct slice zone;     /* what is left */
};

static bool parse_moment(struct slice text, struct moment *moment)
{
    if (!starts_like(text, SLICE_TEXT(DATETIME)))
        return false;
    *moment = (struct moment){ text.data,
                               { text.data + DATETIME_SIZE, 0 },
                               rest_from(text, DATETIME_SIZE) };
    if (!starts_like(moment->zone, SLICE_TEXT(".0")))
        return true;
    size_t i = 1;
    for (; i < moment->zone.size && is_digit(moment->zone.data[i]); i++)
        if (moment->zone.data[i] != '0')
            moment->fraction.size = i + 1;
    moment->zone = rest_from(moment->zone, i);
    return true;
}

/* The zone as RFC 3339 writes it; false = it cannot. */
static bool convert_zone(struct slice zone, char out[static ZONE_SIZE], size_t *out_size)
{
    if (zone.size == 0 || (zone.data[0] != '+' && zone.data[0] != '-'))
        return false;
    struct slice offset = rest_from(zone, 1);
    bool fits = offset.size == 2 ? starts_like(offset, SLICE_TEXT("00"))
                                 : offset.size == 5 && starts_like(offset, SLICE_TEXT("00:00"));
    if (!fits)
        return false;
    memcpy(out, "Z00:00", ZONE_SIZE);
    memcpy(out + 1, offset.data, offset.size);
    *out_size = 1;
    if (memcmp(out, "Z00:00", ZONE_SIZE) != 0) {
        out[0] = zone.data[0];
        *out_size = ZONE_SIZE;
    }
    return true;
}

static void write_moment(struct buf *out, const struct moment *moment, struct slice zone)
{
    size_t size = 2 + DATETIME_SIZE + moment->fraction.size + zone.size;
    if (!buf_reserve(out, size))
        return;
    char *to = out->data + out->size;
    *to++ = '"';
    memcpy(to, moment->datetime, DATETIME_SIZE);
    to[DATE_SIZE] = 'T';
    to += DATETIME_SIZE;
    memcpy(to, moment->fraction.data, moment->fraction.size);
    to += moment->fraction.size;
    memcpy(to, zone.data, zone.size);
    to[zone.size] = '"';
    out->size += size;
}

void json_time_timestamp(struct buf *out, struct slice text)
{
    struct moment moment;
    if (parse_moment(text, &moment) && moment.zone.size == 0)
        write_moment(out, &moment, SLICE_TEXT("Z"));
    else
        json_writer_string(out, text);
}

void json_time_timestamptz(struct buf *out, struct slice text)
{
    struct moment moment;
    char zone[ZONE_SIZE];
    size_t zone_size;
    if (parse_moment(text, &moment) && convert_zone(moment.zone, zone, &zone_size))
        write_moment(out, &moment, (struct slice){ zone, zone_size });
    else
        json_writer_string(out, text);
}

void json_time_date(struct buf *out, struct slice text)
{
    if (text.size != DATE_SIZE || !starts_like(text, SLICE_TEXT(DATE))) {
        json_writer_string(out, text);
        return;
    }
    buf_append_byte(out, '"');
    buf_append_slice(out, text);
    buf_append_text(out, "T00:00:00Z\"");
}
