/* Reading and writing small texts: numbers, sizes, durations, near misses. Any thread. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/slice.h"

/* The whole text must be the number; false leaves *out as it was. */
MUST_CHECK bool text_parse_i64(const char *text, int64_t *out_value);
MUST_CHECK bool text_parse_bool(const char *text, bool *out_value); /* YAML 1.1: true/yes/on ... */
/* "200ms", "10s", "1m30s", "1.5h", "2us" as Go's time.ParseDuration; a bare number is in bare_ms.
 */
MUST_CHECK bool text_parse_duration_ms(const char *text, int64_t bare_ms, int64_t *out_ms);
/* "10mb", "512kb", "1gb", "100" (bytes); units of 1024, any case, optional "b", "ib". */
MUST_CHECK bool text_parse_size(const char *text, int64_t *out_bytes);
/* Shortest Go form: "1m30s", "200ms", "0s". */
void text_format_duration(int64_t ms, char *out, size_t out_size);

/* The candidate with the smallest edit distance (case ignored) when it is near enough to be meant
 * (at most a third of the length, at least 2), else NULL. */
const char *text_nearest(const char *wanted, const char *const *candidates, size_t count);

/* Bytes of the UTF-8 character at the start; 0 = none stands there (RFC 3629: no surrogates, no
 * overlong forms). */
size_t text_utf8_size(struct slice text);
bool text_is_utf8(struct slice text);
char *text_format(const char *format, ...) PRINTF_LIKE(1, 2); /* memory_free() the result */
char *text_format_list(const char *format, va_list values) PRINTF_LIKE(1, 0); /* the same */

#endif
