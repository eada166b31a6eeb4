#include "config/config_check.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/config_private.h"

struct check {
    const struct config *config;
    struct config_problems *problems;
};

/* PostgreSQL's own limits: NAMEDATALEN - 1, MaxHeapAttributeNumber. */
enum { SLOT_NAME_MAX_BYTES = 63, TABLE_COLUMN_MAX = 1600 };

enum { HEARTBEAT_SHORTEST_MS = 10 };

/* Kubernetes': names of objects (RFC 1123 subdomains) and of namespaces (labels). */
enum { OBJECT_NAME_MAX_BYTES = 253, NAMESPACE_MAX_BYTES = 63 };

#define HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static const char *where_of(const struct check *check, const char *path)
{
    const struct config_option *option = config_option_find(slice_of(path));
    CHECK(option != NULL);
    return check->config->private->given[config_option_index(option)].where;
}

#define complain(check, path, ...)                                                                 \
    config_problems_add((check)->problems, where_of(check, path), path, __VA_ARGS__)

static uint32_t count_parts(const char *text)
{
    uint32_t count = 1;
    for (; *text != '\0'; text++)
        count += *text == ',';
    return count;
}

static bool is_port(struct slice text)
{
    int64_t port = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || port > UINT16_MAX)
            return false;
        port = port * 10 + (text.data[i] - '0');
    }
    return port >= 1 && port <= UINT16_MAX;
}

static void check_ports(const struct check *check)
{
    const char *text = check->config->cdc_port;
    while (true) {
        size_t size = strcspn(text, ",");
        if (!is_port((struct slice){ text, size })) {
            complain(check, "cdc.port",
                     "expected a port from 1 to 65535, or one for each host separated by commas; "
                     "got \"%s\"",
                     check->config->cdc_port);
            return;
        }
        if (text[size] == '\0')
            break;
        text += size + 1;
    }
    uint32_t ports = count_parts(check->config->cdc_port);
    const char *host = check->config->cdc_host;
    if (host != NULL && ports > 1 && ports != count_parts(host))
        complain(check, "cdc.port", "expected one port, or as many as cdc.host has hosts (%u)",
                 count_parts(host));
}

static void check_password(const struct check *check)
{
    const char *file = check->config->cdc_password_file;
    if (file == NULL)
        return;
    struct error err = ERROR_INIT;
    char *secret = NULL;
    if (!secret_read(file, &secret, &err))
        complain(check, "cdc.passwordFile", "%s", err.text);
    else if (*secret == '\0')
        complain(check, "cdc.passwordFile", "secret file \"%s\": holds no password", file);
    secret_free(secret);
}

/* libpq's "system": the authorities that the system trusts. */
static void check_file(const struct check *check, const char *path, const char *file)
{
    if (file != NULL && strcmp(file, "system") != 0 && access(file, R_OK) != 0)
        complain(check, path, "cannot read \"%s\": %s", file, strerrordesc_np(errno));
}

static void check_tls(const struct check *check)
{
    if (check->config->cdc_ssl_key != NULL && check->config->cdc_ssl_cert == NULL)
        complain(check, "cdc.sslKey", "needs cdc.sslCert as well");
    if (check->config->cdc_ssl_cert != NULL && check->config->cdc_ssl_key == NULL)
        complain(check, "cdc.sslCert", "needs cdc.sslKey as well");
    const char *mode = check->config->cdc_ssl_mode;
    if (mode != NULL && strncmp(mode, "verify-", 7) == 0 &&
        check->config->cdc_ssl_root_cert == NULL)
        complain(
            check, "cdc.sslMode",
            "%s needs cdc.sslRootCert, the authorities to check against (system: the system's)",
            mode);
    check_file(check, "cdc.sslRootCert", check->config->cdc_ssl_root_cert);
    check_file(check, "cdc.sslCert", check->config->cdc_ssl_cert);
    check_file(check, "cdc.sslKey", check->config->cdc_ssl_key);
}

/* host, host:port; an IPv6 address in brackets. */
static bool is_broker(const char *text)
{
    bool bracket = *text == '[';
    const char *host = text + (bracket ? 1 : 0);
    size_t size = strspn(host, bracket ? "0123456789abcdefABCDEF:.%" : HOST_CHARACTERS);
    const char *rest = host + size;
    if (size == 0 || (bracket && *rest++ != ']'))
        return false;
    return *rest == '\0' || (*rest == ':' && is_port(slice_of(rest + 1)));
}

static void check_brokers(const struct check *check)
{
    const struct config_list *brokers = &check->config->kafka_brokers;
    for (uint32_t i = 0; i < brokers->count; i++)
        if (!is_broker(brokers->items[i]))
            complain(check, "kafka.brokers",
                     "expected host or host:port, the port from 1 to 65535; got \"%s\"",
                     brokers->items[i]);
}

