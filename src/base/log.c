#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"

enum { LINE_BYTES = 16 * 1024, FIELD_BYTES = 4 * 1024, END_BYTES = 32 };

struct log {
    struct log_options options;
    atomic_int level;
    _Atomic uint64_t dropped;
};

static const struct {
    const char *name;
    const char *padded;
} levels[] = {
    [LOG_DEBUG] = { "DEBUG", "DEBUG" },
    [LOG_INFO] = { "INFO", "INFO " },
    [LOG_WARN] = { "WARN", "WARN " },
    [LOG_ERROR] = { "ERROR", "ERROR" },
};

struct log *log_new(const struct log_options *options)
{
    struct log *log = memory_alloc(sizeof(*log));
    log->options = *options;
    atomic_init(&log->level, (int)options->level);
    atomic_init(&log->dropped, 0);
    return log;
}

void log_free(struct log *log)
{
    memory_free(log);
}

bool log_enabled(const struct log *log, enum log_level level)
{
    return (int)level >= atomic_load_explicit(&log->level, memory_order_relaxed);
}

void log_set_level(struct log *log, enum log_level level)
{
    atomic_store_explicit(&log->level, (int)level, memory_order_relaxed);
}

uint64_t log_dropped_count(const struct log *log)
{
    return atomic_load_explicit(&log->dropped, memory_order_relaxed);
}

/* One character of the input as it is written: itself, or its escape. Returns the input's bytes. */
static size_t escape(struct slice text, char out[8], size_t *out_size)
{
    static const char short_escapes[] = {
        ['"'] = '"', ['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
    };
    unsigned char first = (unsigned char)text.data[0];
    size_t size = text_utf8_size(text);
    if (size == 0) {
        *out_size = (size_t)snprintf(out, 8, "\\ufffd");
        return 1;
    }
    if (first < sizeof(short_escapes) && short_escapes[first] != 0)
        *out_size = (size_t)snprintf(out, 8, "\\%c", short_escapes[first]);
    else if (first < 0x20 || first == 0x7f)
        *out_size = (size_t)snprintf(out, 8, "\\u%04x", first);
    else
        memcpy(out, text.data, *out_size = size);
    return size;
}

/* Escaped; cut at FIELD_BYTES of output. */
static void append_escaped(struct buf *line, const char *text)
{
    struct slice rest = slice_of(text);
    size_t written = 0;
    while (rest.size > 0) {
        char out[8];
        size_t out_size;
        size_t taken = escape(rest, out, &out_size);
        if (written + out_size > FIELD_BYTES - 3) {
            buf_append_text(line, "...");
            return;
        }
        buf_append(line, out, out_size);
        written += out_size;
        rest = (struct slice){ rest.data + taken, rest.size - taken };
    }
}

static void append_quoted(struct buf *line, const char *text)
{
    buf_append_byte(line, '"');
    append_escaped(line, text);
    buf_append_byte(line, '"');
}

static bool needs_quotes(const char *text)
{
    if (*text == '\0' || !text_is_utf8(slice_of(text)))
        return true;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f || strchr("\"\\=", *text) != NULL)
            return true;
    return false;
}

static void append_string(struct buf *line, enum log_format format, const char *text)
{
    if (text == NULL)
        buf_append_text(line, "null");
    else if (format == LOG_JSON || needs_quotes(text))
        append_quoted(line, text);
    else
        append_escaped(line, text);
}

static void append_value(struct buf *line, enum log_format format, const struct log_field *field)
{
    switch (field->type) {
    case LOG_END:
        return;
    case LOG_STRING:
        append_string(line, format, field->value.string);
        return;
    case LOG_INTEGER:
        buf_append_format(line, "%" PRId64, field->value.integer);
        return;
    case LOG_UNSIGNED:
        buf_append_u64(line, field->value.unsigned_integer);
        return;
    case LOG_BOOLEAN:
        buf_append_text(line, field->value.boolean ? "true" : "false");
        return;
    case LOG_REAL:
        /* JSON has no word for the others. */
        if (isfinite(field->value.real))
            buf_append_real(line, field->value.real);
        else
            buf_append_text(line, "null");
        return;
    }
}

