/* The five conditions of a Connector, each decided by the first row of its table that applies. The
 * reasons are documented in docs/kubernetes.md. Pure; any thread. */
#ifndef OPERATOR_CONDITIONS_H
#define OPERATOR_CONDITIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "operator/resource.h"
#include "operator/workers.h"

enum { CONDITIONS_REASON_SIZE = 96, CONDITIONS_TEXT_SIZE = 2304 };

/* Borrowed; NULL = it is not so. */
struct conditions_input {
    const struct resource *resource;
    const struct error *invalid; /* the resource cannot be understood */
    const struct error *failure; /* the last writes failed */
    const json_t *twin;          /* the older Connector of the same slot */
    const char *unknown_kind;    /* which it wants one of, and the cluster does not know */
    const json_t *deployment;
    const struct workers *workers;
    const char *deleting;    /* what the deletion waits for */
    const char *drop_failed; /* the Job gave up, and why */
};

/* [Ready, Progressing, Degraded, SlotReady, LeaderElected], each {type, status, reason, message},
 * without times. The caller's. */
json_t *conditions_decide(const struct conditions_input *input);

/* Appends how an error of a worker (the "reason" of its /status) is called: "SlotLost". */
void conditions_name_error(const json_t *reason, char out_name[CONDITIONS_REASON_SIZE]);
/* What it says, and what to do. */
void conditions_describe_error(const json_t *reason, char out_text[CONDITIONS_TEXT_SIZE]);

#endif