static void check_slot(const struct check *check)
{
    const char *name = check->config->cdc_slot_name;
    if (name == NULL)
        return;
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (name[size] != '\0' || size > SLOT_NAME_MAX_BYTES)
        complain(check, "cdc.slot.name", "expected 1 to 63 of a-z, 0-9 and _; got \"%s\"", name);
}

static void check_heartbeat(const struct check *check)
{
    int64_t interval_ms = check->config->cdc_heartbeat_interval_ms;
    if (interval_ms > 0 && interval_ms < HEARTBEAT_SHORTEST_MS)
        complain(check, "cdc.heartbeat.interval",
                 "expected 0 (off) or at least %d ms; got %" PRId64 " ms", HEARTBEAT_SHORTEST_MS,
                 interval_ms);
    if (check->config->cdc_heartbeat_query != NULL &&
        check->config->cdc_heartbeat_table_name != NULL)
        complain(check, "cdc.heartbeat.query", "give it or cdc.heartbeat.table.name, not both");
}

static void check_replica_identity(const struct check *check, const struct config_table *table,
                                   uint32_t index)
{
    bool using_index =
        table->replica_identity != NULL && strcmp(table->replica_identity, "USING INDEX") == 0;
    char *path = text_format("cdc.publication.tables[%u].replicaIdentityIndex", index);
    if (using_index && table->replica_identity_index == NULL)
        config_problems_add(check->problems, table->origin, path,
                            "required with replicaIdentity USING INDEX");
    if (!using_index && table->replica_identity_index != NULL)
        config_problems_add(check->problems, table->origin, path,
                            "needs replicaIdentity USING INDEX");
    memory_free(path);
}

static bool list_has(const struct config_list *list, const char *text)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

static void check_columns(const struct check *check, const struct config_table *table,
                          uint32_t index)
{
    if (table->columns.count > TABLE_COLUMN_MAX || table->key_columns.count > TABLE_COLUMN_MAX) {
        char *path = text_format("cdc.publication.tables[%u]", index);
        config_problems_add(check->problems, table->origin, path, "a table has at most %d columns",
                            TABLE_COLUMN_MAX);
        memory_free(path);
        return;
    }
    for (uint32_t i = 0; table->columns.count > 0 && i < table->key_columns.count; i++) {
        if (list_has(&table->columns, table->key_columns.items[i]))
            continue;
        char *path = text_format("cdc.publication.tables[%u].keyColumns[%u]", index, i);
        config_problems_add(check->problems, table->origin, path,
                            "column \"%s\" is not among the published columns",
                            table->key_columns.items[i]);
        memory_free(path);
    }
}

/* PostgreSQL's own rules: no schema twice, and column lists not beside schemas. */
static void check_schemas(const struct check *check)
{
    const struct config_list *schemas = &check->config->cdc_publication_schemas;
    const struct config_tables *tables = &check->config->cdc_publication_tables;
    for (uint32_t i = 0; i < schemas->count; i++) {
        const struct config_list before = { schemas->items, i };
        if (list_has(&before, schemas->items[i]))
            complain(check, "cdc.publication.schemas", "schema \"%s\" is given twice",
                     schemas->items[i]);
    }
    for (uint32_t i = 0; schemas->count > 0 && i < tables->count; i++)
        if (tables->items[i].columns.count > 0)
            complain(
                check, "cdc.publication.schemas",
                "PostgreSQL has no column lists beside schemas, and cdc.publication.tables[%u] "
                "has one",
                i);
}

static bool same_table(const struct config_table *a, const struct config_table *b)
{
    return strcmp(a->schema, b->schema) == 0 && strcmp(a->name, b->name) == 0;
}

/* A NUL between schema and name: they hold none. */
static uint64_t table_hash(const struct config_table *table)
{
    size_t schema_size = strlen(table->schema) + 1;
    size_t size = schema_size + strlen(table->name);
    char *text = memory_alloc(size + 1);
    memcpy(text, table->schema, schema_size);
    memcpy(text + schema_size, table->name, size - schema_size);
    uint64_t hash = map_hash((struct slice){ text, size });
    memory_free(text);
    return hash;
}

static void check_tables(const struct check *check)
{
    const struct config_tables *tables = &check->config->cdc_publication_tables;
    AUTO(struct map, map_done) seen = MAP_INIT;
    for (uint32_t i = 0; i < tables->count; i++) {
        struct config_table *table = &tables->items[i];
        if (table->name == NULL)
            continue;
        const struct config_table *first = map_put(&seen, table_hash(table), table);
        if (first != NULL && same_table(first, table)) {
            char *path = text_format("cdc.publication.tables[%u]", i);
            config_problems_add(check->problems, table->origin, path,
                                "table \"%s\" of schema \"%s\" is given twice", table->name,
                                table->schema);
            memory_free(path);
        }
        check_replica_identity(check, table, i);
        check_columns(check, table, i);
    }
}

