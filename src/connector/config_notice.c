#include "connector/config_notice.h"

#include <string.h>
#include <strings.h>

/* Properties whose value switches off what protects a connection. */
static const struct {
    const char *property, *value, *message;
} unsafe[] = {
    { "enable.ssl.certificate.verification", "false",
      "kafka.properties: the brokers' certificates are not verified" },
    { "ssl.endpoint.identification.algorithm", "none",
      "kafka.properties: the brokers' host names are not verified" },
};

static void log_unsafe(const struct config *config, struct log *log)
{
    const struct config_map *map = &config->kafka_properties;
    for (uint32_t i = 0; i < map->count; i++)
        for (size_t row = 0; row < COUNT_OF(unsafe); row++)
            if (strcmp(map->pairs[i].name, unsafe[row].property) == 0 &&
                strcasecmp(map->pairs[i].value, unsafe[row].value) == 0)
                log_warn(log, unsafe[row].message, LOG_STR("property", map->pairs[i].name));
}

void config_notice_log(const struct config *config, struct log *log)
{
    uint32_t count;
    const struct config_ignored *ignored = config_ignored_all(config, &count);
    for (uint32_t i = 0; i < count; i++)
        log_warn(log, "an option has no effect", LOG_STR("option", ignored[i].path),
                 LOG_STR("where", ignored[i].where), LOG_STR("why", ignored[i].why));
    if (config->kafka_required_acks != -1)
        log_warn(log, "kafka.requiredAcks is not -1: records can be lost when a broker fails",
                 LOG_INT("required_acks", config->kafka_required_acks),
                 LOG_STR("advice", "remove kafka.requiredAcks to have every record delivered"));
    log_unsafe(config, log);
}
