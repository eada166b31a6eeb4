#include "kafka/topic_rights.h"

#include <stdbool.h>

#include "base/check.h"
#include "base/cleanup.h"

#if RD_KAFKA_VERSION >= 0x020300ff

CLEANUP_POINTER(rd_kafka_queue_t, rd_kafka_queue_destroy)
CLEANUP_POINTER(rd_kafka_event_t, rd_kafka_event_destroy)
CLEANUP_POINTER(rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy)
CLEANUP_POINTER(rd_kafka_TopicCollection_t, rd_kafka_TopicCollection_destroy)

static bool ask_for_rights(rd_kafka_AdminOptions_t *options, int deadline_ms)
{
    rd_kafka_error_t *failure = rd_kafka_AdminOptions_set_include_authorized_operations(options, 1);
    if (failure != NULL)
        rd_kafka_error_destroy(failure);
    return failure == NULL && rd_kafka_AdminOptions_set_request_timeout(
                                  options, deadline_ms, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* Who may see a topic may at least do that: none at all says that the broker did not answer. */
static enum topic_rights read_rights(rd_kafka_event_t *event)
{
    size_t topic_count = 0, count = 0;
    const rd_kafka_DescribeTopics_result_t *result =
        event != NULL ? rd_kafka_event_DescribeTopics_result(event) : NULL;
    if (result == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return TOPIC_RIGHTS_UNKNOWN;
    const rd_kafka_TopicDescription_t **topics =
        rd_kafka_DescribeTopics_result_topics(result, &topic_count);
    if (topic_count != 1)
        return TOPIC_RIGHTS_UNKNOWN;
    const rd_kafka_AclOperation_t *operations =
        rd_kafka_TopicDescription_authorized_operations(topics[0], &count);
    for (size_t i = 0; i < count; i++)
        if (operations[i] == RD_KAFKA_ACL_OPERATION_WRITE)
            return TOPIC_RIGHTS_WRITE;
    return count > 0 ? TOPIC_RIGHTS_NO_WRITE : TOPIC_RIGHTS_UNKNOWN;
}

enum topic_rights topic_rights_look(rd_kafka_t *client, const char *topic, int deadline_ms)
{
    AUTO(rd_kafka_queue_t *, rd_kafka_queue_destroy_p) queue = rd_kafka_queue_new(client);
    AUTO(rd_kafka_AdminOptions_t *, rd_kafka_AdminOptions_destroy_p)
    options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
    AUTO(rd_kafka_TopicCollection_t *, rd_kafka_TopicCollection_destroy_p)
    topics = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
    if (!ask_for_rights(options, deadline_ms))
        return TOPIC_RIGHTS_UNKNOWN;
    rd_kafka_DescribeTopics(client, topics, options, queue);
    AUTO(rd_kafka_event_t *, rd_kafka_event_destroy_p)
    event = rd_kafka_queue_poll(queue, 2 * deadline_ms);
    return read_rights(event);
}

#else

enum topic_rights topic_rights_look(rd_kafka_t *client UNUSED, const char *topic UNUSED,
                                    int deadline_ms UNUSED)
{
    return TOPIC_RIGHTS_UNKNOWN;
}

#endif
