/* What of the Kafka client's chatter a person is told. Pure: no I/O, no clock.
 *
 * The news is whether any broker is connected: one note when the last one is lost, with the error
 * that told it, and one (class ERROR_NONE: good news) when one is back, with how long none was.
 * Anything else is told once in a minute for each kind and broker, with how often it came
 * meanwhile.
 *
 * Each function says whether there is a note now, which it leaves in *out_note.
 * Belongs to one thread. */
#ifndef KAFKA_NOTICES_H
#define KAFKA_NOTICES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

enum {
    NOTICE_REPEAT_MS = 60000, /* the same thing is not said again earlier */
    NOTICE_SETTLE_MS = 1000,  /* an error of the one broker left may be that of the last one */
    NOTICE_LOSSES_MS = 10000, /* between two notes of a loss, where brokers come and go */
    NOTICE_KINDS = 16,        /* that are remembered */
    NOTICE_KIND_SIZE = 80,
};

struct notice_kind {
    char name[NOTICE_KIND_SIZE];
    mono_ms_t told;
    uint64_t untold;
};

/* All zero: nothing was said yet. */
struct notices {
    bool away; /* it was told that no broker is connected */
    mono_ms_t away_since;
    mono_ms_t loss_told;
    bool held; /* an error is kept: it may be of the last broker */
    mono_ms_t held_since;
    struct error error;
    struct notice_kind kinds[NOTICE_KINDS];
};

/* An error event of librdkafka that is not fatal, as connection_error.h puts it. */
bool notices_error(struct notices *notices, const struct error *error, uint32_t brokers_up,
                   mono_ms_t now, struct error *out_note);
/* Anything else that went wrong. */
bool notices_say(struct notices *notices, const struct error *error, mono_ms_t now,
                 struct error *out_note);
/* A line of its log. */
bool notices_log(struct notices *notices, const char *facility, const char *text, mono_ms_t now,
                 struct error *out_note);
/* When brokers came or went, and each second. */
bool notices_look(struct notices *notices, uint32_t brokers_up, mono_ms_t now,
                  struct error *out_note);
/* A new producer begins without a connection, which is no loss. */
void notices_restart(struct notices *notices);

#endif
