#include "connector/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/uuid.h"
#include "config/config_option.h"
#include "connector/table_topic.h"

/* The configuration itself is limited to that. */
enum { SETTINGS_BROKERS_LIMIT_BYTES = 1024 * 1024 };

_Static_assert((int)CONFIG_HEADER_OPERATION == (int)ENCODER_HEADER_OPERATION &&
                   (int)CONFIG_HEADER_POS == (int)ENCODER_HEADER_POS,
               "header bits of the configuration are those of the encoder");
_Static_assert((int)CONFIG_OPERATION_TRUNCATE == (int)PUBLICATION_TRUNCATE &&
                   (int)CONFIG_OPERATION_INSERT == (int)PUBLICATION_INSERT,
               "operation bits of the configuration are those of the publication");

/* So that a slot's holder can be recognised. */
void settings_set_instance(struct settings *settings, const char *uuid)
{
    (void)snprintf(settings->application_name, sizeof(settings->application_name), "pqcdc:%s",
                   uuid);
}

static void set_conn(struct settings *settings)
{
    const struct config *config = settings->config;
    settings->conn = (struct db_conn_options){
        .host = config->cdc_host,
        .port = config->cdc_port,
        .user = config->cdc_username,
        .database = config->cdc_database,
        .password = config->cdc_password,
        .password_file = config->cdc_password_file,
        .ssl_mode = config->cdc_ssl_mode,
        .ssl_root_cert = config->cdc_ssl_root_cert,
        .ssl_cert = config->cdc_ssl_cert,
        .ssl_key = config->cdc_ssl_key,
        .channel_binding = config->cdc_channel_binding,
        .application_name = settings->application_name,
    };
}

static bool publishes_via_root(const struct config *config)
{
    bool via_root = config->cdc_publication_via_partition_root;
    for (uint32_t i = 0; i < config->cdc_publication_tables.count; i++)
        via_root = via_root || config->cdc_publication_tables.items[i].partitioned;
    return via_root;
}

static void set_publication(struct settings *settings)
{
    const struct config *config = settings->config;
    uint32_t count = config->cdc_publication_tables.count;
    settings->tables = memory_array(count + 1, sizeof(*settings->tables));
    settings->keys = memory_array(count + 1, sizeof(*settings->keys));
    settings->key_count = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct config_table *table = &config->cdc_publication_tables.items[i];
        settings->tables[i] = (struct publication_table){
            .schema = table->schema,
            .name = table->name,
            .replica_identity = table->replica_identity,
            .replica_identity_index = table->replica_identity_index,
            .columns = table->columns.items,
            .column_count = table->columns.count,
            .key_columns = table->key_columns.items,
            .key_column_count = table->key_columns.count,
        };
        settings->keys[i] = (struct handler_builtin_key){
            .schema = table->schema,
            .table = table->name,
            .columns = table->key_columns.items,
            .column_count = table->key_columns.count,
        };
    }
    settings->publication = (struct publication_options){
        .name = config->cdc_publication_name,
        .create_if_not_exists = config->cdc_publication_create_if_not_exists,
        .reconcile = config->cdc_publication_reconcile,
        .operations = config->cdc_publication_operations,
        .tables = settings->tables,
        .table_count = count,
        .schemas = config->cdc_publication_schemas.items,
        .schema_count = config->cdc_publication_schemas.count,
        .via_partition_root = publishes_via_root(config),
    };
    settings->all_tables = publication_is_for_all_tables(&settings->publication);
}

static void set_heartbeat(struct settings *settings)
{
    const struct config *config = settings->config;
    settings->heartbeat = (struct heartbeat_options){
        .interval_ms = config->cdc_heartbeat_interval_ms,
        .schema = config->cdc_heartbeat_table_schema,
        .table = config->cdc_heartbeat_table_name,
        .query = config->cdc_heartbeat_query,
    };
}

static char *join(const struct config_list *list)
{
    AUTO(struct buf, buf_done) joined = buf_init(SETTINGS_BROKERS_LIMIT_BYTES);
    for (uint32_t i = 0; i < list->count; i++) {
        buf_append_text(&joined, i > 0 ? "," : "");
        buf_append_text(&joined, list->items[i]);
    }
    return memory_text(buf_text(&joined));
}

