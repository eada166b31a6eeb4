/* What the pods of a Connector and their /status say together. Pure; any thread.
 *
 * Reports: {pod name: {"body": /status} or {"error": text}}, as in reconcile.h. All texts and
 * objects are borrowed from them. */
#ifndef OPERATOR_WORKERS_H
#define OPERATOR_WORKERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { WORKERS_TEXT_SIZE = 1024, WORKERS_REASON_SIZE = 64 };

/* One pod and what it says. */
struct workers_voice {
    const char *pod; /* "" = nobody */
    const json_t *body;
    const json_t *error; /* what it says of itself: {class, code, name, sqlstate, text, advice} */
};

struct workers {
    uint32_t pods;     /* of the Deployment, those that go away included */
    uint32_t answered; /* gave a /status */

    const char *leader;             /* pod that holds the Lease; "" = none that is known */
    struct workers_voice leading;   /* the leader's, when it answers */
    struct workers_voice streaming; /* reads the slot and writes into Kafka */
    struct workers_voice halted;    /* needs a person; is halted, or is about to try again */
    struct workers_voice failing;   /* tries again after an error */
    struct workers_voice blind;     /* does not see the database; at best who streams or leads */
    struct workers_voice cut_off;   /* reaches no broker of Kafka; likewise */
    uint32_t blinds, cut_offs;      /* how many */
    struct workers_voice slot; /* the freshest sight of the slot, the streaming one's at best */

    const char *unreachable; /* a running pod that does not answer, and why */
    const char *unreachable_text;

    /* Why a pod cannot run, as Kubernetes calls it ("ImagePullBackOff"; "ContainerCreating" only
     * after it took long); "" = all can. */
    char stuck[WORKERS_REASON_SIZE];
    char stuck_text[WORKERS_TEXT_SIZE]; /* with the pod's name */
};

void workers_read(const json_t *pods, const json_t *reports, int64_t now_us,
                  struct workers *out_workers);

/* True for a pod of the Deployment that is not over; false for the Job's. */
bool workers_is_worker(const json_t *pod);

/* Why the Job's pod cannot run or did not succeed, newest first; "" = nothing to say. */
void workers_read_drop(const json_t *pods, int64_t now_us, char out_text[WORKERS_TEXT_SIZE]);

#endif
