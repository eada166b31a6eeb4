#include "postgres/timeline.h"

#include <stdio.h>

#include "postgres/timeline_history.h"

enum { ANSWER_LIMIT_MS = 10000, COMMAND_SIZE = 64 };

bool timeline_switch_point(struct db_conn *conn, uint32_t timeline, uint32_t parent,
                           lsn_t *out_switch, struct error *err)
{
    AUTO(PGresult *, db_conn_clear_p) result = NULL;
    char command[COMMAND_SIZE];
    if (timeline == 1) { /* the first one: it has no history file */
        *out_switch = LSN_NONE;
        return true;
    }
    snprintf(command, sizeof(command), "TIMELINE_HISTORY %u", timeline);
    if (!db_conn_simple(conn, ANSWER_LIMIT_MS, command, &result, err))
        return error_prefix(err, "read the history of timeline %u", timeline);
    if (PQntuples(result) != 1 || PQnfields(result) < 2 ||
        !timeline_history_find(
            (struct slice){ PQgetvalue(result, 0, 1), (size_t)PQgetlength(result, 0, 1) }, parent,
            out_switch))
        return error_set(err, ERROR_HALT, "unexpected_answer",
                         "TIMELINE_HISTORY %u: PostgreSQL gave an answer of an unknown form",
                         timeline);
    return true;
}