static struct producer_property *properties_of(const struct config_map *map)
{
    struct producer_property *properties = memory_array(map->count + 1, sizeof(*properties));
    for (uint32_t i = 0; i < map->count; i++)
        properties[i] = (struct producer_property){ map->pairs[i].name, map->pairs[i].value };
    return properties;
}

static void set_producer(struct settings *settings)
{
    const struct config *config = settings->config;
    settings->brokers = join(&config->kafka_brokers);
    settings->properties = properties_of(&config->kafka_properties);
    settings->property_files = properties_of(&config->kafka_property_files);
    settings->producer = (struct producer_options){
        .brokers = settings->brokers,
        .client_id = config->kafka_client_id,
        .required_acks = (int)config->kafka_required_acks,
        .batch_records = config->kafka_producer_batch_size,
        .batch_bytes = config->kafka_producer_batch_bytes,
        .linger_ms = config->kafka_producer_batch_ticker_duration_ms,
        .read_timeout_ms = config->kafka_read_timeout_ms,
        .write_timeout_ms = config->kafka_write_timeout_ms,
        .metadata_ttl_ms = config->kafka_metadata_ttl_ms,
        .compression = config->kafka_compression,
        .balancer = config->kafka_balancer,
        .allow_auto_topic_creation = config->kafka_allow_auto_topic_creation,
        .in_flight_bytes = config->kafka_max_in_flight_bytes,
        .max_attempts = config->kafka_producer_max_attempts,
        .properties = settings->properties,
        .property_count = config->kafka_properties.count,
        .property_files = settings->property_files,
        .property_file_count = config->kafka_property_files.count,
        .secure_connection = config->kafka_secure_connection,
        .root_ca = config->kafka_root_ca,
        .inter_ca = config->kafka_inter_ca,
        .scram_username = config->kafka_scram_username,
        .scram_password = config->kafka_scram_password,
        .scram_password_file = config->kafka_scram_password_file,
    };
}

static bool skips_unmapped(const struct settings *settings)
{
    switch (settings->config->kafka_unmapped) {
    case CONFIG_UNMAPPED_UNSET:
        return settings->all_tables;
    case CONFIG_UNMAPPED_FAIL:
        return false;
    case CONFIG_UNMAPPED_SKIP:
        return true;
    }
    return false;
}

static void set_route(struct settings *settings)
{
    const struct config *config = settings->config;
    const struct config_map *map = &config->kafka_table_topic_mapping;
    settings->mapping = memory_array(map->count + 1, sizeof(*settings->mapping));
    for (uint32_t i = 0; i < map->count; i++)
        settings->mapping[i] = (struct topic_route_pair){ map->pairs[i].name, map->pairs[i].value };
    settings->routing = (struct topic_route_options){
        .pairs = settings->mapping,
        .pair_count = map->count,
        .topic_template = config->kafka_topic_template,
        .database = config->cdc_database,
        .unmapped = skips_unmapped(settings) ? TOPIC_ROUTE_SKIP : TOPIC_ROUTE_FAIL,
        .aside_schema = config->cdc_heartbeat_table_schema,
        .aside_table = config->cdc_heartbeat_table_name,
    };
}

static bool set_encoding(struct settings *settings, struct error *err)
{
    const struct config *config = settings->config;
    settings->encoder = encoder_find(config->format_name);
    if (settings->encoder == NULL)
        return error_set(err, ERROR_CONFIG, "format_unknown", "format.name: \"%s\" is not a format",
                         config->format_name);
    settings->encoding = (struct encoder_options){
        .headers = config->format_headers,
        .tombstones = config->format_tombstones,
        .truncate = config->format_truncate,
        .max_record_bytes = (uint64_t)config->cdc_max_record_bytes,
    };
    return true;
}

