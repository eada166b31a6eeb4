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
