/* What `pqcdc check` found: one row a finding, with the statement, the command or the advice that
 * mends it, as a table for people or as JSON. */
#ifndef WORKER_CHECK_REPORT_H
#define WORKER_CHECK_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum check_status {
    CHECK_STATUS_OK,
    CHECK_STATUS_WARN, /* it works, and somebody should know */
    CHECK_STATUS_FAIL, /* it must be mended */
    CHECK_STATUS_SKIP, /* it could not be looked at */
};

/* How to mend it; each NULL when there is none. */
struct check_mend {
    const char *sql;     /* one statement a line, each ends with ';' */
    const char *command; /* of a shell */
    const char *advice;  /* in words */
};

struct check_row {
    enum check_status status;
    const char *check; /* a name of the table of checks */
    char *text;
    char *sql, *command, *advice;
};

/* All zero = empty. */
struct check_report {
    struct check_row *rows;
    uint32_t count;
};

void check_report_done(struct check_report *report);

/* Copies everything but the name. */
void check_report_add(struct check_report *report, enum check_status status, const char *check,
                      struct check_mend mend, const char *format, ...) PRINTF_LIKE(5, 6);
/* A failure as a row: its advice in words. */
void check_report_add_error(struct check_report *report, const char *check,
                            const struct error *err);

uint32_t check_report_count(const struct check_report *report, enum check_status status);

void check_report_write_text(const struct check_report *report, struct buf *out);
void check_report_write_json(const struct check_report *report, struct buf *out);

#endif
