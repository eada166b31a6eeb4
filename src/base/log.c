#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
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
    int write_flags;      /* of pwritev2() */
    pthread_mutex_t lock; /* one line at a time; below: what it guards */
    uint64_t dropped_told;
    bool torn; /* the last line was cut: the next one begins with a line feed */
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

/* A file is written to even if that has to wait for the disk; all else must take a line at once. */
static int write_flags_of(int fd)
{
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISREG(about.st_mode) ? 0 : RWF_NOWAIT;
}

struct log *log_new(const struct log_options *options)
{
    struct log *log = memory_alloc(sizeof(*log));
    log->options = *options;
    log->write_flags = write_flags_of(options->fd);
    atomic_init(&log->level, (int)options->level);
    atomic_init(&log->dropped, 0);
    CHECK(pthread_mutex_init(&log->lock, NULL) == 0);
    return log;
}

void log_free(struct log *log)
{
    if (log == NULL)
        return;
    pthread_mutex_destroy(&log->lock);
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

/* Between our look and our write another process may fill the pipe, so that the write must not wait
 * either. Kernels before 6.4 do not know that of pipes: theirs is a plain one. */
static ssize_t write_now(struct log *log, const struct iovec *parts, int count)
{
    for (;;) {
        ssize_t written = pwritev2(log->options.fd, parts, count, -1, log->write_flags);
        if (written >= 0)
            return written;
        if (errno == EOPNOTSUPP && log->write_flags != 0)
            log->write_flags = 0;
        else if (errno != EINTR)
            return -1;
    }
}

static struct iovec part_of(struct slice bytes)
{
    return (struct iovec){ (void *)(uintptr_t)bytes.data, bytes.size };
}

/* A disk that fills up takes the beginning of a line. */
static bool write_lines(struct log *log, struct slice first, struct slice second)
{
    const struct slice lead = { "\n", log->torn ? 1 : 0 };
    const struct iovec parts[] = { part_of(lead), part_of(first), part_of(second) };
    size_t size = lead.size + first.size + second.size;
    if (would_block(log->options.fd, size))
        return false;
    ssize_t written = write_now(log, parts, COUNT_OF(parts));
    if (written <= 0)
        return false;
    log->torn = (size_t)written < size;
    return !log->torn;
}

static struct buf format_line(const struct log_options *options, enum log_level level,
                              const char *message, const struct log_field *fields)
{
    struct buf line = buf_init(LINE_BYTES);
    append_head(&line, options, level, message);
    append_fields(&line, options->format, fields);
    return line;
}

/* What nobody took is counted, and told before the first line that is taken again. */
static bool write_after_dropped(struct log *log, struct slice line)
{
    uint64_t dropped = log_dropped_count(log);
    const struct log_field fields[] = { LOG_UINT("dropped", dropped - log->dropped_told),
                                        LOG_UINT("dropped_total", dropped),
                                        { .type = LOG_END } };
    AUTO(struct buf, buf_done)
    notice = format_line(&log->options, LOG_WARN, "log lines could not be written", fields);
    if (!write_lines(log, buf_slice(&notice), line))
        return false;
    log->dropped_told = dropped;
    return true;
}

static void write_or_drop(struct log *log, struct slice line)
{
    pthread_mutex_lock(&log->lock);
    bool all_told = log_dropped_count(log) == log->dropped_told;
    bool written = all_told ? write_lines(log, (struct slice){ NULL, 0 }, line)
                            : write_after_dropped(log, line);
    if (!written)
        atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
    pthread_mutex_unlock(&log->lock);
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
    AUTO(struct buf, buf_done) line = format_line(options, level, message, fields);
    write_or_drop(log, buf_slice(&line));
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
