/* A plug-in for the program pqcdc: rows of an outbox table become events whose topic, key, headers
 * and value are columns of the row; rows of other tables become what they become without it.
 *
 *     create table outbox (id uuid primary key, topic text not null, key text, type text,
 *                          payload jsonb);
 *
 *     cc -shared -fPIC handler-outbox.c $(pkg-config --cflags pqcdc) -o handler-outbox.so
 *     pqcdc --config pqcdc.yaml --set handler.path=./handler-outbox.so
 *
 * Options (handler.options):
 *     table        the outbox, "schema.table"; public.outbox
 *     topicPrefix  what stands before each topic; nothing
 *
 * An event is the INSERT of a row. Its DELETE, by which an outbox is kept small, gives no record,
 * and its UPDATE stops the line: an event that was sent cannot be changed. The headers are "id" and
 * "type". outbox_events_total of /metrics counts events that Kafka acknowledged, by their answer.
 */
#include <pqcdc/pqcdc.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOPIC_SIZE = 250 }; /* Kafka's limit, and a NUL */

struct outbox {
    const char *table;
    const char *prefix;
    struct pqcdc_metric *delivered, *refused;
};

/* Values of options live as long as the host. */
static bool read_options(struct outbox *outbox, const struct pqcdc_host *host, char *problem,
                         size_t problem_size)
{
    const char *name;
    for (size_t i = 0; (name = pqcdc_option_name(host, i)) != NULL; i++) {
        if (strcmp(name, "table") != 0 && strcmp(name, "topicPrefix") != 0) {
            snprintf(problem, problem_size, "no such option: %s (table, topicPrefix)", name);
            return false;
        }
    }
    outbox->table = pqcdc_option(host, "table");
    outbox->prefix = pqcdc_option(host, "topicPrefix");
    if (outbox->table == NULL)
        outbox->table = "public.outbox";
    if (outbox->prefix == NULL)
        outbox->prefix = "";
    return true;
}

static struct pqcdc_metric *counter(struct pqcdc_host *host, const char *answer, char *problem,
                                    size_t problem_size)
{
    const struct pqcdc_label label = { "answer", answer };
    return pqcdc_metric_get(host, PQCDC_COUNTER, "outbox_events_total",
                            "Records that Kafka answered for", &label, 1, problem, problem_size);
}

static bool open_outbox(struct pqcdc_host *host, void **out_self, char *problem,
                        size_t problem_size)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    if (outbox == NULL)
        abort();
    outbox->delivered = counter(host, "delivered", problem, problem_size);
    outbox->refused = counter(host, "refused", problem, problem_size);
    if (outbox->delivered == NULL || outbox->refused == NULL ||
        !read_options(outbox, host, problem, problem_size)) {
        free(outbox);
        return false;
    }
    *out_self = outbox;
    return true;
}

static void close_outbox(void *self)
{
    free(self);
}

/* "schema.table", without building it. */
static bool is_outbox(const struct outbox *outbox, const struct pqcdc_table *table)
{
    size_t dot = table->schema.size;
    return strlen(outbox->table) == dot + 1 + table->name.size &&
           memcmp(outbox->table, table->schema.data, dot) == 0 && outbox->table[dot] == '.' &&
           memcmp(outbox->table + dot + 1, table->name.data, table->name.size) == 0;
}

static struct pqcdc_text column(const struct pqcdc_message *message, const char *name)
{
    return pqcdc_value_find(message, PQCDC_ROW_NEW, name)->text;
}

static bool emit_event(const struct outbox *outbox, const struct pqcdc_message *message,
                       struct pqcdc_emitter *emitter)
{
    char topic[TOPIC_SIZE];
    struct pqcdc_text given = column(message, "topic");
    int size = given.data == NULL ? -1
                                  : snprintf(topic, sizeof(topic), "%s%.*s", outbox->prefix,
                                             (int)given.size, given.data);
    if (size < 0 || (size_t)size >= sizeof(topic))
        return pqcdc_fail(emitter, "the row has no topic, or one that is too long");
    const struct pqcdc_header headers[] = { { "id", column(message, "id") },
                                            { "type", column(message, "type") } };
    const struct pqcdc_record record = {
        .topic = topic,
        .key = column(message, "key"),
        .value = column(message, "payload"),
        .headers = headers,
        .header_count = 2,
    };
    return pqcdc_emit(emitter, &record);
}

static bool handle(void *self, const struct pqcdc_message *message, struct pqcdc_emitter *emitter)
{
    const struct outbox *outbox = self;
    if (!is_outbox(outbox, message->table))
        return pqcdc_emit_default(emitter);
    switch (message->operation) {
    case PQCDC_INSERT:
        return emit_event(outbox, message, emitter);
    case PQCDC_DELETE:
        return true;
    case PQCDC_UPDATE:
        break;
    }
    return pqcdc_fail(emitter, "a row of the outbox was changed");
}

static void respond(void *self, const struct pqcdc_response *response)
{
    const struct outbox *outbox = self;
    pqcdc_metric_add(response->delivered ? outbox->delivered : outbox->refused, 1);
}

PQCDC_PLUGIN = {
    .api_version = PQCDC_API_VERSION,
    .name = "outbox",
    .open = open_outbox,
    .handle = handle,
    .respond = respond,
    .close = close_outbox,
};
