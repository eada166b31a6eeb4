#include "connector/handler_callback.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "connector/handler_builtin.h"
#include "connector/handler_view.h"
#include "connector/slow_notice.h"

enum { REASON_SIZE = 701 };

struct handler_callback {
    struct handler_callback_options with;
    struct slow_notice slow;
    uint64_t serial; /* of the newest version of a table */
};

/* One call of the callback. */
struct pqcdc_emitter {
    struct handler_callback *handler;
    const struct handler_view *view;
    const struct txn *txn;
    const struct change *change;
    struct tuple new_row; /* completed */
    struct record_list *list;
    struct error *err;
    bool failed; /* *err is set */
    bool was_default;
};

/* The change as the public header says it. */

static bool refuse_change(const struct change *change, const char *code, const char *text,
                          struct error *err)
{
    return error_set(err, ERROR_HALT, code, "table %.*s.%.*s: %s",
                     SLICE_ARGS(change->relation->schema), SLICE_ARGS(change->relation->name),
                     text);
}

static bool has_binary(const struct tuple *row)
{
    for (uint16_t i = 0; i < row->count; i++) {
        if (row->values[i].kind == VALUE_BINARY)
            return true;
    }
    return false;
}

static bool check_change(const struct change *change, struct error *err)
{
    if (!change_fits(change, change->relation))
        return refuse_change(change, "row_does_not_fit",
                             "a row has not the columns of its relation", err);
    if (has_binary(&change->as.row.new) || has_binary(&change->as.row.old))
        return refuse_change(change, "binary_value", "a value is in binary form", err);
    return true;
}

static struct pqcdc_message message_of(const struct pqcdc_emitter *emitter)
{
    static const enum pqcdc_operation operations[CHANGE_KIND_COUNT] = {
        [CHANGE_INSERT] = PQCDC_INSERT,
        [CHANGE_UPDATE] = PQCDC_UPDATE,
        [CHANGE_DELETE] = PQCDC_DELETE,
    };
    const struct change *change = emitter->change;
    const struct relation *relation = change->relation;
    enum old_tuple old_kind = change->kind == CHANGE_INSERT ? OLD_NONE : change->as.row.old_kind;
    struct arena *arena = emitter->list->arena;
    struct pqcdc_message message = {
        .table = &emitter->view->table,
        .operation = operations[change->kind],
        .xid = emitter->txn->xid,
        .event_time_us = server_time_unix_us(emitter->txn->commit_time),
        .commit_lsn = emitter->txn->final_lsn.value,
        .ordinal = emitter->txn->ordinal,
    };
    if (change->kind != CHANGE_DELETE)
        message.new_values = handler_view_values(relation, &emitter->new_row, false, arena);
    if (old_kind != OLD_NONE)
        message.old_values =
            handler_view_values(relation, &change->as.row.old, old_kind == OLD_KEY, arena);
    return message;
}

/* The emitter. */

static bool emitter_fail(struct pqcdc_emitter *emitter)
{
    emitter->failed = true;
    return false;
}

static bool fail_with(struct pqcdc_emitter *emitter, const char *reason)
{
    if (!emitter->failed)
        (void)error_set(emitter->err, ERROR_HALT, "handler_failed", "the handler: %s", reason);
    return emitter_fail(emitter);
}

bool handler_callback_fail(struct pqcdc_emitter *emitter, const char *format, va_list values)
{
    char reason[REASON_SIZE];
    (void)vsnprintf(reason, sizeof(reason), format, values);
    return fail_with(emitter, reason);
}

