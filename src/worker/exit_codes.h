/* How the process ends, by sysexits(3). docs/operations.md lists them. */
#ifndef WORKER_EXIT_CODES_H
#define WORKER_EXIT_CODES_H

#include "base/error.h"

#define EXIT_CODES(X)                                                                              \
    X(EXIT_CODE_OK, 0, "stopped as asked, or the command did its work")                            \
    X(EXIT_CODE_MEND, 1, "check: something must be mended; warnings alone are 0")                  \
    X(EXIT_CODE_USAGE, 64, "the command line is wrong")                                            \
    X(EXIT_CODE_HALTED, 69,                                                                        \
      "halted, or the command could not do its work: the log says what to "                        \
      "do")                                                                                        \
    X(EXIT_CODE_BUG, 70,                                                                           \
      "an answer that must not be: report it (a broken invariant aborts instead)")                 \
    X(EXIT_CODE_AT_ONCE, 75,                                                                       \
      "left at once at the second signal: what was unconfirmed comes again")                       \
    X(EXIT_CODE_CONFIG, 78, "the configuration is wrong: every problem is listed")

enum exit_code {
#define X(name, number, text) name = (number),
    EXIT_CODES(X)
#undef X
};

enum exit_code exit_codes_of(const struct error *err);

#endif
