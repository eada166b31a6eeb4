/* What the checks of `pqcdc check` share: what was seen so far, and the report. Each check of
 * check_postgres.h and check_kafka.h adds its rows; false = a failure that ends it, which the
 * caller makes a row. */
#ifndef WORKER_CHECK_SIGHT_H
#define WORKER_CHECK_SIGHT_H

#include "connector/settings.h"
#include "kafka/broker_sight.h"
#include "postgres/publication.h"
#include "postgres/server_sight.h"
#include "postgres/slot.h"
#include "worker/check_report.h"

struct check_sight {
    const struct config *config;
    const struct settings *settings;
    struct check_report report;
    const char *check; /* whose turn it is */

    struct db_conn *conn;
    struct server_sight server;
    struct slot_sight slot;
    struct publication_standing publication;
    bool publication_drifted; /* it is not as configured */
    char **topics;            /* those that tables go to, each once */
    uint32_t topic_count;
    struct broker_sight brokers;
};

/* A row of the check whose turn it is. */
#define check_say(sight, status, mend, ...)                                                        \
    check_report_add(&(sight)->report, CHECK_STATUS_##status, (sight)->check, mend, __VA_ARGS__)

#define MEND_NONE          ((struct check_mend){ .sql = NULL })
#define MEND_SQL(text)     ((struct check_mend){ .sql = (text) })
#define MEND_COMMAND(text) ((struct check_mend){ .command = (text) })
#define MEND_ADVICE(text)  ((struct check_mend){ .advice = (text) })

typedef bool check_fn(struct check_sight *sight, struct error *err);

#endif
