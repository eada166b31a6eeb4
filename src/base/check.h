/* Invariants and the attributes of prototypes.
 *
 * CHECK() is for what cannot happen unless the program is wrong: it aborts in every build. What a
 * peer or a person can cause is an error value (error.h) instead.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>

#define MUST_CHECK                      __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_at, values_at) __attribute__((format(printf, text_at, values_at)))
#define UNUSED                          __attribute__((unused))
#define NORETURN                        __attribute__((noreturn))
#define LIKELY(condition)               __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition)             __builtin_expect(!!(condition), 0)
#define COUNT_OF(array)                 (sizeof(array) / sizeof((array)[0]))

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (UNLIKELY(!(condition)))                                                                \
            check_failed(#condition, __FILE__, __LINE__);                                          \
    } while (0)

/* Writes one line to standard error, unless nobody takes it at once, and aborts. Any thread. */
NORETURN void check_failed(const char *condition, const char *file, int line);
NORETURN void check_abort(const char *text, size_t size);

#endif
