#include "change/change.h"

#include <string.h>

#include "base/check.h"

static const char *const kind_names[CHANGE_KIND_COUNT] = {
    [CHANGE_BEGIN] = "begin",       [CHANGE_COMMIT] = "commit", [CHANGE_ORIGIN] = "origin",
    [CHANGE_RELATION] = "relation", [CHANGE_TYPE] = "type",     [CHANGE_INSERT] = "insert",
    [CHANGE_UPDATE] = "update",     [CHANGE_DELETE] = "delete", [CHANGE_TRUNCATE] = "truncate",
    [CHANGE_MESSAGE] = "message",
};

const char *change_kind_name(enum change_kind kind)
{
    CHECK(kind < CHANGE_KIND_COUNT);
    return kind_names[kind];
}

bool change_is_item(enum change_kind kind)
{
    static const bool items[CHANGE_KIND_COUNT] = {
        [CHANGE_BEGIN] = true,  [CHANGE_COMMIT] = true, [CHANGE_INSERT] = true,
        [CHANGE_UPDATE] = true, [CHANGE_DELETE] = true, [CHANGE_TRUNCATE] = true,
    };
    CHECK(kind < CHANGE_KIND_COUNT);
    return items[kind];
}

bool change_fits(const struct change *change, const struct relation *relation)
{
    uint16_t width = relation->column_count;
    bool new_fits = change->kind == CHANGE_DELETE || change->as.row.new.count == width;
    bool has_old = change->kind != CHANGE_INSERT && change->as.row.old_kind != OLD_NONE;
    return new_fits &&
           (has_old ? change->as.row.old.count == width : change->kind != CHANGE_DELETE);
}

/* A key-only tuple says null for every column outside the identity, which is no value. */
struct tuple change_complete_row(const struct change *change, const struct relation *relation,
                                 struct arena *arena)
{
    const struct tuple *new = &change->as.row.new;
    const struct tuple *old = &change->as.row.old;
    enum old_tuple old_kind = change->as.row.old_kind;
    struct value *values = NULL;
    for (uint16_t i = 0; i < new->count &&old_kind != OLD_NONE; i++) {
        bool known = old_kind == OLD_FULL || relation->columns[i].identity;
        if (new->values[i].kind != VALUE_UNCHANGED || !known)
            continue;
        if (values == NULL) {
            values = arena_array(arena, new->count, sizeof(*values));
            memcpy(values, new->values, new->count * sizeof(*values));
        }
        values[i] = old->values[i];
    }
    return (struct tuple){ values != NULL ? values : new->values, new->count };
}

bool change_prefix(const struct change *change, lsn_t final_lsn, struct error *err)
{
    const struct relation *relation = change->relation;
    const char *kind = change_kind_name(change->kind);
    struct lsn_text lsn = lsn_text(final_lsn);
    if (relation == NULL)
        return error_prefix(err, "%s, transaction at %s", kind, lsn.text);
    return error_prefix(err, "%s of table %.*s.%.*s, transaction at %s", kind,
                        SLICE_ARGS(relation->schema), SLICE_ARGS(relation->name), lsn.text);
}
