#include "worker/check_kafka.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

bool check_kafka_brokers(struct check_sight *sight, struct error *err)
{
    if (!broker_sight_look(&sight->settings->producer, sight->topics, sight->topic_count,
                           &sight->brokers, err))
        return false;
    check_say(sight, OK, MEND_NONE, "%u brokers", sight->brokers.broker_count);
    return true;
}

/* ---- topics ---- */

static void topic_missing(struct check_sight *sight, const struct topic_sight *topic)
{
    if (sight->config->kafka_allow_auto_topic_creation) {
        check_say(sight, OK, MEND_NONE,
                  "topic \"%s\" does not exist: the first record makes it, where the brokers allow "
                  "that",
                  topic->name);
        return;
    }
    AUTO(char *, memory_free_p) command =
        text_format("kafka-topics.sh --bootstrap-server %s --create --topic %s",
                    sight->settings->producer.brokers, topic->name);
    check_say(sight, FAIL, MEND_COMMAND(command), "topic \"%s\" does not exist", topic->name);
}

static void topic_forbidden(struct check_sight *sight, const struct topic_sight *topic,
                            const char *text)
{
    AUTO(char *, memory_free_p)
    command = producer_options_rights(sight->settings->producer.brokers, sight->brokers.user,
                                      topic->name, sight->config->kafka_allow_auto_topic_creation);
    check_say(sight, FAIL, MEND_COMMAND(command), "%s", text);
}

static void topic_unseen(struct check_sight *sight, const struct topic_sight *topic)
{
    if (strcmp(topic->failure.code, "TOPIC_AUTHORIZATION_FAILED") != 0)
        check_report_add_error(&sight->report, sight->check, &topic->failure);
    else
        topic_forbidden(sight, topic, topic->failure.text);
}

static void topic_not_writable(struct check_sight *sight, const struct topic_sight *topic)
{
    AUTO(char *, memory_free_p) text =
        text_format("topic \"%s\": it may be seen, and may not be written to", topic->name);
    topic_forbidden(sight, topic, text);
}

/* What acks=all waits for. */
static bool lacks_replicas(const struct check_sight *sight, const struct topic_sight *topic)
{
    return sight->settings->producer.required_acks == -1 &&
           topic->least_in_sync < topic->min_in_sync;
}

static void check_topic(struct check_sight *sight, const struct topic_sight *topic)
{
    if (topic->failure.class != ERROR_NONE)
        topic_unseen(sight, topic);
    else if (!topic->exists)
        topic_missing(sight, topic);
    else if (topic->rights == TOPIC_RIGHTS_NO_WRITE)
        topic_not_writable(sight, topic);
    else if (topic->leaderless_count > 0)
        check_say(sight, FAIL, MEND_ADVICE("bring the brokers of its replicas back"),
                  "topic \"%s\": %u of %u partitions have no leader", topic->name,
                  topic->leaderless_count, topic->partition_count);
    else if (lacks_replicas(sight, topic))
        check_say(sight, FAIL,
                  MEND_ADVICE("bring brokers back, or lower the topic's min.insync.replicas"),
                  "topic \"%s\": a partition has %u replicas in sync, min.insync.replicas is %lld: "
                  "records wait",
                  topic->name, topic->least_in_sync, (long long)topic->min_in_sync);
    else
        check_say(sight, OK, MEND_NONE, "topic \"%s\": %u partitions; %s", topic->name,
                  topic->partition_count,
                  topic->rights == TOPIC_RIGHTS_WRITE
                      ? "it may be written to"
                      : "whether it may be written to, the first record tells");
}

bool check_kafka_topics(struct check_sight *sight, struct error *err UNUSED)
{
    for (uint32_t i = 0; i < sight->brokers.topic_count; i++)
        check_topic(sight, &sight->brokers.topics[i]);
    if (sight->brokers.topic_count == 0)
        check_say(sight, OK, MEND_NONE, "no table goes to a topic");
    return true;
}

/* ---- the size of records ---- */

/* The largest record that may come to Kafka. */
static int64_t largest_record(const struct check_sight *sight)
{
    int64_t ours = sight->brokers.message_max_bytes;
    int64_t limit = sight->config->cdc_max_record_bytes;
    return limit < ours ? limit : ours;
}

static void check_own_limits(struct check_sight *sight)
{
    int64_t ours = sight->brokers.message_max_bytes;
    int64_t limit = sight->config->cdc_max_record_bytes;
    if (limit <= ours || config_origin(sight->config, "cdc.maxRecordBytes") == NULL) {
        check_say(sight, OK, MEND_NONE, "records of up to %lld bytes are sent",
                  (long long)largest_record(sight));
        return;
    }
    AUTO(char *, memory_free_p) advice = text_format(
        "set kafka.properties message.max.bytes: %lld, and max.message.bytes of the topics",
        (long long)limit);
    check_say(
        sight, WARN, MEND_ADVICE(advice),
        "cdc.maxRecordBytes is %lld, but the client sends at most message.max.bytes = %lld: a "
        "record between halts the line",
        (long long)limit, (long long)ours);
}

static void check_topic_limit(struct check_sight *sight, const struct topic_sight *topic)
{
    const char *brokers = sight->settings->producer.brokers;
    int64_t largest = largest_record(sight);
    if (topic->limits_failure.class != ERROR_NONE) {
        check_say(sight, SKIP, MEND_NONE, "topic \"%s\": its limits cannot be read: %s",
                  topic->name, topic->limits_failure.text);
        return;
    }
    if (topic->max_message_bytes >= largest) {
        check_say(sight, OK, MEND_NONE, "topic \"%s\" takes %lld bytes", topic->name,
                  (long long)topic->max_message_bytes);
        return;
    }
    AUTO(char *, memory_free_p) command = text_format(
        "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s "
        "--add-config max.message.bytes=%lld",
        brokers, topic->name, (long long)largest);
    check_say(sight, FAIL, MEND_COMMAND(command),
              "topic \"%s\" takes %lld bytes, records may have %lld: one between halts the line",
              topic->name, (long long)topic->max_message_bytes, (long long)largest);
}

bool check_kafka_record_size(struct check_sight *sight, struct error *err UNUSED)
{
    check_own_limits(sight);
    for (uint32_t i = 0; i < sight->brokers.topic_count; i++)
        if (sight->brokers.topics[i].exists)
            check_topic_limit(sight, &sight->brokers.topics[i]);
    return true;
}
