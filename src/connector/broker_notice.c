#include "connector/broker_notice.h"

#include <string.h>

static void tell(struct broker_notice *notice)
{
    struct outage outage = { notice->lost, notice->since_us };
    if (outage.error.class == ERROR_NONE) {
        (void)error_set(&outage.error, ERROR_RETRY, "brokers_unreached",
                        "kafka: no broker is connected that acknowledges what is sent");
        (void)error_advise(&outage.error, "Records wait until a broker is back; nothing is lost. "
                                          "Check kafka.brokers, the brokers and the network.");
    }
    status_set_kafka(notice->status, &outage);
    notice->told = true;
}

void broker_notice_hear(struct broker_notice *notice, const struct error *note)
{
    if (strcmp(note->code, "brokers_lost") != 0)
        return;
    notice->lost = *note;
    if (notice->told)
        tell(notice);
}

static void begin(struct broker_notice *notice, const struct clock *clock)
{
    notice->away = true;
    notice->since = clock_now(clock);
    notice->since_us = clock_wall_us(clock);
}

static void end(struct broker_notice *notice)
{
    if (notice->told)
        status_set_kafka(notice->status, NULL);
    *notice = (struct broker_notice){ .status = notice->status };
}

void broker_notice_look(struct broker_notice *notice, bool reached, const struct clock *clock)
{
    if (reached) {
        end(notice);
        return;
    }
    if (!notice->away)
        begin(notice, clock);
    if (!notice->told && mono_ms_since(clock_now(clock), notice->since) >= BROKER_NOTICE_AFTER_MS)
        tell(notice);
}
