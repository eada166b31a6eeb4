/* Allocation that never fails: out of memory aborts. Any thread. Sizes in bytes. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

#include "base/cleanup.h"

__attribute__((returns_nonnull)) void *memory_alloc(size_t size_bytes);               /* zeroed */
__attribute__((returns_nonnull)) void *memory_array(size_t count, size_t item_bytes); /* zeroed */
__attribute__((returns_nonnull)) void *memory_resize(void *pointer, size_t size_bytes);
/* Copies of text; memory_text(NULL) is NULL. */
char *memory_text(const char *text);
__attribute__((returns_nonnull)) char *memory_text_n(const char *text, size_t size_bytes);
void memory_free(void *pointer); /* NULL is allowed */

/* For AUTO(char *, memory_free_p). */
static inline __attribute__((unused)) void memory_free_p(void *pointer_to_pointer)
{
    memory_free(*(void **)pointer_to_pointer);
}

#endif
