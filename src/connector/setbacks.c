#include "connector/setbacks.h"

#include <string.h>

enum { SQLSTATE_SIZE = 5 };

struct setbacks setbacks_init(int64_t first_ms, int64_t max_ms, uint64_t seed)
{
    return (struct setbacks){ .backoff = backoff_init(first_ms, max_ms, seed) };
}

static int compare(struct setbacks_place a, struct setbacks_place b)
{
    int order = lsn_compare(a.received, b.received);
    return order != 0 ? order : (a.handed > b.handed) - (a.handed < b.handed);
}

static void count_same(struct setbacks *setbacks, struct setbacks_place place, const char *code)
{
    bool same = compare(place, setbacks->last) == 0 && strcmp(code, setbacks->code) == 0;
    setbacks->same = same ? setbacks->same + 1 : 1;
    setbacks->last = place;
    memcpy(setbacks->code, code, strlen(code) + 1);
}

/* Classes 40, 53, 55, 57 and 58 are of the server's state, and pass. */
static bool is_of_a_row(const struct error *err)
{
    return err->class == ERROR_RETRY && strlen(err->code) == SQLSTATE_SIZE && err->code[0] != '4' &&
           err->code[0] != '5';
}

static void give_up_when_stuck(struct setbacks *setbacks, struct error *err)
{
    if (setbacks->same < SETBACKS_STUCK || !is_of_a_row(err))
        return;
    setbacks->same = 0;
    err->class = ERROR_HALT;
    (void)error_prefix(err, "%d times at the same place, behind %s, after %llu changes more",
                       SETBACKS_STUCK, lsn_text(setbacks->last.received).text,
                       (unsigned long long)setbacks->last.handed);
    (void)error_advise(err, "the server cannot decode what comes next: its log says why, and "
                            "pg_waldump which table's row stands there. When it cannot be mended, "
                            "drop the slot and create it anew with the gap accepted (pqcdc slot "
                            "drop, pqcdc slot create --accept-gap)");
}

bool setbacks_note(struct setbacks *setbacks, struct setbacks_place place, int64_t lived_ms,
                   struct error *in_out_err, int64_t *out_pause_ms)
{
    bool further = compare(place, setbacks->furthest) > 0;
    count_same(setbacks, place, in_out_err->code);
    give_up_when_stuck(setbacks, in_out_err);
    if (further) {
        setbacks->furthest = place;
        backoff_reset(&setbacks->backoff);
    }
    *out_pause_ms =
        further && lived_ms >= SETBACKS_FLASH_MS ? 0 : backoff_next_ms(&setbacks->backoff);
    return further;
}
