/* What a program's or a plug-in's handler may ask of the connector that it runs in: its options,
 * the log, metrics. Implements include/pqcdc/pqcdc.h. Any thread. */
#ifndef CONNECTOR_HANDLER_HOST_H
#define CONNECTOR_HANDLER_HOST_H

#include <pthread.h>

#include "base/log.h"
#include "base/metrics.h"
#include "config/config.h"
#include "pqcdc/pqcdc.h"

struct pqcdc_host {
    pthread_mutex_t lock; /* one metric is made at a time */
    struct log *log;      /* not owned, as the metrics */
    struct metrics *metrics;
    struct config_pair *options; /* names view the configuration; values are owned */
    uint32_t option_count;
};

/* Reads handler.optionFiles, which win over handler.options. ERROR_CONFIG: one cannot be read. */
MUST_CHECK bool handler_host_init(struct pqcdc_host *host, const struct config *config,
                                  struct log *log, struct metrics *metrics, struct error *err);
void handler_host_done(struct pqcdc_host *host); /* wipes the values */

const char *handler_host_option(const struct pqcdc_host *host, const char *name);
void handler_host_log(struct pqcdc_host *host, enum pqcdc_level level, const char *text,
                      const struct pqcdc_field *fields, size_t field_count);
/* NULL: *out_why says why. */
struct metric *handler_host_metric(struct pqcdc_host *host, enum pqcdc_metric_kind kind,
                                   const char *name, const char *help,
                                   const struct pqcdc_label *labels, size_t label_count,
                                   const char **out_why);

#endif
