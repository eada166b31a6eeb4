/* value    = space ( object | array | string | number | "true" | "false" | "null" ) space
 * object   = "{" [ member *( "," member ) ] "}"     member = space string space ":" value
 * array    = "[" [ value *( "," value ) ] "]"
 * number   = [ "-" ] ( "0" | digit1-9 *digit ) [ "." 1*digit ] [ ( "e" | "E" ) [ sign ] 1*digit ]
 * string   = quote *( character | escape ) quote */
#include "format/json_check.h"

#include "format/utf8.h"

struct cursor {
    const unsigned char *at;
    const unsigned char *end;
};

static struct cursor cursor_of(struct slice text)
{
    const unsigned char *at = (const unsigned char *)(text.size > 0 ? text.data : "");
    return (struct cursor){ at, at + text.size };
}

static bool next_is(const struct cursor *cursor, char byte)
{
    return cursor->at < cursor->end && *cursor->at == (unsigned char)byte;
}

static bool take(struct cursor *cursor, char byte)
{
    bool found = next_is(cursor, byte);
    cursor->at += found;
    return found;
}

static bool take_word(struct cursor *cursor, struct slice word)
{
    if ((size_t)(cursor->end - cursor->at) < word.size ||
        memcmp(cursor->at, word.data, word.size) != 0)
        return false;
    cursor->at += word.size;
    return true;
}

static void take_space(struct cursor *cursor)
{
    while (next_is(cursor, ' ') || next_is(cursor, '\n') || next_is(cursor, '\t') ||
           next_is(cursor, '\r'))
        cursor->at++;
}

static bool take_digits(struct cursor *cursor)
{
    const unsigned char *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
        cursor->at++;
    return cursor->at > start;
}

static bool take_integer(struct cursor *cursor)
{
    (void)take(cursor, '-');
    return take(cursor, '0') || take_digits(cursor);
}

static bool take_fraction(struct cursor *cursor)
{
    return !take(cursor, '.') || take_digits(cursor);
}

static bool take_exponent(struct cursor *cursor)
{
    if (!take(cursor, 'e') && !take(cursor, 'E'))
        return true;
    if (!take(cursor, '-'))
        (void)take(cursor, '+');
    return take_digits(cursor);
}

static bool take_number(struct cursor *cursor)
{
    return take_integer(cursor) && take_fraction(cursor) && take_exponent(cursor);
}

static bool is_hex(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

static bool take_escape(struct cursor *cursor)
{
    if (cursor->at == cursor->end)
        return false;
    unsigned char name = *cursor->at++;
    if (name != 'u')
        return memchr("\"\\/bfnrt", name, 8) != NULL;
    for (int i = 0; i < 4; i++)
        if (cursor->at == cursor->end || !is_hex(*cursor->at++))
            return false;
    return true;
}

/* What follows the opening quote, the closing one included. */
static bool take_string_rest(struct cursor *cursor)
{
    while (cursor->at < cursor->end) {
        unsigned char byte = *cursor->at;
        if (byte < 0x20)
            return false;
        size_t size_bytes = utf8_sequence(cursor->at, (size_t)(cursor->end - cursor->at));
        if (size_bytes == 0)
            return false;
        cursor->at += size_bytes;
        if (byte == '"')
            return true;
        if (byte == '\\' && !take_escape(cursor))
            return false;
    }
    return false;
}

static bool take_string(struct cursor *cursor)
{
    return take(cursor, '"') && take_string_rest(cursor);
}

static bool take_value(struct cursor *cursor, int depth_left);

static bool take_members(struct cursor *cursor, int depth_left)
{
    take_space(cursor);
    if (take(cursor, '}'))
        return true;
    do {
        take_space(cursor);
        if (!take_string(cursor))
            return false;
        take_space(cursor);
        if (!take(cursor, ':') || !take_value(cursor, depth_left))
            return false;
    } while (take(cursor, ','));
    return take(cursor, '}');
}

static bool take_elements(struct cursor *cursor, int depth_left)
{
    take_space(cursor);
    if (take(cursor, ']'))
        return true;
    do {
        if (!take_value(cursor, depth_left))
            return false;
    } while (take(cursor, ','));
    return take(cursor, ']');
}

static bool take_value(struct cursor *cursor, int depth_left)
{
    bool found;
    take_space(cursor);
    if (take(cursor, '"'))
        found = take_string_rest(cursor);
    else if (take(cursor, '{'))
        found = depth_left > 0 && take_members(cursor, depth_left - 1);
    else if (take(cursor, '['))
        found = depth_left > 0 && take_elements(cursor, depth_left - 1);
    else
        found = take_word(cursor, SLICE_TEXT("true")) || take_word(cursor, SLICE_TEXT("false")) ||
                take_word(cursor, SLICE_TEXT("null")) || take_number(cursor);
    take_space(cursor);
    return found;
}

bool json_check_value(struct slice text)
{
    struct cursor cursor = cursor_of(text);
    return take_value(&cursor, JSON_CHECK_DEPTH) && cursor.at == cursor.end;
}

bool json_check_integer(struct slice text)
{
    struct cursor cursor = cursor_of(text);
    return take_integer(&cursor) && cursor.at == cursor.end;
}

bool json_check_decimal(struct slice text)
{
    struct cursor cursor = cursor_of(text);
    return take_integer(&cursor) && take_fraction(&cursor) && cursor.at == cursor.end;
}
