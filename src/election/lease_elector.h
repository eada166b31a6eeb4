/* Keeps one Lease and obeys the machine of election.h: a thread of its own, with a loop, the API
 * server's client and a watch on the Lease. Nothing that PostgreSQL or Kafka does can delay it.
 *
 * The questions (leads, may start, must stop) are atomic reads with deadlines, right also while the
 * thread itself stands still. What it is told is a mailbox. Callbacks run on its thread, must not
 * block, and must not call lease_elector_*() but lease_elector_post().
 */
#ifndef ELECTION_LEASE_ELECTOR_H
#define ELECTION_LEASE_ELECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "election/election.h"
#include "kube/kube_client.h"
#include "kube/kube_event.h"

enum { LEASE_ELECTOR_NAME_SIZE = 320, LEASE_ELECTOR_SOURCE_SIZE = 512 };

/* What a caller may want to log. */
struct lease_elector_news {
    const struct election_row *row; /* the machine took it; NULL = see err */
    bool leads;
    const char *holder; /* of the Lease as it is known; "" = nobody */
    const struct error
        *err; /* a call failed otherwise than the one before; NONE = calls work again */
};

struct lease_elector_callbacks {
    void *self;
    void (*on_news)(void *self, const struct lease_elector_news *news);
    /* The annotation pqcdc.io/source as it was read; "" = none. */
    void (*on_source)(void *self, const char *source);
    /* What it shall be from now on, at each write; false = leave what is there. */
    bool (*source)(void *self, char out[LEASE_ELECTOR_SOURCE_SIZE]);
    /* The worker did not stop in time: the process must end before this returns. */
    void (*on_die)(void *self);
};

struct lease_elector_options { /* copied, but config and callbacks.self */
    const struct kube_config *config;
    const char *namespace_name;
    const char *lease_name;
    const char *pod; /* of events */
    struct election_options election;
    struct clock clock;
    uint64_t seed;
    struct lease_elector_callbacks callbacks;
};

struct lease_elector;

MUST_CHECK bool lease_elector_start(const struct lease_elector_options *options,
                                    struct lease_elector **out_elector, struct error *err);
/* The worker will not stream again: gives the lease back, waits for that at most so long. */
void lease_elector_leave(struct lease_elector *elector, int64_t wait_ms);
void lease_elector_stop(struct lease_elector *elector); /* joins; NULL allowed */
CLEANUP_POINTER(struct lease_elector, lease_elector_stop)

/* Any thread. */
bool lease_elector_may_start(const struct lease_elector *elector);
bool lease_elector_must_stop(const struct lease_elector *elector);
int64_t lease_elector_alive_age_ms(const struct lease_elector *elector); /* since the last turn */
/* Readable when one of the answers may have changed; one reader. */
int lease_elector_fd(const struct lease_elector *elector);
void lease_elector_acknowledge(struct lease_elector *elector);

void lease_elector_tell_worker(struct lease_elector *elector, const struct election_worker *worker);
void lease_elector_tell_poll(struct lease_elector *elector, const struct election_poll *poll);

struct lease_elector_view {
    enum election_state state;
    bool leads;
    char holder[ELECTION_IDENTITY_SIZE];
    char phase[16];
    int64_t transitions;
    int64_t terms;
    int64_t renewed_age_ms; /* -1 = the lease is not ours */
    int64_t failures;
    char error[256]; /* of the last call; "" = it worked */
};
void lease_elector_look(struct lease_elector *elector, struct lease_elector_view *out_view);

/* An event (events.k8s.io) about the Lease. From a callback, or before the start. */
void lease_elector_post(struct lease_elector *elector, const char *reason, const char *action,
                        bool warning, const char *note);

#endif
