#include "connector/handler_builtin.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "connector/table_topic.h"
#include "format/key.h"

struct handler_builtin {
    struct handler_builtin_options with;
    struct arena names; /* of the relation in hand */
};

static void table_free(void *attachment)
{
    struct handler_builtin_table *table = attachment;
    if (table == NULL)
        return;
    if (table->guest != NULL)
        table->guest_free(table->guest);
    table_plan_free(table->plan);
    memory_free(table->topic);
    memory_free(table);
}

const struct handler_builtin_table *handler_builtin_table(const struct relation *relation)
{
    return relation->attachment;
}

void handler_builtin_keep(struct relation *relation, void *guest, void (*guest_free)(void *))
{
    struct handler_builtin_table *table = relation->attachment;
    CHECK(table->guest == NULL);
    table->guest = guest;
    table->guest_free = guest_free;
}

/* What a relation is a part of, and its primary key, are asked where they decide something. */

static enum emit look_up(struct handler_builtin *handler, const struct relation *relation,
                         struct relation_facts *out_facts)
{
    watcher_ask(handler->with.watcher, relation->oid);
    return watcher_answer(handler->with.watcher, relation->oid, &handler->names, out_facts) ==
                   WATCHER_FOUND
               ? EMIT_OK
               : EMIT_WAIT;
}

/* Which columns are the key: configured (of the table, or of a parent), flagged by the identity, or
 * the primary key. */

static const struct handler_builtin_key *key_configured_for(const struct handler_builtin *handler,
                                                            struct slice schema, struct slice table)
{
    for (uint32_t i = 0; i < handler->with.key_count; i++) {
        const struct handler_builtin_key *key = &handler->with.keys[i];
        if (key->column_count > 0 && slice_is(schema, key->schema) && slice_is(table, key->table))
            return key;
    }
    return NULL;
}

static const struct handler_builtin_key *configured_key(const struct handler_builtin *handler,
                                                        const struct relation *relation,
                                                        const struct relation_facts *facts)
{
    const struct handler_builtin_key *key =
        key_configured_for(handler, relation->schema, relation->name);
    for (uint16_t i = 0; key == NULL && i < facts->parent_count; i++)
        key = key_configured_for(handler, facts->parents[i].schema, facts->parents[i].name);
    return key;
}

struct key_names {
    struct slice *names;
    uint16_t count;
};

static void names_from_config(struct handler_builtin *handler,
                              const struct handler_builtin_key *key, struct key_names *out)
{
    out->names = arena_array(&handler->names, key->column_count, sizeof(struct slice));
    out->count = (uint16_t)key->column_count;
    for (uint32_t i = 0; i < key->column_count; i++)
        out->names[i] = slice_of(key->columns[i]);
}

static void names_from_identity(struct handler_builtin *handler, const struct relation *relation,
                                struct key_names *out)
{
    out->names = arena_array(&handler->names, relation->column_count, sizeof(struct slice));
    out->count = 0;
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (relation->columns[i].identity)
            out->names[out->count++] = relation->columns[i].name;
    }
}

static bool has_column(const struct relation *relation, struct slice name)
{
    for (uint16_t i = 0; i < relation->column_count; i++) {
        if (slice_equal(relation->columns[i].name, name))
            return true;
    }
    return false;
}

/* The answer is today's primary key, the relation perhaps an older shape or a column list: a key of
 * which a column is not published is no key. */
static void keep_if_published(const struct relation *relation, struct key_names *names)
{
    for (uint16_t i = 0; i < names->count; i++) {
        if (!has_column(relation, names->names[i])) {
            names->count = 0;
            return;
        }
    }
}

static int by_name(const void *one, const void *other)
{
    return slice_compare(*(const struct slice *)one, *(const struct slice *)other);
}

/* Columns stand otherwise in a partition than in its parent, and in an identity otherwise than in
 * the primary key: the same key is the same bytes all the same. */
static void find_key(struct handler_builtin *handler, const struct relation *relation,
                     const struct relation_facts *facts, struct key_names *out)
{
    const struct handler_builtin_key *configured = configured_key(handler, relation, facts);
    if (configured != NULL) {
        names_from_config(handler, configured, out);
    } else if (!key_needs_primary_key(relation, false)) {
        names_from_identity(handler, relation, out);
    } else {
        *out = (struct key_names){ facts->key, facts->key_count };
        keep_if_published(relation, out);
    }
    if (configured == NULL && out->count > 1)
        qsort(out->names, out->count, sizeof(*out->names), by_name);
}

/* A table: its plan, its topic, its place in the status. */

static void note_hidden_column(struct handler_builtin *handler,
                               const struct handler_builtin_table *table, const char *name)
{
    if (table->topic != NULL && table->plan->column_count < table->plan->relation->column_count)
        log_warn(handler->with.log,
                 "the table's column \"operation\" is not in its records: the format's own member "
                 "has that name",
                 LOG_STR("table", name),
                 LOG_STR("advice", "rename the column, if consumers need it"));
}

