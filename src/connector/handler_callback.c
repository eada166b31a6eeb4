#include "connector/handler_callback.h"

#include "base/memory.h"
#include "connector/handler_builtin.h"

struct handler_callback {
    pqcdc_handler *callback;
    void *callback_self;
    struct handler builtin;
    struct delivery *delivery;
};

struct pqcdc_emitter {
    struct handler_callback *handler;
    const struct txn *txn;
    const struct change *change;
    struct record_list *list;
    struct error *err;
    bool failed; /* *err is set */
};

/* The change as the public header says it. */

static struct pqcdc_text text_of(struct slice slice)
{
    return (struct pqcdc_text){ slice.data, slice.size };
}

static enum pqcdc_value_kind kind_of(enum value_kind kind)
{
    switch (kind) {
    case VALUE_NULL:
        return PQCDC_NULL;
    case VALUE_UNCHANGED:
        return PQCDC_UNCHANGED;
    case VALUE_TEXT:
    case VALUE_BINARY:
        return PQCDC_TEXT;
    }
    return PQCDC_NULL;
}

/* only_identity: a key-only tuple has nulls for the rest, which mean nothing. */
static const struct pqcdc_column *columns_of(const struct relation *relation,
                                             const struct tuple *tuple, bool only_identity,
                                             struct arena *arena, size_t *out_count)
{
    struct pqcdc_column *columns = arena_array(arena, tuple->count, sizeof(*columns));
    size_t count = 0;
    for (uint16_t i = 0; i < tuple->count; i++) {
        const struct value *value = &tuple->values[i];
        if (only_identity && !relation->columns[i].identity)
            continue;
        columns[count++] = (struct pqcdc_column){
            .name = text_of(relation->columns[i].name),
            .type_oid = relation->columns[i].type_oid,
            .kind = kind_of(value->kind),
            .value =
                value->kind == VALUE_TEXT ? text_of(value->bytes) : (struct pqcdc_text){ NULL, 0 },
        };
    }
    *out_count = count;
    return columns;
}

static struct pqcdc_message message_of(const struct txn *txn, const struct change *change,
                                       struct arena *arena)
{
    static const enum pqcdc_operation operations[CHANGE_KIND_COUNT] = {
        [CHANGE_INSERT] = PQCDC_INSERT,
        [CHANGE_UPDATE] = PQCDC_UPDATE,
        [CHANGE_DELETE] = PQCDC_DELETE,
    };
    struct pqcdc_message message = {
        .event_time_us = server_time_unix_us(txn->commit_time),
        .table_namespace = text_of(change->relation->schema),
        .table_name = text_of(change->relation->name),
        .operation = operations[change->kind],
        .commit_lsn = txn->final_lsn.value,
        .ordinal = txn->ordinal,
        .xid = txn->xid,
    };
    message.new_columns =
        columns_of(change->relation, &change->as.row.new, false, arena, &message.new_count);
    message.old_columns = columns_of(change->relation, &change->as.row.old,
                                     change->as.row.old_kind == OLD_KEY, arena, &message.old_count);
    return message;
}

/* The emitter. */

static bool emitter_fail(struct pqcdc_emitter *emitter)
{
    emitter->failed = true;
    return false;
}

static bool find_topic(struct pqcdc_emitter *emitter, const struct pqcdc_record *record,
                       uint32_t *out_topic)
{
    if (record->topic != NULL)
        return delivery_topic(emitter->handler->delivery, record->topic, out_topic, emitter->err);
    const struct handler_builtin_table *table = handler_builtin_table(emitter->change->relation);
    if (table == NULL || !table->plan->routed) {
        error_set(emitter->err, ERROR_HALT, "no_topic",
                  "the handler emitted a record without a topic, and the table has none");
        return error_advise(emitter->err, "name the topic in the record, or map the table in "
                                          "kafka.tableTopicMapping");
    }
    *out_topic = table->plan->topic;
    return true;
}

static struct slice copy_text(struct record_list *list, struct pqcdc_text text)
{
    if (text.data == NULL)
        return SLICE_NULL;
    return arena_copy(list->arena, (struct slice){ text.data, text.size });
}

static void copy_headers(struct record_list *list, const struct pqcdc_record *record,
                         struct record *copy)
{
    if (record->header_count == 0)
        return;
    struct header *headers = arena_array(list->arena, record->header_count, sizeof(*headers));
    for (size_t i = 0; i < record->header_count; i++) {
        headers[i].name = arena_copy(list->arena, slice_of(record->headers[i].name)).data;
        headers[i].value = copy_text(list, record->headers[i].value);
    }
    copy->headers = headers;
    copy->header_count = (uint32_t)record->header_count;
}

bool handler_callback_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record)
{
    uint32_t topic;
    if (emitter->failed || !find_topic(emitter, record, &topic))
        return emitter_fail(emitter);
    struct record *copy = record_list_add(emitter->list);
    copy->topic = topic;
    copy->key = copy_text(emitter->list, record->key);
    copy->value = copy_text(emitter->list, record->value);
    copy_headers(emitter->list, record, copy);
    return true;
}

bool handler_callback_emit_default(struct pqcdc_emitter *emitter)
{
    const struct handler *builtin = &emitter->handler->builtin;
    if (emitter->failed || builtin->ops->change(builtin->self, emitter->txn, emitter->change,
                                                emitter->list, emitter->err) != EMIT_OK)
        return emitter_fail(emitter);
    return true;
}

/* The handler. */

static enum emit on_relation(void *self, struct relation *relation, struct error *err)
{
    struct handler_callback *handler = self;
    return handler->builtin.ops->relation(handler->builtin.self, relation, err);
}

static enum emit on_change(void *self, const struct txn *txn, const struct change *change,
                           struct record_list *list, struct error *err)
{
    struct handler_callback *handler = self;
    if (change->kind == CHANGE_TRUNCATE)
        return handler->builtin.ops->change(handler->builtin.self, txn, change, list, err);
    enum emit prepared = handler_builtin_prepare(handler->builtin.self, change->relation, err);
    if (prepared != EMIT_OK)
        return prepared;
    struct pqcdc_emitter emitter = { handler, txn, change, list, err, false };
    const struct pqcdc_message message = message_of(txn, change, list->arena);
    bool fine = handler->callback(handler->callback_self, &message, &emitter);
    if (emitter.failed)
        return EMIT_FAILED;
    if (fine)
        return EMIT_OK;
    (void)error_set(err, ERROR_HALT, "handler_failed", "the handler refused the change");
    return EMIT_FAILED;
}

static enum emit on_boundary(void *self UNUSED, const struct txn *txn UNUSED,
                             struct record_list *list UNUSED, struct error *err UNUSED)
{
    return EMIT_OK;
}

static void on_free(void *self)
{
    struct handler_callback *handler = self;
    handler->builtin.ops->free(handler->builtin.self);
    memory_free(handler);
}

struct handler handler_callback_new(pqcdc_handler *callback, void *callback_self,
                                    struct handler builtin, struct delivery *delivery)
{
    static const struct handler_ops ops = {
        .relation = on_relation,
        .begin = on_boundary,
        .change = on_change,
        .commit = on_boundary,
        .free = on_free,
    };
    struct handler_callback *handler = memory_alloc(sizeof(*handler));
    *handler = (struct handler_callback){ callback, callback_self, builtin, delivery };
    return (struct handler){ &ops, handler };
}
