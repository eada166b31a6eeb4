#include "format/topic_route.h"

#include <string.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

enum { TOPIC_MAX_BYTES = 249, EXPANDED_MAX_BYTES = 4096 };

struct pair {
    char *table; /* "schema.table" */
    char *topic;
};

struct topic_route {
    struct pair *pairs;
    uint32_t pair_count;
    char *topic_template;
    char *database;
    enum topic_route_unmapped unmapped;
    char *aside_schema;
    char *aside_table; /* NULL = none */
};

static bool allowed(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

/* NULL = Kafka takes the name; else why not. */
static const char *name_fault(const char *name)
{
    size_t size = strlen(name);
    if (size == 0)
        return "it is empty";
    if (size > TOPIC_MAX_BYTES)
        return "it has more than 249 characters";
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "it must not be \".\" or \"..\"";
    for (size_t i = 0; i < size; i++)
        if (!allowed(name[i]))
            return "only letters, digits, '.', '_' and '-' of ASCII are allowed";
    return NULL;
}

enum { PLACEHOLDER_DATABASE, PLACEHOLDER_SCHEMA, PLACEHOLDER_TABLE, PLACEHOLDER_COUNT };

static const char *const placeholders[PLACEHOLDER_COUNT] = {
    [PLACEHOLDER_DATABASE] = "{database}",
    [PLACEHOLDER_SCHEMA] = "{schema}",
    [PLACEHOLDER_TABLE] = "{table}",
};

/* Which placeholder starts here; PLACEHOLDER_COUNT = none. */
static int placeholder_at(const char *text)
{
    int which = 0;
    while (which < PLACEHOLDER_COUNT &&
           strncmp(text, placeholders[which], strlen(placeholders[which])) != 0)
        which++;
    return which;
}

static void append_allowed(struct buf *out, struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        buf_append_byte(out, allowed(name.data[i]) ? name.data[i] : '_');
}

static char *expand(const struct topic_route *route, struct slice schema, struct slice table)
{
    const struct slice values[PLACEHOLDER_COUNT] = {
        [PLACEHOLDER_DATABASE] = slice_of(route->database),
        [PLACEHOLDER_SCHEMA] = schema,
        [PLACEHOLDER_TABLE] = table,
    };
    AUTO(struct buf, buf_done) out = buf_init(EXPANDED_MAX_BYTES);
    for (const char *at = route->topic_template; *at != '\0';) {
        int which = placeholder_at(at);
        if (which == PLACEHOLDER_COUNT) {
            buf_append_byte(&out, *at++);
        } else {
            append_allowed(&out, values[which]);
            at += strlen(placeholders[which]);
        }
    }
    return memory_text(buf_text(&out));
}

static bool check_template(const struct topic_route_options *options, struct error *err)
{
    for (const char *at = options->topic_template; *at != '\0';) {
        int which = placeholder_at(at);
        if (which == PLACEHOLDER_COUNT && !allowed(*at)) {
            error_set(err, ERROR_CONFIG, "topic_template_invalid",
                      "topic template \"%s\": \"%s\" is neither a placeholder nor allowed in a "
                      "topic name",
                      options->topic_template, at);
            return error_advise(err, "use letters, digits, '.', '_', '-' and {database}, {schema}, "
                                     "{table}");
        }
        if (which == PLACEHOLDER_DATABASE && options->database == NULL)
            return error_set(err, ERROR_CONFIG, "topic_template_invalid",
                             "topic template \"%s\": no database is known for {database}",
                             options->topic_template);
        at += which == PLACEHOLDER_COUNT ? 1 : strlen(placeholders[which]);
    }
    if (options->topic_template[0] == '\0')
        return error_set(err, ERROR_CONFIG, "topic_template_invalid",
                         "topic template: it is empty");
    return true;
}

static const struct pair *find_pair(const struct topic_route *route, struct slice table)
{
    for (uint32_t i = 0; i < route->pair_count; i++)
        if (slice_is(table, route->pairs[i].table))
            return &route->pairs[i];
    return NULL;
}

static bool add_pair(struct topic_route *route, const struct topic_route_pair *pair,
                     struct error *err)
{
    const char *fault = name_fault(pair->topic);
    if (fault != NULL)
        return error_set(err, ERROR_CONFIG, "topic_name_invalid",
                         "topic \"%s\" of table \"%s\": %s", pair->topic, pair->table, fault);
    AUTO(char *, memory_free_p) table =
        text_format("%s%s", strchr(pair->table, '.') == NULL ? "public." : "", pair->table);
    const struct pair *known = find_pair(route, slice_of(table));
    if (known == NULL) {
        char *topic = memory_text(pair->topic);
        route->pairs[route->pair_count++] = (struct pair){ TAKE(table), topic };
        return true;
    }
    if (strcmp(known->topic, pair->topic) == 0)
        return true;
    return error_set(err, ERROR_CONFIG, "topic_mapping_conflict",
                     "table %s is mapped to two topics: \"%s\" and \"%s\"", table, known->topic,
                     pair->topic);
}

static struct topic_route *new_route(const struct topic_route_options *options)
{
    struct topic_route *route = memory_alloc(sizeof(*route));
    route->unmapped = options->unmapped;
    route->topic_template = memory_text(options->topic_template);
    route->database = memory_text(options->database != NULL ? options->database : "");
    route->pairs = memory_array(options->pair_count, sizeof(*route->pairs));
    route->aside_schema = memory_text(options->aside_schema);
    route->aside_table = memory_text(options->aside_table);
    return route;
}

bool topic_route_check(const struct topic_route_options *options, topic_route_report_fn *report,
                       void *self)
{
    AUTO(struct topic_route *, topic_route_free_p) route = new_route(options);
    struct error err = ERROR_INIT;
    uint32_t count = 0;
    if (options->topic_template != NULL && !check_template(options, &err)) {
        report(self, &err);
        count++;
    }
    for (uint32_t i = 0; i < options->pair_count; i++) {
        if (add_pair(route, &options->pairs[i], &err))
            continue;
        report(self, &err);
        count++;
    }
    return count == 0;
}

bool topic_route_new(const struct topic_route_options *options, struct topic_route **out_route,
                     struct error *err)
{
    AUTO(struct topic_route *, topic_route_free_p) route = new_route(options);
    if (options->topic_template != NULL && !check_template(options, err))
        return false;
    for (uint32_t i = 0; i < options->pair_count; i++)
        if (!add_pair(route, &options->pairs[i], err))
            return false;
    *out_route = TAKE(route);
    return true;
}

void topic_route_free(struct topic_route *route)
{
    if (route == NULL)
        return;
    for (uint32_t i = 0; i < route->pair_count; i++) {
        memory_free(route->pairs[i].table);
        memory_free(route->pairs[i].topic);
    }
    memory_free(route->pairs);
    memory_free(route->topic_template);
    memory_free(route->database);
    memory_free(route->aside_schema);
    memory_free(route->aside_table);
    memory_free(route);
}

static bool is_among(const char *table, const char *const *tables, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(table, tables[i]) == 0)
            return true;
    return false;
}

