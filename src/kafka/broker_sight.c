#include "kafka/broker_sight.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/memory.h"
#include "base/text.h"
#include "kafka/connection_error.h"
#include "kafka/kafka_error.h"
#include "kafka/tls_watch.h"

enum { ANSWER_DEADLINE_MS = 10 * 1000, ANSWER_PART_MS = 2 * 1000, REASON_SIZE = 512 };

CLEANUP_POINTER(rd_kafka_conf_t, rd_kafka_conf_destroy)
CLEANUP_POINTER(rd_kafka_t, rd_kafka_destroy)
CLEANUP_POINTER(rd_kafka_topic_t, rd_kafka_topic_destroy)
CLEANUP_POINTER(rd_kafka_queue_t, rd_kafka_queue_destroy)
CLEANUP_POINTER(rd_kafka_event_t, rd_kafka_event_destroy)
CLEANUP_POINTER(rd_kafka_AdminOptions_t, rd_kafka_AdminOptions_destroy)
CLEANUP_POINTER(rd_kafka_ConfigResource_t, rd_kafka_ConfigResource_destroy)

static void metadata_destroy_p(const rd_kafka_metadata_t **metadata)
{
    if (*metadata != NULL)
        rd_kafka_metadata_destroy(*metadata);
}

/* ---- the client ---- */

/* What a producer does at the brokers beside asking. */
static void forbid_changes(rd_kafka_conf_t *conf)
{
    static const struct producer_property changes[] = {
        { "enable.gapless.guarantee", "false" },
        { "enable.idempotence", "false" },
        { "allow.auto.create.topics", "false" },
    };
    for (size_t i = 0; i < COUNT_OF(changes); i++)
        CHECK(rd_kafka_conf_set(conf, changes[i].name, changes[i].value, NULL, 0) ==
              RD_KAFKA_CONF_OK);
}

static void read_conf(const rd_kafka_conf_t *conf, struct broker_sight *sight)
{
    sight->message_max_bytes = producer_options_message_max_bytes(conf);
    producer_options_user(conf, sight->user, sizeof(sight->user));
}

static bool is_oauth(const rd_kafka_conf_t *conf)
{
    char text[64] = "";
    size_t size = sizeof(text);
    return rd_kafka_conf_get(conf, "sasl.mechanisms", text, &size) == RD_KAFKA_CONF_OK &&
           strcmp(text, "OAUTHBEARER") == 0;
}

static bool refresh_tokens(rd_kafka_t *client, struct error *err)
{
    rd_kafka_error_t *failure = rd_kafka_sasl_background_callbacks_enable(client);
    if (failure == NULL)
        return true;
    kafka_error_set(err, rd_kafka_error_code(failure), "kafka: %s", rd_kafka_error_string(failure));
    rd_kafka_error_destroy(failure);
    return false;
}

static bool client_new(const struct producer_options *options, struct tls_watch *tls,
                       struct broker_sight *sight, rd_kafka_t **out_client, struct error *err)
{
    char reason[REASON_SIZE];
    AUTO(rd_kafka_conf_t *, rd_kafka_conf_destroy_p) conf = NULL;
    AUTO(rd_kafka_t *, rd_kafka_destroy_p) client = NULL;
    if (!producer_options_build(options, &conf, err))
        return false;
    read_conf(conf, sight);
    forbid_changes(conf);
    bool tokens = is_oauth(conf);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    rd_kafka_conf_enable_sasl_queue(conf, 1);
    tls_watch_install(tls, conf);
    client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    if (client == NULL)
        return kafka_error_no_start(err, "the client", reason);
    (void)TAKE(conf);
    rd_kafka_set_log_queue(client, NULL);
    if (tokens && !refresh_tokens(client, err))
        return false;
    *out_client = TAKE(client);
    return true;
}

/* ---- brokers ---- */

/* What the client said of its brokers since, if anything: of one of them, rather than that all are
 * down. */
static void hear(rd_kafka_t *client, struct tls_watch *tls, struct error *said)
{
    AUTO(rd_kafka_queue_t *, rd_kafka_queue_destroy_p) queue = rd_kafka_queue_get_main(client);
    for (;;) {
        AUTO(rd_kafka_event_t *, rd_kafka_event_destroy_p) event = rd_kafka_queue_poll(queue, 0);
        if (event == NULL)
            return;
        rd_kafka_resp_err_t told = rd_kafka_event_error(event);
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            told != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
            connection_error_set(said, told, rd_kafka_event_error_string(event), tls);
    }
}

static bool brokers_failed(const struct error *said, rd_kafka_resp_err_t code, struct error *err)
{
    if (said->class == ERROR_NONE)
        return kafka_error_set(err, code, "kafka: no broker answers");
    const char *text = said->text;
    text += strncmp(text, "kafka: ", 7) == 0 ? 7 : 0;
    error_set(err, said->class, said->code, "kafka: no broker answers: %s", text);
    return error_advise(err, "%s", said->advice);
}

/* Some broker answers within the whole time, or one has refused and no other answered in a part. */
static bool look_at_brokers(rd_kafka_t *client, struct tls_watch *tls, struct broker_sight *sight,
                            struct error *err)
{
    struct error said = ERROR_INIT;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int waited_ms = 0; waited_ms < ANSWER_DEADLINE_MS; waited_ms += ANSWER_PART_MS) {
        AUTO(const rd_kafka_metadata_t *, metadata_destroy_p) metadata = NULL;
        code = rd_kafka_metadata(client, 0, NULL, &metadata, ANSWER_PART_MS);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            sight->broker_count = (uint32_t)metadata->broker_cnt;
            return true;
        }
        hear(client, tls, &said);
        if (connection_error_is_refusal(&said))
            break;
    }
    return brokers_failed(&said, code, err);
}

