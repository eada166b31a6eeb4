#include "format/flat_json.h"

#include <inttypes.h>

#include "base/buf.h"
#include "format/key.h"

/* One change on its way into the list. */
struct job {
    const struct encoder_options *options;
    const struct table_plan *plan;
    const struct txn *txn;
    struct record_list *list;
    struct error *err;
};

static const char op_insert[] = "INSERT";
static const char op_update[] = "UPDATE";
static const char op_delete[] = "DELETE";
static const char op_truncate[] = "TRUNCATE";

/* What stands around a value: quotes and a comma, or "null,". */
enum { VALUE_ROOM = 8, OPERATION_ROOM = 32 };

/* Enough when nothing is escaped; what is too much goes back to the arena. */
static size_t row_hint(const struct table_plan *plan, const struct tuple *row)
{
    size_t bytes = OPERATION_ROOM;
    for (uint16_t i = 0; i < plan->column_count; i++) {
        const struct value *value = &row->values[plan->columns[i].index];
        bytes += plan->columns[i].fragment.size + VALUE_ROOM;
        bytes += value->kind == VALUE_TEXT ? value->bytes.size : 0;
    }
    return bytes;
}

static bool too_large(const struct job *job)
{
    error_set(job->err, ERROR_HALT, "record_too_large",
              "table %.*s, transaction at LSN %s: a record's value is above %" PRIu64 " bytes",
              SLICE_ARGS(job->plan->qualified_name), lsn_text(job->txn->final_lsn).text,
              job->options->max_record_bytes);
    return error_advise(job->err,
                        "raise cdc.maxRecordBytes, and with it the largest message of the "
                        "producer (message.max.bytes) and of the topic "
                        "(max.message.bytes); or leave the large column out of the "
                        "publication");
}

static void write_operation(struct buf *out, const char *operation)
{
    buf_append_slice(out, SLICE_TEXT("\"operation\":\""));
    buf_append_text(out, operation);
    buf_append_slice(out, SLICE_TEXT("\","));
}

/* The member with a comma behind it; a value that was not sent is not written. */
static bool write_member(const struct job *job, const struct table_plan_column *column,
                         const struct value *value, struct buf *out)
{
    switch (value->kind) {
    case VALUE_UNCHANGED:
        return true;
    case VALUE_NULL:
        buf_append_slice(out, column->fragment);
        buf_append_slice(out, SLICE_TEXT("null,"));
        return true;
    case VALUE_TEXT:
        buf_append_slice(out, column->fragment);
        column->write(out, value->bytes);
        buf_append_byte(out, ',');
        return true;
    case VALUE_BINARY:
        break;
    }
    return error_set(job->err, ERROR_HALT, "binary_value", "table %.*s: a value is in binary form",
                     SLICE_ARGS(job->plan->qualified_name));
}

static bool write_row(const struct job *job, const char *operation, const struct tuple *row,
                      bool identity_only, struct slice *out_value)
{
    const struct table_plan *plan = job->plan;
    struct buf out =
        buf_init_arena(job->list->arena, row_hint(plan, row), job->options->max_record_bytes);
    buf_append_byte(&out, '{');
    for (uint16_t i = 0; i < plan->column_count; i++) {
        const struct table_plan_column *column = &plan->columns[i];
        if (i == plan->operation_at)
            write_operation(&out, operation);
        if (identity_only && !column->identity)
            continue;
        if (!write_member(job, column, &row->values[column->index], &out))
            return false;
    }
    if (plan->operation_at == plan->column_count)
        write_operation(&out, operation);
    if (out.failed)
        return too_large(job);
    out.data[out.size - 1] = '}';
    *out_value = buf_finish(&out);
    return true;
}

static void add_record(const struct job *job, const char *operation, struct slice key,
                       struct slice value)
{
    struct record *record = record_list_add(job->list);
    record->topic = job->plan->topic;
    record->key = key;
    record->value = value;
    encoder_headers_add(job->options->headers, job->plan, job->txn, operation, job->list, record);
}

