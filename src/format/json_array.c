/* text    = [ 1*( "[" number ":" number "]" ) "=" ] array
 * array   = "{" [ item *( delimiter item ) ] "}"
 * item    = array | "NULL" | bare | quote *( character | "\" character ) quote
 * bare    = 1*character, none of them a brace, a quote, a backslash or the delimiter */
#include "format/json_array.h"

#include <stdbool.h>
#include <strings.h>

#include "base/cleanup.h"
#include "format/json_writer.h"

struct parser {
    const char *at;
    const char *end;
    char delimiter;
    value_json_fn *element;
    struct buf *out;
    struct buf *scratch; /* an element without its escapes */
};

static bool take(struct parser *parser, char byte)
{
    bool found = parser->at < parser->end && *parser->at == byte;
    parser->at += found;
    return found;
}

static bool take_number(struct parser *parser)
{
    (void)take(parser, '-');
    const char *start = parser->at;
    while (parser->at < parser->end && *parser->at >= '0' && *parser->at <= '9')
        parser->at++;
    return parser->at > start;
}

static bool skip_bounds(struct parser *parser)
{
    bool some = false;
    while (take(parser, '[')) {
        some = true;
        if (!take_number(parser) || !take(parser, ':') || !take_number(parser) ||
            !take(parser, ']'))
            return false;
    }
    return !some || take(parser, '=');
}

static bool write_bare(struct parser *parser)
{
    const char *start = parser->at;
    while (parser->at < parser->end && *parser->at != parser->delimiter &&
           memchr("{}\"\\", *parser->at, 4) == NULL)
        parser->at++;
    struct slice text = { start, (size_t)(parser->at - start) };
    if (text.size == 0)
        return false;
    if (text.size == 4 && strncasecmp(start, "null", 4) == 0)
        buf_append_slice(parser->out, SLICE_TEXT("null"));
    else
        parser->element(parser->out, text);
    return true;
}

/* The element up to its closing quote, which is consumed; a view where nothing is escaped. */
static bool take_quoted(struct parser *parser, struct slice *out_text)
{
    const char *start = parser->at;
    bool escaped = false;
    buf_clear(parser->scratch);
    for (; parser->at < parser->end && *parser->at != '"'; parser->at++) {
        if (*parser->at != '\\')
            continue;
        buf_append(parser->scratch, start, (size_t)(parser->at - start));
        start = ++parser->at;
        escaped = true;
        if (start == parser->end)
            return false;
    }
    struct slice tail = { start, (size_t)(parser->at - start) };
    *out_text = tail;
    if (escaped) {
        buf_append_slice(parser->scratch, tail);
        *out_text = buf_slice(parser->scratch);
    }
    return take(parser, '"');
}

static bool write_array(struct parser *parser, int dimensions_left);

static bool write_item(struct parser *parser, int dimensions_left)
{
    struct slice text;
    if (take(parser, '{'))
        return dimensions_left > 0 && write_array(parser, dimensions_left - 1);
    if (!take(parser, '"'))
        return write_bare(parser);
    if (!take_quoted(parser, &text))
        return false;
    parser->element(parser->out, text);
    return true;
}

static bool write_array(struct parser *parser, int dimensions_left)
{
    buf_append_byte(parser->out, '[');
    bool more = !take(parser, '}');
    while (more) {
        if (!write_item(parser, dimensions_left))
            return false;
        more = take(parser, parser->delimiter);
        if (more)
            buf_append_byte(parser->out, ',');
        else if (!take(parser, '}'))
            return false;
    }
    buf_append_byte(parser->out, ']');
    return true;
}

void json_array_write(struct buf *out, struct slice text, char delimiter, value_json_fn *element)
{
    size_t start = out->size;
    const char *first = text.size > 0 ? text.data : "";
    AUTO(struct buf, buf_done) scratch = buf_init(text.size);
    struct parser parser = {
        .at = first,
        .end = first + text.size,
        .delimiter = delimiter,
        .element = element,
        .out = out,
        .scratch = &scratch,
    };
    if (skip_bounds(&parser) && take(&parser, '{') &&
        write_array(&parser, JSON_ARRAY_DIMENSIONS - 1) && parser.at == parser.end)
        return;
    out->size = start;
    json_writer_string(out, text);
}