void topic_route_unused(const struct topic_route *route, const char *const *published,
                        uint32_t published_count, topic_route_visit_fn *visit, void *self)
{
    for (uint32_t i = 0; i < route->pair_count; i++)
        if (!is_among(route->pairs[i].table, published, published_count))
            visit(self, route->pairs[i].table);
}

static bool find_by_template(const struct topic_route *route, const struct topic_route_name *name,
                             char **out_topic, struct error *err)
{
    AUTO(char *, memory_free_p) topic = expand(route, name->schema, name->table);
    const char *fault = name_fault(topic);
    if (fault == NULL) {
        *out_topic = TAKE(topic);
        return true;
    }
    error_set(err, ERROR_HALT, "topic_name_invalid",
              "table %.*s.%.*s: the template makes the topic \"%s\": %s", SLICE_ARGS(name->schema),
              SLICE_ARGS(name->table), topic, fault);
    return error_advise(err, "name a topic for this table in kafka.tableTopicMapping");
}

static const struct pair *find_mapped(const struct topic_route *route, struct slice schema,
                                      struct slice table)
{
    AUTO(char *, memory_free_p) name =
        text_format("%.*s.%.*s", SLICE_ARGS(schema), SLICE_ARGS(table));
    return find_pair(route, slice_of(name));
}

bool topic_route_maps(const struct topic_route *route, struct slice schema, struct slice table)
{
    return find_mapped(route, schema, table) != NULL;
}

static bool unmapped(const struct topic_route_name *name, struct error *err)
{
    error_set(err, ERROR_HALT, "topic_unmapped", "table %.*s.%.*s has no topic",
              SLICE_ARGS(name->schema), SLICE_ARGS(name->table));
    return error_advise(err,
                        "add \"%.*s.%.*s\" to kafka.tableTopicMapping, or set kafka.topicTemplate "
                        "(for example \"{schema}.{table}\"), or kafka.unmapped: skip",
                        SLICE_ARGS(name->schema), SLICE_ARGS(name->table));
}

static bool is_aside(const struct topic_route *route, const struct topic_route_name *name)
{
    return route->aside_table != NULL && slice_is(name->schema, route->aside_schema) &&
           slice_is(name->table, route->aside_table);
}

bool topic_route_find(const struct topic_route *route, const struct topic_route_name *names,
                      uint32_t count, char **out_topic, struct error *err)
{
    CHECK(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        const struct pair *pair = find_mapped(route, names[i].schema, names[i].table);
        if (pair == NULL)
            continue;
        *out_topic = memory_text(pair->topic);
        return true;
    }
    if (route->topic_template != NULL)
        return find_by_template(route, &names[count - 1], out_topic, err);
    if (route->unmapped == TOPIC_ROUTE_FAIL && !is_aside(route, &names[0]))
        return unmapped(&names[0], err);
    *out_topic = NULL;
    return true;
}
