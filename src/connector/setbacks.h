/* What the ends of streams say of the next one: how long to wait before it, and when trying again
 * is of no use. Pure; pipeline's thread. */
#ifndef CONNECTOR_SETBACKS_H
#define CONNECTOR_SETBACKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/backoff.h"
#include "base/error.h"
#include "change/lsn.h"

enum {
    SETBACKS_STUCK = 5,       /* times at one place */
    SETBACKS_FLASH_MS = 1000, /* a stream that lives shorter is a flash */
};

/* How far a stream came: whole transactions, and items of the one that was cut. */
struct setbacks_place {
    lsn_t received;
    uint64_t handed;
};

struct setbacks {
    struct backoff backoff;
    struct setbacks_place furthest; /* that any stream came */
    struct setbacks_place last;     /* where the last one ended, */
    char code[ERROR_CODE_SIZE];     /* and why */
    uint32_t same;                  /* times in a row at that place for that reason */
};

struct setbacks setbacks_init(int64_t first_ms, int64_t max_ms, uint64_t seed);

/* A stream ended. True: it came further than any before. *out_pause_ms: one that did, and was no
 * flash, is started again at once; others ever more rarely. An error of the server (a SQLSTATE)
 * that comes again and again at one place becomes ERROR_HALT: it is the same row each time. */
bool setbacks_note(struct setbacks *setbacks, struct setbacks_place place, int64_t lived_ms,
                   struct error *in_out_err, int64_t *out_pause_ms);

#endif
