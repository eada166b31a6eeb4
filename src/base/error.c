#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* Ends a text that did not fit in "...", without leaving half a UTF-8 character before it. */
static void mark_cut(char *text, size_t size)
{
    size_t end = size - sizeof("...");
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, "...", sizeof("..."));
}

static void set_text(char *out, size_t out_size, const char *text)
{
    int size = snprintf(out, out_size, "%s", text);
    if (size >= 0 && (size_t)size >= out_size)
        mark_cut(out, out_size);
}

static void PRINTF_LIKE(3, 0)
    format_text(char *out, size_t out_size, const char *format, va_list values)
{
    int size = vsnprintf(out, out_size, format, values);
    if (size < 0)
        out[0] = '\0';
    else if ((size_t)size >= out_size)
        mark_cut(out, out_size);
}

bool error_set(struct error *err, enum error_class class, const char *code, const char *format, ...)
{
    if (err == NULL)
        return false;
    /* Built aside, because code and values may point into *err. */
    struct error made = { .class = class };
    set_text(made.code, sizeof(made.code), code);
    va_list values;
    va_start(values, format);
    format_text(made.text, sizeof(made.text), format, values);
    va_end(values);
    *err = made;
    return false;
}

bool error_advise(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    char advice[ERROR_ADVICE_SIZE];
    va_list values;
    va_start(values, format);
    format_text(advice, sizeof(advice), format, values);
    va_end(values);
    const char *space = err->advice[0] != '\0' ? " " : "";
    AUTO(char *, memory_free_p) whole = text_format("%s%s%s", err->advice, space, advice);
    set_text(err->advice, sizeof(err->advice), whole);
    return false;
}

bool error_prefix(struct error *err, const char *format, ...)
{
    if (err == NULL)
        return false;
    char prefix[ERROR_TEXT_SIZE];
    va_list values;
    va_start(values, format);
    format_text(prefix, sizeof(prefix), format, values);
    va_end(values);
    AUTO(char *, memory_free_p) whole = text_format("%s: %s", prefix, err->text);
    set_text(err->text, sizeof(err->text), whole);
    return false;
}

const char *error_class_name(enum error_class class)
{
    switch (class) {
    case ERROR_NONE:
        return "none";
#define X(name, text, doc)                                                                         \
    case name:                                                                                     \
        return text;
        ERROR_CLASSES(X)
#undef X
    }
    return "unknown";
}
