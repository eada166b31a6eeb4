#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void check_failed(const char *condition, const char *file, int line)
{
    char text[512];
    int size = snprintf(text, sizeof(text), "pqcdc: broken invariant: %s (%s:%d)\n", condition,
                        file, line);
    if (size >= (int)sizeof(text)) {
        size = (int)sizeof(text) - 1;
        text[size - 1] = '\n';
    }
    if (size > 0 && write(STDERR_FILENO, text, (size_t)size) < 0)
        abort();
    abort();
}
