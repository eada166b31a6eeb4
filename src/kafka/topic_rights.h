/* Whether who is logged in may write to a topic: asked, not tried. Only librdkafka 2.3 and later
 * can ask (rdkafka.h: rd_kafka_AdminOptions_set_include_authorized_operations()), and brokers
 * from 2.3 on answer. */
#ifndef KAFKA_TOPIC_RIGHTS_H
#define KAFKA_TOPIC_RIGHTS_H

#include <librdkafka/rdkafka.h>

enum topic_rights { TOPIC_RIGHTS_UNKNOWN, TOPIC_RIGHTS_WRITE, TOPIC_RIGHTS_NO_WRITE };

/* Of a topic that exists and may be seen. Waits at most twice the deadline. */
enum topic_rights topic_rights_look(rd_kafka_t *client, const char *topic, int deadline_ms);

#endif
