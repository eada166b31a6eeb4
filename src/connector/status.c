#include "connector/status.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void status_init(struct status *status)
{
    memset(status, 0, sizeof(*status));
    CHECK(pthread_mutex_init(&status->lock, NULL) == 0);
}

void status_done(struct status *status)
{
    struct status_table *table = atomic_load(&status->tables);
    while (table != NULL) {
        struct status_table *next = table->next;
        memory_free(table->name);
        memory_free(table->topic);
        memory_free(table);
        table = next;
    }
    atomic_store(&status->tables, NULL);
    pthread_mutex_destroy(&status->lock);
}

void status_set_state(struct status *status, enum life_cycle_state state, int64_t now_us)
{
    atomic_store(&status->state, (int)state);
    atomic_store(&status->state_since_us, now_us);
}

enum life_cycle_state status_state(const struct status *status)
{
    return (enum life_cycle_state)atomic_load(&status->state);
}

void status_note_commit(struct status *status, int64_t commit_us, int64_t now_us)
{
    atomic_store(&status->commit_time_us, commit_us);
    atomic_store(&status->lag_us, now_us - commit_us);
    atomic_store(&status->transaction_open, false);
}

void status_set_reason(struct status *status, const struct error *reason)
{
    pthread_mutex_lock(&status->lock);
    status->reason = reason != NULL ? *reason : ERROR_INIT;
    pthread_mutex_unlock(&status->lock);
}

void status_reason(struct status *status, struct error *out_reason)
{
    pthread_mutex_lock(&status->lock);
    *out_reason = status->reason;
    pthread_mutex_unlock(&status->lock);
}

void status_set_kafka(struct status *status, const struct outage *outage)
{
    pthread_mutex_lock(&status->lock);
    status->kafka = outage != NULL ? *outage : (struct outage){ .error = ERROR_INIT };
    pthread_mutex_unlock(&status->lock);
}

void status_kafka(struct status *status, struct outage *out_outage)
{
    pthread_mutex_lock(&status->lock);
    *out_outage = status->kafka;
    pthread_mutex_unlock(&status->lock);
}

static bool same_table(const struct status_table *table, const char *name, const char *topic)
{
    if (strcmp(table->name, name) != 0)
        return false;
    if (table->topic == NULL || topic == NULL)
        return table->topic == topic;
    return strcmp(table->topic, topic) == 0;
}

struct status_table *status_table_find(struct status *status, const char *name, const char *topic,
                                       uint32_t topic_id)
{
    struct status_table *first = atomic_load(&status->tables);
    for (struct status_table *table = first; table != NULL; table = table->next) {
        if (same_table(table, name, topic))
            return table;
    }
    struct status_table *table = memory_alloc(sizeof(*table));
    table->next = first;
    table->name = memory_text(name);
    table->topic = memory_text(topic);
    table->topic_id = topic_id;
    atomic_store(&status->tables, table);
    return table;
}

void status_tables_of_topic(const struct status *status, const char *topic, char *out, size_t size)
{
    enum { NAMED = 3 };
    size_t used = 0, found = 0;
    out[0] = '\0';
    for (const struct status_table *table = atomic_load(&status->tables); table != NULL;
         table = table->next) {
        if (table->topic == NULL || strcmp(table->topic, topic) != 0 || ++found > NAMED)
            continue;
        int more = snprintf(out + used, size - used, "%s%s", found > 1 ? ", " : "", table->name);
        used = used + (size_t)more < size ? used + (size_t)more : size - 1;
    }
    if (found > NAMED)
        snprintf(out + used, size - used, " and %zu more", found - NAMED);
}
