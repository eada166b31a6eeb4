/* Scoped clean-up instead of goto: AUTO(struct buf, buf_done) buf = ...; runs buf_done(&buf) when
 * the scope ends. TAKE(p) hands the pointer on and leaves NULL behind, so that nothing is released.
 *
 * Every `_done` takes a pointer to the object; for pointers, define a helper with
 * CLEANUP_POINTER(struct loop, loop_free) and write AUTO(struct loop *, loop_free_p) loop = ...;
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>

#define AUTO(type, release) __attribute__((cleanup(release))) type

#define TAKE(pointer)                                                                              \
    __extension__({                                                                                \
        __typeof__(pointer) taken_ = (pointer);                                                    \
        (pointer) = NULL;                                                                          \
        taken_;                                                                                    \
    })

#define CLEANUP_POINTER(type, release)                                                             \
    static inline __attribute__((unused)) void release##_p(type **pointer_)                        \
    {                                                                                              \
        if (*pointer_ != NULL)                                                                     \
            release(*pointer_);                                                                    \
    }

#endif