static bool find_topic(struct pqcdc_emitter *emitter, const struct pqcdc_record *record,
                       uint32_t *out_topic)
{
    if (record->topic != NULL)
        return delivery_topic(emitter->handler->with.delivery, record->topic, out_topic,
                              emitter->err);
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
    struct slice bytes = { text.data, text.size };
    if (bytes.data == NULL)
        return SLICE_NULL;
    return arena_holds(list->arena, bytes.data) ? bytes : arena_copy(list->arena, bytes);
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

static bool headers_have_names(const struct pqcdc_record *record)
{
    for (size_t i = 0; i < record->header_count; i++) {
        if (record->headers[i].name == NULL)
            return false;
    }
    return true;
}

static bool is_zero(const void *const *reserved, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (reserved[i] != NULL)
            return false;
    }
    return true;
}

bool handler_callback_emit(struct pqcdc_emitter *emitter, const struct pqcdc_record *record)
{
    uint32_t topic;
    if (emitter->failed)
        return false;
    if (!is_zero(record->reserved, COUNT_OF(record->reserved)))
        return fail_with(emitter, "a record's reserved members are not zero");
    if (!headers_have_names(record))
        return fail_with(emitter, "a header has no name");
    if (!find_topic(emitter, record, &topic))
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
    const struct handler *builtin = &emitter->handler->with.builtin;
    emitter->was_default = true;
    if (emitter->failed || builtin->ops->change(builtin->self, emitter->txn, emitter->change,
                                                emitter->list, emitter->err) != EMIT_OK)
        return emitter_fail(emitter);
    return true;
}

void *handler_callback_alloc(struct pqcdc_emitter *emitter, size_t size)
{
    return arena_alloc(emitter->list->arena, size);
}

/* Rows as JSON. */

static const struct tuple *row_of(const struct pqcdc_emitter *emitter, enum pqcdc_row row,
                                  bool *out_identity_only)
{
    const struct change *change = emitter->change;
    bool has_new = change->kind != CHANGE_DELETE;
    bool has_old = change->kind != CHANGE_INSERT && change->as.row.old_kind != OLD_NONE;
    bool wants_new = row == PQCDC_ROW_NEW || (row == PQCDC_ROW_LAST && has_new);
    *out_identity_only = !wants_new && change->as.row.old_kind == OLD_KEY;
    if (wants_new)
        return has_new ? &emitter->new_row : NULL;
    return has_old ? &change->as.row.old : NULL;
}

static bool too_large(struct pqcdc_emitter *emitter)
{
    const struct relation *relation = emitter->change->relation;
    (void)error_set(emitter->err, ERROR_HALT, "record_too_large",
                    "table %.*s.%.*s: a row's JSON is above %" PRIu64 " bytes",
                    SLICE_ARGS(relation->schema), SLICE_ARGS(relation->name),
                    emitter->handler->with.max_record_bytes);
    (void)error_advise(emitter->err, "raise cdc.maxRecordBytes, or leave the large column out of "
                                     "the publication");
    return emitter_fail(emitter);
}

static struct row_json_member *members_of(struct pqcdc_emitter *emitter,
                                          const struct pqcdc_member *members, size_t count)
{
    struct row_json_member *made = arena_array(emitter->list->arena, count, sizeof(*made));
    for (size_t i = 0; i < count; i++) {
        made[i] = (struct row_json_member){
            .name = slice_of(members[i].name),
            .text = { members[i].text.data, members[i].text.size },
            .is_json = members[i].is_json,
        };
    }
    return made;
}

bool handler_callback_row_json(struct pqcdc_emitter *emitter, enum pqcdc_row row,
                               const struct pqcdc_member *members, size_t member_count,
                               struct pqcdc_text *out_json)
{
    bool identity_only;
    const struct tuple *tuple = row_of(emitter, row, &identity_only);
    if (emitter->failed)
        return false;
    if (tuple == NULL)
        return fail_with(emitter, "it asked for a row that the change does not have");
    if (member_count > ROW_JSON_MEMBERS_MAX)
        return fail_with(emitter, "it gave a row too many members");
    const struct row_json *json = emitter->view->json;
    const struct row_json_member *ours = members_of(emitter, members, member_count);
    struct buf out =
        buf_init_arena(emitter->list->arena, row_json_hint(json, tuple, ours, member_count),
                       emitter->handler->with.max_record_bytes + 1);
    row_json_write(json, tuple, identity_only, ours, member_count, &out);
    buf_append_byte(&out, '\0');
    if (out.failed)
        return too_large(emitter);
    struct slice text = buf_finish(&out);
    *out_json = (struct pqcdc_text){ text.data, text.size - 1 };
    return true;
}

