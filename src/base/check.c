#include "base/check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_abort(const char *text, size_t size)
{
    struct pollfd output = { .fd = STDERR_FILENO, .events = POLLOUT };
    if (poll(&output, 1, 0) == 1 && write(STDERR_FILENO, text, size) < 0)
        abort();
    abort();
}

void check_failed(const char *condition, const char *file, int line)
{
    char text[512];
    int size = snprintf(text, sizeof(text), "pqcdc: broken invariant: %s (%s:%d)\n", condition,
                        file, line);
    if (size >= (int)sizeof(text)) {
        size = (int)sizeof(text) - 1;
        text[size - 1] = '\n';
    }
    check_abort(text, size > 0 ? (size_t)size : 0);
}
