/* Errors are values: a class that picks the action, a code that machines match, a text that says
 * what happened and where, and advice that says what a person can do.
 *
 * A function that can fail returns bool (false = failed), takes `struct error *err` last, and is
 * MUST_CHECK. Success leaves *err untouched; failure leaves the outputs untouched. Rooms return
 * errors and do not log. Never put a secret or row data into a text.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#include "base/check.h"

/* name in logs and metrics; what the connector does about it */
#define ERROR_CLASSES(X)                                                                           \
    X(ERROR_RETRY, "retry", "the same call may succeed: try again after a back-off")               \
    X(ERROR_RECONNECT, "reconnect", "the connection is lost: open a new one after a back-off")     \
    X(ERROR_WAIT, "wait", "somebody else must finish first: look again at an interval")            \
    X(ERROR_STEP_DOWN, "step_down", "somebody else leads: become standby")                         \
    X(ERROR_HALT, "halt", "a person must act: stop, and say what to do")                           \
    X(ERROR_CONFIG, "config", "the configuration is wrong: exit 78")                               \
    X(ERROR_BUG, "bug", "the program is wrong: stop")                                              \
    X(ERROR_STOPPED, "stopped", "the caller asked to stop while the call was waiting")

enum error_class {
    ERROR_NONE = 0,
#define X(name, text, doc) name,
    ERROR_CLASSES(X)
#undef X
};

enum { ERROR_CODE_SIZE = 48, ERROR_TEXT_SIZE = 1024, ERROR_ADVICE_SIZE = 1024 };

struct error {
    enum error_class class;
    char code[ERROR_CODE_SIZE];     /* snake_case name, SQLSTATE ("42704") or Kafka's name */
    char text[ERROR_TEXT_SIZE];     /* what, and where */
    char advice[ERROR_ADVICE_SIZE]; /* what to do; may be empty */
};

#define ERROR_INIT ((struct error){ .class = ERROR_NONE })

/* Sets *err and returns false, so that `return error_set(...)` reads as a failure. Too long a text
 * is cut and ends in "...". Clears the advice. err may be NULL (the caller only wants the bool). */
bool error_set(struct error *err, enum error_class class, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);

/* Adds advice to an error that is set; returns false. */
bool error_advise(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "text: " before what the error says, to tell where; returns false. */
bool error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);

const char *error_class_name(enum error_class class);

#endif
