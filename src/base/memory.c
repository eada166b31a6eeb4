#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static NORETURN void memory_exhausted(void)
{
    static const char text[] = "pqcdc: out of memory\n";
    check_abort(text, sizeof(text) - 1);
}

void *memory_alloc(size_t size_bytes)
{
    return memory_array(1, size_bytes);
}

void *memory_array(size_t count, size_t item_bytes)
{
    if (count == 0 || item_bytes == 0)
        count = item_bytes = 1;
    void *memory = calloc(count, item_bytes);
    if (memory == NULL)
        memory_exhausted();
    return memory;
}

void *memory_resize(void *pointer, size_t size_bytes)
{
    void *memory = realloc(pointer, size_bytes > 0 ? size_bytes : 1);
    if (memory == NULL)
        memory_exhausted();
    return memory;
}

char *memory_text(const char *text)
{
    return text == NULL ? NULL : memory_text_n(text, strlen(text));
}

char *memory_text_n(const char *text, size_t size_bytes)
{
    size_t with_nul;
    if (__builtin_add_overflow(size_bytes, 1, &with_nul))
        memory_exhausted();
    char *copy = memory_alloc(with_nul);
    if (size_bytes > 0)
        memcpy(copy, text, size_bytes);
    return copy;
}

void memory_free(void *pointer)
{
    free(pointer);
}
