#include "kafka/topic_table.h"

#include <string.h>

#include "base/memory.h"
#include "base/slice.h"

enum { TOPIC_NAME_MAX = 249 };

static bool name_valid(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t size = strlen(name);
    return size > 0 && size <= TOPIC_NAME_MAX && strspn(name, allowed) == size &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

void topic_table_done(struct topic_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        memory_free(table->entries[i]->name);
        memory_free(table->entries[i]);
    }
    memory_free(table->entries);
    map_done(&table->by_hash);
    *table = (struct topic_table){ 0 };
}

static struct topic_entry *entry_append(struct topic_table *table, const char *name)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity == 0 ? 16 : table->capacity * 2;
        table->entries =
            memory_resize(table->entries, table->capacity * sizeof(struct topic_entry *));
    }
    struct topic_entry *entry = memory_alloc(sizeof *entry);
    entry->name = memory_text(name);
    entry->topic = table->count;
    entry->older = atomic_load(&table->newest);
    table->entries[table->count++] = entry;
    atomic_store(&table->newest, entry); /* from here on others see it */
    return entry;
}

bool topic_table_add(struct topic_table *table, const char *name, uint32_t *out_topic,
                     struct error *err)
{
    if (!name_valid(name)) {
        error_set(err, ERROR_HALT, "topic_invalid", "\"%s\" is not a name that Kafka allows", name);
        return error_advise(err,
                            "Use 1 to %d characters of a-z A-Z 0-9 . _ - in kafka.topicTemplate, "
                            "in kafka.tableTopicMapping and in what a handler names.",
                            TOPIC_NAME_MAX);
    }
    uint64_t hash = map_hash(slice_of(name));
    struct topic_entry *first = map_get(&table->by_hash, hash);
    for (struct topic_entry *entry = first; entry != NULL; entry = entry->same_hash) {
        if (strcmp(entry->name, name) == 0) {
            *out_topic = entry->topic;
            return true;
        }
    }
    struct topic_entry *entry = entry_append(table, name);
    entry->same_hash = first;
    map_put(&table->by_hash, hash, entry);
    *out_topic = entry->topic;
    return true;
}

const char *topic_table_name(const struct topic_table *table, uint32_t topic)
{
    return topic < table->count ? table->entries[topic]->name : NULL;
}

const struct topic_entry *topic_table_newest(const struct topic_table *table)
{
    return atomic_load(&table->newest);
}

/* One writer: no locked instruction. */
static void count_one(_Atomic uint64_t *counter)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

void topic_table_count_acked(struct topic_table *table, uint32_t topic)
{
    count_one(&table->entries[topic]->acked);
}

void topic_table_count_refused(struct topic_table *table, uint32_t topic)
{
    count_one(&table->entries[topic]->refused);
}