static void append_time(struct buf *line, int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    int64_t left_us = wall_us % 1000000;
    if (left_us < 0) {
        seconds--;
        left_us += 1000000;
    }
    struct tm utc = { 0 };
    gmtime_r(&seconds, &utc);
    buf_append_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                      utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                      (int)(left_us / 1000));
}

static void append_head(struct buf *line, const struct log_options *options, enum log_level level,
                        const char *message)
{
    int64_t wall_us = clock_wall_us(&options->clock);
    if (options->format == LOG_JSON) {
        buf_append_text(line, "{\"time\":\"");
        append_time(line, wall_us);
        buf_append_format(line, "\",\"level\":\"%s\",\"msg\":", levels[level].name);
        append_quoted(line, message);
    } else {
        append_time(line, wall_us);
        buf_append_format(line, " %s ", levels[level].padded);
        append_escaped(line, message);
    }
}

static void append_field(struct buf *line, enum log_format format, const struct log_field *field)
{
    buf_append_byte(line, format == LOG_JSON ? ',' : ' ');
    if (format == LOG_JSON || needs_quotes(field->key))
        append_quoted(line, field->key);
    else
        append_escaped(line, field->key);
    buf_append_byte(line, format == LOG_JSON ? ':' : '=');
    append_value(line, format, field);
}

/* Fields that do not fit are left out, and the line says so. */
static void append_fields(struct buf *line, enum log_format format, const struct log_field *fields)
{
    bool truncated = false;
    line->limit_bytes = LINE_BYTES - END_BYTES;
    for (; fields->type != LOG_END; fields++) {
        size_t before = line->size;
        append_field(line, format, fields);
        if (line->failed) {
            line->failed = false;
            line->size = before;
            truncated = true;
        }
    }
    line->limit_bytes = LINE_BYTES;
    if (truncated)
        append_field(line, format, &(struct log_field)LOG_BOOL("truncated", true));
    buf_append_text(line, format == LOG_JSON ? "}\n" : "\n");
}

/* A pipe with any room is writable, yet a write of more than PIPE_BUF waits until all of it fits.
 * Pages of a pipe may be filled in part, hence the half. */
static bool would_block(int fd, size_t size)
{
    struct pollfd polled = { .fd = fd, .events = POLLOUT };
    if (poll(&polled, 1, 0) != 1 || (polled.revents & POLLOUT) == 0 ||
        (polled.revents & (POLLERR | POLLNVAL)) != 0)
        return true;
    int pipe_bytes = fcntl(fd, F_GETPIPE_SZ);
    int used_bytes = 0;
    if (size <= PIPE_BUF || pipe_bytes <= 0 || ioctl(fd, FIONREAD, &used_bytes) != 0)
        return false;
    return (size_t)used_bytes + size > (size_t)pipe_bytes / 2;
}

static bool write_line(int fd, struct slice line)
{
    if (would_block(fd, line.size))
        return false;
    ssize_t written;
    do {
        written = write(fd, line.data, line.size);
    } while (written < 0 && errno == EINTR);
    return written == (ssize_t)line.size;
}

void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields)
{
    const struct log_options *options = &log->options;
    if (!log_enabled(log, level))
        return;
    if (options->sink != NULL) {
        options->sink(options->sink_self, level, message, fields);
        return;
    }
    int saved_errno = errno;
    AUTO(struct buf, buf_done) line = buf_init(LINE_BYTES);
    append_head(&line, options, level, message);
    append_fields(&line, options->format, fields);
    if (!write_line(options->fd, buf_slice(&line)))
        atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
    errno = saved_errno;
}

void log_failure(struct log *log, enum log_level level, const char *message,
                 const struct error *err)
{
    struct log_field fields[] = {
        LOG_STR("class", error_class_name(err->class)),
        LOG_STR("code", err->code),
        LOG_STR("error", err->text),
        LOG_STR("advice", err->advice),
        { .type = LOG_END },
    };
    if (err->advice[0] == '\0')
        fields[3].type = LOG_END;
    log_write(log, level, message, fields);
}

bool log_level_parse(const char *text, enum log_level *out_level)
{
    for (size_t i = 0; i < COUNT_OF(levels); i++) {
        if (strcasecmp(text, levels[i].name) == 0) {
            *out_level = (enum log_level)i;
            return true;
        }
    }
    if (strcasecmp(text, "warning") != 0)
        return false;
    *out_level = LOG_WARN;
    return true;
}