/* The handler. */

static enum emit on_relation(void *self, struct relation *relation, struct error *err)
{
    struct handler_callback *handler = self;
    return handler->with.builtin.ops->relation(handler->with.builtin.self, relation, err);
}

static const struct handler_view *view_of(struct handler_callback *handler,
                                          struct relation *relation)
{
    const struct handler_builtin_table *table = handler_builtin_table(relation);
    if (table->guest == NULL)
        handler_builtin_keep(relation, handler_view_new(relation, ++handler->serial),
                             handler_view_free);
    return table->guest;
}

static enum emit call(struct handler_callback *handler, const struct txn *txn,
                      const struct change *change, struct record_list *list, struct error *err)
{
    enum emit prepared = handler_builtin_prepare(handler->with.builtin.self, change->relation, err);
    if (prepared != EMIT_OK)
        return prepared;
    if (!check_change(change, err))
        return EMIT_FAILED;
    struct pqcdc_emitter emitter = {
        .handler = handler,
        .view = view_of(handler, change->relation),
        .txn = txn,
        .change = change,
        .new_row = change_complete_row(change, change->relation, list->arena),
        .list = list,
        .err = err,
    };
    const struct pqcdc_message message = message_of(&emitter);
    mono_ms_t began = slow_notice_begin(&handler->slow);
    bool fine = handler->with.handle(handler->with.handle_self, &message, &emitter);
    slow_notice_end(&handler->slow, began);
    if (!fine)
        (void)fail_with(&emitter, "it refused the change and did not say why");
    if (!emitter.was_default)
        status_count(&handler_builtin_table(change->relation)->status->changes, 1);
    return emitter.failed ? EMIT_FAILED : EMIT_OK;
}

static void note_origin(const struct txn *txn, struct record_list *list)
{
    if (list->count == 0)
        return;
    struct record_origin *origin = arena_alloc(list->arena, sizeof(*origin));
    *origin = (struct record_origin){ txn->final_lsn.value, txn->ordinal, txn->xid };
    for (uint32_t i = 0; i < list->count; i++)
        list->items[i].origin = origin;
}

static enum emit on_change(void *self, const struct txn *txn, const struct change *change,
                           struct record_list *list, struct error *err)
{
    struct handler_callback *handler = self;
    const struct handler *builtin = &handler->with.builtin;
    bool is_own = handler->with.handle != NULL && change->kind != CHANGE_TRUNCATE;
    enum emit emit = is_own ? call(handler, txn, change, list, err)
                            : builtin->ops->change(builtin->self, txn, change, list, err);
    if (emit == EMIT_OK && handler->with.answered)
        note_origin(txn, list);
    return emit;
}

static enum emit on_boundary(void *self UNUSED, const struct txn *txn UNUSED,
                             struct record_list *list UNUSED, struct error *err UNUSED)
{
    return EMIT_OK;
}

static void on_free(void *self)
{
    struct handler_callback *handler = self;
    handler->with.builtin.ops->free(handler->with.builtin.self);
    memory_free(handler);
}

struct handler handler_callback_new(const struct handler_callback_options *options)
{
    static const struct handler_ops ops = {
        .relation = on_relation,
        .begin = on_boundary,
        .change = on_change,
        .commit = on_boundary,
        .free = on_free,
    };
    struct handler_callback *handler = memory_alloc(sizeof(*handler));
    handler->with = *options;
    handler->slow = (struct slow_notice){
        .clock = options->clock,
        .log = options->log,
        .status = options->status,
        .what = "handler",
    };
    return (struct handler){ &ops, handler };
}
