/* What the operator was started with, as far as the wanted objects depend on it. Texts are borrowed
 * and outlive every plan. Constant after start; any thread. */
#ifndef OPERATOR_OPERATOR_SETTINGS_H
#define OPERATOR_OPERATOR_SETTINGS_H

#include <stdint.h>

struct operator_settings {
    const char *worker_image;      /* image of workers whose resource names none */
    const char *image_pull_policy; /* likewise; NULL or "" = Kubernetes' own default */
    int32_t worker_port;           /* of /status, /metrics and the probes */
    int64_t resync_ms;             /* every resource is looked at so often, whatever happens */
    int64_t status_interval_ms;    /* how often workers are asked for their /status */
};

#endif
