#include "worker/check_report.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static const char *const status_names[] = {
    [CHECK_STATUS_OK] = "ok",
    [CHECK_STATUS_WARN] = "warn",
    [CHECK_STATUS_FAIL] = "fail",
    [CHECK_STATUS_SKIP] = "skip",
};

void check_report_done(struct check_report *report)
{
    for (uint32_t i = 0; i < report->count; i++) {
        memory_free(report->rows[i].text);
        memory_free(report->rows[i].sql);
        memory_free(report->rows[i].command);
        memory_free(report->rows[i].advice);
    }
    memory_free(report->rows);
    *report = (struct check_report){ .count = 0 };
}

void check_report_add(struct check_report *report, enum check_status status, const char *check,
                      struct check_mend mend, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    report->rows = memory_resize(report->rows, (report->count + 1) * sizeof(*report->rows));
    report->rows[report->count++] = (struct check_row){
        .status = status,
        .check = check,
        .text = text_format_list(format, values),
        .sql = memory_text(mend.sql),
        .command = memory_text(mend.command),
        .advice = memory_text(mend.advice),
    };
    va_end(values);
}

void check_report_add_error(struct check_report *report, const char *check, const struct error *err)
{
    const struct check_mend mend = { .advice = err->advice[0] != '\0' ? err->advice : NULL };
    check_report_add(report, CHECK_STATUS_FAIL, check, mend, "%s", err->text);
}

uint32_t check_report_count(const struct check_report *report, enum check_status status)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->count; i++)
        count += report->rows[i].status == status ? 1 : 0;
    return count;
}

/* ---- text ---- */

static int check_width(const struct check_report *report)
{
    size_t width = 0;
    for (uint32_t i = 0; i < report->count; i++)
        width = strlen(report->rows[i].check) > width ? strlen(report->rows[i].check) : width;
    return (int)width;
}

/* Each line under the text. */
static void write_mend(struct buf *out, int indent, const char *what, const char *text)
{
    for (const char *line = text; line != NULL && *line != '\0';) {
        size_t size = strcspn(line, "\n");
        buf_append_format(out, "%*s%s %.*s\n", indent, "", what, (int)size, line);
        line += size + (line[size] == '\n' ? 1 : 0);
    }
}

void check_report_write_text(const struct check_report *report, struct buf *out)
{
    int width = check_width(report);
    for (uint32_t i = 0; i < report->count; i++) {
        const struct check_row *row = &report->rows[i];
        buf_append_format(out, "%-4s  %-*s  %s\n", status_names[row->status], width, row->check,
                          row->text);
        write_mend(out, width + 8, "sql:", row->sql);
        write_mend(out, width + 8, "run:", row->command);
        write_mend(out, width + 8, "do:", row->advice);
    }
    buf_append_format(out, "%u to mend, %u to know, %u not looked at, %u well\n",
                      check_report_count(report, CHECK_STATUS_FAIL),
                      check_report_count(report, CHECK_STATUS_WARN),
                      check_report_count(report, CHECK_STATUS_SKIP),
                      check_report_count(report, CHECK_STATUS_OK));
}

/* ---- JSON ---- */

/* Names of a database in SQL_ASCII may be no UTF-8. */
static json_t *text_json(const char *text)
{
    if (text == NULL)
        return json_null();
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("(not UTF-8)");
}

static json_t *row_json(const struct check_row *row)
{
    json_t *object = json_object();
    (void)json_object_set_new(object, "check", json_string(row->check));
    (void)json_object_set_new(object, "status", json_string(status_names[row->status]));
    (void)json_object_set_new(object, "text", text_json(row->text));
    (void)json_object_set_new(object, "sql", text_json(row->sql));
    (void)json_object_set_new(object, "command", text_json(row->command));
    (void)json_object_set_new(object, "advice", text_json(row->advice));
    return object;
}

void check_report_write_json(const struct check_report *report, struct buf *out)
{
    json_t *root = json_object(), *rows = json_array();
    for (uint32_t i = 0; i < report->count; i++)
        (void)json_array_append_new(rows, row_json(&report->rows[i]));
    bool well = check_report_count(report, CHECK_STATUS_FAIL) == 0;
    (void)json_object_set_new(root, "ok", json_boolean(well));
    (void)json_object_set_new(root, "checks", rows);
    char *text = json_dumps(root, JSON_INDENT(2));
    CHECK(text != NULL);
    buf_append_text(out, text);
    buf_append_byte(out, '\n');
    free(text);
    json_decref(root);
}