static struct settings *fill(const struct config *config)
{
    struct settings *settings = memory_alloc(sizeof(*settings));
    settings->config = config;
    char uuid[UUID_TEXT_SIZE];
    uuid_random(uuid);
    settings_set_instance(settings, uuid);
    set_conn(settings);
    set_publication(settings);
    set_heartbeat(settings);
    set_producer(settings);
    set_route(settings);
    return settings;
}

/* Every problem of the rooms that are asked. */

struct checking {
    const struct config *config;
    struct config_problems *problems;
};

/* The option that an error of a room is about. */
static const char *option_of(const struct error *problem)
{
    static const struct {
        const char *code, *path;
    } rows[] = {
        { "brokers_missing", "kafka.brokers" },
        { "acks_invalid", "kafka.requiredAcks" },
        { "in_flight_invalid", "kafka.maxInFlightBytes" },
        { "balancer_unknown", "kafka.balancer" },
        { "topic_template_invalid", "kafka.topicTemplate" },
        { "topic_name_invalid", "kafka.tableTopicMapping" },
        { "topic_mapping_conflict", "kafka.tableTopicMapping" },
        { "format_unknown", "format.name" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (strcmp(problem->code, rows[i].code) == 0)
            return rows[i].path;
    const struct config_option *begin =
        config_option_find((struct slice){ problem->text, strcspn(problem->text, ":") });
    return begin != NULL ? begin->path : NULL;
}

/* The text without "kafka.properties: " in front: the problem has its path already. */
static const char *without_path(const char *text, const char *path)
{
    size_t size = strlen(path);
    return strncmp(text, path, size) == 0 && text[size] == ':' ? text + size + 2 : text;
}

static void complain(void *self, const struct error *problem)
{
    const struct checking *checking = self;
    const char *path = option_of(problem);
    const char *where = path != NULL ? config_where(checking->config, path) : NULL;
    config_problems_add(checking->problems, where, path, "%s%s%s",
                        path != NULL ? without_path(problem->text, path) : problem->text,
                        problem->advice[0] != '\0' ? "; " : "", problem->advice);
}

bool settings_check(const struct config *config, struct config_problems *problems)
{
    AUTO(struct settings *, settings_free_p) settings = fill(config);
    struct checking checking = { config, problems };
    struct error err = ERROR_INIT;
    bool well = producer_options_check(&settings->producer, complain, &checking);
    well = topic_route_check(&settings->routing, complain, &checking) && well;
    if (set_encoding(settings, &err))
        return well;
    complain(&checking, &err);
    return false;
}

static void keep_first(void *self, const struct error *problem)
{
    struct error *first = self;
    if (first->class == ERROR_NONE)
        *first = *problem;
}

bool settings_new(const struct config *config, struct settings **out_settings, struct error *err)
{
    AUTO(struct settings *, settings_free_p) settings = fill(config);
    struct error first = ERROR_INIT;
    if (!producer_options_check(&settings->producer, keep_first, &first)) {
        *err = first;
        return false;
    }
    if (!topic_route_new(&settings->routing, &settings->route, err) || !set_encoding(settings, err))
        return false;
    *out_settings = TAKE(settings);
    return true;
}

bool settings_topic(const struct settings *settings, const struct published_table *table,
                    char **out_topic, struct error *err)
{
    return table_topic_of_published(settings->route, table, out_topic, err);
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    topic_route_free(settings->route);
    memory_free(settings->brokers);
    memory_free(settings->mapping);
    memory_free(settings->tables);
    memory_free(settings->keys);
    memory_free(settings->properties);
    memory_free(settings->property_files);
    memory_free(settings);
}

struct log *settings_log_sink(const struct config *config, log_sink_fn *sink, void *sink_self)
{
    return log_new(&(struct log_options){
        .fd = STDERR_FILENO,
        .level = (enum log_level)config->cdc_logger_log_level,
        .format = config->cdc_logger_format == CONFIG_LOG_FORMAT_TEXT ? LOG_TEXT : LOG_JSON,
        .clock = clock_system(),
        .sink = sink,
        .sink_self = sink_self,
    });
}

struct log *settings_log(const struct config *config)
{
    return settings_log_sink(config, NULL, NULL);
}
