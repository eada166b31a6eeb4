#include "format/key.h"

#include "base/buf.h"

enum { KEY_HINT_BYTES = 128 };

bool key_needs_primary_key(const struct relation *relation, bool configured)
{
    if (configured)
        return false;
    switch (relation->identity) {
    case REPLICA_IDENTITY_DEFAULT:
    case REPLICA_IDENTITY_INDEX:
        return false;
    case REPLICA_IDENTITY_FULL:
    case REPLICA_IDENTITY_NOTHING:
        return true;
    }
    return true;
}

static struct slice column_name(const struct table_plan *plan, uint16_t key_at)
{
    return plan->relation->columns[plan->key_columns[key_at].index].name;
}

bool key_in_identity(const struct table_plan *plan, enum old_tuple old_kind, struct error *err)
{
    if (old_kind == OLD_FULL)
        return true;
    for (uint16_t i = 0; i < plan->key_count; i++) {
        if (plan->key_columns[i].identity)
            continue;
        error_set(
            err, ERROR_HALT, "key_not_in_identity",
            "table %.*s: key column \"%.*s\" is not part of the replica identity (%s), so the "
            "key of an UPDATE or DELETE is not known",
            SLICE_ARGS(plan->qualified_name), SLICE_ARGS(column_name(plan, i)),
            relation_identity_name(plan->relation->identity));
        return error_advise(err,
                            "ALTER TABLE %.*s REPLICA IDENTITY FULL, or choose keyColumns "
                            "within the identity, or publish only INSERT of this table",
                            SLICE_ARGS(plan->qualified_name));
    }
    return true;
}

static bool fail(const struct table_plan *plan, uint16_t key_at, const char *code,
                 const char *reason, struct error *err)
{
    return error_set(err, ERROR_HALT, code, "table %.*s: the value of key column \"%.*s\" %s",
                     SLICE_ARGS(plan->qualified_name), SLICE_ARGS(column_name(plan, key_at)),
                     reason);
}

static bool write_member(const struct table_plan *plan, uint16_t key_at, const struct value *value,
                         struct buf *out, struct error *err)
{
    buf_append_slice(out, plan->key_columns[key_at].fragment);
    switch (value->kind) {
    case VALUE_NULL:
        buf_append_slice(out, SLICE_TEXT("null,"));
        return true;
    case VALUE_TEXT:
        plan->key_columns[key_at].write(out, value->bytes);
        buf_append_byte(out, ',');
        return true;
    case VALUE_UNCHANGED:
        return fail(plan, key_at, "key_unknown", "was not sent (unchanged TOAST)", err);
    case VALUE_BINARY:
        return fail(plan, key_at, "binary_value", "is in binary form", err);
    }
    return false;
}

static bool encode_object(const struct table_plan *plan, const struct tuple *tuple,
                          struct arena *arena, struct slice *out_key, struct error *err)
{
    struct buf out = buf_init_arena(arena, KEY_HINT_BYTES, KEY_LIMIT_BYTES);
    buf_append_byte(&out, '{');
    for (uint16_t i = 0; i < plan->key_count; i++)
        if (!write_member(plan, i, &tuple->values[plan->key_columns[i].index], &out, err))
            return false;
    if (out.failed)
        return error_set(err, ERROR_HALT, "key_too_large", "table %.*s: a key is above %d bytes",
                         SLICE_ARGS(plan->qualified_name), (int)KEY_LIMIT_BYTES);
    out.data[out.size - 1] = '}';
    *out_key = buf_finish(&out);
    return true;
}

static bool encode_text(const struct table_plan *plan, const struct value *value,
                        struct arena *arena, struct slice *out_key, struct error *err)
{
    switch (value->kind) {
    case VALUE_NULL:
        *out_key = SLICE_NULL;
        return true;
    case VALUE_TEXT:
        if (value->bytes.size > KEY_LIMIT_BYTES)
            return fail(plan, 0, "key_too_large", "is above 1 MiB", err);
        *out_key = arena_copy(arena, value->bytes);
        return true;
    case VALUE_UNCHANGED:
        return fail(plan, 0, "key_unknown", "was not sent (unchanged TOAST)", err);
    case VALUE_BINARY:
        return fail(plan, 0, "binary_value", "is in binary form", err);
    }
    return false;
}

bool key_encode(const struct table_plan *plan, const struct tuple *tuple, struct arena *arena,
                struct slice *out_key, struct error *err)
{
    if (plan->key_count == 0) {
        *out_key = SLICE_NULL;
        return true;
    }
    if (plan->key_count > 1)
        return encode_object(plan, tuple, arena, out_key, err);
    return encode_text(plan, &tuple->values[plan->key_columns[0].index], arena, out_key, err);
}

static bool differs(const struct value *old, const struct value *new)
{
    if (new->kind == VALUE_UNCHANGED)
        return false;
    if (old->kind != new->kind)
        return true;
    return new->kind != VALUE_NULL && !slice_equal(old->bytes, new->bytes);
}

bool key_changed(const struct table_plan *plan, const struct tuple *old_tuple,
                 const struct tuple *new_tuple)
{
    for (uint16_t i = 0; i < plan->key_count; i++) {
        uint16_t index = plan->key_columns[i].index;
        if (differs(&old_tuple->values[index], &new_tuple->values[index]))
            return true;
    }
    return false;
}
