/* The operator's loop of work: what the store sees is queued, looked at by the pure core, and
 * written. Several Connectors are worked on at a time, each by one. Belongs to the loop's thread.
 *
 * It always watches, so that it can begin at once; it asks workers and writes only while it leads.
 */
#ifndef OPERATOR_CONTROLLER_H
#define OPERATOR_CONTROLLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "kube/kube_client.h"
#include "operator/operator_metrics.h"
#include "operator/operator_settings.h"

struct controller_options {
    struct kube_client *client; /* must outlive it, like everything that is pointed to here */
    struct clock clock;
    struct log *log;
    struct operator_metrics *metrics;
    const struct operator_settings *settings;
    const char *const *namespaces;
    size_t namespace_count; /* 0 = all */
    const char *identity;   /* of events */
    uint64_t seed;
    bool (*may_write)(void *self); /* asked before each write */
    void *self;
};

struct controller;

struct controller *controller_start(const struct controller_options *options);
void controller_stop(struct controller *controller); /* NULL allowed */
CLEANUP_POINTER(struct controller, controller_stop)

/* From "no" on nothing is on its way to the API server that writes, but what was sent already. */
void controller_lead(struct controller *controller, bool leads);
bool controller_is_complete(const struct controller *controller); /* it has seen everything once */
void controller_measure(const struct controller *controller, struct operator_metrics_now *out_now);

#endif
