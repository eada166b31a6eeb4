#include "postgres/sqlstate.h"

#include <stddef.h>
#include <string.h>

enum { SQLSTATE_LENGTH = 5, SQLSTATE_CLASS_LENGTH = 2 };

static const struct sqlstate_rule rules[] = {
#define RULE(sqlstate, class, name, advice) { sqlstate, class, name, advice },
#include "postgres/sqlstate.def"
#undef RULE
};

static const struct sqlstate_rule connection_rule = { "", ERROR_RECONNECT, "connection", "" };
static const struct sqlstate_rule unknown_rule = { "", ERROR_RETRY, "unknown", "" };

static const struct sqlstate_rule *find_row(const char *sqlstate, size_t length)
{
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (strlen(rules[i].sqlstate) == length &&
            strncmp(rules[i].sqlstate, sqlstate, length) == 0)
            return &rules[i];
    return NULL;
}

const struct sqlstate_rule *sqlstate_find(const char *sqlstate)
{
    if (sqlstate == NULL || sqlstate[0] == '\0')
        return &connection_rule;
    if (strlen(sqlstate) != SQLSTATE_LENGTH)
        return &unknown_rule;
    const struct sqlstate_rule *rule = find_row(sqlstate, SQLSTATE_LENGTH);
    if (rule == NULL)
        rule = find_row(sqlstate, SQLSTATE_CLASS_LENGTH);
    return rule != NULL ? rule : &unknown_rule;
}

bool sqlstate_is(const char *code)
{
    return strlen(code) == SQLSTATE_LENGTH &&
           strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE_LENGTH;
}
