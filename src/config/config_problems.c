#include "config/config_problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { NAME_MAX_BYTES = 200, TEXT_MAX_BYTES = 1024 };

size_t config_problems_cut(const char *text, size_t size_bytes, size_t max_bytes)
{
    if (size_bytes <= max_bytes)
        return size_bytes;
    while (max_bytes > 0 && ((unsigned char)text[max_bytes] & 0xc0) == 0x80)
        max_bytes--;
    return max_bytes;
}

/* One line, of a length that a person can read. */
static char *tidy(const char *text, size_t max_bytes)
{
    static const char dots[] = "...";
    size_t size = strlen(text);
    size_t kept = config_problems_cut(text, size, max_bytes);
    char *copy = memory_alloc(kept + sizeof(dots));
    memcpy(copy, text, kept);
    for (char *at = copy; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    if (kept < size)
        memcpy(copy + kept, dots, sizeof(dots));
    return copy;
}

bool config_problems_wanted(const struct config_problems *problems)
{
    return problems->count < CONFIG_PROBLEMS_MAX;
}

void config_problems_add(struct config_problems *problems, const char *where, const char *path,
                         const char *format, ...)
{
    if (!config_problems_wanted(problems)) {
        problems->left_out_count++;
        return;
    }
    char text[TEXT_MAX_BYTES];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    problems->items =
        memory_resize(problems->items, (problems->count + 1) * sizeof(*problems->items));
    problems->items[problems->count++] = (struct config_problem){
        .where = tidy(where != NULL ? where : "", NAME_MAX_BYTES),
        .path = tidy(path != NULL ? path : "", NAME_MAX_BYTES),
        .text = tidy(text, TEXT_MAX_BYTES),
    };
}

void config_problems_done(struct config_problems *problems)
{
    for (uint32_t i = 0; i < problems->count; i++) {
        memory_free(problems->items[i].where);
        memory_free(problems->items[i].path);
        memory_free(problems->items[i].text);
    }
    memory_free(problems->items);
    *problems = CONFIG_PROBLEMS_INIT;
}

static void append_part(struct buf *out, const char *part)
{
    if (*part != '\0')
        buf_append_format(out, "%s: ", part);
}

/* "--set cdc.host" says the path already. */
static bool names_path(const char *where, const char *path)
{
    size_t where_size = strlen(where);
    size_t path_size = strlen(path);
    return where_size > path_size && where[where_size - path_size - 1] == ' ' &&
           strcmp(where + where_size - path_size, path) == 0;
}

void config_problems_write(const struct config_problems *problems, struct buf *out)
{
    for (uint32_t i = 0; i < problems->count; i++) {
        append_part(out, problems->items[i].where);
        if (!names_path(problems->items[i].where, problems->items[i].path))
            append_part(out, problems->items[i].path);
        buf_append_format(out, "%s\n", problems->items[i].text);
    }
    if (problems->left_out_count > 0)
        buf_append_format(out, "... and %u more problems\n", problems->left_out_count);
}
