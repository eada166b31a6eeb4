/* Which of several operators writes: a Lease, kept by election/lease_elector. The machine's worker
 * is our writing, and its looks at a slot are the turns of our loop: an operator whose loop stands
 * still is no candidate, and a leader whose loop stands still says so, and is replaced.
 *
 * The questions are right also when this process stood still. All but they belong to the loop's
 * thread. */
#ifndef OPERATOR_OPERATOR_ELECTOR_H
#define OPERATOR_OPERATOR_ELECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/loop.h"
#include "election/lease_elector.h"
#include "kube/kube_config.h"

#define OPERATOR_ELECTOR_LEASE "pqcdc-operator"

struct operator_elector_options {
    const struct kube_config *kube; /* must outlive it, like loop and log */
    struct loop *loop;
    struct log *log;
    struct clock clock;
    const char *namespace_name, *identity; /* identity: the pod's name */
    /* May we write? Called when the answer becomes another. Nothing may be on its way any more when
     * it returns from "no". */
    void (*on_lead)(void *self, bool leads);
    void *self;
};

struct operator_elector;

MUST_CHECK bool operator_elector_start(const struct operator_elector_options *options,
                                       struct operator_elector **out_elector, struct error *err);
/* on_lead says no, and the Lease is given back. */
void operator_elector_leave(struct operator_elector *elector);
void operator_elector_stop(struct operator_elector *elector); /* NULL allowed */
CLEANUP_POINTER(struct operator_elector, operator_elector_stop)

/* Any thread. */
bool operator_elector_may_write(const struct operator_elector *elector);
int64_t operator_elector_alive_age_ms(const struct operator_elector *elector);
void operator_elector_look(struct operator_elector *elector, struct lease_elector_view *out_view);
/* Of a rule of the election, for the log. */
const char *operator_elector_meaning(const struct election_row *row);

#endif
