#include "postgres/timeline_history.h"

#include <string.h>

#include "base/text.h"

enum { WORD_SIZE = 32 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Takes the next word off the line; empty when there is none. */
static struct slice take_word(struct slice *in_out_line)
{
    size_t start = 0;
    while (start < in_out_line->size && is_blank(in_out_line->data[start]))
        start++;
    size_t end = start;
    while (end < in_out_line->size && !is_blank(in_out_line->data[end]))
        end++;
    struct slice word = { in_out_line->data + start, end - start };
    in_out_line->data += end;
    in_out_line->size -= end;
    return word;
}

/* False: it is no text, or too long to be a number. */
static bool copy_word(struct slice word, char out[WORD_SIZE])
{
    if (word.size >= WORD_SIZE || memchr(word.data, '\0', word.size) != NULL)
        return false;
    memcpy(out, word.data, word.size);
    out[word.size] = '\0';
    return true;
}

/* An empty line and a comment say nothing. */
static bool read_line(struct slice line, uint32_t *out_parent, lsn_t *out_switch)
{
    char parent[WORD_SIZE], position[WORD_SIZE];
    int64_t number = 0;
    *out_parent = 0;
    struct slice first = take_word(&line);
    if (first.size == 0 || first.data[0] == '#')
        return true;
    if (!copy_word(first, parent) || !copy_word(take_word(&line), position) ||
        !text_parse_i64(parent, &number) || number <= 0 || number > UINT32_MAX ||
        !lsn_parse(position, out_switch))
        return false;
    *out_parent = (uint32_t)number;
    return true;
}

static struct slice take_line(struct slice *in_out_text)
{
    const char *end = memchr(in_out_text->data, '\n', in_out_text->size);
    size_t size = end != NULL ? (size_t)(end - in_out_text->data) : in_out_text->size;
    struct slice line = { in_out_text->data, size };
    size_t taken = end != NULL ? size + 1 : size;
    in_out_text->data += taken;
    in_out_text->size -= taken;
    return line;
}

bool timeline_history_find(struct slice text, uint32_t parent, lsn_t *out_switch)
{
    lsn_t found = LSN_NONE;
    while (text.size > 0) {
        uint32_t line_parent = 0;
        lsn_t line_switch = LSN_NONE;
        if (!read_line(take_line(&text), &line_parent, &line_switch))
            return false;
        if (line_parent == parent)
            found = line_switch;
    }
    *out_switch = found;
    return true;
}
