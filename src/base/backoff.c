#include "base/backoff.h"

#include "base/check.h"

struct backoff backoff_init(int64_t first_ms, int64_t max_ms, uint64_t seed)
{
    CHECK(first_ms > 0 && max_ms >= first_ms);
    return (struct backoff){
        .first_ms = first_ms, .max_ms = max_ms, .next_ms = first_ms, .seed = seed
    };
}

/* splitmix64: any seed will do, zero included. */
static uint64_t draw(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = *seed;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

int64_t backoff_next_ms(struct backoff *backoff)
{
    int64_t range_ms = backoff->next_ms;
    int64_t lower_ms = range_ms - range_ms / 2;
    uint64_t choices = (uint64_t)(range_ms - lower_ms) + 1;
    backoff->next_ms = range_ms > backoff->max_ms / 2 ? backoff->max_ms : 2 * range_ms;
    return lower_ms + (int64_t)(draw(&backoff->seed) % choices);
}

void backoff_reset(struct backoff *backoff)
{
    backoff->next_ms = backoff->first_ms;
}