/* schema.table or table; each part may be any text but the empty one. */
static bool is_table_name(const char *name)
{
    const char *dot = strchr(name, '.');
    return *name != '\0' && dot != name && (dot == NULL || dot[1] != '\0');
}

static void check_mapping(const struct check *check)
{
    const struct config_map *map = &check->config->kafka_table_topic_mapping;
    for (uint32_t i = 0; i < map->count; i++) {
        if (!is_table_name(map->pairs[i].name))
            complain(check, "kafka.tableTopicMapping",
                     "expected schema.table or table as a name; got \"%s\"", map->pairs[i].name);
        if (*map->pairs[i].value == '\0')
            complain(check, "kafka.tableTopicMapping", "the topic of \"%s\" must not be empty",
                     map->pairs[i].name);
    }
}

static void check_sizes(const struct check *check)
{
    if (check->config->kafka_max_in_flight_bytes < check->config->kafka_producer_batch_bytes)
        complain(check, "kafka.maxInFlightBytes",
                 "must not be smaller than kafka.producerBatchBytes (%" PRId64 " < %" PRId64 ")",
                 check->config->kafka_max_in_flight_bytes,
                 check->config->kafka_producer_batch_bytes);
}

/* Letters and digits at both ends of each part; a part ends at a dot, where those are allowed. */
static bool is_kubernetes_name(const char *name, bool dots, size_t max_bytes)
{
    char before = '.';
    for (const char *at = name;; before = *at++) {
        bool edge = *at == '\0' || (dots && *at == '.');
        if (edge && (before == '.' || before == '-'))
            return false;
        if (*at == '\0')
            return at != name && (size_t)(at - name) <= max_bytes;
        if (!edge && (strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *at) == NULL ||
                      (*at == '-' && before == '.')))
            return false;
    }
}

static void check_lease_name(const struct check *check)
{
    const char *name = check->config->election_lease_name;
    const char *space = check->config->election_namespace;
    if (name != NULL && !is_kubernetes_name(name, true, OBJECT_NAME_MAX_BYTES))
        complain(check, "election.leaseName",
                 "expected 1 to 253 of a-z, 0-9, - and ., as names of Kubernetes are; got \"%s\"",
                 name);
    if (space != NULL && !is_kubernetes_name(space, false, NAMESPACE_MAX_BYTES))
        complain(check, "election.namespace",
                 "expected 1 to 63 of a-z, 0-9 and -, as namespaces are; got \"%s\"", space);
}

/* As client-go's, and a take-over by the slot shall not wait longer than one look at the Lease. */
static void check_lease_times(const struct check *check)
{
    int64_t grace_ms = check->config->election_takeover_grace_ms;
    int64_t lease_ms = check->config->election_lease_duration_ms;
    int64_t renew_ms = check->config->election_renew_deadline_ms;
    int64_t retry_ms = check->config->election_retry_period_ms;
    if (lease_ms % 1000 != 0)
        complain(check, "election.leaseDuration", "expected whole seconds; got %" PRId64 " ms",
                 lease_ms);
    if (lease_ms <= renew_ms)
        complain(check, "election.leaseDuration",
                 "must be longer than election.renewDeadline (%" PRId64 " ms <= %" PRId64 " ms)",
                 lease_ms, renew_ms);
    if (renew_ms * 10 <= retry_ms * 12)
        complain(check, "election.renewDeadline",
                 "must be longer than 1.2 times election.retryPeriod (%" PRId64
                 " ms <= 1.2 * %" PRId64 " ms)",
                 renew_ms, retry_ms);
    if (grace_ms >= retry_ms)
        complain(check, "election.takeoverGraceMs",
                 "must be shorter than election.retryPeriod (%" PRId64 " ms >= %" PRId64 " ms)",
                 grace_ms, retry_ms);
}

/* Who asks for a snapshot and gets none has a gap. */
static void check_snapshot(const struct check *check)
{
    enum config_snapshot_mode mode = check->config->cdc_snapshot_mode;
    if (check->config->cdc_snapshot_enabled && mode != CONFIG_SNAPSHOT_MODE_NEVER)
        complain(check, "cdc.snapshot.enabled",
                 "snapshots are not offered yet, and without the one that cdc.snapshot.mode asks "
                 "for, rows that exist already would be missing: set it to false");
}

void config_check_all(const struct config *config, struct config_problems *problems)
{
    const struct check check = { config, problems };
    check_ports(&check);
    check_password(&check);
    check_tls(&check);
    check_brokers(&check);
    check_slot(&check);
    check_snapshot(&check);
    check_heartbeat(&check);
    check_tables(&check);
    check_schemas(&check);
    check_mapping(&check);
    check_sizes(&check);
    check_lease_name(&check);
    check_lease_times(&check);
}
