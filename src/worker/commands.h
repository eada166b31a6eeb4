/* The worker's commands, one row each in commands.c. */
#ifndef WORKER_COMMANDS_H
#define WORKER_COMMANDS_H

#include "base/buf.h"
#include "worker/arguments.h"
#include "worker/exit_codes.h"

/* Which options a command takes. */
enum command_options {
    COMMAND_CONFIG = 1,           /* --config, --set */
    COMMAND_SINK = 2,             /* --sink */
    COMMAND_ACCEPT_GAP = 4,       /* --accept-gap */
    COMMAND_WITH_PUBLICATION = 8, /* --with-publication */
    COMMAND_OUTPUT = 16,          /* --output */
};

struct command {
    const char *word;     /* "slot" */
    const char *sub_word; /* "status", or NULL */
    unsigned options;
    const char *summary;
    enum exit_code (*run)(const struct arguments *arguments, const struct config *config);
};

const struct command *commands_all(uint32_t *out_count);
const struct command *commands_default(void); /* run */

/* Loads the configuration as the arguments say and runs the command. Problems go to standard error.
 */
enum exit_code commands_run(const struct arguments *arguments);

/* Prints an error with its advice to standard error. */
void commands_print_error(const struct error *err);

#endif
