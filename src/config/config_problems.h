/* What is wrong with a configuration: every problem, in the order they were found. Texts name
 * places, paths and what was expected; they never hold a secret. Not thread-safe. */
#ifndef CONFIG_CONFIG_PROBLEMS_H
#define CONFIG_CONFIG_PROBLEMS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/check.h"

enum { CONFIG_PROBLEMS_MAX = 100 };

struct config_problem {
    char *where; /* "pqcdc.yaml:12", "PQCDC_CDC_HOST", "--set cdc.host"; "" = nowhere given */
    char *path;  /* the option; "" = no option in particular */
    char *text;  /* what was expected, and the nearest known name */
};

struct config_problems {
    struct config_problem *items;
    uint32_t count;
    uint32_t left_out_count; /* found beyond CONFIG_PROBLEMS_MAX */
};

#define CONFIG_PROBLEMS_INIT ((struct config_problems){ NULL, 0, 0 })

void config_problems_done(struct config_problems *problems);

/* where and path may be NULL or "". Control characters become '?', long names are cut. */
void config_problems_add(struct config_problems *problems, const char *where, const char *path,
                         const char *format, ...) PRINTF_LIKE(4, 5);

/* False once another problem would only be counted: its text need not be made. */
bool config_problems_wanted(const struct config_problems *problems);

/* How many bytes of a text to show when it may be no longer than max_bytes: whole characters. */
size_t config_problems_cut(const char *text, size_t size_bytes, size_t max_bytes);

/* One line each: "pqcdc.yaml:12: cdc.onHalt: expected one of exit, wait; got \"stop\"". */
void config_problems_write(const struct config_problems *problems, struct buf *out);

#endif
