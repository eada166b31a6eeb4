/* The configuration, told to each room in its own options struct: the one place that knows both.
 * The structs view the configuration, which must outlive them. */
#ifndef CONNECTOR_SETTINGS_H
#define CONNECTOR_SETTINGS_H

#include <stdbool.h>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "connector/handler_builtin.h"
#include "format/encoder.h"
#include "format/topic_route.h"
#include "kafka/producer_options.h"
#include "postgres/db_conn.h"
#include "postgres/heartbeat.h"
#include "postgres/publication.h"
#include "postgres/relation_facts.h"

struct settings {
    const struct config *config; /* not owned */
    struct db_conn_options conn;
    struct publication_options publication;
    struct heartbeat_options heartbeat;
    struct producer_options producer;
    struct topic_route *route;
    struct encoder_options encoding;
    const struct encoder_ops *encoder;
    struct handler_builtin_key *keys;
    uint32_t key_count;
    bool all_tables;
    char application_name[64]; /* "pqcdc:" and a random UUID */

    /* memory behind the views */
    char *brokers;
    struct topic_route_options routing;
    struct topic_route_pair *mapping;
    struct publication_table *tables;
    struct producer_property *properties;
    struct producer_property *property_files;
};

/* What only the rooms can tell (a denied Kafka property, a bad topic template): every problem, with
 * where its option was given; true = there is none. For a configuration that was just loaded. */
MUST_CHECK bool settings_check(const struct config *config, struct config_problems *problems);

/* ERROR_CONFIG: the first of those problems. */
MUST_CHECK bool settings_new(const struct config *config, struct settings **out_settings,
                             struct error *err);
/* The UUID behind "pqcdc:" in application_name, instead of a random one. */
void settings_set_instance(struct settings *settings, const char *uuid);
/* As topic_route_find(). */
MUST_CHECK bool settings_topic(const struct settings *settings, const struct published_table *table,
                               char **out_topic, struct error *err);
void settings_free(struct settings *settings); /* NULL allowed */
CLEANUP_POINTER(struct settings, settings_free)

/* A log to standard error with the configuration's level and format, which need not outlive it;
 * log_free() it. */
struct log *settings_log(const struct config *config);
/* One with the configuration's level that hands its events to `sink`. */
struct log *settings_log_sink(const struct config *config, log_sink_fn *sink, void *sink_self);

#endif
