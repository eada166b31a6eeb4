/* Another wall clock for one process: LD_PRELOAD this, and WALL_CLOCK_FILE names a file that holds
 * the seconds by which the clock is wrong now, in ASCII. Clocks that only count stay as they are.
 *
 * timespec_get() stays real as well: librdkafka makes the absolute deadlines of cnd_timedwait()
 * from it, which glibc waits for by the kernel's clock, so that both must be the same clock. */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long wrong_by(void)
{
    const char *path = getenv("WALL_CLOCK_FILE");
    char text[32] = { 0 };
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof(text) - 1);
    close(fd);
    return size > 0 ? strtol(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    int result = (int)syscall(SYS_clock_gettime, id, out);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        out->tv_sec += wrong_by();
    return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    int result = (int)syscall(SYS_gettimeofday, out, zone);
    if (result == 0)
        out->tv_sec += wrong_by();
    return result;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *out, int base)
{
    return base == TIME_UTC && syscall(SYS_clock_gettime, CLOCK_REALTIME, out) == 0 ? base : 0;
}
