/* What ThreadSanitizer (clang 14, gcc 12) must be told of librdkafka, which is not instrumented. It
 * is part of every program of a build with -DTSAN=ON.
 *
 * Threads and locks: librdkafka uses those of C11 <threads.h>, which ThreadSanitizer does not know
 * (a thread made by thrd_create() crashes in it). Here they go through pthreads, which it knows.
 *
 * What the last holder releases: its atomic reference counts order nothing for ThreadSanitizer, so
 * that its free() and pthread_rwlock_destroy() look like races with those who held the thing
 * before. These two calls, when librdkafka itself makes them, are left out; not what our code
 * frees, nor what our callbacks do. (AddressSanitizer's builds see a use after free.) */
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>

#define TSAN_EXPORT __attribute__((visibility("default")))

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "glibc's mtx_t is a mutex");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc's cnd_t is a condition");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "glibc's thrd_t is a pthread_t");

struct tsan_start {
    thrd_start_t function;
    void *argument;
};

static void *tsan_run(void *opaque)
{
    struct tsan_start start = *(struct tsan_start *)opaque;
    free(opaque);
    return (void *)(intptr_t)start.function(start.argument);
}

TSAN_EXPORT int thrd_create(thrd_t *thread, thrd_start_t function, void *argument)
{
    struct tsan_start *start = malloc(sizeof *start);
    if (start == NULL)
        return thrd_nomem;
    *start = (struct tsan_start){ function, argument };
    return pthread_create(thread, NULL, tsan_run, start) == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT int thrd_join(thrd_t thread, int *result)
{
    void *value = NULL;
    if (pthread_join(thread, &value) != 0)
        return thrd_error;
    if (result != NULL)
        *result = (int)(intptr_t)value;
    return thrd_success;
}

TSAN_EXPORT int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if ((type & mtx_recursive) != 0)
        pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int failure = pthread_mutex_init((void *)mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return failure == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT void mtx_destroy(mtx_t *mutex)
{
    pthread_mutex_destroy((void *)mutex);
}

TSAN_EXPORT int mtx_lock(mtx_t *mutex)
{
    return pthread_mutex_lock((void *)mutex) == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT int mtx_unlock(mtx_t *mutex)
{
    return pthread_mutex_unlock((void *)mutex) == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT int cnd_init(cnd_t *condition)
{
    return pthread_cond_init((void *)condition, NULL) == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT void cnd_destroy(cnd_t *condition)
{
    pthread_cond_destroy((void *)condition);
}

TSAN_EXPORT int cnd_signal(cnd_t *condition)
{
    return pthread_cond_signal((void *)condition) == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT int cnd_broadcast(cnd_t *condition)
{
    return pthread_cond_broadcast((void *)condition) == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return pthread_cond_wait((void *)condition, (void *)mutex) == 0 ? thrd_success : thrd_error;
}

TSAN_EXPORT int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *deadline)
{
    int failure = pthread_cond_timedwait((void *)condition, (void *)mutex, deadline);
    return failure == 0 ? thrd_success : failure == ETIMEDOUT ? thrd_timedout : thrd_error;
}

TSAN_EXPORT void call_once(once_flag *flag, void (*function)(void))
{
    pthread_once((void *)flag, function);
}

/* The two calls. */

void __interceptor_free(void *pointer);
int __interceptor_pthread_rwlock_destroy(pthread_rwlock_t *lock);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreWritesEnd(const char *file, int line);

static uintptr_t code_begin, code_end; /* librdkafka's; nothing until it is known */

static int find_code(struct dl_phdr_info *object, size_t size, void *self)
{
    (void)size;
    (void)self;
    if (strstr(object->dlpi_name, "librdkafka.so") == NULL)
        return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
            continue;
        code_begin = object->dlpi_addr + part->p_vaddr;
        code_end = code_begin + part->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void find_librdkafka(void)
{
    (void)dl_iterate_phdr(find_code, NULL);
}

static bool is_theirs(const void *caller)
{
    return (uintptr_t)caller >= code_begin && (uintptr_t)caller < code_end;
}

TSAN_EXPORT void free(void *pointer)
{
    bool theirs = is_theirs(__builtin_return_address(0));
    if (theirs)
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    __interceptor_free(pointer);
    if (theirs)
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
}

TSAN_EXPORT int pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    bool theirs = is_theirs(__builtin_return_address(0));
    if (theirs)
        AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    int failure = __interceptor_pthread_rwlock_destroy(lock);
    if (theirs)
        AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    return failure;
}
