#include "change/change.h"

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