/* ---- topics ---- */

static void read_partitions(const rd_kafka_metadata_topic_t *topic, struct topic_sight *sight)
{
    sight->exists = true;
    sight->partition_count = (uint32_t)topic->partition_cnt;
    sight->least_in_sync = UINT32_MAX;
    for (int i = 0; i < topic->partition_cnt; i++) {
        uint32_t in_sync = (uint32_t)topic->partitions[i].isr_cnt;
        sight->leaderless_count += topic->partitions[i].leader < 0 ? 1 : 0;
        sight->least_in_sync = in_sync < sight->least_in_sync ? in_sync : sight->least_in_sync;
    }
}

static void look_at_topic(rd_kafka_t *client, struct topic_sight *sight)
{
    AUTO(const rd_kafka_metadata_t *, metadata_destroy_p) metadata = NULL;
    AUTO(rd_kafka_topic_t *, rd_kafka_topic_destroy_p)
    handle = rd_kafka_topic_new(client, sight->name, NULL);
    rd_kafka_resp_err_t code =
        handle != NULL ? rd_kafka_metadata(client, 0, handle, &metadata, ANSWER_DEADLINE_MS)
                       : rd_kafka_last_error();
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        code = metadata->topic_cnt == 1 ? metadata->topics[0].err
                                        : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        read_partitions(&metadata->topics[0], sight);
    else if (code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        kafka_error_set(&sight->failure, code, "topic \"%s\"", sight->name);
}

static void read_setting(const rd_kafka_ConfigEntry_t *entry, struct topic_sight *sight)
{
    const struct {
        const char *name;
        int64_t *value;
    } settings[] = {
        { "max.message.bytes", &sight->max_message_bytes },
        { "min.insync.replicas", &sight->min_in_sync },
    };
    const char *value = rd_kafka_ConfigEntry_value(entry);
    for (size_t i = 0; i < COUNT_OF(settings); i++)
        if (value != NULL && strcmp(rd_kafka_ConfigEntry_name(entry), settings[i].name) == 0 &&
            !text_parse_i64(value, settings[i].value))
            *settings[i].value = 0;
}

static rd_kafka_resp_err_t read_settings(rd_kafka_event_t *event, struct topic_sight *sight)
{
    const rd_kafka_DescribeConfigs_result_t *result =
        event != NULL ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    if (result == NULL)
        return event != NULL ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    size_t resource_count = 0, count = 0;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(result, &resource_count);
    if (resource_count != 1)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resources[0], &count);
    for (size_t i = 0; i < count; i++)
        read_setting(entries[i], sight);
    return rd_kafka_ConfigResource_error(resources[0]);
}

static void look_at_settings(rd_kafka_t *client, struct topic_sight *sight)
{
    AUTO(rd_kafka_queue_t *, rd_kafka_queue_destroy_p) queue = rd_kafka_queue_new(client);
    AUTO(rd_kafka_AdminOptions_t *, rd_kafka_AdminOptions_destroy_p)
    options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    AUTO(rd_kafka_ConfigResource_t *, rd_kafka_ConfigResource_destroy_p)
    resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, sight->name);
    rd_kafka_resp_err_t code =
        rd_kafka_AdminOptions_set_request_timeout(options, ANSWER_DEADLINE_MS, NULL, 0);
    CHECK(code == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_DescribeConfigs(client, &resource, 1, options, queue);
    AUTO(rd_kafka_event_t *, rd_kafka_event_destroy_p)
    event = rd_kafka_queue_poll(queue, 2 * ANSWER_DEADLINE_MS);
    code = read_settings(event, sight);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        kafka_error_set(&sight->limits_failure, code, "settings of topic \"%s\"", sight->name);
}

/* ---- the whole ---- */

bool broker_sight_look(const struct producer_options *options, char *const *topics,
                       uint32_t topic_count, struct broker_sight *out_sight, struct error *err)
{
    struct broker_sight sight = { .broker_count = 0 };
    AUTO(struct tls_watch *, tls_watch_free_p) tls = tls_watch_new();
    AUTO(rd_kafka_t *, rd_kafka_destroy_p) client = NULL; /* goes before what it uses */
    if (!client_new(options, tls, &sight, &client, err) ||
        !look_at_brokers(client, tls, &sight, err))
        return false;
    sight.topics = memory_array(topic_count + 1, sizeof(*sight.topics));
    sight.topic_count = topic_count;
    for (uint32_t i = 0; i < topic_count; i++) {
        sight.topics[i].name = topics[i];
        look_at_topic(client, &sight.topics[i]);
        if (!sight.topics[i].exists)
            continue;
        look_at_settings(client, &sight.topics[i]);
        sight.topics[i].rights = topic_rights_look(client, topics[i], ANSWER_DEADLINE_MS);
    }
    *out_sight = sight;
    return true;
}

void broker_sight_done(struct broker_sight *sight)
{
    memory_free(sight->topics);
    *sight = (struct broker_sight){ .broker_count = 0 };
}
