/* What a configuration that is in order must still be said about, at start. */
#ifndef CONNECTOR_CONFIG_NOTICE_H
#define CONNECTOR_CONFIG_NOTICE_H

#include "base/log.h"
#include "config/config.h"

/* One warning for each option without effect, for acknowledgements that promise no delivery, and
 * for properties of Kafka's client that switch the verification of brokers off. */
void config_notice_log(const struct config *config, struct log *log);

#endif
