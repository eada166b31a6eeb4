/* ThreadSanitizer (clang 14, gcc 12) does not know the threads and locks of C11 <threads.h>, which
 * librdkafka uses: a thread made by thrd_create() crashes in it. In its builds these take the place
 * of the C library's and go through pthreads, which it knows. Include it in one file of a program
 * that uses librdkafka; nothing otherwise. */
#ifndef UNIT_KAFKA_TSAN_C11_THREADS_H
#define UNIT_KAFKA_TSAN_C11_THREADS_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN_BUILD 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define TSAN_BUILD 1
#endif

#ifdef TSAN_BUILD

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#define TSAN_EXPORT __attribute__((visibility("default")))

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "glibc's mtx_t is a mutex");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc's cnd_t is a condition");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "glibc's thrd_t is a pthread_t");

/* librdkafka is not instrumented either, so that its atomic reference counts order nothing here:
 * what the last holder releases looks like a race with the others. (AddressSanitizer's builds see a
 * use after free.) */
const char *__tsan_default_suppressions(void);
TSAN_EXPORT const char *__tsan_default_suppressions(void)
{
    return "race:^free$\n"
           "race:^__interceptor_free$\n"
           "race:^pthread_rwlock_destroy$\n";
}

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

#endif
#endif
