/* A position in the write-ahead log. Wrapped, so that it cannot mix with other numbers; 0 = none.
 */
#ifndef CHANGE_LSN_H
#define CHANGE_LSN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

typedef struct {
    uint64_t value;
} lsn_t;

#define LSN_NONE ((lsn_t){ 0 })
enum { LSN_TEXT_SIZE = 18 }; /* "FFFFFFFF/FFFFFFFF" and NUL */

struct lsn_text {
    char text[LSN_TEXT_SIZE];
};

static inline bool lsn_is_none(lsn_t lsn)
{
    return lsn.value == 0;
}

static inline int lsn_compare(lsn_t a, lsn_t b)
{
    return a.value < b.value ? -1 : a.value > b.value;
}

static inline lsn_t lsn_max(lsn_t a, lsn_t b)
{
    return a.value < b.value ? b : a;
}

/* PostgreSQL's form, "16/B374D848": lsn_text(lsn).text lives as long as the full expression. */
struct lsn_text lsn_text(lsn_t lsn);
MUST_CHECK bool lsn_parse(const char *text, lsn_t *out_lsn);

#endif
