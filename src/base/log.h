/* Structured logs: one line an event, JSON or text, written with one write() call.
 *
 * JSON: {"time":"2026-01-02T03:04:05.678Z","level":"INFO","msg":"...","key":value,...}
 * text: 2026-01-02T03:04:05.678Z INFO  message key=value key="quoted value"
 * Control characters, quotes and bytes that are not UTF-8 are escaped; a field is cut at 4 KiB and
 * a line at 16 KiB. Row data and secrets are never passed here. Any thread.
 *
 * Logging never waits for a reader: a line that a pipe, a terminal or a socket does not take at
 * once, and one that a full disk does not take, is dropped and counted. The first line that is
 * taken again is a warning that says how many were dropped.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };

enum log_type { LOG_END = 0, LOG_STRING, LOG_INTEGER, LOG_UNSIGNED, LOG_BOOLEAN, LOG_REAL };

struct log_field {
    const char *key;
    enum log_type type;
    union {
        const char *string; /* NULL: written as null */
        int64_t integer;
        uint64_t unsigned_integer;
        bool boolean;
        double real;
    } value;
};

#define LOG_STR(key_, value_)                                                                      \
    {                                                                                              \
        .key = (key_), .type = LOG_STRING, .value.string = (value_)                                \
    }
#define LOG_INT(key_, value_)                                                                      \
    {                                                                                              \
        .key = (key_), .type = LOG_INTEGER, .value.integer = (int64_t)(value_)                     \
    }
#define LOG_UINT(key_, value_)                                                                     \
    {                                                                                              \
        .key = (key_), .type = LOG_UNSIGNED, .value.unsigned_integer = (uint64_t)(value_)          \
    }
#define LOG_BOOL(key_, value_)                                                                     \
    {                                                                                              \
        .key = (key_), .type = LOG_BOOLEAN, .value.boolean = (value_)                              \
    }
#define LOG_NUM(key_, value_)                                                                      \
    {                                                                                              \
        .key = (key_), .type = LOG_REAL, .value.real = (value_)                                    \
    }

/* Receives every event instead of the descriptor (the C API's logger). fields end with LOG_END. */
typedef void log_sink_fn(void *self, enum log_level level, const char *message,
                         const struct log_field *fields);

struct log_options {
    int fd; /* not owned */
    enum log_level level;
    enum log_format format;
    struct clock clock;
    log_sink_fn *sink; /* NULL: write to fd */
    void *sink_self;
};

struct log;
struct log *log_new(const struct log_options *options);
void log_free(struct log *log);
bool log_enabled(const struct log *log, enum log_level level);
void log_set_level(struct log *log, enum log_level level);
uint64_t log_dropped_count(const struct log *log);

void log_write(struct log *log, enum log_level level, const char *message,
               const struct log_field *fields);

/* log_info(log, "slot created", LOG_STR("slot", name), LOG_STR("lsn", text)); or the message alone.
 */
#define LOG_HEAD_(message, ...) message
#define LOG_TAIL_(message, ...) __VA_ARGS__
#define log_event(log, level, ...)                                                                 \
    log_write(log, level, LOG_HEAD_(__VA_ARGS__, ),                                                \
              (const struct log_field[]){ LOG_TAIL_(__VA_ARGS__, { .type = LOG_END }) })
#define log_debug(log, ...) log_event(log, LOG_DEBUG, __VA_ARGS__)
#define log_info(log, ...)  log_event(log, LOG_INFO, __VA_ARGS__)
#define log_warn(log, ...)  log_event(log, LOG_WARN, __VA_ARGS__)
#define log_error(log, ...) log_event(log, LOG_ERROR, __VA_ARGS__)

/* An error with its class, code, text and advice as fields. */
void log_failure(struct log *log, enum log_level level, const char *message,
                 const struct error *err);

bool log_level_parse(const char *text, enum log_level *out_level); /* any case; WARNING = WARN */

#endif