static bool emit_row(const struct job *job, const char *operation, const struct tuple *row,
                     bool identity_only, struct slice *out_key)
{
    struct slice value;
    if (!key_encode(job->plan, row, job->list->arena, out_key, job->err))
        return error_prefix(job->err, "transaction at LSN %s", lsn_text(job->txn->final_lsn).text);
    if (!write_row(job, operation, row, identity_only, &value))
        return false;
    add_record(job, operation, *out_key, value);
    return true;
}

static bool emit_new(const struct job *job, const char *operation, const struct tuple *row)
{
    struct slice key;
    return emit_row(job, operation, row, false, &key);
}

/* A tombstone needs a key: without one it would mean nothing. */
static bool emit_delete(const struct job *job, enum old_tuple old_kind, const struct tuple *old)
{
    struct slice key;
    if (!emit_row(job, op_delete, old, old_kind == OLD_KEY, &key))
        return false;
    if (job->options->tombstones && key.data != NULL)
        add_record(job, op_delete, key, SLICE_NULL);
    return true;
}

static bool identity_holds_key(const struct job *job, enum old_tuple old_kind)
{
    if (key_in_identity(job->plan, old_kind, job->err))
        return true;
    return error_prefix(job->err, "transaction at LSN %s", lsn_text(job->txn->final_lsn).text);
}

static bool encode_update(const struct job *job, const struct change *change)
{
    enum old_tuple old_kind = change->as.row.old_kind;
    const struct tuple *old = &change->as.row.old;
    if (!identity_holds_key(job, old_kind))
        return false;
    struct tuple row = change_complete_row(change, job->plan->relation, job->list->arena);
    if (old_kind == OLD_NONE || !key_changed(job->plan, old, &row))
        return emit_new(job, op_update, &row);
    return emit_delete(job, old_kind, old) && emit_new(job, op_insert, &row);
}

static bool encode_delete(const struct job *job, const struct change *change)
{
    enum old_tuple old_kind = change->as.row.old_kind;
    return identity_holds_key(job, old_kind) && emit_delete(job, old_kind, &change->as.row.old);
}

static void encode_truncate(const struct job *job)
{
    if (job->options->truncate)
        add_record(job, op_truncate, SLICE_NULL, SLICE_TEXT("{\"operation\":\"TRUNCATE\"}"));
}

static bool check_width(const struct job *job, const struct change *change)
{
    if (change_fits(change, job->plan->relation))
        return true;
    return error_set(job->err, ERROR_HALT, "row_does_not_fit",
                     "table %.*s, transaction at LSN %s: the row of a change (%s) has not the %u "
                     "columns of its relation",
                     SLICE_ARGS(job->plan->qualified_name), lsn_text(job->txn->final_lsn).text,
                     change_kind_name(change->kind), (unsigned)job->plan->relation->column_count);
}

static bool encode_change(const struct job *job, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_INSERT:
        return check_width(job, change) && emit_new(job, op_insert, &change->as.row.new);
    case CHANGE_UPDATE:
        return check_width(job, change) && encode_update(job, change);
    case CHANGE_DELETE:
        return check_width(job, change) && encode_delete(job, change);
    case CHANGE_TRUNCATE:
        encode_truncate(job);
        return true;
    case CHANGE_BEGIN:
    case CHANGE_COMMIT:
    case CHANGE_ORIGIN:
    case CHANGE_RELATION:
    case CHANGE_TYPE:
    case CHANGE_MESSAGE:
    case CHANGE_KIND_COUNT:
        break;
    }
    return true;
}

static bool encode(const struct encoder_options *options, const struct table_plan *plan,
                   const struct txn *txn, const struct change *change, struct record_list *list,
                   struct error *err)
{
    uint32_t count = list->count;
    struct job job = { options, plan, txn, list, err };
    if (!plan->routed || encode_change(&job, change))
        return true;
    list->count = count;
    return false;
}

const struct encoder_ops flat_json_ops = { .name = "flat", .encode = encode };
