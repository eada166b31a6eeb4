#include "connector/config_notice.h"

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
}