static void note_table(struct handler_builtin *handler, struct handler_builtin_table *table,
                       const char *name)
{
    struct status *status = handler->with.status;
    struct status_table *before = atomic_load(&status->tables);
    table->status = status_table_find(status, name, table->topic, table->plan->topic);
    if (before == atomic_load(&status->tables))
        return; /* said before */
    if (!handler->with.decides) {
        log_info(handler->with.log, "table found", LOG_STR("table", name),
                 LOG_STR("topic", table->topic));
        return;
    }
    note_hidden_column(handler, table, name);
    if (table->topic == NULL)
        log_warn(handler->with.log, "table has no topic: its changes are skipped",
                 LOG_STR("table", name),
                 LOG_STR("advice", "add it to kafka.tableTopicMapping or set kafka.topicTemplate"));
    else if (table->plan->key_count == 0)
        log_warn(handler->with.log,
                 "table has no key: its records have a null key and no order among partitions",
                 LOG_STR("table", name), LOG_STR("topic", table->topic),
                 LOG_STR("advice", "give it a primary key, or set keyColumns of the table in "
                                   "cdc.publication.tables"));
    else
        log_info(handler->with.log, "table found", LOG_STR("table", name),
                 LOG_STR("topic", table->topic), LOG_INT("key_columns", table->plan->key_count));
}

static bool needs_facts(const struct handler_builtin *handler, const struct relation *relation)
{
    if (!topic_route_maps(handler->with.route, relation->schema, relation->name))
        return true;
    return key_configured_for(handler, relation->schema, relation->name) == NULL &&
           key_needs_primary_key(relation, false);
}

static enum emit fill_table(struct handler_builtin *handler, struct relation *relation,
                            struct handler_builtin_table *table, struct error *err)
{
    struct key_names key = { NULL, 0 };
    struct relation_facts facts = { .key_count = 0 };
    if (needs_facts(handler, relation) && look_up(handler, relation, &facts) == EMIT_WAIT)
        return EMIT_WAIT;
    if (!table_topic_find(handler->with.route, relation->schema, relation->name, facts.parents,
                          facts.parent_count, &table->topic, err))
        return EMIT_FAILED;
    if (table->topic != NULL)
        find_key(handler, relation, &facts, &key);
    if (!table_plan_new(relation, key.names, key.count, &table->plan, err))
        return EMIT_FAILED;
    table->plan->routed = table->topic != NULL;
    if (table->topic == NULL ||
        delivery_topic(handler->with.delivery, table->topic, &table->plan->topic, err))
        return EMIT_OK;
    return EMIT_FAILED;
}

enum emit handler_builtin_prepare(void *self, struct relation *relation, struct error *err)
{
    struct handler_builtin *handler = self;
    if (relation->attachment != NULL)
        return EMIT_OK;
    arena_reset(&handler->names);
    struct handler_builtin_table *table = memory_alloc(sizeof(*table));
    enum emit emit = fill_table(handler, relation, table, err);
    if (emit != EMIT_OK) {
        table_free(table);
        return emit;
    }
    AUTO(char *, memory_free_p) name =
        text_format("%.*s.%.*s", SLICE_ARGS(relation->schema), SLICE_ARGS(relation->name));
    note_table(handler, table, name);
    relation_attach(relation, table, table_free);
    return EMIT_OK;
}

/* A relation is prepared at its first row: PostgreSQL also sends relations that get none, such as
 * the partitions of a table that is published as their root. */
static enum emit on_relation(void *self UNUSED, struct relation *relation UNUSED,
                             struct error *err UNUSED)
{
    return EMIT_OK;
}

/* Rows. */

static enum emit encode(struct handler_builtin *handler, const struct relation *relation,
                        const struct txn *txn, const struct change *change,
                        struct record_list *list, struct error *err)
{
    const struct handler_builtin_table *table = relation->attachment;
    if (!table->plan->routed) {
        status_count(&handler->with.status->skipped_changes, 1);
        return EMIT_OK;
    }
    status_count(&table->status->changes, 1);
    return handler->with.encoder->encode(&handler->with.encoding, table->plan, txn, change, list,
                                         err)
               ? EMIT_OK
               : EMIT_FAILED;
}

/* All tables are prepared before any is encoded: a WAIT must leave the list as it was. */
static enum emit on_truncate(struct handler_builtin *handler, const struct txn *txn,
                             const struct change *change, struct record_list *list,
                             struct error *err)
{
    enum emit emit = EMIT_OK;
    for (uint32_t i = 0; i < change->as.truncate.count && emit == EMIT_OK; i++)
        emit = handler_builtin_prepare(handler, change->as.truncate.relations[i], err);
    for (uint32_t i = 0; i < change->as.truncate.count && emit == EMIT_OK; i++)
        emit = encode(handler, change->as.truncate.relations[i], txn, change, list, err);
    return emit;
}

static enum emit on_change(void *self, const struct txn *txn, const struct change *change,
                           struct record_list *list, struct error *err)
{
    struct handler_builtin *handler = self;
    if (change->kind == CHANGE_TRUNCATE)
        return on_truncate(handler, txn, change, list, err);
    enum emit emit = handler_builtin_prepare(handler, change->relation, err);
    return emit == EMIT_OK ? encode(handler, change->relation, txn, change, list, err) : emit;
}

static enum emit on_boundary(void *self UNUSED, const struct txn *txn UNUSED,
                             struct record_list *list UNUSED, struct error *err UNUSED)
{
    return EMIT_OK;
}

static void on_free(void *self)
{
    struct handler_builtin *handler = self;
    arena_done(&handler->names);
    memory_free(handler);
}

struct handler handler_builtin_new(const struct handler_builtin_options *options)
{
    static const struct handler_ops ops = {
        .relation = on_relation,
        .begin = on_boundary,
        .change = on_change,
        .commit = on_boundary,
        .free = on_free,
    };
    struct handler_builtin *handler = memory_alloc(sizeof(*handler));
    handler->with = *options;
    handler->names = arena_init(4096);
    return (struct handler){ &ops, handler };
}
