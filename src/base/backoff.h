/* Exponential back-off with jitter: first_ms, then twice as long each time up to max_ms, each wait
 * drawn from the upper half of its range. Not thread-safe. */
#ifndef BASE_BACKOFF_H
#define BASE_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t first_ms;
    int64_t max_ms;
    int64_t next_ms;
    uint64_t seed;
};

struct backoff backoff_init(int64_t first_ms, int64_t max_ms, uint64_t seed);
int64_t backoff_next_ms(struct backoff *backoff); /* how long to wait now */
void backoff_reset(struct backoff *backoff);

#endif
